"""Importing starts nothing heavy, and imports point left only."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "jax", "keras", "matplotlib", "mlflow", "optuna", "pandas", "pi_heif", "py3langid", "pyarrow", "scipy", "sklearn",
    "tensorflow",
)  # fmt: skip

# Runs in a fresh interpreter and prints which of the heavy libraries it ended up with.
LOADED_BY = """
import contextlib, io, json, sys
try:
    with contextlib.redirect_stdout(io.StringIO()):
        {code}
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(set(sys.modules) & set({heavy!r}))))
"""


def loaded_by(code: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY.format(code=code, heavy=HEAVY), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded: list[str] = json.loads(done.stdout)
    return loaded


def modules() -> list[str]:
    """Every module of the package but the days' studies, which spell out models, and the command's entry."""
    names = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        if parts[-1] == "__main__" or (parts[1:2] == ("lessons",) and len(parts) > 3):
            continue
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def test_the_test_would_notice_a_heavy_library() -> None:
    assert loaded_by("import scipy") == ["scipy"]


def test_importing_any_module_loads_no_heavy_library() -> None:
    assert "fortydays.base.files" in modules()
    assert loaded_by(f"import {', '.join(modules())}") == []


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("doctor", "--help")])
def test_quick_commands_load_no_heavy_library(arguments: tuple[str, ...]) -> None:
    assert loaded_by("from fortydays.cli.main import main; main()", *arguments) == []


def test_imports_point_left() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
            "--no-logo",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_architecture_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "src" / "fortydays").glob("*/__init__.py")}
    assert rooms
    assert {room for room in rooms if f"\n| {room} |" not in page} == set()
    assert len(page.splitlines()) < 150


def test_onnx_runtime_is_silent_wherever_it_is_imported() -> None:
    """The call comes before the import, in the same function; another package may import it, too."""
    places = 0
    for path in sorted((ROOT / "src").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef):
                heavy = [
                    line.lineno
                    for line in ast.walk(function)
                    if isinstance(line, ast.Import) and {each.name for each in line.names} & {"onnxruntime", "tf2onnx"}
                ]
                silent = [
                    call.lineno
                    for call in ast.walk(function)
                    if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "keep_onnx_runtime_silent"
                ]
                assert not heavy or (silent and min(silent) < min(heavy)), f"{path}, {function.name}"
                places += bool(heavy)
    assert places > 3


def test_onnx_runtime_leaves_nothing_in_the_home(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from fortydays.registry.evaluation import reference_graph\nreference_graph()()",
        ],
        env={**{k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*"))

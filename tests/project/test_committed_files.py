"""What is committed holds no secrets of the machine it was written on, and says one version everywhere."""

import re
import subprocess
import tomllib
from pathlib import Path

import fortydays

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "build", "dist", "node_modules"}

# Put together from parts, so that this file does not hold what it looks for.
MACHINE_PATHS = re.compile(
    "|".join(["/home/" + "[a-z]", "/Users/" + "[A-Za-z]", "/root/" + "[a-z.]", "/work/" + "[a-z]"])
)
REGISTRIES = re.compile(
    "|".join(
        [
            "pypi" + r"\.(org|python\.org)",
            "python" + r"hosted\.org",
            "npmjs" + r"\.(org|com)",
            "index" + "-url[= ]+http",
        ]
    )
)


def committed_files() -> list[Path]:
    """The files that git knows or would add; without git (an unpacked archive), those that are not caches."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(part in NOT_OURS or part.endswith("cache") or part.endswith("cache__") for part in path.parts)
        ]
    return [path for path in paths if path.is_file()]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in committed_files():
        content = path.read_bytes()
        if b"\0" in content[:8000]:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_the_search_looks_at_the_real_files() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in committed_files()}
    assert {
        "pyproject.toml",
        "Makefile",
        "src/fortydays/__init__.py",
        "tests/project/test_committed_files.py",
    } <= names
    assert lines_with(re.compile('^name = "fortydays"$')) == ['pyproject.toml:6: name = "fortydays"']


def test_the_patterns_find_what_they_are_for() -> None:
    assert MACHINE_PATHS.search("open('/home/" + "anna/data')")
    assert REGISTRIES.search("https://files.python" + "hosted.org/packages/x.whl")
    assert not MACHINE_PATHS.search("/homework and /workspace")


def test_no_file_names_a_path_of_a_machine() -> None:
    assert lines_with(MACHINE_PATHS) == []


def test_no_file_names_a_package_registry() -> None:
    assert lines_with(REGISTRIES) == []


def test_no_file_is_too_large_to_review() -> None:
    large = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in committed_files()}
    assert {name: size for name, size in large.items() if size > 1_000_000} == {}


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert citation is not None
    assert newest is not None
    assert {project["version"], citation[1], newest[1]} == {fortydays.__version__}


def test_the_license_is_the_whole_apache_license() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text

"""What `forty doctor` sees and says."""

import contextlib
import errno
import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import fortydays
from fortydays.base.machine import Machine
from fortydays.base.settings import Settings
from fortydays.cli import doctor
from fortydays.data import cache
from fortydays.data.catalog import DATASETS


def settings(tmp_path: Path, **changes: object) -> Settings:
    values = {
        "workspace": tmp_path / "workspace",
        "datasets": tmp_path / "workspace" / "datasets",
        "mirror": None,
        "offline": False,
        "threads": 2,
        "tracking_uri": "",
    }
    return Settings(**(values | changes))


def by_name(checks: list[doctor.Check]) -> dict[str, doctor.Check]:
    return {check.name: check for check in checks}


@contextlib.contextmanager
def server(status: int) -> Iterator[str]:
    """An HTTP server on this machine that answers /health with a status and everything else with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the command with a workspace of its own."""
    for name in (
        "FORTYDAYS_MIRROR",
        "FORTYDAYS_DATASETS",
        "FORTYDAYS_OFFLINE",
        "FORTYDAYS_THREADS",
        "MLFLOW_TRACKING_URI",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "my [red] workspace"))
    monkeypatch.setenv("COLUMNS", "300")
    app = typer.Typer()
    app.command()(doctor.doctor)

    def run(*arguments: str, **variables: str):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, list(arguments))

    return run


def test_a_healthy_machine_gets_a_table_and_exit_code_0(run, tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'my [red] workspace'} (not made yet)" in result.output
    assert fortydays.__version__ in result.output
    assert "Nothing stands in the way." in result.output


def test_looking_creates_nothing(run, tmp_path: Path) -> None:
    run()
    assert list(tmp_path.iterdir()) == []


def test_a_problem_is_told_with_its_way_out_and_exit_code_1(run) -> None:
    result = run(FORTYDAYS_MIRROR="/nowhere/at/all")
    assert result.exit_code == 1
    assert "FORTYDAYS_MIRROR names /nowhere/at/all, which is not a folder" in result.output
    assert "Correct FORTYDAYS_MIRROR or unset it." in result.output
    assert "1 problem to solve." in result.output


def test_settings_that_cannot_be_read_are_a_problem_among_the_others(run) -> None:
    result = run("--json", FORTYDAYS_THREADS="many")
    assert result.exit_code == 1
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["Settings"]["state"] == "problem"
    assert checks["Settings"]["found"] == "FORTYDAYS_THREADS is 'many'; expected a whole number from 1 to 1024."
    assert checks["Python"]["state"] == "ok"


def test_json_is_one_document_with_the_same_checks(run) -> None:
    document = json.loads(run("--json").stdout)
    assert document["schema_version"] == 1
    assert document["healthy"] is True
    assert document["machine"]["cores"] >= 1
    assert {"Python", "Keras", "TensorFlow", "MLflow", "NumPy", "SQLite", "Workspace", "Free space", "Tracking"} <= {
        check["name"] for check in document["checks"]
    }
    assert all(set(check) == {"name", "state", "found", "advice"} for check in document["checks"])


@pytest.mark.parametrize(
    ("version", "state"), [("3.10.14", "problem"), ("3.11.0", "ok"), ("3.13.9", "ok"), ("3.14.0rc1", "problem")]
)
def test_only_the_pythons_of_the_locks_are_supported(version: str, state: str) -> None:
    assert doctor.check_python(version).state == state


def test_a_missing_library_is_a_problem_and_either_tensorflow_will_do() -> None:
    installed = {"keras": "3.15.1", "tensorflow": "2.21.0", "numpy": "2.4.6"}
    checks = by_name(doctor.check_packages(installed.get))
    assert checks["TensorFlow"].state == "ok"
    assert checks["TensorFlow"].found == "2.21.0"
    assert checks["MLflow"].state == "problem"
    assert checks["MLflow"].found == "not installed"
    assert "make setup" in checks["MLflow"].advice


def machine(*flags: str) -> Machine:
    return Machine(cpu_model="Some CPU", cores=2, flags=flags, system="Linux x86_64", python="3.11.7")


def test_a_processor_without_bfloat16_is_a_note() -> None:
    checks = by_name(doctor.check_machine(machine("avx2"), threads=2))
    assert checks["Processor"].found == "Some CPU, 2 cores, 2 threads a trial (Linux x86_64)"
    assert checks["Fast instructions"].state == "note"
    assert checks["Fast instructions"].found == "avx2: bfloat16 is not fast here"
    assert "Threads" not in checks


def test_a_processor_with_bfloat16_is_ok() -> None:
    checks = by_name(doctor.check_machine(machine("amx_bf16", "avx2"), threads=1))
    assert checks["Fast instructions"].state == "ok"
    assert checks["Fast instructions"].found == "amx_bf16, avx2: bfloat16 is fast here"


def test_more_threads_than_cores_is_a_note() -> None:
    assert by_name(doctor.check_machine(machine(), threads=3))["Threads"].found == "3 threads on 2 cores"


@pytest.mark.parametrize(("version", "state"), [((3, 40, 1), "note"), ((3, 51, 2), "note"), ((3, 51, 3), "ok")])
def test_an_old_sqlite_is_a_note(version: tuple[int, ...], state: str) -> None:
    assert doctor.check_sqlite(version).state == state


def test_a_workspace_below_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = by_name(doctor.check_places(settings(tmp_path, workspace=tmp_path / "file" / "workspace")))["Workspace"]
    assert check.state == "problem"
    assert check.found == f"{tmp_path / 'file' / 'workspace'} cannot be made: {tmp_path / 'file'} is a file"


def test_a_workspace_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions do not bind root, so the system's answer is stood in for.
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    check = by_name(doctor.check_places(settings(tmp_path)))["Workspace"]
    assert check.state == "problem"
    assert check.advice == f"Change the permissions of {tmp_path}, or point FORTYDAYS_HOME to a folder of your own."


@pytest.mark.parametrize(("free", "state"), [(1_999_999_999, "problem"), (2_000_000_000, "ok")])
def test_two_gigabytes_must_be_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: doctor.shutil._ntuple_diskusage(10**12, 0, free))
    assert by_name(doctor.check_places(settings(tmp_path)))["Free space"].state == state


def test_cached_datasets_are_listed_without_what_is_only_half_there(tmp_path: Path) -> None:
    here = settings(tmp_path)
    whole, half = (cache.path(DATASETS[name], here) for name in ("fashion_mnist", "mnist"))
    for folder in (whole, half):
        folder.mkdir(parents=True)
        (folder / "training_images.npy").touch()
    for name in ("training_labels", "test_images", "test_labels"):
        (whole / f"{name}.npy").touch()
    assert by_name(doctor.check_places(here))["Datasets"].found == f"fashion_mnist in {here.datasets}"


def test_offline_without_datasets_is_a_note(tmp_path: Path) -> None:
    check = by_name(doctor.check_places(settings(tmp_path, offline=True)))["Datasets"]
    assert check.state == "note"
    assert "FORTYDAYS_OFFLINE" in check.advice


def test_a_mirror_that_is_there_is_shown(tmp_path: Path) -> None:
    assert by_name(doctor.check_places(settings(tmp_path, mirror=tmp_path)))["Mirror"].found == str(tmp_path)


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the system answer as to a user who may not enter a folder (permissions do not bind root)."""
    right = os.stat

    def stat(path, *arguments, **options):
        if isinstance(path, str | os.PathLike) and folder in Path(path).parents:
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return right(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", stat)


def test_folders_that_may_not_be_entered_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = settings(tmp_path, datasets=tmp_path / "closed" / "datasets", mirror=tmp_path / "closed" / "mirror")
    (tmp_path / "closed").mkdir()
    refuse(monkeypatch, tmp_path / "closed")
    checks = by_name(doctor.check_places(here))
    for name in ("Datasets", "Mirror"):
        assert checks[name].state == "problem"
        assert checks[name].found.startswith(f"Could not look at {tmp_path / 'closed'}")
        assert checks[name].found.endswith("Permission denied.")
        assert f"FORTYDAYS_{name.upper()}" in checks[name].advice


def test_a_workspace_behind_a_link_that_may_not_be_followed_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "workspace").symlink_to(tmp_path)
    refuse(monkeypatch, tmp_path / "closed")
    checks = by_name(doctor.check_places(settings(tmp_path, workspace=tmp_path / "closed" / "workspace")))
    assert checks["Workspace"].state == "problem"
    assert "Permission denied" in checks["Workspace"].found


def test_npm_is_wanted_only_where_the_network_may_be_used() -> None:
    assert doctor.check_npm(None, offline=False).state == "note"
    assert doctor.check_npm(None, offline=True).state == "ok"
    assert doctor.check_npm("/usr/bin/npm", offline=False).found == "/usr/bin/npm"


def test_a_gpu_is_noted_not_used() -> None:
    assert doctor.check_gpu(True).state == "note"
    assert doctor.check_gpu(False).state == "ok"


@pytest.mark.parametrize(
    ("uri", "found"), [("", "the store in the workspace"), ("sqlite:///mine.db", "sqlite:///mine.db")]
)
def test_tracking_without_a_server_needs_no_answer(tmp_path: Path, uri: str, found: str) -> None:
    assert doctor.check_tracking(settings(tmp_path, tracking_uri=uri)) == doctor.Check(
        name="Tracking", state="ok", found=found
    )


def test_an_address_that_the_program_refuses_is_a_problem(tmp_path: Path) -> None:
    check = doctor.check_tracking(settings(tmp_path, tracking_uri="./mlruns"))
    assert check.state == "problem"
    assert check.found.startswith("MLFLOW_TRACKING_URI is './mlruns'; expected an MLflow server")
    assert "Unset it to use the store in the workspace." in check.advice


@pytest.mark.parametrize(
    "uri",
    [
        "http://anna:se/cret@127.0.0.1:9",
        "http://anna:se@cret@127.0.0.1:9",
        "http://anna:secret@127.0.0.1:9/x?password=secret",
        "http://127.0.0.1:9/x?password=sec@ret",
        "postgresql+psycopg2://anna:secret@host/db?password=secret",
    ],
)
def test_no_part_of_a_password_is_shown(run, uri: str) -> None:
    for arguments in ((), ("--json",)):
        shown = run(*arguments, MLFLOW_TRACKING_URI=uri).output
        assert "Tracking" in shown
        assert "cret" not in shown
        assert "anna" not in shown


def test_a_tracking_server_that_answers_is_ok(tmp_path: Path) -> None:
    with server(200) as address:
        assert doctor.check_tracking(settings(tmp_path, tracking_uri=address + "/")).state == "ok"


def test_a_tracking_server_that_is_ill_is_a_problem(tmp_path: Path) -> None:
    with server(503) as address:
        check = doctor.check_tracking(settings(tmp_path, tracking_uri=address))
    assert check.state == "problem"
    assert check.found == f"{address} does not answer: its answer is 503, where 200 was expected"


def test_a_tracking_server_that_is_not_there_is_a_problem_and_its_password_is_not_shown(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    check = doctor.check_tracking(settings(tmp_path, tracking_uri=f"http://anna:secret@127.0.0.1:{port}"))
    assert check.state == "problem"
    assert check.found == f"http://127.0.0.1:{port} does not answer: no connection"


def test_a_tracking_server_that_is_silent_is_given_up(tmp_path: Path) -> None:
    # It accepts (the system does, on its behalf) and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        check = doctor.check_tracking(settings(tmp_path, tracking_uri=address), seconds=0.2)
    assert check.state == "problem"
    assert check.found.endswith("nothing came within 0.2 s")


def test_an_address_that_is_none_is_a_problem(tmp_path: Path) -> None:
    check = doctor.check_tracking(settings(tmp_path, tracking_uri="http://[half"))
    assert check.state == "problem"
    assert "the address cannot be used" in check.found

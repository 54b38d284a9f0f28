import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tracked_runs import made_up_settings, with_uri

from fortydays.base.errors import TrackingError
from fortydays.base.settings import Settings
from fortydays.track import database as module
from fortydays.track.store import destination, open_store, prepare, scrubbed, using_mlflow, without_credentials

SECRET = "http://reader:hun%40ter2@tracking.example:5000/mlflow?token=abcdef"


def test_without_an_address_the_store_is_in_the_workspace(tmp_path: Path) -> None:
    where = destination(made_up_settings(tmp_path))
    assert where.database == tmp_path / "mlflow.db"
    assert where.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert where.artifacts == tmp_path / "mlartifacts"
    assert where.is_own
    assert list(tmp_path.iterdir()) == []  # knowing where it is makes nothing


def test_a_server_keeps_its_own_files(tmp_path: Path) -> None:
    where = destination(made_up_settings(tmp_path, tracking_uri="http://localhost:5000"))
    assert where.is_server
    assert where.database is None


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "/somewhere/mlruns", "ftp://host/x"])
def test_an_address_that_mlflow_cannot_use_is_refused_at_once(tmp_path: Path, uri: str) -> None:
    with pytest.raises(TrackingError, match="expected an MLflow server") as caught:
        destination(made_up_settings(tmp_path, tracking_uri=uri))
    assert "Unset it" in caught.value.hint


def test_a_workspace_whose_name_is_no_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="has a '%' or '\\?' in its name"):
        destination(made_up_settings(tmp_path / "100%"))


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("https://reader:secret@host/mlflow", "https://host/mlflow"),
        ("https://token@host", "https://host"),
        ("http://reader:se/cr@et@host:5000", "http://host:5000"),
        ("http://host/x?password=secret#secret", "http://host/x"),
        ("http://reader:se?cret@host", "http://..."),
        ("http://host/x?password=sec@ret", "http://..."),
        ("postgresql+psycopg2://reader:secret@host/db", "postgresql+psycopg2://host/db"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_credentials(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


@pytest.mark.parametrize("secret", ["hun%40ter2", "hun@ter2", "reader:", "abcdef"])
def test_no_message_holds_credentials(secret: str) -> None:
    said = f"request to {SECRET} failed: reader:hun@ter2 refused, http://reader:hun%40ter2@tracking.example:5000/api"
    assert secret not in scrubbed(said, SECRET)
    assert "failed" in scrubbed(said, SECRET)


def test_credentials_of_another_address_are_not_shown_either() -> None:
    said = scrubbed("no answer from the proxy http://reader:hunter2@proxy:3128", "http://127.0.0.1:5000")
    assert said == "no answer from the proxy http://proxy:3128"


def test_a_token_in_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t")
    assert scrubbed("Bearer s3cr3t refused", "http://host") == "Bearer ... refused"


def test_a_message_is_one_line_without_terminal_codes() -> None:
    assert scrubbed("red \x1b[31m\nand\tnew", "http://host") == "red [31m and new"


def test_the_address_is_in_no_representation(tmp_path: Path) -> None:
    assert "hun" not in repr(destination(made_up_settings(tmp_path, tracking_uri=SECRET)))


@pytest.mark.parametrize(
    "beginning",
    [
        b"this is no database",
        pytest.param(b"SQLite format 3\0 and then rubbish" * 400, marks=pytest.mark.slow),
    ],
)
def test_a_damaged_store_is_set_aside_and_named(settings: Settings, beginning: bytes) -> None:
    where = destination(settings)
    assert where.database is not None
    where.database.write_bytes(beginning)
    where.database.with_name("mlflow.db-journal").write_bytes(b"left by a killed process")
    (note,) = prepare(where)
    (aside,) = settings.workspace.glob("mlflow.db.damaged-*")
    assert aside.read_bytes() == beginning
    assert aside.name in note
    assert str(where.database) in note
    assert "forty sync" in note
    assert not where.database.with_name("mlflow.db-journal").exists()  # it would be played into the new store
    assert prepare(where) == []
    assert open_store(where).client.search_experiments()


@pytest.mark.slow
def test_a_store_with_a_page_overwritten_is_found(settings: Settings) -> None:
    where = destination(settings)
    assert where.database is not None
    with where.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    (note,) = prepare(where)
    assert "was damaged" in note


def test_a_damaged_store_that_is_not_ours_stays_where_it_is(tmp_path: Path) -> None:
    database = tmp_path / "theirs.db"
    database.write_bytes(b"this is no database")
    settings = made_up_settings(tmp_path, tracking_uri=f"sqlite:///{database}")
    with pytest.raises(TrackingError, match=r"theirs\.db is damaged: it does not begin as an SQLite database does"):
        prepare(destination(settings))
    assert database.read_bytes() == b"this is no database"


@pytest.mark.slow
def test_an_empty_file_and_a_draft_are_left_by_killed_processes_and_replaced(settings: Settings) -> None:
    where = destination(settings)
    assert where.database is not None
    where.database.write_bytes(b"")
    (settings.workspace / ".mlflow.db.part").write_bytes(b"half a schema")
    assert prepare(where) == []
    assert open_store(where).client.search_experiments()
    assert not list(settings.workspace.glob(".*.part"))
    assert not list(settings.workspace.glob("*.damaged-*"))


@pytest.mark.parametrize(("version", "expected"), [((3, 40, 1), "delete"), ((3, 51, 3), "wal")])
def test_a_write_ahead_log_is_kept_only_where_it_is_safe(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], expected: str
) -> None:
    where = destination(settings)
    assert where.database is not None
    _execute(where.database, "PRAGMA journal_mode=WAL")
    monkeypatch.setattr(module.sqlite3, "sqlite_version_info", version)
    prepare(where)
    assert _execute(where.database, "PRAGMA journal_mode") == expected


def test_a_new_store_has_a_rollback_journal(settings: Settings) -> None:
    assert _execute(settings.workspace / "mlflow.db", "PRAGMA journal_mode") == "delete"


def test_a_server_that_is_not_there_is_named_without_credentials(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError) as caught:
        open_store(destination(with_uri(settings, "http://reader:hunter2@127.0.0.1:9")))
    assert caught.value.message == "The tracking server http://127.0.0.1:9 cannot be reached: no connection."
    assert "forty sync" in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_refusal_is_told_in_one_bounded_line(settings: Settings) -> None:
    where = destination(settings)
    with pytest.raises(TrackingError, match="refused: ") as caught, using_mlflow(where):
        from mlflow.exceptions import MlflowException

        raise MlflowException("no\n" * 1000)
    assert len(caught.value.message) < 300 + len(where.shown) + 50
    assert "\n" not in caught.value.message


def test_a_defect_of_ours_is_not_taken_for_the_trackers(settings: Settings) -> None:
    with pytest.raises(KeyError), using_mlflow(destination(settings)):
        {}["missing"]


@pytest.mark.slow
def test_many_processes_may_use_a_new_workspace_at_once(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom fortydays.base.settings import read_settings\n"
        "from fortydays.track.store import destination, open_store\n"
        "store = open_store(destination(read_settings()))\n"
        "store.client.create_experiment(sys.argv[1])\n"
    )
    environment = {"FORTYDAYS_HOME": str(tmp_path / "new"), "PATH": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, f"experiment {number}"],
            env={**environment, "TMPDIR": str(_made(tmp_path / f"tmp{number}"))},  # MLflow's own lock is in there
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        for number in range(3)
    ]
    said = [process.communicate()[1] for process in processes]
    assert said == ["", "", ""]
    assert [process.returncode for process in processes] == [0, 0, 0]
    found = open_store(destination(made_up_settings(tmp_path / "new"))).client.search_experiments()
    assert sorted(e.name for e in found) == ["Default", *(f"experiment {number}" for number in range(3))]
    assert _execute(tmp_path / "new" / "mlflow.db", "PRAGMA integrity_check") == "ok"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "tmp0", "tmp1", "tmp2"]  # no stray mlruns


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _execute(database: Path, statement: str) -> str:
    connection = sqlite3.connect(database)
    try:
        return str(connection.execute(statement).fetchone()[0])
    finally:
        connection.close()

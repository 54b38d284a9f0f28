"""What the environment decides."""

from pathlib import Path

import platformdirs
import pytest

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.settings import available_cores, read_settings


def test_everything_has_a_place_without_any_variable() -> None:
    settings = read_settings({})
    assert settings.workspace.name == "fortydays"
    assert settings.workspace.is_absolute()
    assert settings.datasets == settings.workspace / "datasets"
    assert settings.runs == settings.workspace / "runs"
    assert (settings.mirror, settings.offline, settings.tracking_uri) == (None, False, "")
    assert settings.threads == available_cores()


def test_each_variable_is_heeded(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "FORTYDAYS_HOME": str(tmp_path / "home"),
            "FORTYDAYS_DATASETS": str(tmp_path / "data"),
            "FORTYDAYS_MIRROR": str(tmp_path / "mirror"),
            "FORTYDAYS_OFFLINE": "1",
            "FORTYDAYS_THREADS": "3",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
        }
    )
    assert settings.workspace == tmp_path / "home"
    assert settings.datasets == tmp_path / "data"
    assert settings.mirror == tmp_path / "mirror"
    assert (settings.offline, settings.threads, settings.tracking_uri) == (True, 3, "http://127.0.0.1:5000")


@pytest.mark.parametrize(("value", "offline"), [("", False), ("0", False), ("1", True), ("yes", True)])
def test_offline_is_off_when_empty_or_zero(value: str, offline: bool) -> None:
    assert read_settings({"FORTYDAYS_OFFLINE": value}).offline is offline


def test_a_relative_folder_is_one_of_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({"FORTYDAYS_HOME": "here"}).workspace == tmp_path / "here"


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "1025"])
def test_a_number_of_threads_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings({"FORTYDAYS_THREADS": value})
    assert caught.value.message == f"FORTYDAYS_THREADS is {value!r}; expected a whole number from 1 to 1024."
    assert caught.value.hint == "Unset it to use every core this process may use."


def test_the_token_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-secret-of-a-test\n")
    assert read_settings({"FORTYDAYS_TOKEN_FILE": str(tmp_path / "token")}).service_token == "a-secret-of-a-test"
    assert read_settings({"FORTYDAYS_TOKEN_FILE": ""}).service_token == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "it is not a file that can be read"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"\xff" * 20, "it is not ASCII text"),
        (b"x" * 5000, "it has more than 4,096 bytes"),
    ],
)
def test_a_file_without_a_token_is_told_and_not_shown(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "token"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_settings({"FORTYDAYS_TOKEN_FILE": str(path)})
    assert caught.value.message == f"FORTYDAYS_TOKEN_FILE names {path}, but {told}."
    assert caught.value.hint == "Write the token, at least 16 characters, into that file, or unset the variable."


def test_two_tokens_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-secret-of-a-test")
    with pytest.raises(
        UsageError, match="FORTYDAYS_TOKEN and FORTYDAYS_TOKEN_FILE are both set; expected one"
    ) as told:
        read_settings({"FORTYDAYS_TOKEN": "x" * 16, "FORTYDAYS_TOKEN_FILE": str(tmp_path / "token")})
    assert told.value.hint == "Unset one of them."


@pytest.mark.parametrize("variable", ["FORTYDAYS_HOME", "FORTYDAYS_DATASETS", "FORTYDAYS_MIRROR"])
def test_a_folder_that_cannot_be_is_refused(variable: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    expected = {
        "~nosuchuser/x": ("'~nosuchuser/x', but the home folder of ~nosuchuser is not known here.", "begins with a"),
        "/tmp/a\nb": ("'/tmp/a?b', with a line break or another control character in it.", "Set it to a path."),
        str(tmp_path / "file"): ("expected a folder, and a file stands there or on the way to it.", "Name a folder."),
        str(tmp_path / "file" / "x"): ("expected a folder, and a file stands there or on the way", "Name a folder."),
    }
    for value, (message, hint) in expected.items():
        with pytest.raises(FortydaysError) as caught:
            read_settings({variable: value})
        assert caught.value.message.startswith(f"{variable} is ")
        assert message in caught.value.message
        assert hint in caught.value.hint


def test_without_a_home_the_workspace_must_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: Path("~/.local/share/fortydays"))
    with pytest.raises(UsageError) as caught:
        read_settings({})
    assert caught.value.message == "There is no home folder for the workspace: HOME is not set."
    assert caught.value.hint == "Set FORTYDAYS_HOME to the path of a folder."
    assert read_settings({"FORTYDAYS_HOME": str(tmp_path)}).workspace == tmp_path

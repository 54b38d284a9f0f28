"""Names from outside never become paths: hundreds of hostile ones, and a file that nobody may touch."""

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fortydays.cli.main import execute

UP = ("..", "%2e%2e", "%252e%252e", "\u2025", "\uff0e\uff0e", ".. ", "..;", "...", "....//..")
BETWEEN = ("/", "\\", "%2f", "%5c", "//", "/./", "\u2215", "\uff0f", "%c0%af")
ENDS = ("canary/secret", "canary\x00.png", "canary", "home/../canary/secret")

COMMANDS = (
    ("models", "show", "{}"),
    ("models", "show", "mnist@{}"),
    ("models", "unlock", "{}"),
    ("promote", "{}@1", "--to", "champion"),
    ("promote", "mnist@1", "--to", "{}"),
    ("rollback", "{}"),
    ("retire", "{}@1", "--reason", "x"),
    ("lineage", "{}"),
    ("reproduce", "{}"),
    ("bundle", "{}", "-o", "out"),
    ("predict", "{}", "photograph.png"),
    ("register", "1", "--name", "{}"),
    ("register", "1", "--run", "{}"),
    ("data", "verify", "{}"),
    ("data", "get", "{}"),
    ("data", "versions", "{}"),
    ("data", "diff", "{}", "1", "2"),
    ("data", "checkout", "{}", "1"),
    ("reload", "{}"),
)


def payloads() -> list[str]:
    climbing = [
        (up + between) * depth + end for up in UP for between in BETWEEN for depth in (1, 4) for end in ENDS[:2]
    ]
    others = [
        "/etc/passwd", "C:\\Windows\\win.ini", "\\\\host\\share", "file:///etc/passwd", "~/canary", "~root", "$HOME",
        "a" * 10_000, "a\x00b", "\x1b[31m", "-rf", "--help-me", "nul", "con.png", "a\nb", "a\rb", "\u202ea", "é", " ",
        ".", "..", "/", "mnist/", "mnist/../mnist", "Mnist", "mnist@", "@", "@@", "%s", "'; DROP TABLE models; --",
    ]  # fmt: skip
    return [*climbing, *others]


class Watch:
    """Remembers what this process opens, lists, makes or removes inside a folder."""

    def __init__(self) -> None:
        self.folder = ""
        self.touched: list[tuple[str, str]] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder or not (event == "open" or event.startswith(("os.", "shutil.", "sqlite3.", "glob."))):
            return
        for argument in arguments[:2]:
            if isinstance(argument, (str, bytes, os.PathLike)):
                text = os.fsdecode(argument)
                if "\x00" not in text and os.path.realpath(text).startswith(self.folder):
                    self.touched.append((event, text))


_WATCH = Watch()
sys.addaudithook(_WATCH)  # there is no taking it away again, so it looks only while a test asks it to


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "canary"
    folder.mkdir()
    (folder / "secret").write_text("untouched")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name, value in (("HOME", tmp_path), ("FORTYDAYS_HOME", tmp_path / "home"), ("FORTYDAYS_OFFLINE", "1")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    _WATCH.folder, _WATCH.touched = str(folder), []
    yield folder
    _WATCH.folder = ""
    assert sorted(path.name for path in folder.iterdir()) == ["secret"]
    assert (folder / "secret").read_text() == "untouched"


def test_the_watch_would_notice(canary: Path) -> None:
    (canary.parent / "work" / ".." / "canary" / "secret").read_text()
    assert _WATCH.touched


@pytest.mark.slow
def test_hostile_names_are_refused_by_every_command_and_touch_nothing(
    canary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = payloads()
    assert len(hostile) >= 300
    asked = zip(itertools.cycle(COMMANDS), hostile, strict=False)
    for command, name in asked:
        code = execute([part.replace("{}", name) for part in command])
        told = capsys.readouterr()
        assert code in (1, 2), (command, name)
        assert "Traceback" not in told.err
        assert "untouched" not in told.out + told.err
        assert "\x1b[31m" not in told.out + told.err
        assert len(told.err) < 2_000, (command, name[:50])
    assert _WATCH.touched == []
    assert not (canary.parent / "work" / "out").exists()

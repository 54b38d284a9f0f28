"""The commands that README and tour show are commands, with arguments and options that exist."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from fortydays.cli.main import app
from fortydays.days.journey import JOURNEY
from fortydays.report import typesetting
from fortydays.site import finished
from fortydays.site.serving import SiteServer

ROOT = Path(__file__).resolve().parents[2]


def shown(file: str) -> list[list[str]]:
    """The commands of ``forty`` in the indented lines of a file, without what follows them as a remark."""
    text = (ROOT / file).read_text("utf-8")
    lines = re.findall(r"^    (?:\.venv/bin/)?forty\b(.*)$", text, re.MULTILINE)
    return [shlex.split(line.partition(" > ")[0], comments=True) for line in lines]


def parsed(words: list[str]) -> None:
    """Read a command line as the program does, and run nothing; raises where the program would refuse it."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words:
        name, words = words[0], words[1:]
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    command.make_context(command.name, list(words))


@pytest.mark.parametrize("file", ["README.md", "docs/tour.md", "docs/install.md", "docs/exercises.md"])
def test_every_command_shown_is_one(file: str) -> None:
    for words in shown(file):
        parsed(words)


def test_the_first_day_has_ten_commands_and_begins_with_reading_running_and_exercises() -> None:
    commands = shown("README.md")
    assert len(commands) == 10
    assert [words[0] for words in commands[1:6]] == ["read", "run", "show", "exercise", "check"]


def test_a_command_that_is_none_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="no command trian"):
        parsed(["trian", "1"])
    with pytest.raises(Exception, match="No such option"):
        parsed(["read", "1", "--nothing"])


LONG = (["run", "1"], ["fit", "tf_flowers"])
"""What trains for longer than a test may take."""


def test_the_path_of_the_first_day_can_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))

    # The pages of one day, and the Ctrl-C that ends a server.
    def interrupted(_server: SiteServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finished, "JOURNEY", JOURNEY[:1])
    monkeypatch.setattr(finished, "_reasons", lambda *_: ())
    monkeypatch.setattr(SiteServer, "serve_forever", interrupted)
    runner = CliRunner()
    path: tuple[tuple[list[str], int], ...] = (
        ([], 0),
        (["read", "1"], 0),
        (["show", "1", "--published"], 0),
        (["exercise", "1"], 0),
        (["check", "1"], 3),  # nothing is written yet
        (["hint", "1"], 0),
        (["copy", "1", "my_study.py"], 0),
        (["site", "serve"], 130),
    )
    assert sorted([*(words for words, _ in path), *LONG]) == sorted(shown("README.md"))
    for words, code in path:
        done = runner.invoke(app, [*words, "--port", "0"] if words == ["site", "serve"] else words)
        assert done.exit_code == code, done.output
    assert "The site is at http://127.0.0.1:" in done.output
    assert (tmp_path / "day01" / "1_a_dense_layer.py").is_file()


def test_what_make_demo_installs_is_enough_for_every_command_of_the_first_day() -> None:
    """Pages need packages that nothing imports before a page is made."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {*typesetting.PACKAGES, "griffelib", "pygments", "mdit-py-plugins"}
    assert needed <= {re.split(r"[<>=]", each)[0] for each in project["dependencies"]}
    locked = (ROOT / "locks" / "run.txt").read_text("utf-8")
    assert needed <= set(re.findall(r"^([a-z0-9-]+)==", locked, re.MULTILINE))

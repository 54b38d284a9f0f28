"""The entry of the command: what every command does alike."""

import errno
import json
import os
import subprocess
import sys

import pytest

import fortydays
from fortydays.cli import days, streams
from fortydays.cli.main import execute


def fails_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``forty list`` end with an error that nobody closer to it handles."""

    def print_map(_console: object) -> None:
        raise error

    monkeypatch.setattr(days, "print_map", print_map)


def test_an_interrupt_is_told_in_one_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails_with(monkeypatch, KeyboardInterrupt())
    assert execute(["list"]) == 130
    printed = capsys.readouterr()
    assert (printed.out, printed.err.strip()) == ("", "Stopped.")


def test_a_program_that_asked_for_json_is_told_of_an_interrupt_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def print_json(_document: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(streams, "print_json", print_json)
    assert execute(["list", "--json"]) == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err) == {"error": {"code": 130, "message": "Stopped.", "hint": ""}}


def test_a_file_that_the_system_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(monkeypatch, PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/there/file"))
    assert execute(["list"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: Could not use /there/file: Permission denied.\nNo permission. Change the folder's")


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"]])
def test_a_reader_of_the_output_who_has_gone_is_not_told_anything(arguments: list[str]) -> None:
    """As in ``forty list | head -0``: no traceback, now or when the interpreter ends."""
    gone, pipe = os.pipe()
    os.close(gone)
    done = subprocess.run(
        [sys.executable, "-m", "fortydays", *arguments], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(pipe)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out == f"fortydays {fortydays.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "Error: Missing argument 'DAY'.\nSee `forty check --help`.\n"),
        (["exercise", "1", "1"], "Error: Got unexpected extra argument(s) (1)\nSee `forty exercise --help`.\n"),
        (["models", "good"], "Error: No such command 'good'.\nSee `forty models --help`.\n"),
        (["data", "get"], "Error: Missing argument 'NAME'.\nSee `forty data get --help`.\n"),
        (["check", "1", "x"], "Error: N is wrong; expected a whole number.\n"),
        (["nosuch"], "Error: No such command 'nosuch'.\nSee `forty --help`.\n"),
    ],
)
def test_wrong_usage_is_told_in_the_words_of_that_command(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("family", [[], ["data"], ["models"], ["site"]])
def test_the_help_breaks_off_in_no_sentence(
    family: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert execute([*family, "--help"]) == 0
    listed = capsys.readouterr().out.partition("\nCommands:\n")[2]
    assert listed
    assert "..." not in listed
    assert max(map(len, listed.splitlines())) <= 80


def test_the_help_begins_where_the_list_of_days_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--help"]) == 0
    assert capsys.readouterr().out.endswith("\n  Begin: forty read 1, then forty run 1\n")

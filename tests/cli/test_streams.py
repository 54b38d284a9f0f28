"""What reaches a terminal, a pipe, a file and nothing at all."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fortydays.cli.streams import without_color

SOURCES = Path(__file__).parents[2] / "src" / "fortydays" / "cli"
STREAMS = "import sys; from fortydays.cli import streams; streams.prepare(sys.argv); "


def forty(
    home: Path, *arguments: str, code: str = "", stdout: int = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, or some code, with few variables set besides those given."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return subprocess.run(
        [sys.executable, *(["-c", STREAMS + code] if code else ["-m", "fortydays"]), *arguments],
        env={**kept, "HOME": str(home), "FORTYDAYS_HOME": str(home), **variables},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


def on_a_terminal(home: Path, *arguments: str, **variables: str) -> str:
    """What a command sends to a terminal."""
    ours, theirs = pty.openpty()
    done = forty(home, *arguments, stdout=theirs, TERM=variables.pop("TERM", "xterm-256color"), **variables)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    with os.fdopen(ours, "rb", closefd=True) as terminal:
        parts = []
        while True:
            try:
                parts.append(os.read(terminal.fileno(), 65536))
            except OSError:  # Linux's way to say that nothing more will come
                break
            if not parts[-1]:
                break
    return b"".join(parts).decode()


def test_a_terminal_gets_styles(tmp_path: Path) -> None:
    assert "\x1b[3mNetworks" in on_a_terminal(tmp_path, "list")


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["list"], {"NO_COLOR": "1"}),
        (["--no-color", "list"], {}),
        (["list", "--no-color"], {"FORCE_COLOR": "1"}),
        (["list"], {"TERM": "dumb"}),
        (["show", "1", "--published"], {"NO_COLOR": "1"}),
        (["read", "1", "--no-pager"], {"NO_COLOR": "1"}),
    ],
)
def test_without_color_a_terminal_gets_no_escape_code(
    arguments: list[str], variables: dict[str, str], tmp_path: Path
) -> None:
    assert "\x1b" not in on_a_terminal(tmp_path, *arguments, **variables)


@pytest.mark.parametrize("variables", [{}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}])
def test_a_pipe_gets_no_escape_code(variables: dict[str, str], tmp_path: Path) -> None:
    done = forty(tmp_path, "show", "1", "--published", **variables)
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr


def test_asked_by_force_color_a_pipe_gets_styles_but_nothing_that_moves_the_cursor(tmp_path: Path) -> None:
    code = (
        "from fortydays.cli.progress import console_progress\n"
        "with console_progress(streams.console()) as progress:\n"
        "    progress.start('a', total=1, unit='steps'); progress.warn('b'); progress.finish('a')\n"
        "streams.console().print('[bold]c')"
    )
    done = forty(tmp_path, code=code, FORCE_COLOR="1")
    assert done.stdout == b"Warning: b\na: done\n\x1b[1mc\x1b[0m\n"


def test_no_color_is_found_before_a_double_dash_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert without_color(["list", "--", "--no-color"]) == ["list", "--", "--no-color"]
    assert os.environ["NO_COLOR"] == ""
    assert without_color(["predict", "--no-color", "--", "a"]) == ["predict", "--", "a"]
    assert os.environ["NO_COLOR"] == "1"


def test_every_console_of_the_commands_is_one_of_these() -> None:
    made = [path.name for path in SOURCES.glob("*.py") if "Console(" in path.read_text("utf-8")]
    assert made == ["streams.py"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_in_another_script_is_no_traceback(encoding: str, tmp_path: Path) -> None:
    code = "streams.console().print('名字 ± 0.5 → \\udcff'); streams.console(stderr=True).print('имя …')"
    done = forty(tmp_path, code=code, PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    expected = {
        "ascii": (b"?? +/- 0.5 -> \xff\n", b"??? ...\n"),
        "latin-1": (b"?? \xb1 0.5 -> \xff\n", b"??? ...\n"),
        "utf-8": ("名字 ± 0.5 → ".encode() + b"\xff\n", "имя …\n".encode()),
    }
    assert (done.stdout, done.stderr) == expected[encoding]


def test_json_stays_json_whatever_the_encoding(tmp_path: Path) -> None:
    code = "import json; print(json.dumps('é 名 \U0001f600 \\udcff', ensure_ascii=False))"
    done = forty(tmp_path, "--json", code=code, PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout) == "é 名 \U0001f600 \udcff"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_traceback_and_no_file_takes_their_numbers(closed: str, tmp_path: Path) -> None:
    code = (
        "import os; file = open(sys.argv[1], 'w'); assert file.fileno() > 2; "
        "print('out'); print('err', file=sys.stderr); sys.stdin.read()"
    )
    command = f'"$0" -c "$1" "$2" {closed}'
    if "<" not in closed:
        command += " </dev/null"
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, STREAMS + code, str(tmp_path / "file")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_bytes() == b""
    assert done.stdout == (b"" if ">&-" in closed.replace("2>&-", "") else b"out\n")
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show", "1", "--published"], ["--version"]])
def test_a_full_disk_behind_the_output_is_told(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = forty(tmp_path, *arguments, stdout=full.fileno())
    assert done.returncode == 1
    assert b"Could not write the output: No space left on device." in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_what_a_terminal_would_act_on_does_not_leave_a_message(tmp_path: Path) -> None:
    done = forty(tmp_path, "fit", "a\x1b[31m\x07b")
    assert done.returncode != 0
    assert b"\x1b" not in done.stderr
    assert b"\x07" not in done.stderr

import io

import pytest
import rich.console

from fortydays.base import clock
from fortydays.cli.progress import amount, console_progress


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: tests set its only item."""
    moment = [0.0]
    monkeypatch.setattr(clock, "seconds", lambda: moment[0])
    return moment


def log_console() -> tuple[rich.console.Console, io.StringIO]:
    stream = io.StringIO()
    return rich.console.Console(file=stream, force_terminal=False, width=80), stream


def screen(**options: object) -> tuple[rich.console.Console, io.StringIO]:
    stream = io.StringIO()
    environment = {"TERM": "xterm-256color"}
    console = rich.console.Console(file=stream, force_terminal=True, width=100, _environ=environment, **options)
    return console, stream


@pytest.mark.parametrize(
    ("done", "total", "unit", "text"),
    [
        (12_000_000, 170_100_000, "bytes", "12.0 of 170.1 MB"),
        (1_500_000, None, "bytes", "1.5 MB"),
        (1_200, 5_000, "steps", "1,200 of 5,000 steps"),
        (13.7, None, "seconds", "14 seconds"),
    ],
)
def test_amounts_are_told_in_words(done: float, total: float | None, unit: str, text: str) -> None:
    assert amount(done, total, unit) == text


def test_in_a_log_a_fast_task_is_one_line(now: list[float]) -> None:
    console, stream = log_console()
    with console_progress(console) as progress:
        progress.start("training", total=100, unit="steps")
        for step in range(1, 101):
            now[0] += 0.005
            progress.advance("training", done=step)
        progress.finish("training", note="97.5 %")
    assert stream.getvalue() == "training: 97.5 %\n"


def test_in_a_log_each_tenth_is_a_line_but_not_more_than_one_a_second(now: list[float]) -> None:
    console, stream = log_console()
    with console_progress(console) as progress:
        progress.start("training", total=100, unit="steps")
        for step in range(1, 41):
            now[0] += 0.2
            progress.advance("training", done=step, note="loss 0.5")
        progress.finish("training")
    assert stream.getvalue().splitlines() == [
        "training: 10 of 100 steps, loss 0.5",
        "training: 20 of 100 steps, loss 0.5",
        "training: 30 of 100 steps, loss 0.5",
        "training: 40 of 100 steps, loss 0.5",
        "training: done",
    ]


def test_in_a_log_a_slow_task_has_a_line_every_ten_seconds(now: list[float]) -> None:
    console, stream = log_console()
    with console_progress(console) as progress:
        progress.start("download", total=None, unit="bytes")
        for second in range(1, 26):
            now[0] = float(second)
            progress.advance("download", done=second * 1e6)
        progress.finish("download")
    assert stream.getvalue().splitlines() == ["download: 10.0 MB", "download: 20.0 MB", "download: done"]


def test_in_a_log_messages_are_plain_lines_however_long() -> None:
    console, stream = log_console()
    with console_progress(console) as progress:
        progress.say("a [bold]path[/bold] " + "x" * 100)
        progress.warn("look out")
    assert stream.getvalue() == f"a [bold]path[/bold] {'x' * 100}\nWarning: look out\n"


def test_on_a_terminal_tasks_nest_and_only_notes_stay() -> None:
    console, stream = screen()
    with console_progress(console) as progress:
        progress.start("study", total=4, unit="trials")
        progress.start("trial 1", total=500, unit="steps")
        progress.advance("trial 1", done=250, note="loss 0.25")
        progress.advance("study", done=0)
        progress._bars.refresh()
        progress.finish("trial 1", note="97.5 %")
        progress.advance("study", done=1)
        progress.finish("study")
        progress.say("two lines")
    shown = stream.getvalue()
    assert shown.index("study") < shown.index("trial 1")
    assert "250 of 500 steps" in shown
    assert "loss 0.25" in shown
    assert "trial 1: 97.5 %" in shown
    assert "two lines" in shown


def test_a_task_may_start_again_under_its_name() -> None:
    console, stream = screen()
    with console_progress(console) as progress:
        for total in (10, 20):
            progress.start("download", total=total, unit="steps")
            progress.advance("download", done=total / 2)
        progress._bars.refresh()
        assert [task.total for task in progress._bars.tasks] == [20]
        progress.finish("download")
    assert "10 of 20 steps" in stream.getvalue()


def test_without_colour_nothing_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"TERM": "xterm-256color", "NO_COLOR": "1"}
    stream = io.StringIO()
    console = rich.console.Console(file=stream, force_terminal=True, width=100, _environ=environment)
    with console_progress(console) as progress:
        progress.start("study", total=4, unit="trials")
        progress.advance("study", done=2)
        progress._bars.refresh()
        progress.warn("look out")
        progress.finish("study")
    assert "\x1b[3" not in stream.getvalue()
    assert "\x1b[9" not in stream.getvalue()
    coloured, coloured_stream = screen()
    with console_progress(coloured) as progress:
        progress.warn("look out")
    assert "\x1b[33m" in coloured_stream.getvalue()


def test_a_terminal_that_cannot_move_its_cursor_gets_lines() -> None:
    stream = io.StringIO()
    console = rich.console.Console(file=stream, force_terminal=True, _environ={"TERM": "dumb"})
    with console_progress(console) as progress:
        progress.start("study", total=1, unit="trials")
        progress.finish("study")
    assert stream.getvalue() == "study: done\n"


def test_of_more_than_eight_trials_the_others_wait_and_are_counted(now: list[float]) -> None:
    console, stream = log_console()
    with console_progress(console) as progress:
        progress.start("study", total=100, unit="steps")
        for seed in range(11):
            progress.start(f"seed {seed}", total=100, unit="steps")
        now[0] = 20.0
        progress.advance("seed 7", done=50)
        progress.advance("seed 8", done=50)
        progress.advance("study", done=60)
        progress.finish("seed 0", note="ended")
        now[0] = 40.0
        progress.advance("seed 8", done=60)
    assert stream.getvalue().splitlines() == [
        "seed 7: 50 of 100 steps",
        "study: 60 of 100 steps, and 3 more at work",
        "seed 0: ended",
        "seed 8: 60 of 100 steps",
    ]


def test_on_a_terminal_a_bar_that_goes_makes_room_for_another() -> None:
    console, _ = screen()
    with console_progress(console) as progress:
        for task in range(11):
            progress.start(f"task {task}", total=100, unit="steps")
        bars = progress._bars  # type: ignore[attr-defined]
        progress.advance("task 0", done=1)
        assert [each.visible for each in bars.tasks] == [True] * 9 + [False] * 2
        assert bars.tasks[0].fields["note"] == "and 2 more at work"
        progress.finish("task 3")
        progress.advance("task 0", done=2)
        assert [each.visible for each in bars.tasks] == [True] * 9 + [False]
        assert bars.tasks[0].fields["note"] == "and 1 more at work"
        progress.finish("task 4")
        progress.advance("task 0", done=3)
        assert bars.tasks[0].fields["note"] == ""

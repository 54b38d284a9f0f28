"""What `fd.show` and `fd.run` give."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from made_up_runs import BEEF, made_up, make_run, publish

import fortydays as fd
from fortydays import api
from fortydays.base import clock
from fortydays.study import evidence
from fortydays.study.evidence import Published
from fortydays.study.runner import StudyInterruptedError

SHORT_NAMES = Path(__file__).parent / "studies" / "short_names.py"


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, and a made-up day 4 as the only published one."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    publish(tmp_path / "published", made_up.evidence())
    monkeypatch.setattr(evidence, "published", lambda: Published(folder=tmp_path / "published"))
    return tmp_path / "home"


@pytest.mark.parametrize("day", [4, "4", "day04", "regularization"])
def test_a_day_is_shown_by_any_of_its_names_without_training(day: Any) -> None:
    result = fd.show(day)
    assert (result.source, result.evidence["run_id"]) == ("published", "the-published-run")
    shown = repr(result)
    assert shown.startswith("Day 4 · Overfitting and regularization\n")
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


def test_your_own_run_comes_first_unless_the_published_one_is_asked_for(workspace: Path) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    assert fd.show(4).source == f"your run {BEEF}"
    assert fd.show(4, published=True).source == "published"


def test_trials_and_histories_are_tables_of_numbers() -> None:
    result = fd.show(4)
    trials = result.trials
    assert list(trials.columns[:7]) == ["variant", "seed", "status", "error", "epochs", "best_epoch", "train_seconds"]
    assert len(trials) == len(result.evidence["trials"])
    first = result.evidence["trials"][0]
    assert trials.loc[0, ["variant", "seed", "test_accuracy"]].tolist() == [
        first["variant"],
        first["seed"],
        first["metrics"]["test_accuracy"],
    ]
    history = result.history
    assert list(history.columns[:2]) == ["variant", "seed"]
    of_first = history[(history.variant == first["variant"]) & (history.seed == first["seed"])]
    assert of_first.validation_accuracy.tolist() == first["history"]["validation_accuracy"]


def test_claims_are_typed_values() -> None:
    claims = fd.show(4).claims
    assert claims[0].claim == "The network names at least 97% of the test digits"
    assert {claim.verdict for claim in claims} <= {"supported", "refuted", "undecided"}


def test_a_notebook_gets_html_in_which_everything_is_escaped(tmp_path: Path) -> None:
    withdrawn = [{"claim": "It was & is", "reason": "No test."}]
    changes = {"title": "<script>alert(1)</script>", "withdrawn": withdrawn}
    publish(tmp_path / "published", made_up.evidence() | changes)
    html = fd.show(4)._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "✓ supported" in html
    assert "<td>It was &amp; is</td><td>No test.</td>" in html
    assert "network with dropout" in html


def test_a_plot_is_shown_by_a_notebook_and_kept_as_a_file(tmp_path: Path) -> None:
    result = fd.show(4)
    plot = result.plot()
    assert plot.caption.startswith("Overfitting and regularization: test accuracy.")
    assert plot._repr_html_().startswith("<figure><svg ")
    assert plot.save(tmp_path / "plot.svg").read_text("utf-8") == plot.svg
    assert "test accuracy" in repr(plot)
    assert result.plot("validation_accuracy").svg != plot.svg
    with pytest.raises(
        fd.FortydaysError, match=r"The picture is an SVG file; the name plot\.png does not end in \.svg"
    ):
        plot.save("plot.png")


def test_two_plots_of_one_notebook_do_not_share_ids() -> None:
    result = fd.show(4)
    first, second = (result.plot()._repr_html_().split('id="')[1].split('"')[0] for _ in range(2))
    assert first != second


def test_a_field_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(fd.FortydaysError) as caught:
        fd.show(4).plot("validation_acuracy")
    assert str(caught.value).startswith(
        "There is no field 'validation_acuracy' of this result. Did you mean 'validation_accuracy'?\nKnown: "
    )


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (77, "There is no day 77: the days are numbered from 1 to 40.\nGive its number"),
        (40, "Day 40, "),
        ("none.py", "There is no study file none.py, and no run of a study named 'none'."),
        (True, "A study is named by its day or its file; this is a bool.\nNumbers are traced to the file"),
        (None, "A study is named by its day or its file; this is a NoneType."),
    ],
)
def test_what_cannot_be_shown_or_run_is_told_with_what_to_do(day: Any, said: str) -> None:
    with pytest.raises(fd.FortydaysError) as caught:
        fd.show(day)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("seeds", ["3", 2.0, True, [1, 2]])
def test_seeds_that_are_none_are_told(seeds: Any) -> None:
    with pytest.raises(fd.FortydaysError) as caught:
        fd.run(1, seeds=seeds)
    assert caught.value.args[0].startswith(f"seeds is {seeds!r}; expected a whole number from 1 to 1000, or a range")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fd.run(1, seeds=0), "seeds is 0; expected a whole number from 1 to 1000."),
        (lambda: fd.run(1, seeds=range(5, 5)), "seeds is 0; expected"),
        (lambda: fd.fit("here", target=95), "target is 95; expected a share of test photographs or texts, above 0"),
        (lambda: fd.fit("here", seconds=0.5), "seconds is 0.5 s; expected from 1 s to 1,000,000 s."),
    ],
)
def test_errors_speak_of_arguments_and_not_of_options(call: Any, said: str) -> None:
    with pytest.raises(fd.FortydaysError) as caught:
        call()
    assert str(caught.value).startswith(said)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("For 95%: --target 0.95", "For 95%: target=0.95"),
        ("Call these by another name: --name NAME", "Call these by another name: name=NAME"),
        ("Take a range without them, such as --seeds 5-9", "Take a range without them, such as seeds=range(5, 10)"),
        ("Train that too: --only 'sgd'. Or leave --only away.", "Train that too: only='sgd'. Or leave only away."),
        ("Begin another run with --fresh.", "Begin another run with fresh=True."),
        ("Leave --set away.", "Leave settings away."),
        ("--fine-tune is for photographs.", "fine_tune is for photographs."),
        ("Write: forty data look FOLDER --name NAME", "Write: forty data look FOLDER --name NAME"),
    ],
)
def test_an_option_is_put_as_an_argument(text: str, said: str) -> None:
    assert api._as_arguments(text) == said


def test_damaged_evidence_is_told_at_once(tmp_path: Path) -> None:
    publish(tmp_path / "published", made_up.evidence() | {"seeds": "many"})
    with pytest.raises(fd.FortydaysError, match="damaged"):
        fd.show(4)


def test_a_study_of_short_names_is_run_and_goes_on_as_another(
    keras: Any, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fd.run(SHORT_NAMES, seeds=1, settings={"epochs": 1}, track=False)
    assert result.source.startswith("your run short-names-")
    assert result.trials.shape[0] == 1
    assert result.history.epoch.tolist() == [1]
    assert result.claims[0].claim == "Better than guessing"
    told = capsys.readouterr()
    assert told.out == ""
    assert "Loading Keras" in told.err
    assert fd.show(SHORT_NAMES).evidence == result.evidence
    with pytest.raises(fd.FortydaysError, match=r"There is no variant 'netwrk'\. Did you mean 'network'\?"):
        fd.run(SHORT_NAMES, only="netwrk", track=False, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_stopped_run_says_how_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from fortydays.track import tracked

    def stopped(*_arguments: Any, **_named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tracked, "carry_out", stopped)
    with pytest.raises(StudyInterruptedError) as caught:
        fd.run(1, quiet=True)
    assert str(caught.value) == "Stopped. What was done is kept.\nMake the same call again to continue."


def test_progress_is_one_line_that_changes_in_a_notebook_and_some_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr(clock, "seconds", lambda: float(next(now)))

    def told() -> str:
        progress = api._OneLine()
        progress.start("Training", total=8.0, unit="steps")
        for done in range(1, 5):
            progress.advance("Training", done=float(done))
        progress.say("Half")
        progress.finish("Training", note="97%")
        progress.warn("Hot")
        return capsys.readouterr().err

    end = "Half\nTraining: 97%\nWarning: Hot\n"
    assert told() == f"Training: 3 of 8 steps\n{end}"
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    lines = "".join(f"\rTraining: {done} of 8 steps" for done in range(1, 5))
    assert told() == f"{lines}\r{' ' * len('Training: 4 of 8 steps')}\r{end}"

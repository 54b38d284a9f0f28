"""What `forty runs` lists."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from made_up_runs import BEEF, longest_line, made_up, make_run

from fortydays.base import files
from fortydays.base.errors import TrackingError
from fortydays.cli.main import execute
from fortydays.study.runs import RunFolder
from fortydays.track import record

F00D = "day04-20261122-155800-f00d"


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_no_runs_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["runs"]) == 0
    assert capsys.readouterr().out == "There are no runs yet. Begin with: forty run 1\n"


def test_a_finished_run_tells_its_verdicts(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    assert execute(["runs"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"^{BEEF} +finished +15/15 +2026-11-22 13:58 +4✓ 1✗ 1\? *$", text, re.MULTILINE)
    assert longest_line(text) <= 80


def test_a_try_is_told_in_the_place_of_verdicts(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"seeds": [0, 1, 2, 3, 4], "only": [], "settings": [], "engine": "compiled", "examples": 1500}
    make_run(workspace, BEEF, evidence=made_up.evidence(), request=asked)
    assert execute(["runs"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"^{BEEF} +finished +15/15 +2026-11-22 13:58 +a try on 1,500 *$", text, re.MULTILINE)
    assert longest_line(text) <= 80
    assert execute(["runs", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["examples"] == 1500
    assert run["command"] == "forty run 4 --seeds 5 --examples 1500"


def test_csv_is_one_row_for_each_run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["runs", "--csv"]) == 0
    heads = capsys.readouterr().out
    make_run(workspace, BEEF, evidence=made_up.evidence())
    make_run(workspace, F00D, done=1, name="=1+1", day=None)
    (workspace / "runs" / "day01-none").mkdir()
    (workspace / "runs" / "day01-none" / "run.json").write_text("{")
    assert execute(["runs", "--csv"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(heads)
    finished, interrupted = csv.DictReader(io.StringIO(printed.out))
    assert [finished[name] for name in ("run_id", "day", "state", "done", "total")] == [
        BEEF, "4", "finished", "15", "15",
    ]  # fmt: skip
    assert [finished[name] for name in ("supported", "refuted", "undecided", "not_reached")] == ["4", "1", "1", "0"]
    assert [interrupted[name] for name in ("name", "day", "state", "supported")] == ["'=1+1", "", "interrupted", ""]
    assert "is damaged: its run.json cannot be read." in printed.err


def test_demonstrations_have_signs_of_their_own(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = made_up.evidence()
    for claim in evidence["claims"][:2]:
        claim["demonstration"] = True
    verdicts = [claim["verdict"] for claim in evidence["claims"][:2]]
    assert sorted(verdicts) == ["supported", "supported"]
    make_run(workspace, BEEF, evidence=evidence)
    assert execute(["runs"]) == 0
    assert "2✓ 1✗ 1? 2●" in capsys.readouterr().out


def test_an_interrupted_run_tells_how_it_continues(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = {"seeds": [0, 1], "only": ["sgd fair"], "settings": ["epochs=2"], "engine": "compiled"}
    make_run(workspace, F00D, done=1, request=request)
    assert execute(["runs"]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert f"{F00D} interrupted 1/6" in text
    assert f"{F00D} was interrupted. Continue: forty run 4 --seeds 2 --only 'sgd fair' --set epochs=2" in text


def test_a_run_that_a_process_works_on_is_running(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(workspace, F00D, done=3)
    with files.locked(folder / "run.lock"):
        assert execute(["runs"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"^{F00D} +running +3/15 ", text, re.MULTILINE)
    assert "Continue" not in text


def test_damaged_runs_are_named_and_the_others_listed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    broken = make_run(workspace, "day04-20261122-165800-dead", done=0)
    (broken / "run.json").write_text('{"schema')
    half = make_run(workspace, F00D, evidence=made_up.evidence())
    (half / "evidence.json").write_text('{"schema_version": 1}')
    assert execute(["runs"]) == 0
    printed = capsys.readouterr()
    assert BEEF in printed.out
    assert f"Warning: {broken} is damaged" in printed.err
    assert f"Warning: {half / 'evidence.json'} is damaged: it has no title" in printed.err
    assert (broken / "run.json").read_text() == '{"schema'


def test_json_lists_runs_and_damaged_ones(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    broken = make_run(workspace, F00D, done=0)
    (broken / "run.json").write_text("[]")
    assert execute(["runs", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["damaged"] == [str(broken)]
    (run,) = document["runs"]
    assert (run["run_id"], run["state"], run["done"], run["total"]) == (BEEF, "finished", 15, 15)
    assert run["verdicts"] == {"supported": 4, "refuted": 1, "undecided": 1, "reached": 0, "not reached": 0}
    assert run["command"] == "forty run 4 --seeds 5"


def test_an_interrupted_run_tells_the_command_as_it_was_typed(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, F00D, done=1, command="forty run 'My Study.py' --no-track")
    assert execute(["runs"]) == 0
    assert "Continue: forty run 'My Study.py' --no-track" in re.sub(r"\s+", " ", capsys.readouterr().out)


@pytest.mark.parametrize("command", [3, "", "x" * 5_000, None])
def test_a_command_that_cannot_have_been_typed_is_made_anew(
    workspace: Path, capsys: pytest.CaptureFixture[str], command: object
) -> None:
    make_run(workspace, F00D, done=1, command=command)
    assert execute(["runs"]) == 0
    assert "Continue: forty run 4 --seeds 5" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_run_that_does_not_say_how_many_trials_it_is_to_have(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, F00D, done=0, request=None, identity=None)
    assert execute(["runs"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"^{F00D} +interrupted +0/\? ", text, re.MULTILINE)
    assert "Continue: forty run 4" in text


def test_a_run_whose_evidence_was_set_aside_is_not_shown_as_finished(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(workspace, BEEF, evidence=made_up.evidence())
    (folder / "evidence.json").write_text("{")
    assert execute(["show", "4"]) == 1  # sets it aside
    capsys.readouterr()
    assert execute(["runs"]) == 0
    printed = capsys.readouterr()
    assert re.search(rf"^{BEEF} +no evidence +15/15 .*\n +\(damaged\) *$", printed.out, re.MULTILINE)
    assert "finished" not in printed.out
    assert longest_line(printed.out) <= 80
    assert f"The evidence of {BEEF} was damaged. It must be trained again, with: forty run 4 --seeds 5" in printed.err


def test_a_run_that_could_not_be_tracked_says_why_and_how_to_send_it(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(workspace, BEEF, evidence=made_up.evidence())
    record.failed(RunFolder(path=folder), TrackingError("The disk is full.", hint="Send it later with: forty sync"))
    assert execute(["runs"]) == 0
    printed = capsys.readouterr()
    assert f"{BEEF}  finished" in printed.out
    told = "Not tracked: The disk is full.\nSend it later with: forty sync"
    assert printed.err == f"Warning: {BEEF}: {told}\n"
    assert execute(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["tracking"] == told


def test_a_run_that_is_not_in_mlflow_yet_is_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, BEEF, evidence=made_up.evidence())
    sent = make_run(workspace, F00D, evidence=made_up.evidence())
    run = RunFolder(path=sent)
    record.write(run, destination="workspace", sent=record.fingerprint(run))
    assert execute(["runs"]) == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert f"Not in MLflow yet, or not all of it: {BEEF}. Send what is missing: forty sync" in text
    assert execute(["runs", "--json"]) == 0
    assert [run["tracked"] for run in json.loads(capsys.readouterr().out)["runs"]] == [False, True]


def test_runs_are_listed_where_the_trackers_address_cannot_be_used(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    make_run(workspace, BEEF, evidence=made_up.evidence())
    assert execute(["runs"]) == 0
    assert BEEF in capsys.readouterr().out


def test_how_often_a_test_split_was_opened_is_told(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fortydays.study.openings import Opening, note

    make_run(workspace, BEEF, evidence=made_up.evidence())
    for seed in (0, 1):
        note(
            workspace,
            Opening(
                dataset="mnist", digest="d", study="s", code="c", variant="network", recipe="r", seed=seed, run="x"
            ),
        )
    assert execute(["runs"]) == 0
    assert "The test split of mnist was opened 2 times, by 1 way to train." in capsys.readouterr().out
    assert execute(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_splits_opened"] == {"mnist": {"times": 2, "ways": 1}}


@pytest.mark.parametrize(
    ("seeds", "typed"),
    [
        ([0, 1, 2], "forty run 3 --seeds 3"),
        ([10, 11, 12], "forty run 3 --seeds 10-12"),  # with a number alone, other seeds would be trained
        ([5], "forty run 3 --seeds 5-5"),
        ([0], "forty run 3 --seeds 1"),
        ([7, 3, 8], "forty run 3 --seeds 3"),  # a study's own seeds, and the next
        (["a"], "forty run 3 --seeds 1"),  # of a damaged file
    ],
)
def test_the_command_of_a_run_trains_its_seeds(seeds: list[object], typed: str) -> None:
    from fortydays.report.lookup import command_of

    assert command_of({"seeds": seeds}, day=3, name="optimizers") == typed

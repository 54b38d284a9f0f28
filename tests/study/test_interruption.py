"""A study that was stopped, killed or damaged continues, and ends with the bits of one that never was."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import tiny_study
from tiny_study import PAIR, Watch, source

from fortydays.base import files
from fortydays.base.errors import ExitCode, StorageError, StudyChangedError, TrainingFailedError, UsageError
from fortydays.base.settings import Settings
from fortydays.study import runner
from fortydays.study.design import Study
from fortydays.study.executor import InProcess
from fortydays.study.runner import Request, StudyInterruptedError, run_study
from fortydays.study.runs import RunFolder, RunState, list_runs
from fortydays.study.trial import TrialOutcome, TrialSpec, trial_result

Copy = Callable[[Any], RunFolder]


class Untrained:
    """An executor that remembers which trials it is asked for, and trains none: the run is stopped."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def map(self, specs: deque[TrialSpec], callbacks: Any) -> Generator[TrialOutcome, None, None]:
        self.asked = [f"{spec.variant}, seed {spec.seed}" for spec in specs]
        raise KeyboardInterrupt
        yield  # a generator


def stopping(task: str, step: int) -> Watch:
    def at(running: str, done: float) -> None:
        if (running, done) == (task, step):
            raise KeyboardInterrupt

    return Watch(at)


def test_stopped_between_trials_then_within_one_and_then_continued(settings: Settings, finished_pair: Any) -> None:
    def at(task: str, done: float) -> None:
        if task == "study" and "one hidden, seed 0" in watch.notes:
            raise KeyboardInterrupt

    watch, began = Watch(at), list[RunFolder]()
    with pytest.raises(StudyInterruptedError, match=r"Stopped\. 1 of 2 trials are done and kept") as raised:
        run_study(source(PAIR), Request(), settings, progress=watch, started=began.append)
    assert raised.value.exit_code is ExitCode.INTERRUPTED
    (stopped,) = list_runs(settings.runs)
    assert began == [stopped]
    assert stopped.state() is RunState.INTERRUPTED

    with pytest.raises(StudyInterruptedError):
        run_study(source(PAIR), Request(), settings, progress=stopping("one hidden, seed 1", 40))
    assert stopped.state() is RunState.INTERRUPTED
    assert stopped.trial("one-hidden-seed1").checkpoint.exists()
    assert not stopped.evidence.exists()

    progress = Watch()
    run, evidence = run_study(source(PAIR), Request(), settings, progress=progress, started=began.append)
    assert list_runs(settings.runs) == [stopped] == [run]
    assert began == [run, run]
    assert run.state() is RunState.FINISHED
    assert f"Continuing {run.run_id}: 1 of 2 trials are done." in progress.said
    assert "one hidden, seed 0" not in progress.tasks
    assert [t["resumed_from_epoch"] for t in evidence["trials"]] == [0, 1]
    assert evidence["results_digest"] == finished_pair.evidence["results_digest"]
    assert progress.done["study"] == finished_pair.progress.done["study"] == 120


def test_a_run_stopped_after_its_last_trial_trains_nothing_more(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any
) -> None:
    copied = interrupted_copy(finished_pair)
    progress = Watch()
    run, evidence = run_study(source(PAIR), Request(), settings, progress=progress)
    assert run == copied
    assert progress.tasks == ["study"]  # nothing was left to train
    assert evidence["seconds"]["compilation"] == 0
    assert evidence["trials"] == finished_pair.evidence["trials"]
    assert run.best_model.exists()


def test_fresh_begins_anew_and_leaves_the_old_run_alone(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any
) -> None:
    copied = interrupted_copy(finished_pair)
    before = copied.read()
    request = Request(settings=("epochs=1",))
    copied.update(request={**before["request"], "settings": ["epochs=1"]})
    before = copied.read()
    executor = Untrained()
    with pytest.raises(StudyInterruptedError):
        run_study(source(PAIR), request, settings, progress=Watch(), fresh=True, executor=executor)
    (begun,) = (run for run in list_runs(settings.runs) if run.run_id != copied.run_id)
    assert begun.read()["request"]["settings"] == ["epochs=1"]
    assert executor.asked == ["one hidden, seed 0", "one hidden, seed 1"]
    assert copied.read() == before
    assert not copied.evidence.exists()


CHANGES: dict[str, tuple[str, Any]] = {
    "the study file": ("study", "0" * 64),
    "the training engine": ("engine", "0" * 64),
    "the dataset": ("dataset", "0" * 64),
    "the installed packages": ("packages", {"keras": "3.0.0"}),
    "the number of threads": ("threads", 64),
    "the rule of the splits": ("split_version", 0),
    "the recipes": ("recipes", {}),
    "what is searched": ("searches", {}),
    "the drills": ("drills", ["another"]),
    "this program": ("program", "0" * 64),
    "the features that are learned from": ("features", {"plain": {"backbone": "another"}}),
    "the number of training images": ("examples", {"plain": 5}),
    "the backend": ("backend", "another"),
    "the accelerator": ("accelerator", "A card"),
    "the processor": ("processor", ["Another CPU"]),
    "the version of Python": ("python", "3.0.0"),
    "an environment variable that changes how the backend computes": ("switches", {"TF_ANOTHER": "1"}),
}


def test_everything_that_a_trial_is_a_function_of_is_compared(interrupted_copy: Copy, finished_pair: Any) -> None:
    assert {name for name, _ in CHANGES.values()} == set(interrupted_copy(finished_pair).read()["identity"])


@pytest.mark.parametrize("what", CHANGES)
def test_a_run_whose_ground_has_changed_is_not_continued(
    what: str, settings: Settings, interrupted_copy: Copy, finished_pair: Any
) -> None:
    copied = interrupted_copy(finished_pair)
    name, value = CHANGES[what]
    copied.update(identity={**copied.read()["identity"], name: value})
    with pytest.raises(StudyChangedError) as raised:
        run_study(source(PAIR), Request(), settings, progress=Watch())
    assert raised.value.message == f"The interrupted run {copied.run_id} cannot continue: {what} changed since."
    over = "Start over with --fresh; the interrupted run stays where it is."
    assert raised.value.hint == (f"Set FORTYDAYS_THREADS=64 to continue. {over}" if name == "threads" else over)
    assert not copied.evidence.exists()


def test_a_changed_study_file_is_noticed_and_a_remark_in_it_is_none(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any, tmp_path: Path
) -> None:
    interrupted_copy(finished_pair)
    path = tmp_path / Path(tiny_study.__file__).name
    path.write_text(Path(tiny_study.__file__).read_text("utf-8") + "\nMORE = 1\n", "utf-8")
    with pytest.raises(StudyChangedError, match="cannot continue: the study file changed since"):
        run_study(source(PAIR, path=path), Request(), settings, progress=Watch())
    path.write_text("# A remark.\n" + Path(tiny_study.__file__).read_text("utf-8"), "utf-8")
    _, evidence = run_study(source(PAIR, path=path), Request(), settings, progress=Watch())
    assert evidence["results_digest"] == finished_pair.evidence["results_digest"]


def test_several_changes_are_all_named(settings: Settings, interrupted_copy: Copy, finished_pair: Any) -> None:
    interrupted_copy(finished_pair)
    other = dataclasses.replace(
        PAIR, variants=(dataclasses.replace(PAIR.variants[0], recipe=PAIR.variants[0].recipe.replace(epochs=1)),)
    )
    with pytest.raises(StudyChangedError, match="the recipes and the number of threads changed since"):
        run_study(source(other), Request(), dataclasses.replace(settings, threads=2), progress=Watch())


# -------------------------------------------------------------------------------------------------------- damage


def test_damaged_files_are_set_aside_and_made_again(settings: Settings, interrupted_copy: Copy, finished: Any) -> None:
    """The result of one trial, the weights and the answers of others, a checkpoint and the tries of the search."""
    run = interrupted_copy(finished)
    result, weights, answers, started = (
        run.trial(name) for name in ("linear-seed0", "linear-seed1", "one-hidden-seed0", "one-hidden-seed1")
    )
    result.result.write_text(result.result.read_text()[:-30])
    flip(weights.weights)
    answers.predictions.unlink()
    started.result.unlink()
    started.checkpoint.write_bytes(b"not a checkpoint")
    searches = run.path / "searches" / "one-hidden.json"
    searches.write_text('{"tries": [1, 2]}')
    leftovers = [started.path / ".checkpoint.npz.x1.part", searches.with_name(".one-hidden.json.x1.part")]
    for path in leftovers:
        path.write_bytes(b"of a killed process")

    progress = Watch()
    _, evidence = run_study(source(), Request(), settings, progress=progress)
    assert evidence["results_digest"] == finished.evidence["results_digest"]
    assert evidence["details"]["one hidden"]["search"] == finished.evidence["details"]["one hidden"]["search"]
    assert not any(path.exists() for path in leftovers)
    told = "\n".join(progress.warned)
    for path in (result.result, weights.weights, answers.predictions, started.checkpoint, searches):
        assert str(path) in told
    aside = sorted(p.name.split(".damaged-")[0] for p in run.path.rglob("*.damaged-*"))
    assert aside == ["checkpoint.npz", "linear-seed0", "linear-seed1", "one-hidden-seed0", "one-hidden.json"]
    for path in run.path.rglob("*.damaged-*"):
        assert path.name in told
    assert sorted(t.path.name for t in run.trials()) == sorted(t.path.name for t in finished.run.trials())


def test_failed_tries_are_not_taken_for_damage(settings: Settings, interrupted_copy: Copy, finished: Any) -> None:
    run = interrupted_copy(finished)
    tries = files.read_json(run.path / "searches" / "one-hidden.json")["tries"]
    assert [t["validation_accuracy"] for t in tries if t["value"] == 1e30] == [None, None]
    progress = Watch()
    _, evidence = run_study(source(), Request(), settings, progress=progress)
    assert progress.warned == []
    assert progress.tasks == ["study"]
    assert evidence["details"] == finished.evidence["details"]


def test_a_try_that_is_lost_ends_the_run_and_does_not_count_against_its_value(settings: Settings) -> None:
    class Lost:
        def map(self, specs: deque[TrialSpec], callbacks: Any) -> Generator[TrialOutcome, None, None]:
            spec = next(spec for spec in specs if spec.validation_only)
            callbacks.started(spec, 1)
            result = trial_result(spec, status="failed", error="3 workers have ended.")
            yield TrialOutcome(spec=spec, result=result, hint="Is there memory?", lost=True)

    with pytest.raises(TrainingFailedError) as raised:
        run_study(source(), Request(), settings, progress=Watch(), executor=Lost())
    assert raised.value.message == (
        "one hidden, learning_rate 0.0001, seed 1000, could not be tried: 3 workers have ended."
    )
    assert raised.value.hint == "What is done is kept. Is there memory?"
    (run,) = list_runs(settings.runs)
    assert not list(run.path.rglob("searches/*.json"))


class LosesOne(InProcess):
    """Trains what it is given here, but for one trial, whose workers end again and again."""

    def map(self, specs: deque[TrialSpec], callbacks: Any) -> Generator[TrialOutcome, None, None]:
        lost = specs.popleft()
        callbacks.started(lost, 1)
        result = trial_result(lost, status="failed", error="3 workers have ended.")
        yield TrialOutcome(spec=lost, result=result, hint="Is there memory?", lost=True)
        yield from super().map(specs, callbacks)


def test_a_trial_that_is_lost_is_all_that_the_same_command_trains_again(
    settings: Settings, finished_pair: Any
) -> None:
    plan = runner.make_plan(source(PAIR), Request(), settings, Watch())
    executor = LosesOne(study=plan.source.study, dataset=plan.dataset, settings=settings, progress=Watch())
    watch = Watch()
    with pytest.raises(TrainingFailedError) as raised:
        run_study(source(PAIR), Request(), settings, progress=watch, executor=executor)
    assert raised.value.message == "Not trained: one hidden, seed 0. 1 of 2 trials are done and kept."
    assert "Give the same command again" in raised.value.hint
    assert "one hidden, seed 0 failed: 3 workers have ended. Is there memory?" in watch.warned
    again = Untrained()
    with pytest.raises(StudyInterruptedError):
        run_study(source(PAIR), Request(), settings, progress=Watch(), executor=again)
    assert again.asked == ["one hidden, seed 0"]
    _, evidence = run_study(source(PAIR), Request(), settings, progress=Watch())
    assert evidence["results_digest"] == finished_pair.evidence["results_digest"]


@pytest.mark.parametrize("name", ["processor", "accelerator"])
def test_where_trials_are_computed_elsewhere_this_machine_may_be_another_one(
    name: str, settings: Settings, interrupted_copy: Copy, finished_pair: Any
) -> None:
    copied = interrupted_copy(finished_pair)
    copied.update(identity={**copied.read()["identity"], name: "another"})
    copied.trial("one-hidden-seed1").result.unlink()
    elsewhere = Untrained()
    with pytest.raises(StudyInterruptedError):
        run_study(source(PAIR), Request(), settings, progress=Watch(), executor=elsewhere)
    assert elsewhere.asked == ["one hidden, seed 1"]
    with pytest.raises(StudyChangedError, match=f"the {name} changed since"):
        run_study(source(PAIR), Request(), settings, progress=Watch())


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_weights_of_another_trial_are_not_believed(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any
) -> None:
    run = interrupted_copy(finished_pair)
    one, other = run.trial("one-hidden-seed0"), run.trial("one-hidden-seed1")
    one.weights.write_bytes(other.weights.read_bytes())
    progress, executor = Watch(), Untrained()
    with pytest.raises(StudyInterruptedError):
        run_study(source(PAIR), Request(), settings, progress=progress, executor=executor)
    assert "its digest is not the recorded one" in progress.warned[0]
    assert executor.asked == ["one hidden, seed 0"]


def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = interrupted_copy(finished_pair)
    run.trial("one-hidden-seed1").result.unlink()
    write = files.write_atomically

    def full(path: Path, content: Any) -> None:
        if path.name == "checkpoint.npz":
            raise StorageError(f"Could not write {path}: No space left on device.")
        write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_atomically", full)
        with pytest.raises(StorageError, match="No space left"):
            run_study(source(PAIR), Request(), settings, progress=Watch())
    assert run.state() is RunState.INTERRUPTED
    executor = Untrained()
    with pytest.raises(StudyInterruptedError, match=r"1 of 2 trials are done and kept"):
        run_study(source(PAIR), Request(), settings, progress=Watch(), executor=executor)
    assert executor.asked == ["one hidden, seed 1"]


# ------------------------------------------------------------------------------------------------------ processes

HOLDING = """
import sys
from pathlib import Path
from fortydays.base.files import locked
with locked(Path(sys.argv[1]), timeout=0):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_on_the_same_run_is_told(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any
) -> None:
    run = interrupted_copy(finished_pair)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(run.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert run.is_held()
        with pytest.raises(UsageError) as raised:
            run_study(source(PAIR), Request(), settings, progress=Watch())
        assert raised.value.message == f"Another process is working on {run.run_id}."
        assert raised.value.hint == "Wait for it, or begin another run with --fresh."
        assert not run.evidence.exists()
        holder.kill()
    assert not run.is_held()
    _, evidence = run_study(source(PAIR), Request(), settings, progress=Watch())
    assert evidence["results_digest"] == finished_pair.evidence["results_digest"]


def test_a_timeout_within_the_work_is_not_taken_for_another_process(
    settings: Settings, interrupted_copy: Copy, finished_pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_copy(finished_pair)

    def slow(*_: Any) -> Any:
        raise TimeoutError("the server did not answer")

    monkeypatch.setattr(runner, "_work", slow)
    with pytest.raises(TimeoutError, match="the server did not answer"):
        run_study(source(PAIR), Request(), settings, progress=Watch())


@pytest.mark.slow
@pytest.mark.parametrize("step", [20, 60], ids=lambda step: f"killed after step {step}")
def test_a_killed_process_is_continued(step: int, settings: Settings, finished_pair: Any) -> None:
    """The steps are the first and the last chunk of the second trial, each before its checkpoint."""
    killed = subprocess.run(
        [sys.executable, __file__, str(settings.workspace), str(settings.datasets), str(step)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (run,) = list_runs(settings.runs)
    assert run.read()["state"] == "running"
    assert run.state() is RunState.INTERRUPTED
    assert run.trial("one-hidden-seed0").result.exists()
    _, evidence = run_study(source(PAIR), Request(), settings, progress=Watch())
    assert [t["resumed_from_epoch"] for t in evidence["trials"]] == [0, step // 20 - 1]
    assert evidence["results_digest"] == finished_pair.evidence["results_digest"]


def main(home: Path, datasets: Path, step: int) -> None:
    def kill(task: str, done: float) -> None:
        if (task, done) == ("one hidden, seed 1", step):
            os.kill(os.getpid(), signal.SIGKILL)

    from fortydays.train import trainer
    from fortydays.train.framework import load_keras

    trainer.KEEP_AFTER = 0.0
    load_keras(threads=1)
    study: Study = PAIR
    run_study(source(study), Request(), tiny_study.settings(home, datasets=datasets), progress=Watch(kill))
    print(json.dumps("this line is never reached"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

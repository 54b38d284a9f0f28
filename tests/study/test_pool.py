"""Worker processes give the evidence that this process gives, and end with it; study files are loaded by digest."""

import contextlib
import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import psutil
import pytest
import tiny_study
import worker_pool
from tiny_study import Watch
from worker_pool import Pool, executor_for

from fortydays.base.errors import ExitCode, FortydaysError, StudyChangedError, UsageError, unknown_name
from fortydays.base.settings import Settings
from fortydays.days.loading import find_study, load_study, load_study_of
from fortydays.study.executor import Callbacks
from fortydays.study.plan import Request, StudySource, make_plan
from fortydays.study.runner import run_study
from fortydays.study.runs import RunState, list_runs
from fortydays.study.trial import TrialSpec

STUDY = '''
"""A reader's own study: one of its variants is searched, one fails."""
from keras import Input, Sequential, layers

from fortydays.study.claims import Comparison
from fortydays.study.design import Measure, Search, Study, Variant
from fortydays.study.exhibits import confusion_matrix
from fortydays.train.recipe import Recipe

RECIPE = Recipe(epochs=4, batch_size=64, learning_rate=0.01)


def network():
    return Sequential(
        [
            Input((8, 8)),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(10, activation="softmax"),
        ]
    )


study = Study(
    title="Small networks",
    dataset="digits",
    variants=(
        Variant(name="plain", model=network, recipe=RECIPE),
        Variant(
            name="searched",
            model=network,
            recipe=RECIPE.replace(optimizer="sgd", optimizer_options={"momentum": 0.9}),
            search=Search(field="learning_rate", values=(0.001, 0.1), seeds=(1000,)),
        ),
        Variant(name="exploding", model=network, recipe=RECIPE.replace(learning_rate=1e30)),
    ),
    claims=(
        Comparison(
            sentence="A search helps", metric="test_accuracy", variant="searched", than="plain", direction="above"
        ),
    ),
    seeds=(0, 1),
    targets=(0.5,),
    measures=(Measure(name="weights", variants=("plain",), function=lambda model, images: model.count_params()),),
    exhibits=(confusion_matrix(variant="plain"),),
)
'''

REQUEST = Request(only=("searched",))
"""What the run that is killed is asked for."""


@pytest.fixture(scope="module")
def source(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> StudySource:
    path = tmp_path_factory.mktemp("reader") / "mine.py"
    path.write_text(STUDY)
    return load_study(find_study(str(path)), threads=1)


@pytest.fixture(scope="module")
def in_process(source: StudySource, datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    settings = tiny_study.settings(tmp_path_factory.mktemp("home"), datasets=datasets)
    return run_study(source, Request(), settings, progress=Watch())[1]


def pool(settings: Settings, progress: Watch, *, workers: int = 2) -> Pool:
    return Pool(workers=workers, load=load_study_of, settings=settings, progress=progress)


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if worker_pool.__file__ in child.cmdline()]


def untimed(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence without times, the name of its run, and the seal, which covers both."""

    def without(entry: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in entry.items() if "seconds" not in k}

    trials = [
        {**without(t), "metrics": without(t["metrics"]), "history": without(t["history"])} for t in evidence["trials"]
    ]
    variants = {name: without(metrics) for name, metrics in evidence["variants"].items()}
    return {**without(evidence), "trials": trials, "variants": variants, "created": "", "run_id": "", "seal": None}


@pytest.mark.slow
def test_two_workers_give_the_evidence_of_this_process_bit_for_bit(
    source: StudySource, settings: Settings, in_process: dict[str, Any]
) -> None:
    progress = Watch()
    _, evidence = run_study(source, Request(), settings, progress=progress, executor=pool(settings, progress))
    assert untimed(evidence) == untimed(in_process)
    assert evidence["results_digest"] == in_process["results_digest"]
    assert [t["status"] for t in evidence["trials"]] == ["finished"] * 4 + ["failed"] * 2
    assert evidence["seconds"]["compilation"] > 0
    assert progress.running == {}
    assert progress.done["study"] == 8 * 80  # six trials and two tries
    assert any(w.startswith("exploding, seed 1 failed: The loss became nan") for w in progress.warned)
    assert "Compiling searched" in progress.said


@pytest.mark.slow
def test_a_driver_that_is_killed_takes_its_workers_with_it_and_the_run_goes_on(
    source: StudySource, settings: Settings, in_process: dict[str, Any]
) -> None:
    """Killed when a trial has shown three of its four epochs: the state after the first one is kept at least."""
    killed = subprocess.run(
        [sys.executable, __file__, str(source.path), str(settings.workspace), str(settings.datasets)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    ended = [int(line) for line in killed.stdout.split()]
    assert len(ended) == 2
    until = time.monotonic() + 30
    while any(runs(worker) for worker in ended):
        assert time.monotonic() < until, "workers go on without their driver"
        time.sleep(0.1)

    (run,) = list_runs(settings.runs)
    assert run.state() is RunState.INTERRUPTED
    progress = Watch()
    _, evidence = run_study(source, REQUEST, settings, progress=progress, executor=pool(settings, progress))
    assert list_runs(settings.runs) == [run]
    assert evidence["trials"][1]["resumed_from_epoch"] >= 1
    found = [t["weights_digest"] for t in evidence["trials"]]
    assert found == [t["weights_digest"] for t in in_process["trials"] if t["variant"] == "searched"]


def runs(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def spec_of(source: StudySource, settings: Settings) -> TrialSpec:
    plan = make_plan(source, Request(only=("plain",)), settings, Watch())
    return plan.spec("plain", 0, source.study.variants[0].recipe)


@pytest.mark.slow
def test_ctrl_c_while_a_worker_trains_ends_the_worker(source: StudySource, settings: Settings) -> None:
    def stop(spec: TrialSpec, *seen: float) -> None:
        raise KeyboardInterrupt

    outcomes = pool(settings, Watch(), workers=1).map(
        deque([spec_of(source, settings)]), Callbacks(started=lambda *_: None, report=stop)
    )
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert workers() == []


@pytest.mark.slow
def test_a_worker_that_has_ended_by_itself_is_said_with_what_it_trained(
    source: StudySource, settings: Settings
) -> None:
    def kill(spec: TrialSpec, steps: int) -> None:
        (worker,) = workers()
        worker.kill()

    outcomes = pool(settings, Watch(), workers=1).map(
        deque([spec_of(source, settings)]), Callbacks(started=kill, report=lambda *_: None)
    )
    with pytest.raises(FortydaysError) as raised:
        next(outcomes)
    assert raised.value.message == "The process that trains plain, seed 0, has ended by itself."
    assert "too little memory" in raised.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_digest": "0" * 64}, "plain, seed 0, is to be trained where the digest of the dataset is 0000"),
        ({"backend": "jax"}, "plain, seed 0, is to be trained where the backend is jax; here it is tensorflow."),
    ],
    ids=["data", "backend"],
)
def test_what_a_worker_does_not_have_is_refused(
    changes: dict[str, Any], message: str, source: StudySource, settings: Settings
) -> None:
    spec = spec_of(source, settings)
    assert executor_for(spec, load_study_of, settings, Watch())
    with pytest.raises(FortydaysError, match=message):
        executor_for(dataclasses.replace(spec, **changes), load_study_of, settings, Watch())


def test_a_study_file_that_has_changed_is_not_run(source: StudySource, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STUDY)
    spec = spec_of(dataclasses.replace(source, path=path), settings)
    assert load_study_of(spec).study.title == "Small networks"
    path.write_text("raise SystemExit('it was run')")
    with pytest.raises(StudyChangedError) as raised:
        load_study_of(spec)
    assert raised.value.message == f"{path} has changed since its trials were asked for, so it is not run."
    path.unlink()
    with pytest.raises(UsageError, match="There is no study file"):
        load_study_of(spec)


def test_a_study_of_a_day_is_loaded_by_its_number(source: StudySource, settings: Settings) -> None:
    spec = spec_of(dataclasses.replace(source, day=1), settings)
    assert (spec.day, spec.path, spec.sha256) == (1, "", "")
    assert load_study_of(spec).study == load_study(find_study("1"), threads=1).study


def test_an_error_keeps_its_kind_its_message_and_its_hint_on_its_way_from_a_worker() -> None:
    error = unknown_name("variant", "liner", ["linear"])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.message, again.hint) == (str(error), error.message, "Known: linear.")
    assert again.exit_code is ExitCode.USAGE


def main(study: str, home: str, datasets: str) -> None:
    """Run a part of the study with a pool; at a certain step say which processes the workers are, and be killed."""
    from fortydays.train.framework import load_keras

    def kill(task: str, done: float) -> None:
        if task == "searched, seed 1" and done >= 60:
            print(*(worker.pid for worker in workers()), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    load_keras(threads=1)
    settings = tiny_study.settings(Path(home), datasets=Path(datasets))
    progress = Watch(kill)
    source = load_study(find_study(study), threads=1)
    run_study(source, REQUEST, settings, progress=progress, executor=pool(settings, progress))


if __name__ == "__main__":
    main(*sys.argv[1:])

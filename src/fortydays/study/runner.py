"""How a study is run: its run begun or continued, its trials trained by an executor, its evidence gathered."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import StoppedError, StudyChangedError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset, Reading
from fortydays.data.own.dataset import is_own
from fortydays.study.assembly import evidence_of
from fortydays.study.driver import Driver
from fortydays.study.executor import Executor, InProcess
from fortydays.study.features import prepare
from fortydays.study.plan import OF_MACHINE, Plan, Request, StudySource, in_words, make_plan
from fortydays.study.probes import probes_of
from fortydays.study.rehearsal import rehearse
from fortydays.study.runs import RunFolder, RunState, create_run, damaged_runs, earlier_looks, unfinished_run
from fortydays.study.seal import sealed


class StudyInterruptedError(StoppedError):
    """The reader stopped the run; what is done is kept."""


def run_study(
    source: StudySource,
    request: Request,
    settings: Settings,
    *,
    progress: Progress,
    started: Callable[[RunFolder], object] | None = None,
    fresh: bool = False,
    executor: Executor | None = None,
) -> tuple[RunFolder, dict[str, Any]]:
    """Run a study's trials, from the start or from where an interrupted run stopped.

    Args:
        source: the study.
        request: what is asked of it.
        settings: where state lives, and threads.
        progress: told of the work.
        started: told of the run when it begins or goes on; what tracks it begins there.
        fresh: begin anew, even where an interrupted run could go on.
        executor: trains the trials; None for this process.

    Returns:
        The run's folder and its evidence.

    Raises:
        UsageError: an unknown variant, a setting that does not fit, or a mistake in the study's own functions.
        StudyChangedError: an interrupted run cannot go on, because what it is a function of has changed.
        StudyInterruptedError: the reader stopped it.
        StorageError: the workspace cannot be read or written.
    """
    plan = make_plan(source, request, settings, progress)
    run, resumed = _open_run(plan, progress, fresh=fresh, elsewhere=executor is not None)
    with _held(run):
        for folder in (run.path / "searches", run.path / "probes", *(t.path for t in run.trials())):
            files.remove_leftovers(folder)
        run.update(state=str(RunState.RUNNING), command=request.command)
        if resumed:
            done = sum(t.result.exists() for t in run.trials())
            progress.say(f"Continuing {run.run_id}: {done} of {len(plan.trials)} trials are done.")
        if started:
            started(run)
        began = clock.seconds()
        try:
            evidence = _work(plan, run, progress, executor)
        except KeyboardInterrupt as interrupt:
            done = sum(t.result.exists() for t in run.trials())
            seconds = _added(run.read().get("seconds", {}), {"total": clock.seconds() - began})
            run.update(state=str(RunState.INTERRUPTED), seconds=seconds)
            raise StudyInterruptedError(
                f"Stopped. {done} of {len(plan.trials)} trials are done and kept."
            ) from interrupt
        spent = {**evidence["seconds"], "total": clock.seconds() - began}
        evidence["seconds"] = _added(run.read().get("seconds", {}), spent)
        evidence = sealed(evidence)
        files.write_json(run.evidence, evidence)
        failed = any(t["error"] for t in evidence["trials"])
        run.update(state=str(RunState.FAILED if failed else RunState.FINISHED))
    return run, evidence


def _added(before: Mapping[str, float], spent: Mapping[str, float]) -> dict[str, float]:
    """Seconds of earlier processes that worked on a run and of this one; a killed one left none."""
    return {name: before.get(name, 0.0) + value for name, value in spent.items()}


def _open_run(plan: Plan, progress: Progress, *, fresh: bool, elsewhere: bool) -> tuple[RunFolder, bool]:
    """The interrupted run that can go on, whose code is the same that was rehearsed, or a new one.

    Where trials are computed ``elsewhere``, this machine is no part of what must be the same: each trial names its
    own.
    """
    runs, name, day, request = plan.settings.runs, plan.source.name, plan.source.day, plan.as_asked
    for damaged in damaged_runs(runs):
        progress.warn(f"The run {damaged.run_id} is left out: its run.json is damaged.")
    found = None if fresh else unfinished_run(runs, name=name, day=day, request=request)
    if found is None:
        if plan.dataset is not None and plan.variants:
            rehearse(plan.source.study, plan.variants, plan.dataset, threads=plan.settings.threads, progress=progress)
        return create_run(runs, day=day, name=name, request=request, identity=plan.identity), False
    before = found.read()["identity"]
    ignored = OF_MACHINE if elsewhere else ()
    changed = [name for name, value in plan.identity.items() if before.get(name) != value and name not in ignored]
    if changed:
        hint = "Start over with --fresh; the interrupted run stays where it is."
        if changed == ["threads"]:
            hint = f"Set FORTYDAYS_THREADS={before['threads']} to continue. {hint}"
        raise StudyChangedError(
            f"The interrupted run {found.run_id} cannot continue: {in_words(changed)} changed since.", hint=hint
        )
    return found, True


@contextmanager
def _held(run: RunFolder) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(files.locked(run.lock, timeout=0))
        except TimeoutError:
            raise UsageError(
                f"Another process is working on {run.run_id}.",
                hint="Wait for it, or begin another run with --fresh.",
            ) from None
        yield


def _keep_features(plan: Plan, dataset: Dataset, progress: Progress) -> None:
    """Compute the features that variants learn from, where they are not kept yet."""
    wanted = {
        (features, Reading.of(variant.recipe.as_dict())): variant.model
        for variant in plan.variants
        for seed in plan.seeds
        if (features := variant.features_of(seed)) is not None
    }
    for (features, reading), model in wanted.items():
        read = dataset.read_as(reading)  # of texts, an encoder takes pieces of words
        prepare(read, model, features=features, examples=None, settings=plan.settings, progress=progress)


def _work(plan: Plan, run: RunFolder, progress: Progress, executor: Executor | None) -> dict[str, Any]:
    """Train and carry out what is missing, and gather the evidence."""
    if plan.variants:
        from fortydays.train.framework import load_keras

        load_keras(threads=plan.settings.threads)
    if executor is not None and plan.dataset is not None and is_own(plan.dataset.name):
        # They are shared by workers on this machine, and sent to others. Each would compute them by itself otherwise.
        _keep_features(plan, plan.dataset, progress)
    driver = Driver(plan, run, progress=progress)
    trials = driver.trials(
        executor or InProcess(study=plan.source.study, dataset=plan.dataset, settings=plan.settings, progress=progress)
    )
    return evidence_of(
        plan,
        run,
        trials,
        driver.chosen,
        probes_of(plan, run, trials, {name: recipe for name, (recipe, _) in driver.chosen.items()}, progress),
        compile_seconds=driver.compile_seconds,
        looks=earlier_looks(plan.settings.runs, plan.source.name, plan.source.day, plan.as_asked, plan.identity),
        progress=progress,
    )

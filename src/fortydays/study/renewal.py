"""Evidence that a change of the engine left true: some of its trials are trained and must give the same bits.

A change of the engine makes all evidence stale, also one that changes no number: a clearer message, another way to
report progress. To run every study again for it would cost hours. Instead the first seed of every variant is trained
again, by today's engine and with the recipe that the evidence says was used; where all of them end with the same
weights, metrics and history, bit for bit, the evidence names today's engine, and says which trials vouch for that.

That takes the very kind of processor that the evidence was made on. On any other, today's engine and the one that the
evidence names, taken from the checkout's history, train the first epochs of these trials side by side. Where they
agree in every bit, whichever bits those are on that machine, the evidence names today's engine likewise.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import clock
from fortydays.base.errors import ExitCode, FortydaysError, UsageError
from fortydays.base.machine import describe_machine
from fortydays.base.progress import Progress
from fortydays.base.revision import commits_before_changes
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.data import library
from fortydays.study import evidence as documents
from fortydays.study.features import given
from fortydays.study.runner import StudySource, make_trainer
from fortydays.study.side_by_side import (
    PACKAGE,
    Digests,
    Engine,
    EngineFailedError,
    Request,
    Steps,
    Trained,
    asked,
    engine_of,
    engine_of_today,
    first_difference,
    loaded,
    place_of_engines,
)
from fortydays.study.trial import run_trial
from fortydays.train import backends
from fortydays.train.recipe import Recipe
from fortydays.train.trainer import Report


class NotRenewedError(FortydaysError):
    """The evidence cannot be renewed; it stays as it was."""

    exit_code = ExitCode.NOT_MET


def renewed(
    evidence: Mapping[str, Any], source: StudySource, settings: Settings, *, progress: Progress
) -> dict[str, Any]:
    """The evidence under today's engine.

    Args:
        evidence: whose engine, and nothing else, is not today's.
        source: the day's study.
        settings: threads and workspace.
        progress: told of the work.

    Returns:
        A copy whose ``code`` names today's engine, with an entry in ``code.renewed``.

    Raises:
        NotRenewedError: a trial gave other bits, or they cannot be compared because the machine is another one.
    """
    _check_comparable(evidence, settings)
    engine = documents.code_digest(documents.engine_files(source.path, evidence["backend"]))
    dataset = library.load(source.study.dataset, settings, progress)
    machine = describe_machine()
    seed = evidence["seeds"][0]
    checked = []
    for variant in source.study.variants:
        task = f"{variant.name}, seed {seed}, again"
        recipe = Recipe(**evidence["details"][variant.name]["recipe"])
        found = given(
            dataset,
            variant.model,
            features=variant.features,
            examples=variant.examples,
            settings=settings,
            progress=progress,
        )
        trainer = make_trainer(
            "compiled",
            builder=found.builder,
            recipe=recipe,
            data=found.dataset.training,
            bfloat16_is_fast=backends.backend().bfloat16_is_fast(on_processor=machine.bfloat16_is_fast),
        )
        progress.start(task, total=float(recipe.epochs * trainer.steps_per_epoch), unit="steps")
        outcome = run_trial(
            study=source.study,
            variant=variant.name,
            seed=seed,
            recipe=recipe,
            trainer=trainer,
            dataset=found.dataset,
            resume=None,
            keep=None,
            report=_reporting(progress, task),
        )
        (before,) = (t for t in evidence["trials"] if t["variant"] == variant.name and t["seed"] == seed)
        same = documents.results_digest([outcome.result]) == documents.results_digest([before])
        progress.finish(task, note="the same bits" if same else "other bits")
        if not same:
            raise NotRenewedError(
                f"Day {evidence['day']}: {variant.name} with seed {seed} gives other bits than the evidence has.",
                hint=f"The engine's numbers have changed. Run the study again: forty run {evidence['day']} --publish",
            )
        checked.append({"variant": variant.name, "seed": seed})
    return _under(engine, evidence, {"checked": checked})


def renewed_against(
    evidence: Mapping[str, Any],
    source: StudySource,
    settings: Settings,
    *,
    commit: str,
    epochs: int,
    examples: int | None = None,
    progress: Progress,
) -> dict[str, Any]:
    """The evidence under today's engine, as that one and the evidence's own train alike on this machine.

    Both train the first seed of every variant for some epochs, on the evidence's number of threads, with the packages
    that are installed here, and where a recipe leaves the precision open, in the one that this machine computes fast.
    Compared are the training and validation images, the variables of model and optimizer, the history, the state of
    early stopping, the probabilities on the validation split over the recipe's test views, and the study's measures.
    The test split is not opened.

    Args:
        evidence: whose engine, and nothing else, is not today's.
        source: the day's study, in this package.
        settings: workspace and datasets.
        commit: of this program's checkout; its engine has to be the one that the evidence names.
        epochs: after how many a trial is stopped; the order of images and the schedule are those of the whole trial.
        examples: how many training examples the trials see, the first ones; None for all.
        progress: told of the work.

    Returns:
        A copy whose ``code`` names today's engine, with an entry in ``code.renewed``.

    Raises:
        NotRenewedError: the two engines differ, or the evidence is of another backend than is asked for.
        UsageError: the commit's engine, or its study, is not the one of the evidence.
        EngineFailedError: one of the engines could not be run.
    """
    day, backend = evidence["day"], backends.wanted()
    if evidence["backend"] != backend:
        raise NotRenewedError(
            f"Day {day}: its evidence was made on the backend {evidence['backend']!r}, and {backend!r} is asked for.",
            hint=f"Set KERAS_BACKEND={evidence['backend']} and run the same command again.",
        )
    request = Request(
        study=source.path.relative_to(PACKAGE).as_posix(),
        backend=backend,
        threads=evidence["threads"],
        seed=evidence["seeds"][0],
        epochs=epochs,
        variants={variant.name: evidence["details"][variant.name]["recipe"] for variant in source.study.variants},
        examples=examples,
    )
    comparison = _Comparison(evidence=evidence, request=request, settings=settings, progress=progress)
    with place_of_engines(settings) as place:
        then, now = engine_of(commit, place), engine_of_today(place)
        if not comparison.is_of(then):
            raise comparison.wrong(then, instead=comparison.found_among(place, source))
        library.load(source.study.dataset, settings, progress)  # fetched here, where it can be told of
        progress.start(comparison.whole, total=2.0 * len(request.variants), unit="trials")
        engine = loaded(now, request, settings).engine
        before = comparison.trained(then)
        after = comparison.trained(now, like=before)
    progress.finish(comparison.whole, note="the same bits")
    checked = [
        {"variant": name, "seed": request.seed, "epochs": found.epochs, "precision": found.parts["precision"]}
        for name, found in after.items()
    ]
    vouching = {
        "checked": checked,
        "against": commit,
        **({} if examples is None else {"examples": examples}),
        "machine": _facts(),
        "packages": documents.package_versions(backends.backend().PACKAGES),
    }
    return _under(engine, evidence, vouching)


_MOST_CHANGES = 10
"""How many changes of the engine to go back in search of the one that evidence names."""


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """Two engines about to train the same trials."""

    evidence: Mapping[str, Any]
    request: Request
    settings: Settings
    progress: Progress

    @property
    def whole(self) -> str:
        """The task of all trials together."""
        return f"day {self.evidence['day']}, both engines"

    def is_of(self, engine: Engine) -> bool:
        """Whether an engine, and the study beside it, are those that the evidence names."""
        found = loaded(engine, self.request, self.settings)
        code = self.evidence["code"]
        return (found.engine, found.study) == (code["engine"], code["study"])

    def found_among(self, place: Path, source: StudySource) -> str | None:
        """A commit whose engine the evidence names; None where there is none before the last few changes of it."""
        self.progress.say("Looking for the commit whose engine the evidence names")
        changed = documents.engine_files(source.path, self.evidence["backend"])
        for commit in commits_before_changes([source.path, *changed], most=_MOST_CHANGES):
            with contextlib.suppress(FortydaysError):  # so old that it has no such study, or cannot tell
                if self.is_of(engine_of(commit, place)):
                    return commit
        return None

    def wrong(self, engine: Engine, *, instead: str | None) -> UsageError:
        """The error for a commit whose engine, or study, is another than the evidence names."""
        found, code, day = loaded(engine, self.request, self.settings), self.evidence["code"], self.evidence["day"]
        what = "engine" if found.engine != code["engine"] else "study"
        return UsageError(
            f"Day {day}: the {what} at the commit {engine.commit[:12]} has the digest {getattr(found, what)[:12]}, "
            f"but the evidence names {code[what][:12]}.",
            hint=f"That one is at: forty verify {day} --renew --against {instead[:12]}"
            if instead
            else f"It is at none of the last commits. Run the study again: forty run {day} --publish",
        )

    def trained(self, engine: Engine, *, like: Mapping[str, Trained] | None = None) -> dict[str, Trained]:
        """The first epochs of every variant's trial.

        Args:
            engine: what trains them.
            like: what they have to be equal to, each before the next is trained; None compares nothing.

        Raises:
            NotRenewedError: one is not equal.
            EngineFailedError: the engine's process failed.
        """
        found: dict[str, Trained] = {}
        with asked(engine, self.request, self.settings) as events:
            for name in self.request.variants:
                task = f"{name}, seed {self.request.seed}, {engine.name}"
                trained = self._followed(events, task)
                if like is None:
                    self.progress.finish(task, note=self._told(name, trained))
                else:
                    self._compare(name, task, like[name], trained)
                found[name] = trained
                self.progress.advance(self.whole, done=float(len(like or ()) + len(found)))
        return found

    def _followed(self, events: Iterator[Digests | Steps | Trained], task: str) -> Trained:
        begun = False
        for event in events:
            if isinstance(event, Trained):
                return event
            if isinstance(event, Steps):
                if not begun:
                    self.progress.start(task, total=float(event.total), unit="steps")
                    begun = True
                self.progress.advance(task, done=float(event.done))
        raise EngineFailedError(f"{task}: its process ended before the trial did.")

    def _told(self, name: str, trained: Trained) -> str:
        here, there = trained.parts["precision"], self.evidence["details"][name]["precision"]
        said = f"{counted(trained.epochs, 'epoch')} in {here}"
        return said if here == there else f"{said}, where the evidence is of {there}"

    def _compare(self, name: str, task: str, before: Trained, after: Trained) -> None:
        difference = first_difference(before, after)
        self.progress.finish(task, note="other bits" if difference else "the same bits")
        if difference:
            raise NotRenewedError(
                f"Day {self.evidence['day']}: {name} with seed {self.request.seed} gives other bits with today's "
                f"engine than with the evidence's. What differs first: {difference}.",
                hint="The engine's numbers have changed. "
                f"Run the study again: forty run {self.evidence['day']} --publish",
            )


def _under(engine: str, evidence: Mapping[str, Any], vouching: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence as that of an engine, with what vouches for it."""
    entry = {"engine": evidence["code"]["engine"], "at": clock.timestamp(), **vouching}
    code = {**evidence["code"], "engine": engine, "renewed": [*evidence["code"].get("renewed", []), entry]}
    return {**evidence, "code": code}


def _reporting(progress: Progress, task: str) -> Report:
    def report(done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
        progress.advance(task, done=float(done))

    return report


def _facts() -> dict[str, Any]:
    """What of this machine bits depend on."""
    machine = describe_machine()
    return {"cpu_model": machine.cpu_model, "flags": list(machine.flags), "system": machine.system}


def _check_comparable(evidence: Mapping[str, Any], settings: Settings) -> None:
    here = _facts()
    there = {name: evidence["machine"].get(name) for name in here}
    today: dict[str, Any] = {
        "machine": here,
        "threads": settings.threads,
        "packages": documents.package_versions(backends.backend().PACKAGES),
        "backend": backends.wanted(),
    }
    then = {"machine": there, **{name: evidence[name] for name in today if name != "machine"}}
    different = [name for name, value in today.items() if then[name] != value]
    if different:
        raise NotRenewedError(
            f"Day {evidence['day']}: its bits cannot be compared here, because {' and '.join(different)} "
            f"{'is' if len(different) == 1 else 'are'} not what the evidence was made with.",
            hint=f"Run the study again: forty run {evidence['day']} --publish. Or, in a Git checkout, compare the two "
            f"engines here: forty verify {evidence['day']} --renew --against REVISION",
        )

"""Evidence that a change of the engine left true: some of its trials are trained again and must give the same bits.

A change of the engine makes all evidence stale, also one that changes no number: a clearer message, another way to
report progress. To run every study again for it would cost hours. Instead the first seed of every variant is trained
again, by today's engine and with the recipe that the evidence says was used; where all of them end with the same
weights, metrics and history, bit for bit, the evidence names today's engine, and says which trials vouch for that.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fortydays.base import clock
from fortydays.base.errors import ExitCode, FortydaysError
from fortydays.base.machine import describe_machine
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.study import evidence as documents
from fortydays.study.features import given
from fortydays.study.runner import StudySource, make_trainer
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
    entry = {"engine": evidence["code"]["engine"], "at": clock.timestamp(), "checked": checked}
    code = {**evidence["code"], "engine": engine, "renewed": [*evidence["code"].get("renewed", []), entry]}
    return {**evidence, "code": code}


def _reporting(progress: Progress, task: str) -> Report:
    def report(done: int, total: int, loss: float, accuracy: float) -> None:  # noqa: ARG001
        progress.advance(task, done=float(done))

    return report


def _check_comparable(evidence: Mapping[str, Any], settings: Settings) -> None:
    machine = dataclasses.asdict(describe_machine()) | {"flags": list(describe_machine().flags)}
    there = {name: evidence["machine"].get(name) for name in ("cpu_model", "flags", "system")}
    here = {name: machine[name] for name in there}
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
            hint=f"Run the study again: forty run {evidence['day']} --publish",
        )

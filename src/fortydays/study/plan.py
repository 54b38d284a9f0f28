"""What a run is to do, and everything that its numbers are a function of."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fortydays import __version__
from fortydays.base import files
from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.machine import Machine, describe_machine
from fortydays.base.progress import Progress
from fortydays.base.revision import revision
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset
from fortydays.study import evidence as documents
from fortydays.study.code import engine_digest, study_digest
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.features import Features, runtime
from fortydays.study.trial import ENGINES, TrialSpec
from fortydays.train import backends
from fortydays.train.framework import numerical_switches
from fortydays.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class StudySource:
    """A study and where it was written down.

    Attributes:
        day: number of the day, or None for a study of one's own.
        name: slug of the day, or the name of the study's own file.
        path: the file.
        study: its content.
    """

    day: int | None
    name: str
    path: Path
    study: Study


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a study.

    Attributes:
        seeds: how many trials of each variant and drill, or None for the study's own seeds. More than it has are
            counted on.
        only: variants, drills or groups; empty for all.
        settings: ``FIELD=VALUE`` for every variant's recipe.
        engine: one of :data:`ENGINES`.
        command: as it was typed, for the run to tell how it goes on; no part of what the run is.
    """

    seeds: int | None = None
    only: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    engine: str = "compiled"
    command: str = ""

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)
        if self.seeds is not None and not 1 <= self.seeds <= 1000:
            raise UsageError(f"--seeds is {self.seeds}; expected a whole number from 1 to 1000.")

    def seeds_of(self, study: Study) -> tuple[int, ...]:
        """The seeds to train with: the study's own first, then the next whole numbers that are free."""
        if self.seeds is None:
            return study.seeds
        taken = set(study.seeds) | {s for v in study.variants if v.search for s in v.search.seeds}
        further = (s for s in itertools.count(max(study.seeds) + 1) if s not in taken)
        return (*study.seeds, *(next(further) for _ in range(self.seeds - len(study.seeds))))[: self.seeds]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run about to be worked on.

    Attributes:
        source: the study.
        request: what is asked of it.
        variants: those that are asked for, with the reader's settings.
        drills: those that are asked for.
        seeds: of the trials of each variant and drill.
        dataset: the study's, or None where it has none.
        settings: where state lives, and threads.
        machine: this one.
        identity: by name, everything that the run's numbers are a function of, as JSON values.
    """

    source: StudySource
    request: Request
    variants: tuple[Variant, ...]
    drills: tuple[Drill, ...]
    seeds: tuple[int, ...]
    dataset: Dataset | None
    settings: Settings
    machine: Machine
    identity: dict[str, Any]

    @property
    def as_asked(self) -> dict[str, Any]:
        """What was asked for, as ``run.json`` and the evidence say it."""
        return {
            "seeds": list(self.seeds),
            "only": list(self.request.only),
            "settings": list(self.request.settings),
            "engine": self.request.engine,
        }

    @property
    def trials(self) -> list[tuple[str, int]]:
        """The variant or drill and the seed of each trial, in the order of the evidence."""
        names = [*(variant.name for variant in self.variants), *(drill.name for drill in self.drills)]
        return [(name, seed) for name in names for seed in self.seeds]

    @property
    def bfloat16_is_fast(self) -> bool:
        """Whether the precision "auto" may be bfloat16 in this run."""
        if not self.variants:  # asking loads the backend
            return False
        return backends.backend().bfloat16_is_fast(on_processor=self.machine.bfloat16_is_fast)

    @property
    def provenance(self) -> dict[str, Any]:
        """What the trials are trained by, as the evidence says it: code, packages, machine, threads, backend."""
        found = revision()
        return {
            "code": {
                "study": self.identity["study"],
                "engine": self.identity["engine"],
                "version": __version__,
                **(dataclasses.asdict(found) if found else {}),
            },
            "packages": self.identity["packages"],
            "machine": {
                **dataclasses.asdict(self.machine),
                "flags": list(self.machine.flags),
                "accelerator": self.identity["accelerator"],
            },
            "threads": self.settings.threads,
            "backend": self.identity["backend"],
        }

    def spec(self, variant: str, seed: int, recipe: Recipe | None, *, validation_only: bool = False) -> TrialSpec:
        """The spec of one trial of this run, of one try of a search, or, without a recipe, of a drill."""
        return TrialSpec(
            variant=variant, seed=seed, recipe=recipe, validation_only=validation_only, **self._of_every_spec
        )

    @cached_property
    def _of_every_spec(self) -> dict[str, Any]:
        file = {"path": str(self.source.path), "sha256": files.sha256_of_file(self.source.path)}
        ground = {name: value for name, value in self.identity.items() if name not in ("recipes", "searches")}
        return {
            **({"day": self.source.day} if self.source.day is not None else file),
            "dataset": self.source.study.dataset or "",
            "dataset_digest": self.dataset.digest if self.dataset else "",
            "backend": self.identity["backend"],
            "threads": self.settings.threads,
            "bfloat16_is_fast": self.bfloat16_is_fast,
            "engine": self.request.engine,
            "ground": files.sha256_of_json(ground),
        }


def make_plan(
    source: StudySource, request: Request, settings: Settings, progress: Progress, *, dataset: Dataset | None = None
) -> Plan:
    """What a run is to do.

    Args:
        source: the study.
        request: what is asked of it.
        settings: where state lives, and threads.
        progress: told of the work.
        dataset: the study's, where it is loaded already.

    Raises:
        UsageError: an unknown variant or drill, a setting that does not fit, or one for a drill.
        DataError: the dataset cannot be had.
    """
    study = source.study
    variants, drills = study.select(request.only)
    if drills and request.settings:
        raise UsageError(
            f"--set {request.settings[0]} sets a field of recipes, and the drill {drills[0].name!r} has no recipe.",
            hint="Name the variants that are meant with --only." if study.variants else "Leave --set away.",
        )
    variants = tuple(_with_settings(variant, request.settings) for variant in variants)
    if dataset is None and study.dataset is not None:
        dataset = library.load(study.dataset, settings, progress)
    machine = describe_machine()
    revision()  # as it is now, when the code has just been loaded; looked up once for a process
    identity = {
        "study": study_digest(source.path),
        "engine": engine_digest(with_drills=bool(drills)),
        "dataset": dataset.digest if dataset else None,
        "split_version": dataset.split_version if dataset else None,
        "recipes": {v.name: v.recipe.as_dict() for v in variants},
        "searches": {v.name: v.search.as_dict() if v.search else None for v in variants},
        "drills": [drill.name for drill in drills],
        "features": {v.name: {**v.features.as_dict(), "onnxruntime": runtime()} for v in variants if v.features},
        "examples": {v.name: v.examples for v in variants if v.examples is not None},
        "packages": documents.package_versions(backends.backend().PACKAGES),
        "threads": settings.threads,
        "backend": backends.wanted(),
        # Asking loads the backend, which drills need not do.
        "accelerator": backends.backend().accelerator() if variants else None,
        # The same code in other instructions adds in another order, and "auto" may choose another precision.
        "processor": [machine.cpu_model, *machine.flags],
        "python": machine.python,
        "switches": numerical_switches(),
    }
    return Plan(
        source=source,
        request=request,
        variants=variants,
        drills=drills,
        seeds=request.seeds_of(study),
        dataset=dataset,
        settings=settings,
        machine=machine,
        identity=identity,
    )


def _with_settings(variant: Variant, settings: Sequence[str]) -> Variant:
    """The variant with the reader's settings, which also take the place of a search over the same field."""
    named = {setting.partition("=")[0].strip() for setting in settings}
    search = None if variant.search is not None and variant.search.field in named else variant.search
    return dataclasses.replace(variant, recipe=variant.recipe.with_settings(settings), search=search)


def changed_since(plan: Plan, recorded: Mapping[str, Any]) -> list[str]:
    """The names of those parts of a plan's identity that a run's recorded identity has otherwise."""
    # What an older version of the program did not write down, because nothing had it, was empty.
    return [key for key, value in plan.identity.items() if _as_now(key, recorded.get(key) or {}) != (value or {})]


def _as_now(key: str, recorded: Any) -> Any:
    """A part of a run's identity as today's version of the program would have written it down."""
    kinds: dict[str, type] = {"recipes": Recipe, "features": Features}
    if key not in kinds:
        return recorded
    return {variant: documents.with_defaults(kinds[key], fields) for variant, fields in recorded.items()}


def in_words(changed: Sequence[str]) -> str:
    """What has changed, as a message names it."""
    words = {
        "study": "the study file",
        "engine": "the training engine",
        "dataset": "the dataset",
        "split_version": "the rule of the splits",
        "recipes": "the recipes",
        "searches": "what is searched",
        "drills": "the drills",
        "features": "the features that are learned from",
        "examples": "the number of training images",
        "processor": "the processor",
        "python": "the version of Python",
        "switches": "an environment variable that changes how the backend computes",
        "packages": "the installed packages",
        "threads": "the number of threads",
        "backend": "the backend",
        "accelerator": "the accelerator",
    }
    return " and ".join(words.get(name, name) for name in changed)

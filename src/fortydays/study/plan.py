"""What a run is to do, and everything that its numbers are a function of."""

import dataclasses
import itertools
from collections.abc import Sequence
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
from fortydays.study.code import engine_digest, program_digest, study_digest
from fortydays.study.design import Study, Variant
from fortydays.study.drills import Drill
from fortydays.study.features import runtime
from fortydays.study.openings import Opening
from fortydays.study.trial import ENGINES, TrialSpec
from fortydays.study.tries import MOST_EXAMPLES, with_at_most
from fortydays.train import backends
from fortydays.train.framework import numerical_switches
from fortydays.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class StudySource:
    """A study and the file where it was written down, of a day by its number and slug, or of one's own (day None)."""

    day: int | None
    name: str
    path: Path
    study: Study


MOST_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a study.

    Attributes:
        seeds: how many trials of each variant and drill, or None for the study's own seeds. More than it has are
            counted on. A range, such as that of fresh seeds, is these seeds themselves.
        only: variants, drills or groups; empty for all.
        settings: ``FIELD=VALUE`` for every variant's recipe.
        engine: one of :data:`ENGINES`.
        examples: how many each split of the dataset has at most, for a try in seconds; None for all. A try gives no
            verdicts and is never published.
        command: as it was typed, for the run to tell how it goes on; no part of what the run is.
        publish: whether it is to be published; no part of what the run is.
    """

    seeds: int | range | None = None
    only: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    engine: str = "compiled"
    examples: int | None = None
    command: str = ""
    publish: bool = False

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)
        count = len(self.seeds) if isinstance(self.seeds, range) else self.seeds
        if count is not None and not 1 <= count <= MOST_SEEDS:
            raise UsageError(f"--seeds is {count}; expected a whole number from 1 to {MOST_SEEDS}.")
        if self.examples is not None:
            if isinstance(self.examples, bool) or not isinstance(self.examples, int):
                raise UsageError(f"--examples is {self.examples!r}; expected a whole number.")
            if not 1 <= self.examples <= MOST_EXAMPLES:
                raise UsageError(f"--examples is {self.examples}; expected a whole number from 1 to {MOST_EXAMPLES}.")
            if self.publish:
                raise UsageError(
                    "A try with --examples is never published: it says nothing about the study's claims.",
                    hint="Leave --publish away to try it, or --examples to publish.",
                )

    def seeds_of(self, study: Study) -> tuple[int, ...]:
        """The seeds to train with: the study's own first, then the next whole numbers that are free.

        Raises:
            UsageError: some of a range are seeds that the study chooses settings with.
        """
        if self.seeds is None:
            return study.seeds
        tuning = {seed for variant in study.variants for seed in variant.chosen_with}
        if isinstance(self.seeds, range):
            if both := sorted(tuning.intersection(self.seeds)):
                first = max(tuning) + 1
                raise UsageError(
                    f"The study chooses settings with the seeds {', '.join(map(str, both))}: they are not reported.",
                    hint=f"Take a range without them, such as --seeds {first}-{first + len(self.seeds) - 1}",
                )
            return tuple(self.seeds)
        taken = set(study.seeds) | tuning
        further = (s for s in itertools.count(max(study.seeds) + 1) if s not in taken)
        return (*study.seeds, *(next(further) for _ in range(self.seeds - len(study.seeds))))[: self.seeds]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run about to be worked on: the variants, with the reader's settings, and drills that are asked for.

    ``identity`` has by name everything that the run's numbers are a function of, as JSON values.
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
            # Left out where it is not asked for, as it was before there were tries.
            **({} if self.request.examples is None else {"examples": self.request.examples}),
        }

    @property
    def trials(self) -> list[tuple[str, int]]:
        """The variant or drill and the seed of each trial, in the order of the evidence."""
        names = [*(variant.name for variant in self.variants), *(drill.name for drill in self.drills)]
        return [(name, seed) for name in names for seed in self.seeds]

    @property
    def is_whole(self) -> bool:
        """Whether the study is trained as it says, all of it, or what is to be published beside the rest."""
        whole = (self.request.publish or not self.request.only) and not self.request.settings
        return whole and self.request.examples is None and set(self.source.study.seeds) <= set(self.seeds)

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

    def opening(self, variant: str, recipe: Recipe, *, seed: int, run: str) -> Opening:
        """What is noted when a trial of this run opens the test split."""
        return Opening(
            dataset=self.source.study.dataset or "",
            digest=self.dataset.digest if self.dataset else "",
            study=self.source.name,
            code=self.identity["study"],
            variant=variant,
            recipe=files.sha256_of_json(recipe.as_dict()),
            seed=seed,
            run=run,
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
            "examples": self.request.examples,
            "ground": files.sha256_of_json(ground),
        }


def make_plan(
    source: StudySource, request: Request, settings: Settings, progress: Progress, *, dataset: Dataset | None = None
) -> Plan:
    """What a run is to do. A ``dataset`` that is loaded already is used as the study's.

    Raises:
        UsageError: an unknown variant or drill, a setting that does not fit, or one for a drill; a try on fewer
            examples than there are classes, or of what does not train.
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
    if request.examples is not None:
        if dataset is None or not variants:
            raise UsageError(
                "--examples caps the splits of a dataset, and nothing here trains on one.",
                hint="Leave --examples away.",
            )
        dataset = with_at_most(dataset, request.examples)
    machine = describe_machine()
    revision()  # as it is now, when the code has just been loaded; looked up once for a process
    identity = {
        "study": study_digest(source.path),
        "engine": engine_digest(),
        "dataset": dataset.digest if dataset else None,
        "split_version": dataset.split_version if dataset else None,
        "recipes": {v.name: v.recipe.as_dict() for v in variants},
        "searches": {v.name: v.search.as_dict() if v.search else None for v in variants},
        "drills": [drill.name for drill in drills],
        "program": program_digest() if drills else None,
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


OF_MACHINE = ("accelerator", "processor")
"""What of a plan's identity is of the machine that computes."""


def in_words(changed: Sequence[str]) -> str:
    """The parts of a plan's identity that have changed, as a message names them."""
    words = {
        "study": "the study file",
        "engine": "the training engine",
        "split_version": "the rule of the splits",
        "searches": "what is searched",
        "program": "this program",
        "features": "the features that are learned from",
        "examples": "the number of training images",
        "python": "the version of Python",
        "switches": "an environment variable that changes how the backend computes",
        "packages": "the installed packages",
        "threads": "the number of threads",
    }
    return " and ".join(words.get(name, f"the {name}") for name in changed)

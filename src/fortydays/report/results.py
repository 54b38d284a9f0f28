"""Evidence as typed values, checked once at the door.

An evidence document may be a file from elsewhere. Here every value gets its type, every text loses the characters
that could steer a terminal, and every list has a largest length; what does not fit is refused by name. The other
modules of this room work on :class:`Results` and check nothing again.
"""

import base64
import binascii
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fortydays.report.reading import damaged, mapping, quoted, read
from fortydays.study.checks import CheckResult
from fortydays.study.document import (
    Code,
    Detail,
    DrillDetail,
    Evidence,
    Facts,
    FeaturesResult,
    Fits,
    SearchResult,
    Standardized,
    Trial,
)
from fortydays.study.evidence import with_defaults
from fortydays.study.exhibit_document import ExhibitResult, Pictures
from fortydays.study.judgement import Verdict
from fortydays.study.renewal import Renewal
from fortydays.study.statistics import Interval
from fortydays.study.vocabulary import Setting, try_in_words
from fortydays.tasks.metric import Metric
from fortydays.train.recipe import Recipe

MOST_PNG = 500_000
"""The largest PNG file shown, in characters of its base64 text."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class VariantResults:
    """What one variant, or one drill, is and what its trials gave.

    The other fields are those of :class:`fortydays.study.document.Detail`.

    Attributes:
        index: its place among all variants of the study, which decides its color everywhere.
        recipe: its recipe field by field; an optimizer's options are fields of their own.
        declared: of a drill, its metrics by name; of a variant, empty.
        metrics: mean and interval of each metric over the finished trials.
        trials: all its trials by seed.
    """

    name: str
    index: int
    description: str
    group: str
    parameters: int | None = None
    multiply_adds: int | None = None
    precision: str = ""
    recipe: Mapping[str, Setting] = field(default_factory=dict)
    search: SearchResult | None = None
    features: FeaturesResult | None = None
    examples: int | None = None
    redrawn: bool = False
    vectors: str = ""
    standardized: Standardized | None = None
    fits: Fits | None = None
    declared: Mapping[str, Metric] = field(default_factory=dict)
    metrics: Mapping[str, Interval]
    trials: tuple[Trial, ...]

    @property
    def is_drill(self) -> bool:
        """Whether it is a procedure that was carried out, and not a model that was trained."""
        return bool(self.declared)

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that came to their end."""
        return tuple(t for t in self.trials if t.finished)

    def reached(self, metric: str) -> tuple[int, int]:
        """In how many trials a target was reached, and of how many that have the metric."""
        values = [t.metrics[metric] for t in self.finished if metric in t.metrics]
        return sum(v is not None for v in values), len(values)


@dataclass(frozen=True, kw_only=True)
class Results(Facts):
    """A whole evidence document, in the form in which it is shown.

    The other fields are those of :class:`fortydays.study.document.Request` and of the document itself.

    Attributes:
        tried_on: of a try, how many examples each split had at most.
        code: digests of the study and the engine, the version of this package, and the commit.
        machine: facts about the machine, in words.
        variants: and drills, in the study's order.
        seconds: what the run took, by kind of work.
    """

    only: tuple[str, ...]
    settings: tuple[str, ...]
    engine: str
    tried_on: int | None = None
    looks: int = 0
    code: Mapping[str, str]
    renewed: tuple[Renewal, ...]
    machine: Mapping[str, str]
    variants: tuple[VariantResults, ...]
    seconds: Mapping[str, float]

    @property
    def as_a_try(self) -> str:
        """What a try is, in words; "" where it is none."""
        return "" if self.tried_on is None else try_in_words(self.tried_on)

    @property
    def groups(self) -> tuple[tuple[str, tuple[VariantResults, ...]], ...]:
        """The variants by group, groups in the order in which they first appear."""
        names = dict.fromkeys(v.group for v in self.variants)
        return tuple((name, tuple(v for v in self.variants if v.group == name)) for name in names)

    @property
    def trained(self) -> tuple[VariantResults, ...]:
        """The variants, without the drills."""
        return tuple(v for v in self.variants if not v.is_drill)

    @property
    def declared(self) -> Mapping[str, Metric]:
        """The metrics that drills declare, by name."""
        return {name: metric for v in self.variants for name, metric in v.declared.items()}

    @property
    def differ_in_cost(self) -> bool:
        """Whether the variants' models do unlike numbers of multiply-adds, against which accuracy is to be seen."""
        return len({v.multiply_adds for v in self.variants} - {None}) > 1

    def training_images(self, variant: VariantResults) -> int:
        """How many images a variant learned from; where it was given so many of each class, at most so many."""
        if self.dataset is None:
            return 0
        if variant.examples is None:
            return self.dataset.train
        return min(variant.examples * len(self.dataset.classes), self.dataset.train)

    @property
    def learning_groups(self) -> tuple[tuple[str, tuple[VariantResults, ...]], ...]:
        """The groups in which a part of the training images was learned from, fewest images first.

        Of the variants that learned from all images a group has its last one, if it is the only one: of several, none
        is what the others would become. There is no group where all variants learned from equally many images.
        """
        found = []
        for name, variants in self.groups:
            parts = [v for v in variants if v.examples is not None]
            whole = [v for v in variants if v.examples is None]
            if parts:
                chosen = [*parts, *(whole if len(whole) == 1 else ())]
                found.append((name, tuple(sorted(chosen, key=lambda v: (self.training_images(v), v.index)))))
        unlike = {self.training_images(v) for _, variants in found for v in variants}
        return tuple(found) if len(unlike) > 1 else ()

    @property
    def failed(self) -> tuple[Trial, ...]:
        """The trials that did not come to their end, or of which a measure failed."""
        return tuple(t for v in self.variants for t in v.trials if t.error or not t.finished)

    @property
    def checks_by_name(self) -> tuple[tuple[str, tuple[CheckResult, ...]], ...]:
        """The checks that were not passed, by their names, in the order of the document."""
        names = dict.fromkeys(check.check for check in self.checks)
        return tuple((name, tuple(check for check in self.checks if check.check == name)) for name in names)

    def subject(self, check: CheckResult) -> str:
        """What a check is about: a variant, or a claim by its number."""
        if check.variant:
            return check.variant
        number = next((i for i, claim in enumerate(self.claims, 1) if claim.claim == check.claim), None)
        return f"claim {number}" if number else check.claim

    def metrics_by_seed(self) -> dict[str, dict[int, Mapping[str, float | None]]]:
        """Variant -> seed -> metrics of the finished trials, as :mod:`fortydays.study.claims` compares them."""
        return {v.name: {t.seed: t.metrics for t in v.finished} for v in self.variants}

    def count(self, verdict: Verdict) -> int:
        """How many claims have this verdict."""
        return sum(c.verdict is verdict for c in self.claims)


def read_results(document: Mapping[str, Any]) -> Results:
    """Give every value of an evidence document its type.

    Args:
        document: as in :mod:`fortydays.study.evidence`, schema version 1.

    Raises:
        StorageError: something is missing, of another type, not finite or too long; the message names it.
    """
    found: Evidence = read(Evidence, mapping(document, "the document"), "")
    facts = {each.name: getattr(found, each.name) for each in dataclasses.fields(Facts)}
    return Results(
        **facts | {"exhibits": tuple(map(_shown, found.exhibits))},
        only=found.request.only,
        settings=found.request.settings,
        engine=found.request.engine,
        tried_on=found.request.examples,
        looks=found.looks,
        code=_code(found.code),
        renewed=found.code.renewed,
        machine={k: _joined(v) for k, v in dataclasses.asdict(found.machine).items() if v is not None},
        variants=_variants(found),
        seconds=dataclasses.asdict(found.seconds),
    )


def _variants(found: Evidence) -> tuple[VariantResults, ...]:
    for name in (*(t.variant for t in found.trials), *found.variants):
        if name not in found.details:
            raise damaged("details", f"has no {quoted(name)}", "each variant that has trials or means")
    return tuple(
        VariantResults(
            **_told(detail),
            name=name,
            index=index,
            metrics=found.variants.get(name, {}),
            trials=tuple(sorted((t for t in found.trials if t.variant == name), key=lambda t: t.seed)),
        )
        for index, (name, detail) in enumerate(found.details.items())
    )


def _told(detail: Detail | DrillDetail) -> dict[str, Any]:
    """What a document says of a variant or a drill, as fields of its results."""
    if isinstance(detail, Detail):
        return {**vars(detail), "recipe": _recipe(detail.recipe)}
    declared = {metric.name: metric for metric in detail.metrics}
    return {"description": detail.description, "group": detail.group, "declared": declared}


def _recipe(fields: Mapping[str, Any]) -> dict[str, Setting]:
    """The fields of a recipe, with an optimizer's options as fields of their own.

    Fields that recipes got later have their defaults: so variants trained at different times are comparable.
    """
    found: dict[str, Setting] = {}
    for name, value in with_defaults(Recipe, fields).items():
        found |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return found


def _shown(exhibit: ExhibitResult) -> ExhibitResult:
    """An exhibit, its pictures without what is no PNG file."""
    if not isinstance(exhibit, Pictures):
        return exhibit
    pictures = tuple(dataclasses.replace(each, png=_png(each.png)) for each in exhibit.pictures)
    return dataclasses.replace(exhibit, columns=min(exhibit.columns, 12), pictures=pictures)


def _png(value: object) -> str:
    """Base64 of a PNG file, of a size that a page can carry; "" where it is anything else."""
    if not isinstance(value, str) or len(value) > MOST_PNG or not _BASE64.fullmatch(value):
        return ""
    try:
        return value if base64.b64decode(value, validate=True).startswith(_PNG_SIGNATURE) else ""
    except binascii.Error:
        return ""


def _code(code: Code) -> dict[str, str]:
    """What is told of the code, as texts: the commit says itself whether the checkout was just that."""
    commit = code.commit if code.clean else f"{code.commit} with changes"
    told = {"study": code.study, "engine": code.engine, "version": code.version}
    return {**told, "commit": commit} if code.commit else told


def _joined(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)

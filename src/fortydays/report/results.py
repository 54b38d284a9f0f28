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
from types import MappingProxyType
from typing import Annotated, Any, Literal

from fortydays.report.reading import Count, clean, damaged, mapping, quoted, read
from fortydays.study.claims import Judgement, Verdict, Withdrawal
from fortydays.study.statistics import Interval
from fortydays.tasks.metric import Metric

Setting = str | int | float | bool | None
"""What a recipe field can hold."""

MOST_VARIANTS = 200
MOST_TRIALS = 20_000
MOST_METRICS = 100
MOST_POINTS = 100_000
MOST_PNG = 500_000
"""The largest PNG file shown, in characters of its base64 text."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")

Points = Annotated[tuple[float, ...], MOST_POINTS]


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """The dataset of a study: name, SHA-256 digest, names of its classes, and examples in each split."""

    name: str
    digest: str = ""
    split_version: int = 1
    classes: tuple[str, ...] = ()
    train: int
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trained variant and seed, or a drill that was carried out with one.

    Attributes:
        variant: which variant or drill.
        seed: which seed.
        status: whether it came to its end.
        error: why it did not, or which measure failed; or "" or None.
        metrics: its numbers by name; None is a target never reached.
        train_seconds: duration of training, or of the drill.
        epochs: epochs trained.
        best_epoch: the epoch whose weights were kept.
        history: what was seen during training, one list for each field, all of one length.
    """

    variant: str
    seed: int
    status: Literal["finished", "failed"]
    error: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    train_seconds: float = 0.0
    epochs: int = 0
    best_epoch: int | None = None
    history: Mapping[str, Points] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({len(column) for column in self.history.values()}) > 1:
            raise ValueError("has a history with lists of different lengths; expected one length")

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self.status == "finished"


@dataclass(frozen=True, kw_only=True)
class Try:
    """A value that was tried, and what it gave."""

    value: Setting
    validation_accuracy: Interval


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """How a variant's setting was chosen: the field, each value tried with its validation accuracy, the choice."""

    field: str
    tries: tuple[Try, ...]
    chosen: Setting

    @property
    def at_edge(self) -> bool:
        """Whether the choice is the first or the last of several values, so that the best may lie beyond."""
        return len(self.tries) > 1 and self.chosen in (self.tries[0].value, self.tries[-1].value)


@dataclass(frozen=True, kw_only=True)
class FeaturesResult:
    """What a variant learned from in the place of pixels.

    Attributes:
        backbone: name of the network that made it; one that this program knows, or another.
        side: pixels of the images it was shown, upwards and sideways.
        before_last_block: whether it is what the network's last block is given, which was then trained further.
        pretrained: whether the network had seen ImageNet; else its weights were random.
    """

    backbone: str
    side: Count
    before_last_block: bool
    pretrained: bool


@dataclass(frozen=True, kw_only=True)
class VariantResults:
    """What one variant, or one drill, is and what its trials gave.

    Attributes:
        name: its name.
        index: its place among all variants of the study, which decides its color everywhere.
        description: what is different about it.
        group: variants of one group are shown together.
        parameters: how many numbers its model learns, or None if it never could be built.
        multiply_adds: multiplications with their additions that its model does for one image, or None if not told.
        precision: the arithmetic it was trained in.
        recipe: its recipe field by field; an optimizer's options are fields of their own.
        search: how a setting was chosen, or None.
        features: what it learned from in the place of pixels, or None.
        examples: training images of each class that it learned from, or None for all.
        declared: of a drill, its metrics by name; of a variant, empty.
        metrics: mean and interval of each metric over the finished trials.
        trials: all its trials by seed.
    """

    name: str
    index: int
    description: str = ""
    group: str = ""
    parameters: int | None = None
    multiply_adds: int | None = None
    precision: str = ""
    recipe: Mapping[str, Setting] = field(default_factory=dict)
    search: SearchResult | None = None
    features: FeaturesResult | None = None
    examples: Count | None = None
    declared: Mapping[str, Metric] = field(default_factory=dict)
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that came to their end."""
        return tuple(t for t in self.trials if t.finished)

    @property
    def is_drill(self) -> bool:
        """Whether it is a drill."""
        return bool(self.declared)

    def reached(self, metric: str) -> tuple[int, int]:
        """In how many trials a target was reached, and of how many that have the metric."""
        values = [t.metrics[metric] for t in self.finished if metric in t.metrics]
        return sum(v is not None for v in values), len(values)


@dataclass(frozen=True, kw_only=True)
class _Exhibit:
    title: str = ""
    caption: str = ""
    variant: str = ""
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Matrix(_Exhibit):
    """Numbers by row and column, such as a confusion matrix."""

    rows: Annotated[tuple[str, ...], 100]
    columns: Annotated[tuple[str, ...], 100]
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(len(row) != len(self.columns) for row in self.values):
            raise ValueError(
                "has values of another shape than its rows and columns; "
                f"expected {len(self.rows)} × {len(self.columns)}"
            )


@dataclass(frozen=True, kw_only=True)
class Pictures(_Exhibit):
    """Small pictures with labels: ``(png, label)``, where ``png`` is base64 text or "" if it was not a PNG file."""

    columns: int = 5
    pictures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named line through points."""

    name: str = ""
    x: Points
    y: Points

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"has {len(self.x)} x and {len(self.y)} y; expected as many of both")


@dataclass(frozen=True, kw_only=True)
class Lines(_Exhibit):
    """Lines with the labels of their axes."""

    x_label: str = ""
    y_label: str = ""
    lines: Annotated[tuple[Line, ...], 50]


@dataclass(frozen=True, kw_only=True)
class Table(_Exhibit):
    """Rows of cells under named columns."""

    columns: Annotated[tuple[str, ...], 100]
    rows: tuple[Annotated[tuple[Setting, ...], 100], ...]


ExhibitResult = Matrix | Pictures | Lines | Table
_EXHIBITS: Mapping[str, type[ExhibitResult]] = MappingProxyType(
    {"matrix": Matrix, "pictures": Pictures, "lines": Lines, "table": Table}
)


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """That evidence stayed true as the engine changed, and by what that was found.

    Attributes:
        at: when, ISO 8601.
        trials: how many gave the same bits.
        epochs: in how many epochs of each trial at least, with the former engine and the new one side by side; None
            where the new one trained them to their end and gave the evidence's own bits again.
        precisions: what was computed in, where two engines were compared.
        examples: how many training images they saw; None for all.
    """

    at: str
    trials: int
    epochs: int | None = None
    precisions: tuple[str, ...] = ()
    examples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    """A whole evidence document.

    Attributes:
        day: the day's number, or None for a study of one's own.
        name: slug of the day or study.
        title: for people.
        created: when the run ended, ISO 8601.
        run_id: the run's name.
        dataset: what was trained on, or None where the study has no dataset.
        seeds: of the trials.
        only: the variants or groups that were asked for; all where it is empty.
        settings: recipe fields that were set from the command line.
        engine: "compiled" or "plain"; "fit" in runs of older programs.
        code: digests of the study and the engine, and the version of this package.
        renewed: how the evidence was kept true over changes of the engine, oldest first.
        packages: versions of the libraries.
        machine: facts about the machine, in words.
        threads: how many threads computed.
        backend: what Keras computed with.
        variants: and drills, in the study's order.
        claims: the verdicts.
        withdrawn: claims that have no verdict any more, with the reasons.
        exhibits: pictures and tables.
        seconds: what the run took, by kind of work.
        results_digest: SHA-256 of everything the trials gave except times.
    """

    day: int | None
    name: str = ""
    title: str
    created: str = ""
    run_id: str = ""
    dataset: DatasetFacts | None
    seeds: Annotated[tuple[int, ...], MOST_TRIALS]
    only: Annotated[tuple[str, ...], MOST_VARIANTS] = ()
    settings: tuple[str, ...] = ()
    engine: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    renewed: tuple[Renewal, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    threads: int | None
    backend: str = ""
    variants: tuple[VariantResults, ...] = ()
    claims: tuple[Judgement, ...]
    withdrawn: tuple[Withdrawal, ...] = ()
    exhibits: tuple[ExhibitResult, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    results_digest: str = ""

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
    root = mapping(document, "the document")
    request = mapping(root.get("request", {}), "request")
    machine = mapping(root.get("machine", {}), "machine")
    code = mapping(root.get("code", {}), "code")
    apart = {name: value for name, value in root.items() if name not in ("variants", "exhibits")}
    apart |= {name: request[name] for name in ("only", "settings", "engine") if name in request}
    apart |= {"code": _code(code), "machine": {k: _joined(v) for k, v in machine.items() if v is not None}}
    results: Results = read(Results, apart, "")
    return dataclasses.replace(
        results,
        renewed=_renewed(code.get("renewed", [])),
        variants=_variants(root),
        exhibits=tuple(
            _exhibit(mapping(each, f"exhibits[{index}]"), f"exhibits[{index}]")
            for index, each in enumerate(
                read(Annotated[tuple[_Object, ...], 100], root.get("exhibits", []), "exhibits")
            )
        ),
    )


_Object = Mapping[str, Any]


def _variants(root: Mapping[str, Any]) -> tuple[VariantResults, ...]:
    trials = read(Annotated[tuple[Trial, ...], MOST_TRIALS], root.get("trials"), "trials")
    details = {clean(str(k)): v for k, v in mapping(root.get("details", {}), "details").items()}
    summaries = {clean(str(k)): v for k, v in mapping(root.get("variants"), "variants").items()}
    names = tuple(dict.fromkeys([*details, *(t.variant for t in trials), *summaries]))
    if len(names) > MOST_VARIANTS:
        raise damaged("variants", f"has {len(names)} of them", f"at most {MOST_VARIANTS}")
    found = []
    for index, name in enumerate(names):
        where = f"details[{quoted(name)}]"
        detail = dict(mapping(details.get(name, {}), where))
        told = read(Annotated[tuple[Metric, ...], MOST_METRICS], detail.get("metrics", []), f"{where}.metrics")
        detail["recipe"] = _recipe(mapping(detail.get("recipe", {}), f"{where}.recipe"))
        metrics = read(Mapping[str, Interval], summaries.get(name, {}), f"variants[{quoted(name)}]")
        of_variant = tuple(sorted((t for t in trials if t.variant == name), key=lambda t: t.seed))
        variant = read(VariantResults, {**detail, "name": name, "index": index, "metrics": {}, "trials": []}, where)
        declared = {metric.name: metric for metric in told}
        found.append(dataclasses.replace(variant, declared=declared, metrics=metrics, trials=of_variant))
    return tuple(found)


def _recipe(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a recipe, with an optimizer's options as fields of their own."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {str(name): value}
    return found


def _exhibit(found: Mapping[str, Any], where: str) -> ExhibitResult:
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in _EXHIBITS:
        raise damaged(f"{where}.kind", f"is {quoted(kind)}", f"one of {', '.join(_EXHIBITS)}")
    if kind != "pictures":
        exhibit: ExhibitResult = read(_EXHIBITS[kind], found, where)
        return exhibit
    pictures = read(Annotated[tuple[_Object, ...], 400], found.get("pictures"), f"{where}.pictures")
    made: Pictures = read(Pictures, {k: v for k, v in found.items() if k != "pictures"}, where)
    return dataclasses.replace(
        made,
        columns=min(max(made.columns, 1), 12),
        pictures=tuple(
            (_png(picture.get("png")), read(str, picture.get("label", ""), f"{where}.pictures[{index}].label"))
            for index, picture in enumerate(pictures)
        ),
    )


def _png(value: object) -> str:
    """Base64 of a PNG file, of a size that a page can carry; "" where it is anything else."""
    if not isinstance(value, str) or len(value) > MOST_PNG or not _BASE64.fullmatch(value):
        return ""
    try:
        return value if base64.b64decode(value, validate=True).startswith(_PNG_SIGNATURE) else ""
    except binascii.Error:
        return ""


def _code(code: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of the code, as texts: the commit says itself whether the checkout was just that."""
    told = {name: value for name, value in code.items() if name not in ("renewed", "clean")}
    if code.get("clean", True) is not True and "commit" in told:
        told["commit"] = f"{told['commit']} with changes"
    return told


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """One trial of a renewal; without an epoch and a precision where it was trained to its end."""

    epochs: int = 0
    precision: str = ""


@dataclass(frozen=True, kw_only=True)
class _Renewed:
    at: str
    checked: Annotated[tuple[_Checked, ...], MOST_TRIALS]
    against: str | None = None
    examples: int | None = None


def _renewed(value: object) -> tuple[Renewal, ...]:
    return tuple(
        Renewal(
            at=entry.at,
            trials=len(entry.checked),
            epochs=None if entry.against is None else min((c.epochs for c in entry.checked), default=0),
            precisions=() if entry.against is None else tuple(dict.fromkeys(c.precision for c in entry.checked)),
            examples=entry.examples,
        )
        for entry in read(tuple[_Renewed, ...], value, "code.renewed")
    )


def _joined(value: object) -> object:
    """Facts about a machine as text: numbers and lists of words too."""
    if isinstance(value, list):
        return " ".join(str(item) for item in value[:100])
    return str(value) if isinstance(value, int | float) else value

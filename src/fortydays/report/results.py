"""Evidence as typed values, checked once at the door.

An evidence document may be a file from elsewhere. Here every value gets its type, every text loses the characters
that could steer a terminal, and every list has a largest length; what does not fit is refused by name. The other
modules of this room work on :class:`Results` and check nothing again.
"""

import base64
import binascii
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from fortydays.base.errors import StorageError
from fortydays.study.claims import Judgement, Verdict, Withdrawal
from fortydays.study.statistics import Interval

T = TypeVar("T")

Setting = str | int | float | bool | None
"""What a recipe field can hold."""

MOST_VARIANTS = 200
MOST_TRIALS = 20_000
MOST_POINTS = 100_000
MOST_EXHIBITS = 100
MOST_PICTURES = 400
MOST_CLASSES = 100
MOST_ROWS = 1_000
MOST_TEXT = 2_000
MOST_PNG = 500_000
"""The largest PNG file shown, in characters of its base64 text."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """The dataset of a study: name, SHA-256 digest, names of its classes, and examples in each split."""

    name: str
    digest: str
    split_version: int
    classes: tuple[str, ...]
    train: int
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trained variant and seed.

    Attributes:
        variant: which variant.
        seed: which seed.
        finished: whether it came to its end.
        error: why it did not, or which measure failed; or "".
        metrics: its numbers by name; None is a target never reached.
        train_seconds: duration of training.
        epochs: epochs trained.
        best_epoch: the epoch whose weights were kept.
        history: what was seen during training, one list for each field, all of one length.
    """

    variant: str
    seed: int
    finished: bool
    error: str
    metrics: Mapping[str, float | None]
    train_seconds: float
    epochs: int
    best_epoch: int
    history: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """How a variant's setting was chosen: the field, each value tried with its validation accuracy, the choice."""

    field: str
    tries: tuple[tuple[Setting, Interval], ...]
    chosen: Setting

    @property
    def at_edge(self) -> bool:
        """Whether the choice is the first or the last of several values, so that the best may lie beyond."""
        return len(self.tries) > 1 and self.chosen in (self.tries[0][0], self.tries[-1][0])


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
    side: int
    before_last_block: bool
    pretrained: bool


@dataclass(frozen=True, kw_only=True)
class VariantResults:
    """What one variant is and what its trials gave.

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
        metrics: mean and interval of each metric over the finished trials.
        trials: all its trials by seed.
    """

    name: str
    index: int
    description: str
    group: str
    parameters: int | None
    multiply_adds: int | None
    precision: str
    recipe: Mapping[str, Setting]
    search: SearchResult | None
    features: FeaturesResult | None
    examples: int | None
    metrics: Mapping[str, Interval]
    trials: tuple[Trial, ...]

    @property
    def finished(self) -> tuple[Trial, ...]:
        """The trials that came to their end."""
        return tuple(t for t in self.trials if t.finished)

    def reached(self, metric: str) -> tuple[int, int]:
        """In how many trials a target was reached, and of how many that have the metric."""
        values = [t.metrics[metric] for t in self.finished if metric in t.metrics]
        return sum(v is not None for v in values), len(values)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Numbers by row and column, such as a confusion matrix."""

    title: str
    caption: str
    variant: str
    seed: int | None
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Small pictures with labels: ``(png, label)``, where ``png`` is base64 text or "" if it was not a PNG file."""

    title: str
    caption: str
    variant: str
    seed: int | None
    columns: int
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A named line through points."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Lines with the labels of their axes."""

    title: str
    caption: str
    variant: str
    seed: int | None
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells under named columns."""

    title: str
    caption: str
    variant: str
    seed: int | None
    columns: tuple[str, ...]
    rows: tuple[tuple[Setting, ...], ...]


ExhibitResult = Matrix | Pictures | Lines | Table


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
        dataset: what was trained on.
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
        variants: in the study's order.
        claims: the verdicts.
        withdrawn: claims that have no verdict any more, with the reasons.
        exhibits: pictures and tables.
        seconds: what the run took, by kind of work.
        results_digest: SHA-256 of everything the trials gave except times.
    """

    day: int | None
    name: str
    title: str
    created: str
    run_id: str
    dataset: DatasetFacts
    seeds: tuple[int, ...]
    only: tuple[str, ...]
    settings: tuple[str, ...]
    engine: str
    code: Mapping[str, str]
    renewed: tuple[Renewal, ...]
    packages: Mapping[str, str]
    machine: Mapping[str, str]
    threads: int | None
    backend: str
    variants: tuple[VariantResults, ...]
    claims: tuple[Judgement, ...]
    withdrawn: tuple[Withdrawal, ...]
    exhibits: tuple[ExhibitResult, ...]
    seconds: Mapping[str, float]
    results_digest: str

    @property
    def groups(self) -> tuple[tuple[str, tuple[VariantResults, ...]], ...]:
        """The variants by group, groups in the order in which they first appear."""
        names = dict.fromkeys(v.group for v in self.variants)
        return tuple((name, tuple(v for v in self.variants if v.group == name)) for name in names)

    @property
    def differ_in_cost(self) -> bool:
        """Whether the variants' models do unlike numbers of multiply-adds, against which accuracy is to be seen."""
        return len({v.multiply_adds for v in self.variants} - {None}) > 1

    def training_images(self, variant: VariantResults) -> int:
        """How many images a variant learned from; where it was given so many of each class, at most so many."""
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
    root = _mapping(document, "the document")
    request = _mapping(root.get("request", {}), "request")
    machine = _mapping(root.get("machine", {}), "machine")
    code = _mapping(root.get("code", {}), "code")
    return Results(
        day=_optional(_whole, root.get("day"), "day"),
        name=_text(root.get("name", ""), "name"),
        title=_text(root.get("title"), "title"),
        created=_text(root.get("created", ""), "created"),
        run_id=_text(root.get("run_id", ""), "run_id"),
        dataset=_dataset(_mapping(root.get("dataset"), "dataset")),
        seeds=_tuple(_whole, root.get("seeds"), "seeds", most=MOST_TRIALS),
        only=_tuple(_text, request.get("only", []), "request.only", most=MOST_VARIANTS),
        settings=_tuple(_text, request.get("settings", []), "request.settings", most=MOST_ROWS),
        engine=_text(request.get("engine", ""), "request.engine"),
        code=_texts(_code(code), "code"),
        renewed=_renewed(code.get("renewed", [])),
        packages=_texts(root.get("packages", {}), "packages"),
        machine=_texts({k: _joined(v) for k, v in machine.items() if v is not None}, "machine"),
        threads=_optional(_whole, root.get("threads"), "threads"),
        backend=_text(root.get("backend", ""), "backend"),
        variants=_variants(root),
        claims=_tuple(_claim, root.get("claims"), "claims", most=MOST_ROWS),
        withdrawn=_tuple(_withdrawal, root.get("withdrawn", []), "withdrawn", most=MOST_ROWS),
        exhibits=_tuple(_exhibit, root.get("exhibits", []), "exhibits", most=MOST_EXHIBITS),
        seconds=_numbers(root.get("seconds", {}), "seconds"),
        results_digest=_text(root.get("results_digest", ""), "results_digest"),
    )


def clean(text: str) -> str:
    """Text without the characters that move a cursor, color a terminal or turn the direction of writing."""
    return "".join(" " if c in "\n\t\r" else "\ufffd" if unicodedata.category(c) in _STEERING else c for c in text)


# Control characters (with the escape that starts terminal commands), direction marks, lone surrogates, line breaks.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _dataset(found: Mapping[str, Any]) -> DatasetFacts:
    return DatasetFacts(
        name=_text(found.get("name"), "dataset.name"),
        digest=_text(found.get("digest", ""), "dataset.digest"),
        split_version=_whole(found.get("split_version", 1), "dataset.split_version"),
        classes=_tuple(_text, found.get("classes", []), "dataset.classes", most=MOST_ROWS),
        train=_whole(found.get("train"), "dataset.train"),
        validation=_whole(found.get("validation"), "dataset.validation"),
        test=_whole(found.get("test"), "dataset.test"),
    )


def _variants(root: Mapping[str, Any]) -> tuple[VariantResults, ...]:
    trials = _tuple(_trial, root.get("trials"), "trials", most=MOST_TRIALS)
    details = {clean(str(k)): v for k, v in _mapping(root.get("details", {}), "details").items()}
    summaries = {clean(str(k)): v for k, v in _mapping(root.get("variants"), "variants").items()}
    names = tuple(dict.fromkeys([*details, *(t.variant for t in trials), *summaries]))
    if len(names) > MOST_VARIANTS:
        raise _damaged("variants", f"has {len(names)} of them", f"at most {MOST_VARIANTS}")
    found = []
    for index, name in enumerate(names):
        where = f"details[{_shown(name)}]"
        detail = _mapping(details.get(name, {}), where)
        summary = _mapping(summaries.get(name, {}), f"variants[{_shown(name)}]")
        search = detail.get("search")
        found.append(
            VariantResults(
                name=_text(name, "a variant's name"),
                index=index,
                description=_text(detail.get("description", ""), f"{where}.description"),
                group=_text(detail.get("group", ""), f"{where}.group"),
                parameters=_optional(_whole, detail.get("parameters"), f"{where}.parameters"),
                multiply_adds=_optional(_whole, detail.get("multiply_adds"), f"{where}.multiply_adds"),
                precision=_text(detail.get("precision", ""), f"{where}.precision"),
                recipe=_recipe(detail.get("recipe", {}), f"{where}.recipe"),
                search=None if search is None else _search(search, f"{where}.search"),
                features=_optional(_features, detail.get("features"), f"{where}.features"),
                examples=_optional(_count, detail.get("examples"), f"{where}.examples"),
                metrics=MappingProxyType(
                    {
                        _text(m, "a metric's name"): _interval(v, f"variants[{_shown(name)}].{m}")
                        for m, v in summary.items()
                    }
                ),
                trials=tuple(sorted((t for t in trials if t.variant == name), key=lambda t: t.seed)),
            )
        )
    return tuple(found)


def _trial(value: object, where: str) -> Trial:
    found = _mapping(value, where)
    status = found.get("status")
    if status not in ("finished", "failed"):
        raise _damaged(f"{where}.status", f"is {_shown(status)}", "'finished' or 'failed'")
    columns = _mapping(found.get("history", {}), f"{where}.history")
    history = {
        str(name): _tuple(_number, column, f"{where}.history.{name}", most=MOST_POINTS)
        for name, column in columns.items()
    }
    if len({len(column) for column in history.values()}) > 1:
        raise _damaged(f"{where}.history", "has lists of different lengths", "one length")
    metrics = _mapping(found.get("metrics", {}), f"{where}.metrics")
    return Trial(
        variant=_text(found.get("variant"), f"{where}.variant"),
        seed=_whole(found.get("seed"), f"{where}.seed"),
        finished=status == "finished",
        error=_text(found.get("error") or "", f"{where}.error"),
        metrics=MappingProxyType(
            {clean(str(m)): _optional(_number, v, f"{where}.metrics.{m}") for m, v in metrics.items()}
        ),
        train_seconds=_number(found.get("train_seconds", 0.0), f"{where}.train_seconds"),
        epochs=_whole(found.get("epochs", 0), f"{where}.epochs"),
        best_epoch=_whole(found.get("best_epoch", 0) or 0, f"{where}.best_epoch"),
        history=MappingProxyType(history),
    )


def _search(value: object, where: str) -> SearchResult:
    found = _mapping(value, where)

    def one_try(value: object, where: str) -> tuple[Setting, Interval]:
        tried = _mapping(value, where)
        return (
            _setting(tried.get("value"), f"{where}.value"),
            _interval(tried.get("validation_accuracy"), f"{where}.validation_accuracy"),
        )

    return SearchResult(
        field=_text(found.get("field"), f"{where}.field"),
        tries=_tuple(one_try, found.get("tries"), f"{where}.tries", most=MOST_ROWS),
        chosen=_setting(found.get("chosen"), f"{where}.chosen"),
    )


def _features(value: object, where: str) -> FeaturesResult:
    found = _mapping(value, where)
    return FeaturesResult(
        backbone=_text(found.get("backbone"), f"{where}.backbone"),
        side=_count(found.get("side"), f"{where}.side"),
        before_last_block=_truth(found.get("before_last_block"), f"{where}.before_last_block"),
        pretrained=_truth(found.get("pretrained"), f"{where}.pretrained"),
    )


def _recipe(value: object, where: str) -> Mapping[str, Setting]:
    fields: dict[str, Setting] = {}
    for name, setting in _mapping(value, where).items():
        if isinstance(setting, Mapping):
            fields |= {clean(f"{name}.{k}"): _setting(v, f"{where}.{name}.{k}") for k, v in setting.items()}
        else:
            fields[clean(str(name))] = _setting(setting, f"{where}.{name}")
    return MappingProxyType(fields)


def _claim(value: object, where: str) -> Judgement:
    found = _mapping(value, where)
    try:
        verdict = Verdict(found.get("verdict"))  # type: ignore[arg-type]
    except ValueError:
        known = ", ".join(Verdict)
        raise _damaged(f"{where}.verdict", f"is {_shown(found.get('verdict'))}", f"one of {known}") from None
    return Judgement(
        claim=_text(found.get("claim"), f"{where}.claim"),
        condition=_text(found.get("condition", ""), f"{where}.condition"),
        verdict=verdict,
        value=_optional(_number, found.get("value"), f"{where}.value"),
        low=_optional(_number, found.get("low"), f"{where}.low"),
        high=_optional(_number, found.get("high"), f"{where}.high"),
        n=_whole(found.get("n", 0), f"{where}.n"),
        bound=_number(found.get("bound", 0.0), f"{where}.bound"),
        unit=_text(found.get("unit", ""), f"{where}.unit"),
        seeds_needed=_optional(_whole, found.get("seeds_needed"), f"{where}.seeds_needed"),
        note=_text(found.get("note", ""), f"{where}.note"),
    )


def _withdrawal(value: object, where: str) -> Withdrawal:
    found = _mapping(value, where)
    return Withdrawal(
        claim=_text(found.get("claim"), f"{where}.claim"), reason=_text(found.get("reason"), f"{where}.reason")
    )


def _exhibit(value: object, where: str) -> ExhibitResult:
    found = _mapping(value, where)
    common: dict[str, Any] = {
        "title": _text(found.get("title", ""), f"{where}.title"),
        "caption": _text(found.get("caption", ""), f"{where}.caption"),
        "variant": _text(found.get("variant", ""), f"{where}.variant"),
        "seed": _optional(_whole, found.get("seed"), f"{where}.seed"),
    }
    kind = found.get("kind")
    if kind == "matrix":
        return _matrix(found, where, common)
    if kind == "pictures":
        columns = _whole(found.get("columns", 5), f"{where}.columns")
        pictures = _tuple(_picture, found.get("pictures"), f"{where}.pictures", most=MOST_PICTURES)
        return Pictures(**common, columns=min(max(columns, 1), 12), pictures=pictures)
    if kind == "lines":
        return Lines(
            **common,
            x_label=_text(found.get("x_label", ""), f"{where}.x_label"),
            y_label=_text(found.get("y_label", ""), f"{where}.y_label"),
            lines=_tuple(_line, found.get("lines"), f"{where}.lines", most=50),
        )
    if kind == "table":
        rows = _tuple(
            lambda row, at: _tuple(_setting, row, at, most=100), found.get("rows"), f"{where}.rows", most=MOST_ROWS
        )
        return Table(**common, columns=_tuple(_text, found.get("columns"), f"{where}.columns", most=100), rows=rows)
    raise _damaged(f"{where}.kind", f"is {_shown(kind)}", "one of matrix, pictures, lines, table")


def _matrix(found: Mapping[str, Any], where: str, common: dict[str, Any]) -> Matrix:
    rows = _tuple(_text, found.get("rows"), f"{where}.rows", most=MOST_CLASSES)
    columns = _tuple(_text, found.get("columns"), f"{where}.columns", most=MOST_CLASSES)
    values = _tuple(
        lambda row, at: _tuple(_number, row, at, most=MOST_CLASSES),
        found.get("values"),
        f"{where}.values",
        most=MOST_CLASSES,
    )
    if len(values) != len(rows) or any(len(row) != len(columns) for row in values):
        raise _damaged(
            f"{where}.values", "has another shape than its rows and columns", f"{len(rows)} × {len(columns)}"
        )
    return Matrix(**common, rows=rows, columns=columns, values=values)


def _picture(value: object, where: str) -> tuple[str, str]:
    found = _mapping(value, where)
    png = found.get("png")
    label = _text(found.get("label", ""), f"{where}.label")
    return (png if isinstance(png, str) and _is_png(png) else ""), label


def _is_png(text: str) -> bool:
    """Whether text is base64 of a PNG file, of a size that a page can carry."""
    if len(text) > MOST_PNG or not _BASE64.fullmatch(text):
        return False
    try:
        return base64.b64decode(text, validate=True).startswith(_PNG_SIGNATURE)
    except binascii.Error:
        return False


def _line(value: object, where: str) -> Line:
    found = _mapping(value, where)
    x = _tuple(_number, found.get("x"), f"{where}.x", most=MOST_POINTS)
    y = _tuple(_number, found.get("y"), f"{where}.y", most=MOST_POINTS)
    if len(x) != len(y):
        raise _damaged(where, f"has {len(x)} x and {len(y)} y", "as many of both")
    return Line(name=_text(found.get("name", ""), f"{where}.name"), x=x, y=y)


def _interval(value: object, where: str) -> Interval:
    found = _mapping(value, where)
    return Interval(
        mean=_number(found.get("mean"), f"{where}.mean"),
        std=_optional(_number, found.get("std"), f"{where}.std"),
        low=_optional(_number, found.get("low"), f"{where}.low"),
        high=_optional(_number, found.get("high"), f"{where}.high"),
        n=_whole(found.get("n"), f"{where}.n"),
    )


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _damaged(where, f"is {_shown(value)}", "an object")
    if len(value) > MOST_ROWS:
        raise _damaged(where, f"has {len(value)} entries", f"at most {MOST_ROWS}")
    return value


def _tuple(read: Callable[[object, str], T], value: object, where: str, *, most: int) -> tuple[T, ...]:
    if not isinstance(value, list | tuple):
        raise _damaged(where, f"is {_shown(value)}", "a list")
    if len(value) > most:
        raise _damaged(where, f"has {len(value)} entries", f"at most {most}")
    return tuple(read(item, f"{where}[{index}]") for index, item in enumerate(value))


def _optional(read: Callable[[object, str], T], value: object, where: str) -> T | None:
    return None if value is None else read(value, where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _damaged(where, f"is {_shown(value)}", "text")
    if len(value) > MOST_TEXT:
        raise _damaged(where, f"has {len(value)} characters", f"at most {MOST_TEXT}")
    return clean(value)


def _whole(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**63:
        raise _damaged(where, f"is {_shown(value)}", "a whole number")
    return value


def _count(value: object, where: str) -> int:
    count = _whole(value, where)
    if count < 1:
        raise _damaged(where, f"is {count}", "a whole number from 1 on")
    return count


def _truth(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise _damaged(where, f"is {_shown(value)}", "true or false")
    return value


def _number(value: object, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _damaged(where, f"is {_shown(value)}", "a number")
    # 1e100 is far beyond any metric, and far below where sums and squares would overflow.
    if abs(value) > 1e100 or not math.isfinite(value):
        raise _damaged(where, f"is {_shown(value)}", "a finite number")
    return float(value)


def _setting(value: object, where: str) -> Setting:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _whole(value, where)
    return _number(value, where) if isinstance(value, float) else _text(value, where)


def _texts(value: object, where: str) -> Mapping[str, str]:
    return MappingProxyType({clean(str(k)): _text(v, f"{where}.{k}") for k, v in _mapping(value, where).items()})


def _numbers(value: object, where: str) -> Mapping[str, float]:
    return MappingProxyType({clean(str(k)): _number(v, f"{where}.{k}") for k, v in _mapping(value, where).items()})


def _code(code: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of the code, as texts: the commit says itself whether the checkout was just that."""
    told = {name: value for name, value in code.items() if name not in ("renewed", "clean")}
    if code.get("clean", True) is not True and "commit" in told:
        told["commit"] = f"{told['commit']} with changes"
    return told


def _renewed(value: object) -> tuple[Renewal, ...]:
    where = "code.renewed"
    found = []
    for entry in _tuple(_mapping, value, where, most=MOST_ROWS):
        checked = _tuple(_mapping, entry.get("checked"), f"{where}.checked", most=MOST_TRIALS)
        epochs, precisions = None, []
        if entry.get("against") is not None:
            epochs = min((_whole(c.get("epochs"), f"{where}.checked.epochs") for c in checked), default=0)
            precisions = [_text(c.get("precision"), f"{where}.checked.precision") for c in checked]
        found.append(
            Renewal(
                at=_text(entry.get("at"), f"{where}.at"),
                trials=len(checked),
                epochs=epochs,
                precisions=tuple(dict.fromkeys(precisions)),
                examples=_optional(_whole, entry.get("examples"), f"{where}.examples"),
            )
        )
    return tuple(found)


def _joined(value: object) -> object:
    """Facts about a machine as text: numbers and lists of words too."""
    if isinstance(value, list):
        return " ".join(str(item) for item in value[:100])
    return str(value) if isinstance(value, int | float) else value


def _shown(value: object) -> str:
    text = clean(repr(value)[:200])
    return text if len(text) <= 60 else text[:57] + "..."


def _damaged(where: str, found: str, expected: str) -> StorageError:
    return StorageError(
        f"The evidence is damaged: {clean(where)} {found}; expected {expected}.",
        hint="Get the file again, or make it anew with `forty run`.",
    )

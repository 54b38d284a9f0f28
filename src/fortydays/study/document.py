"""The evidence document, version 1: what each of its fields is.

These classes are the one description. The schema is generated from them (:mod:`fortydays.study.schema`), and the
report reads documents by them (:mod:`fortydays.report.reading`). A field without a default is in every document.
A :class:`fortydays.study.vocabulary.Says` in ``Annotated`` tells more about a value. A class in ``Annotated`` is what
the schema describes in the place of a type that the report reads more generously.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fortydays.base.machine import Machine
from fortydays.study.claims import Judgement, Withdrawal
from fortydays.study.exhibit_document import ExhibitResult
from fortydays.study.renewal import Renewal
from fortydays.study.vocabulary import (
    AGAIN_OR_COMPARED,
    ALL_COLUMNS_OR_NONE,
    DECLARED,
    FINISHED_OR_FAILED,
    FIRST_FIELDS,
    JUDGED,
    METRICS,
    MOST_TRIALS,
    MOST_VARIANTS,
    Backend,
    Commit,
    Count,
    Digest,
    Mean,
    Name,
    Natural,
    Points,
    Precision,
    Says,
    Seconds,
    Seeds,
    Setting,
    Versions,
)
from fortydays.tasks.metric import Metric
from fortydays.train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """The dataset of a study.

    Attributes:
        name: as the program knows it.
        digest: SHA-256 of its content.
        split_version: of the way in which it is split.
        classes: their names.
        train: examples in the training split.
        validation: examples in the validation split.
        test: examples in the test split.
    """

    name: Name
    digest: Digest
    split_version: Count
    classes: Annotated[tuple[str, ...], Says({"minItems": 1})]
    train: Natural
    validation: Natural
    test: Natural


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for.

    Attributes:
        seeds: of the trials.
        only: variants or groups; all where it is empty.
        settings: recipe fields that were set from the command line, such as "epochs=3".
        engine: how trials were trained; "fit" in runs of older programs.
    """

    seeds: Seeds
    only: Annotated[tuple[str, ...], Says({"maxItems": MOST_VARIANTS})]
    settings: tuple[Annotated[str, Says({"pattern": "="})], ...]
    engine: Literal["compiled", "plain", "fit"]


@dataclass(frozen=True, kw_only=True)
class Code:
    """What computed it.

    Attributes:
        study: digest of the study's code.
        engine: digest of the engine's code.
        version: of this package.
        commit: of the checkout it ran from, where it did.
        clean: whether nothing in that checkout differed from the commit.
        renewed: how the evidence was kept true over changes of the engine, oldest first.
    """

    study: Digest
    engine: Digest
    version: str
    commit: Commit = ""
    clean: bool = True
    renewed: tuple[Annotated[Renewal, AGAIN_OR_COMPARED], ...] = ()


@dataclass(frozen=True, kw_only=True)
class UsedMachine(Machine):
    """The machine of a run.

    Attributes:
        accelerator: what was computed on; null for the processor.
    """

    accelerator: str | None = None


@dataclass(frozen=True, kw_only=True)
class Try:
    """A value that was tried, and what it gave."""

    value: Setting
    validation_accuracy: Mean


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A recipe field chosen on the validation split before the trials.

    Attributes:
        field: of the recipe.
        seeds: of the tries.
        tries: each value with its validation accuracy.
        chosen: the best value.
        at_edge: whether it is the first or the last of several, so that the best may lie beyond.
        failed: values with which some try failed.
    """

    field: str
    seeds: Seeds
    tries: tuple[Try, ...]
    chosen: Setting
    at_edge: bool
    failed: tuple[Setting, ...]


@dataclass(frozen=True, kw_only=True)
class FeaturesResult:
    """What a variant learned from in the place of pixels.

    Attributes:
        backbone: name of the network that made it; one that this program knows, or another.
        side: pixels of the images it was shown, upwards and sideways.
        before_last_block: whether it is what the network's last block is given, which was then trained further.
        pretrained: whether the network had seen ImageNet; else its weights were random.
        shape: of the features of one image.
        parameters: of the network, which is not trained.
        multiply_adds: of the network; the variant's own count includes them.
        weights: SHA-256 of the file of its weights; empty where they are random.
        onnxruntime: version of what computed it.
    """

    backbone: Name
    side: Annotated[int, Says({"minimum": 32})]
    before_last_block: bool
    pretrained: bool
    shape: Annotated[tuple[Count, ...], Says({"minItems": 3, "maxItems": 3})]
    parameters: Natural
    multiply_adds: Natural
    weights: str
    onnxruntime: str


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What one variant is.

    Attributes:
        description: what is different about it.
        group: variants of one group are shown together.
        parameters: how many numbers its model learns.
        multiply_adds: multiplications with their additions for one example, in matrix products and convolutions; null
            where they cannot be counted.
        features: what it learned from in the place of pixels.
        examples: training examples of each class that it learned from; all where it is missing.
        precision: the arithmetic it was trained in.
        recipe: how it was trained.
        search: how a setting was chosen, or null.
    """

    description: str
    group: str
    parameters: Natural
    multiply_adds: Natural | None = None
    features: FeaturesResult | None = None
    examples: Count | None = None
    precision: Precision
    recipe: Annotated[Mapping[str, Setting | Mapping[str, Setting]], Recipe, FIRST_FIELDS]
    search: SearchResult | None


@dataclass(frozen=True, kw_only=True)
class DrillDetail:
    """A procedure that was carried out once for each seed.

    Attributes:
        description: what is different about it.
        group: drills of one group are shown together.
        metrics: what each of its trials gives.
    """

    description: str
    group: str
    metrics: Annotated[tuple[Annotated[Metric, DECLARED], ...], Says({"minItems": 1, "maxItems": 100})]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trained variant and seed, or a drill that was carried out with one.

    Attributes:
        variant: which variant or drill.
        seed: which seed.
        status: whether it came to its end.
        error: why it failed; of a finished trial, which of the study's own measures did.
        metrics: its numbers by name; null is a target never reached.
        train_seconds: duration of training, or of the drill.
        compile_seconds: duration of building and compiling.
        epochs: epochs trained.
        best_epoch: the epoch whose weights were kept.
        resumed_from_epoch: the epoch of the checkpoint it went on from, or 0.
        weights_digest: SHA-256 of its weights, or "".
        machine: the machine that trained it, in a few words; missing where it is the document's.
        history: what was seen during training, one list for each field, all of one length; a failed trial has none.
    """

    variant: str
    seed: Natural
    status: Literal["finished", "failed"]
    error: str
    metrics: Annotated[Mapping[str, float | None], METRICS]
    train_seconds: Seconds
    compile_seconds: Seconds = 0.0
    epochs: Natural
    best_epoch: Natural
    resumed_from_epoch: Natural = 0
    weights_digest: Annotated[str, Says({"pattern": "^([0-9a-f]{64})?$"})]
    machine: Name = ""
    history: Annotated[Mapping[str, Points], ALL_COLUMNS_OR_NONE] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len({len(column) for column in self.history.values()}) > 1:
            raise ValueError("has a history with lists of different lengths; expected one length")

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self.status == "finished"


@dataclass(frozen=True, kw_only=True)
class Durations:
    """What a run took, in seconds, by kind of work."""

    total: Seconds
    training: Seconds
    compilation: Seconds


@dataclass(frozen=True, kw_only=True)
class VariantIdentity:
    """What one variant computes.

    Attributes:
        digests: the beginnings of SHA-256 digests.
        numbers: numbers that another processor may round otherwise.
    """

    digests: Mapping[str, Annotated[str, Says({"pattern": "^[0-9a-f]{16}$"})]]
    numbers: Mapping[str, Points]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What the trials compute, found without training, so that the program can tell whether it still computes it.

    Attributes:
        backend: that traced the programs.
        packages: the versions that traced the programs.
        seed: of the trial that stands for all.
        variants: by name.
    """

    backend: Backend
    packages: Versions
    seed: Natural
    variants: Mapping[str, VariantIdentity]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a document says as it is shown.

    Attributes:
        day: the day's number, or null for a study of one's own.
        name: slug of the day or study.
        title: for people.
        created: when the run ended, ISO 8601.
        run_id: the run's name.
        dataset: what was trained on; null where the study has none, as its drills need none.
        seeds: of the trials.
        packages: versions of the libraries.
        threads: how many threads computed.
        backend: what Keras computed with.
        claims: the verdicts.
        withdrawn: claims that were published and have no verdict any more, because their test does not test them.
        exhibits: pictures and tables.
        results_digest: SHA-256 of everything the trials gave except times.
    """

    day: Annotated[int, Says({"minimum": 1, "maximum": 40})] | None
    name: Name
    title: str
    created: Annotated[str, Says({"pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"})]
    run_id: Name
    dataset: DatasetFacts | None
    seeds: Seeds
    packages: Versions
    threads: Count
    backend: Backend
    claims: tuple[Annotated[Judgement, JUDGED], ...]
    withdrawn: tuple[Withdrawal, ...] = ()
    exhibits: Annotated[tuple[ExhibitResult, ...], Says({"maxItems": 100})] = ()
    results_digest: Digest


@dataclass(frozen=True, kw_only=True)
class Evidence(Facts):
    """What the trials of a study showed, with everything needed to show it again.

    Histories and exhibits are left out of the outline that --json prints.

    Attributes:
        schema_version: of this description.
        request: what was asked for.
        code: what computed it.
        machine: where.
        details: variant or drill to what it is.
        trials: all that were trained, those that failed too.
        variants: variant to metric to its mean over the finished trials.
        seconds: what the run took.
        identity: what the trials compute; missing in documents of older programs.
    """

    schema_version: Literal[1]
    request: Request
    code: Code
    machine: UsedMachine
    details: Annotated[Mapping[str, Detail | DrillDetail], Says({"minProperties": 1, "maxProperties": MOST_VARIANTS})]
    trials: Annotated[tuple[Annotated[Trial, FINISHED_OR_FAILED], ...], Says({"minItems": 1, "maxItems": MOST_TRIALS})]
    variants: Mapping[str, Mapping[str, Mean]]
    seconds: Durations
    identity: Identity | None = None

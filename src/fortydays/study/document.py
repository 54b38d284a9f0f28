"""The evidence document, version 1: what each of its fields is.

The report reads documents by these classes (:mod:`fortydays.report.reading`). The published schema is generated from
them and their docstrings, by ``tests/study/evidence_schema.py``. A field without a default is in every document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fortydays.base.machine import Machine
from fortydays.study.checks import CheckResult
from fortydays.study.exhibit_document import ExhibitResult
from fortydays.study.judgement import Judgement, Withdrawal
from fortydays.study.renewal import Renewal
from fortydays.study.statistics import Interval
from fortydays.study.vocabulary import (
    MOST_ANSWERS,
    MOST_TRIALS,
    MOST_VARIANTS,
    Backend,
    Commit,
    Count,
    Digest,
    Name,
    Natural,
    NotNegative,
    Points,
    Precision,
    Says,
    Seconds,
    Seeds,
    Setting,
    Share,
    Versions,
)
from fortydays.tasks.metric import Metric


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
        largest_class: share of the training split that is of its largest class; missing in older documents.
    """

    name: Name
    digest: Digest
    split_version: Count
    classes: Annotated[tuple[str, ...], Says({"minItems": 1})]
    train: Natural
    validation: Natural
    test: Natural
    largest_class: float | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for.

    Attributes:
        seeds: of the trials.
        only: variants or groups; all where it is empty.
        settings: recipe fields that were set from the command line, such as "epochs=3".
        engine: how trials were trained; "fit" in runs of older programs.
        examples: how many examples each split had at most, of a try that gives no verdicts; all where it is missing.
    """

    seeds: Seeds
    only: Annotated[tuple[str, ...], Says({"maxItems": MOST_VARIANTS})]
    settings: tuple[Annotated[str, Says({"pattern": "="})], ...]
    engine: Literal["compiled", "plain", "fit"]
    examples: Count | None = None


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
    renewed: tuple[Renewal, ...] = ()


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
    validation_accuracy: Interval


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A recipe field chosen on the validation split before the trials.

    Attributes:
        field: of the recipe.
        seeds: of the tries.
        finals: seeds of further tries of the two best values; none where there was one round.
        tries: each value with its validation accuracy.
        chosen: the best value.
        at_edge: whether it is the smallest or the largest of several, so that the best may lie beyond.
        failed: values with which some try failed.
    """

    field: str
    seeds: Seeds
    finals: Annotated[tuple[Natural, ...], Says({"maxItems": MOST_TRIALS, "uniqueItems": True})] = ()
    tries: tuple[Try, ...]
    chosen: Setting
    at_edge: bool
    failed: tuple[Setting, ...]


@dataclass(frozen=True, kw_only=True)
class FeaturesResult:
    """What a variant learned from in the place of the examples.

    Attributes:
        backbone: name of the network that made it; one that this program knows, or another.
        side: pixels of the images it was shown, upwards and sideways; null of texts.
        length: pieces of words of the texts it was given; null of images.
        before_last_block: whether it is what the network's last block is given, which was then trained further.
        last_layers: of a network of texts, how many layers at its end were trained further.
        pretrained: whether the network had learned from other examples; else its weights were random.
        shape: of the features of one example.
        parameters: of the network, which is not trained.
        multiply_adds: of the network; the variant's own count includes them.
        weights: SHA-256 of the file of its weights; empty where they are random.
        onnxruntime: version of what computed it.
    """

    backbone: Name
    side: Annotated[int, Says({"minimum": 32})] | None = None
    length: Count | None = None
    before_last_block: bool = False
    last_layers: Natural = 0
    pretrained: bool
    shape: Annotated[tuple[Count, ...], Says({"minItems": 1, "maxItems": 3})]
    parameters: Natural
    multiply_adds: Natural
    weights: str
    onnxruntime: str


@dataclass(frozen=True, kw_only=True)
class Standardized:
    """What the normalization layers at the beginning of a network make of training examples they have adapted to.

    Attributes:
        deviation: the standard deviation of all that they give, without columns that are constant in these examples;
            of several layers, the one that is farthest from 1.
        smallest: that of the column where it is smallest.
        largest: that of the column where it is largest.
        any_scale: whether features that are all multiplied by 1e-9 give the same; null where no features are learned
            from.
    """

    deviation: NotNegative
    smallest: NotNegative
    largest: NotNegative
    any_scale: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Fits:
    """How well the network learned some of its own training examples by heart.

    Attributes:
        accuracy: on them, after this training; null where it could not be trained to the end.
        examples: how many.
        steps: of the training on them alone; 0 where its trials knew all training examples.
    """

    accuracy: Share | None
    examples: Count
    steps: Natural


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
        vectors: the pretrained vectors of words that its embedding began with; missing where there were none.
        examples: training examples of each class that it learned from; all where it is missing.
        redrawn: whether each seed drew these examples, or the random network that made the features.
        precision: the arithmetic it was trained in.
        recipe: how it was trained.
        search: how a setting was chosen, or null.
        standardized: what became of its inputs; missing where its network does not begin by standardizing.
        fits: how well it learned some of its training examples by heart; known of those that a claim compares with.
    """

    description: str
    group: str
    parameters: Natural
    multiply_adds: Natural | None = None
    features: FeaturesResult | None = None
    vectors: str = ""
    examples: Count | None = None
    redrawn: bool = False
    precision: Precision
    recipe: Mapping[str, Setting | Mapping[str, Setting]]
    search: SearchResult | None
    standardized: Standardized | None = None
    fits: Fits | None = None


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
    metrics: Annotated[tuple[Metric, ...], Says({"minItems": 1, "maxItems": 100})]


@dataclass(frozen=True, kw_only=True)
class DeadUnits:
    """The share of a ReLU layer's units, or channels, that give 0 for every one of some validation examples.

    Attributes:
        early: after step 100; null where the trial has no such step.
        end: with the kept weights.
    """

    early: Share | None
    end: Share


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
        right: which examples of the test split it answered rightly: one bit each, in base64; "" if not known.
        by_example: of a drill, by metric, its number for each example of the test split, whose mean the metric is.
        dead_units: by ReLU layer, how many of its units are dead; of some models nothing is known.
        machine: the machine that trained it, in a few words; missing where it is the document's.
        worker: which worker of a cluster trained it; missing where the process of the run did.
        attempts: how many workers began it, where a cluster trained it: all but the last one have died.
        history: what was seen during training, one list for each field, all of one length; a failed trial has none.
    """

    variant: str
    seed: Natural
    status: Literal["finished", "failed"]
    error: str
    metrics: Mapping[str, float | None]
    train_seconds: Seconds
    compile_seconds: Seconds = 0.0
    epochs: Natural
    best_epoch: Natural
    resumed_from_epoch: Natural = 0
    weights_digest: Annotated[str, Says({"pattern": "^([0-9a-f]{64})?$"})]
    right: Annotated[str, Says({"pattern": "^[A-Za-z0-9+/]*={0,2}$", "maxLength": MOST_ANSWERS})] = ""
    by_example: Mapping[str, Points] = field(default_factory=dict)
    dead_units: Mapping[str, DeadUnits] = field(default_factory=dict)
    machine: Name = ""
    worker: Name = ""
    attempts: Natural = 0
    history: Mapping[str, Points] = field(default_factory=dict)

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
        kept: of variants whose trials stayed when others were trained anew, the run that they were trained in.
        dataset: what was trained on; null where the study has none, as its drills need none.
        seeds: of the trials.
        packages: versions of the libraries.
        threads: how many threads computed.
        backend: what Keras computed with.
        claims: the verdicts.
        withdrawn: claims that were published and have no verdict any more, because their test does not test them.
        checks: what variants and claims did not pass.
        exhibits: pictures and tables.
        results_digest: SHA-256 of what the trials computed, without times.
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
    claims: tuple[Judgement, ...]
    withdrawn: tuple[Withdrawal, ...] = ()
    checks: Annotated[tuple[CheckResult, ...], Says({"maxItems": MOST_TRIALS})] = ()
    exhibits: Annotated[tuple[ExhibitResult, ...], Says({"maxItems": 100})] = ()
    kept: Mapping[str, Name] = field(default_factory=dict)
    results_digest: Digest


@dataclass(frozen=True, kw_only=True)
class Evidence(Facts):
    """What the trials of a study showed, with everything needed to show it again.

    Histories and exhibits are left out of the outline that --json prints.

    Attributes:
        schema_version: of this description.
        request: what was asked for.
        looks: how often claims were judged before with a part of these seeds.
        changed: what was changed after the test split had been opened for the first time.
        opened: by variant, how many trials of it with other recipes had opened the test split in the workspace before.
        code: what computed it.
        machine: where.
        details: variant or drill to what it is.
        trials: all that were trained, those that failed too.
        variants: variant to metric to its mean over the finished trials.
        seconds: what the run took.
        identity: what the trials compute; missing in documents of older programs.
        seal: SHA-256 of each part of the document but this one; missing in documents of older programs.
    """

    schema_version: Literal[1]
    request: Request
    looks: Natural = 0
    changed: Annotated[tuple[CheckResult, ...], Says({"maxItems": MOST_TRIALS})] = ()
    opened: Mapping[str, Natural] = field(default_factory=dict)
    code: Code
    machine: UsedMachine
    details: Annotated[Mapping[str, Detail | DrillDetail], Says({"minProperties": 1, "maxProperties": MOST_VARIANTS})]
    trials: Annotated[tuple[Trial, ...], Says({"minItems": 1, "maxItems": MOST_TRIALS})]
    variants: Mapping[str, Mapping[str, Interval]]
    seconds: Durations
    identity: Identity | None = None
    seal: Mapping[str, Digest] = field(default_factory=dict)

"""What a day writes down: a study with its variants, claims, measures and exhibits, as values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.text import shown
from fortydays.data.arrays import Split, TrainingData
from fortydays.data.word_vectors import find_collection
from fortydays.inputs.input import Input
from fortydays.study.checks import CHECKS
from fortydays.study.claim_checks import CLAIM_CHECKS
from fortydays.study.claims import Claim, NotWorse, ThresholdOfBest
from fortydays.study.drills import NAME, Drill
from fortydays.study.features import Features, TextFeatures
from fortydays.study.fields import FieldError, check_fields
from fortydays.study.judgement import Withdrawal
from fortydays.study.overviews import (
    CostOverview,
    ExamplesOverview,
    LinesOverview,
    MetricOverview,
    MetricsOverview,
    Overview,
    SearchOverview,
)
from fortydays.study.runs import variant_folder
from fortydays.study.search import Search
from fortydays.tasks.metric import ACCURACY, GAP, LOSS, OF_COST, OF_NETWORK, SPLITS, Metric, metric_of
from fortydays.train.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from fortydays.train.framework import ModelBuilder

METRICS = (*(metric.of(split).name for split in SPLITS for metric in (ACCURACY, LOSS)), GAP.name)
"""What every trial is measured by."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way of doing it.

    Attributes:
        name: what tables, claims and ``--only`` call it: lower case, digits, spaces, ``. + -``.
        model: builds the model; called anew for every trial.
        recipe: how it is trained.
        description: what is different about it, in a few words.
        group: variants of one group are shown together and can be asked for together with ``--only``.
        search: a field to choose on the validation split first.
        features: what the model learns from in the place of the examples, or None.
        vectors: the pretrained vectors of words that the model's embedding begins with: one of
            :data:`~fortydays.data.word_vectors.COLLECTIONS`, or "" for none.
        examples: training images of each class, the first ones of the training split; None for all.
        redrawn: whether each seed draws for itself what else is left to chance: which training images of each class,
            and the network that makes features, where it has random weights. The same seed draws the same images for
            all variants, and those that are fewer are among those that are more.
        expected: by name of a check, the reason why this variant is expected not to pass it. Without one, a verdict
            on the variant is flagged.
        tuning_seeds: seeds with which its recipe was chosen before, by ``forty tune``. They are never reported.
    """

    name: str
    model: "ModelBuilder"
    recipe: Recipe
    description: str = ""
    group: str = ""
    search: Search | None = None
    features: Features | TextFeatures | None = None
    vectors: str = ""
    examples: int | None = None
    redrawn: bool = False
    expected: Mapping[str, str] = field(default_factory=dict)
    tuning_seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if hasattr(self.model, "get_weights"):
            raise FieldError(
                f"The field 'model' of the variant {self.name!r} is a model; expected a function that builds one.",
                field="model",
                owner="Variant",
                hint="Give the function itself, without (): it is called anew for every trial.",
            )
        if not NAME.fullmatch(self.name):
            raise UsageError(
                f"A variant is named {self.name!r}; expected at most 40 of a-z, 0-9, space and . + -, "
                "starting with a letter or digit."
            )
        for check in self.expected:
            if check not in CHECKS:
                raise unknown_name("check", check, CHECKS, about=f"the variant {self.name!r}")
        if self.search is not None:
            for value in self.search.values:
                self.recipe.replace(**{self.search.field: value})  # raises where the value does not fit
        if self.examples is not None and self.examples < 1:
            raise FieldError(
                f"The variant {self.name!r} learns from {self.examples} images of each class; "
                "expected a whole number from 1.",
                field="examples",
                owner="Variant",
            )
        if self.redrawn and self.examples is None and not self._has_random_features:
            raise FieldError(
                f"The variant {self.name!r} is to be redrawn for each seed, and nothing of what it learns from is "
                "drawn; expected a number of examples, or features of a network with random weights.",
                field="redrawn",
                owner="Variant",
            )
        if self.features is not None and self.recipe.test_views != "none":
            raise UsageError(
                f"The variant {self.name!r} learns from features and is to be tested on {self.recipe.test_views!r}: "
                "views are made of pixels.",
                hint='Set test_views="none".',
            )
        if self.vectors:
            find_collection(self.vectors)  # raises where there is none
            if self.features is not None:
                raise UsageError(
                    f"The variant {self.name!r} learns from features, which have no words, and has vectors of words.",
                    hint="Leave vectors= unset, or features=.",
                )

    @property
    def _has_random_features(self) -> bool:
        return self.features is not None and not self.features.pretrained

    @property
    def chosen_with(self) -> tuple[int, ...]:
        """The seeds that settings of it are, or were, chosen with."""
        return (*self.tuning_seeds, *(self.search.all_seeds if self.search else ()))

    def features_of(self, seed: int) -> Features | TextFeatures | None:
        """What a trial with this seed learns from in the place of the examples, or None."""
        if self.features is not None and self._has_random_features and self.redrawn:
            return replace(self.features, seed=seed)
        return self.features

    def drawn_with(self, seed: int) -> int | None:
        """The seed that draws the training examples of a trial with this seed; None where they are the first ones."""
        return seed if self.redrawn else None


MEASURED_AT = ("start", "end")
"""When a measure can be taken: of a trial's initial weights, or of what is kept of its training."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number a study takes from the model of each trial, besides loss and accuracy.

    Attributes:
        name: the metric's name in evidence and claims.
        variants: whose trials are measured.
        function: from the model and the validation examples, as they are in the dataset, to the number: an array
            (uint8 pixels, for instance), or arrays by name where an example has several. With ``data``, from the model
            and all that training may see.
        at: when: at the "end" of training, on what was kept, or at its "start", on the trial's initial weights.
        labels: whether the function is given their labels too, as a third argument: uint8, shape (n,).
        data: whether it is given a :class:`~fortydays.data.arrays.TrainingData` in the place of the examples. That has
            the input too, such as the vocabulary of texts, and what else is known about each example.
    """

    name: str
    variants: tuple[str, ...]
    function: "Callable[..., float]"
    at: str = "end"
    labels: bool = False
    data: bool = False

    def __post_init__(self) -> None:
        if self.data and self.labels:
            raise UsageError(
                f"The measure {self.name!r} has data=True and labels=True; expected one of them.",
                hint="With data=True, the labels are data.validation.labels.",
            )
        if self.at not in MEASURED_AT:
            raise unknown_name("time of a measure", self.at, MEASURED_AT, about=f"the measure {self.name!r}")

    def of(self, model: "keras.Model", data: TrainingData) -> Any:
        """What the function gives for a model and the validation examples of what it learns from."""
        if self.data:
            return self.function(model, data)
        inputs = data.validation.inputs
        examples = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        return self.function(model, examples, *((data.validation.labels,) if self.labels else ()))


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """What an exhibit is made from: one trained trial and the test examples it was reported on.

    Attributes:
        variant: the trial's variant.
        seed: the trial's seed.
        model: with the trial's weights.
        input: what the examples are.
        test: the test split.
        probabilities: the model's answers on it, float32, shape (n, classes).
        classes: the classes' names.
    """

    variant: str
    seed: int
    model: "keras.Model"
    input: Input
    test: Split
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A picture or table of a day, made by a drill, or from the trial of a variant that is best on validation.

    Attributes:
        variant: whose trial; or the name of a drill.
        make: gives the exhibit as JSON values, in one of the kinds of :mod:`fortydays.study.exhibits`. Of a variant,
            it is given what is :class:`Shown`. Of a drill, it is given a fresh
            :class:`~fortydays.study.bench.Bench` with the first seed that the drill came to its end with.
    """

    variant: str
    make: Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Study:
    """Variants that train on a dataset, drills, seeds, and the claims made about them.

    Attributes:
        title: of the day.
        dataset: the catalog's name of its dataset, which variants train on and drills are given. A study of drills may
            have none.
        variants: the ways compared, in the order of the tables.
        drills: the procedures carried out, which come after the variants in the tables.
        claims: what is said of them.
        seeds: of the trials of each variant and each drill.
        targets: validation accuracies; each gives the metrics ``steps_to_T`` and ``seconds_to_T``.
        measures: further numbers.
        first: the picture that settles the question, or two that belong together: it stands first on the day's page.
        exhibits: other pictures and tables.
        withdrawn: for each published claim that is withdrawn, the reason, by the claim's sentence. The claim itself
            stays in ``claims``.
    """

    title: str
    dataset: str | None = None
    variants: tuple[Variant, ...] = ()
    drills: tuple[Drill, ...] = ()
    claims: tuple[Claim, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    targets: tuple[float, ...] = ()
    measures: tuple[Measure, ...] = ()
    first: tuple[Exhibit | Overview, ...] = ()
    exhibits: tuple[Exhibit | Overview, ...] = ()
    withdrawn: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_members()
        self._check_seeds()
        self._check_metrics()
        for claim in self.claims:
            self._check_claim(claim)
        sentences = [claim.sentence for claim in self.claims]
        for sentence in self.withdrawn:
            if sentence not in sentences:
                raise unknown_name("claim", sentence, sentences, of=f"the study {self.title!r}")

    def _refused(self, field: str, said: str, *, hint: str = "") -> FieldError:
        return FieldError(f"The study {self.title!r} {said}", field=field, owner="Study", hint=hint)

    def _check_members(self) -> None:
        if not self.names:
            raise self._refused("variants", "has no variant and no drill.")
        if repeated := _repeated(self.names):
            raise self._refused("variants", f"has a variant twice: {repeated}.")
        if len(set(map(variant_folder, self.names))) < len(self.names):
            raise UsageError(f"The study {self.title!r} has variants whose names differ in spaces and dashes only.")
        if self.variants and self.dataset is None:
            said = "has variants and no dataset for them to train on."
            raise self._refused("dataset", said, hint="`forty data` shows what there is.")

    def _check_seeds(self) -> None:
        if not self.seeds:
            raise self._refused("seeds", "has no seed.")
        if repeated := _repeated(self.seeds):
            raise self._refused("seeds", f"has a seed twice: {repeated}.")
        for seed in self.seeds:
            if not 0 <= seed < 2**32:
                said = f"has the seed {seed}; expected a whole number from 0 to {2**32 - 1}."
                raise self._refused("seeds", said)
        tuning = {seed for variant in self.variants for seed in variant.chosen_with}
        if both := sorted(tuning & set(self.seeds)):
            said = f"chooses settings with seeds it also reports: {', '.join(map(str, both))}."
            raise UsageError(f"The study {self.title!r} {said}")

    def _check_metrics(self) -> None:
        for target in self.targets:
            if not 0 < target <= 1:
                said = f"has the target {target}; expected a share above 0 and at most 1."
                raise self._refused("targets", said, hint="95% is 0.95.")
        variants = [v.name for v in self.variants]
        for measure in self.measures:  # they take a trained model, which a drill does not give
            for name in measure.variants:
                if name not in variants:
                    raise unknown_name("variant", name, variants, about=f"the measure {shown(measure.name)}")
        for exhibit in self.all_exhibits:
            if isinstance(exhibit, Exhibit) and exhibit.variant not in self.names:
                raise unknown_name("variant", exhibit.variant, self.names, about="an exhibit")
        for overview in self.all_exhibits:
            if not isinstance(overview, Exhibit):
                self._check_overview(overview)
        for drill in self.drills:
            for metric in drill.measured:
                if metric != metric_of(metric.name, self.declared):
                    raise UsageError(f"The study {self.title!r} has two metrics with the name {metric.name!r}.")

    def _check_overview(self, overview: Overview) -> None:
        said = f"the overview {shown(overview.title)}"
        searches = {v.name: v.search for v in self.variants if v.search}
        names: tuple[str, ...] = tuple(v.name for v in self.variants)  # drills have no curves
        of_training = isinstance(overview, CostOverview) and overview.cost not in OF_NETWORK
        if of_training or isinstance(overview, MetricOverview | MetricsOverview | LinesOverview | ExamplesOverview):
            names = self.names
        elif isinstance(overview, SearchOverview):
            names = tuple(searches)
        for name in overview.variants:
            if name not in names:
                kind = "variant with a search" if isinstance(overview, SearchOverview) else "variant"
                raise unknown_name(kind, name, names, about=said)
        if isinstance(overview, MetricOverview | CostOverview | ExamplesOverview) and overview.metric not in (
            known := self._measured_of(overview.variants)
        ):
            raise unknown_name("metric", overview.metric, known, about=said)
        if isinstance(overview, MetricsOverview):
            measured = {metric for name in overview.variants for metric in self._measured_of((name,))}
            for metric in overview.metrics:
                if metric not in measured:
                    raise unknown_name("metric", metric, sorted(measured), about=said)
        if isinstance(overview, LinesOverview):
            units: dict[str, str] = {}
            for name, metric in overview.points:
                if metric not in (known := self._measured_of((name,))):
                    raise unknown_name("metric", metric, known, of=shown(name), about=said)
                units.setdefault(metric_of(metric, self.declared).unit, metric)
            if len(units) > 1:
                unlike = " and ".join(units.values())
                raise UsageError(
                    f"The study {self.title!r}: {said} has metrics of different units: {unlike}.",
                    hint="Draw them in two pictures.",
                )
        if isinstance(overview, SearchOverview):
            values = [value for name in overview.variants for value in searches[name].values]
            if len({searches[name].field for name in overview.variants}) > 1 or not all(
                isinstance(value, int | float) and not isinstance(value, bool) for value in values
            ):
                raise UsageError(
                    f"The study {self.title!r}: {said} has searches of different fields, or of no numbers."
                )

    def _check_claim(self, claim: Claim) -> None:
        sentence = shown(claim.sentence)
        said = f"the claim {sentence}"
        for name in claim.variants:
            if name not in self.names:
                raise unknown_name("variant", name, self.names, about=said)
        for check in claim.expected:
            if check not in CLAIM_CHECKS:
                raise unknown_name("check", check, CLAIM_CHECKS, about=said)
        known = self._measured_of(claim.variants, costs=OF_COST)
        if claim.metric not in known:
            raise unknown_name("metric", claim.metric, known, about=said)
        if isinstance(claim, ThresholdOfBest) and not set(claim.among) <= {v.name for v in self.variants}:
            raise UsageError(
                f"The claim {sentence} chooses among drills; expected variants: the choice is made by the validation "
                "accuracy."
            )
        if isinstance(claim, NotWorse):
            claim.more_is_better(self.declared)  # before anything is trained
        unit = metric_of(claim.metric, self.declared).unit
        if getattr(claim, "about", None) is not None and unit != "share":
            raise FieldError(
                f"The claim {sentence} is about {claim.metric}, which is no share of 1; about= is for shares.",
                field="about",
                owner=type(claim).__name__,
                hint="Use at_least or at_most.",
            )
        for name in ("at_least", "at_most", "about", "within"):
            bound = getattr(claim, name, None)
            if bound is not None and unit == "share" and abs(bound) > 1:
                raise FieldError(
                    f"The claim {sentence} has {name}={bound}; {claim.metric} is a share of 1.",
                    field=name,
                    owner=type(claim).__name__,
                    hint=f"{bound:g}% is {bound / 100:g}.",
                )

    def _measured_of(self, names: tuple[str, ...], *, costs: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The metrics that all of some variants and drills are measured by; of variants, ``costs`` too."""
        of_variants = [*METRICS, *costs, *(name(t) for t in self.targets for name in (steps_metric, seconds_metric))]
        found = {
            v.name: [*of_variants, *(m.name for m in self.measures if v.name in m.variants)] for v in self.variants
        }
        found |= {drill.name: [metric.name for metric in drill.measured] for drill in self.drills}
        first, *others = (found[name] for name in names)
        return tuple(metric for metric in first if all(metric in other for other in others))

    @property
    def all_exhibits(self) -> tuple[Exhibit | Overview, ...]:
        """The exhibits in the order of the evidence, those that stand first at the beginning."""
        return (*self.first, *self.exhibits)

    @property
    def members(self) -> "tuple[Variant | Drill, ...]":
        """The variants and then the drills, in order."""
        return (*self.variants, *self.drills)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the variants and then of the drills, in order."""
        return tuple(each.name for each in self.members)

    @cached_property
    def declared(self) -> Mapping[str, Metric]:
        """The metrics that drills declare, by name, as far as variants have none of that name."""
        of_variants = {*METRICS, *(measure.name for measure in self.measures)} if self.variants else set()
        metrics = [metric for drill in self.drills for metric in drill.measured]
        # Of two with one name the first counts; a study with such is refused.
        return {metric.name: metric for metric in reversed(metrics) if metric.name not in of_variants}

    @property
    def standing(self) -> tuple[Claim, ...]:
        """The claims that are judged: all that are not withdrawn."""
        return tuple(claim for claim in self.claims if claim.sentence not in self.withdrawn)

    @property
    def withdrawals(self) -> tuple[Withdrawal, ...]:
        """The claims that are withdrawn, with the reasons."""
        return tuple(Withdrawal(claim=sentence, reason=reason) for sentence, reason in self.withdrawn.items())

    def select(self, only: tuple[str, ...]) -> tuple[tuple[Variant, ...], tuple[Drill, ...]]:
        """The variants and the drills whose name or group is in ``only``, in the study's order; all where it is empty.

        Raises:
            UsageError: there is nothing of a name.
        """
        groups = tuple(dict.fromkeys(each.group for each in self.members if each.group))
        for name in only:
            if name not in self.names and name not in groups:
                raise unknown_name("variant", name, (*self.names, *groups))

        def asked(each: Variant | Drill) -> bool:
            return not only or each.name in only or each.group in only

        return tuple(filter(asked, self.variants)), tuple(filter(asked, self.drills))


def _repeated(values: Sequence[object]) -> str:
    return ", ".join(sorted({str(each) for each in values if values.count(each) > 1}))


def steps_metric(target: float) -> str:
    """The name of the metric "steps until the validation accuracy reached the target"."""
    return f"steps_to_{target:g}"


def seconds_metric(target: float) -> str:
    """The name of the metric "seconds until the validation accuracy reached the target"."""
    return f"seconds_to_{target:g}"

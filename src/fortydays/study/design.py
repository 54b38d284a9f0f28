"""What a day writes down: a study with its variants, claims, measures and exhibits, as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base.errors import UsageError, unknown_name
from fortydays.base.text import shown
from fortydays.data.arrays import Split
from fortydays.inputs.input import Input
from fortydays.study.claims import Claim, ThresholdOfBest, Withdrawal
from fortydays.study.drills import NAME, Drill
from fortydays.study.features import Features
from fortydays.study.fields import FieldError, check_fields
from fortydays.study.runs import variant_folder
from fortydays.study.search import Search
from fortydays.tasks.metric import ACCURACY, GAP, LOSS, SPLITS, Metric, metric_of
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
        features: what the model learns from in the place of pixels, or None.
        examples: training images of each class, the first ones of the training split; None for all.
    """

    name: str
    model: "ModelBuilder"
    recipe: Recipe
    description: str = ""
    group: str = ""
    search: Search | None = None
    features: Features | None = None
    examples: int | None = None

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
        if self.features is not None and self.recipe.test_views != "none":
            raise UsageError(
                f"The variant {self.name!r} learns from features and is to be tested on {self.recipe.test_views!r}: "
                "views are made of pixels.",
                hint='Set test_views="none".',
            )

    @property
    def folder(self) -> str:
        """The name as part of a file name."""
        return variant_folder(self.name)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number a study takes from each trained model, besides loss and accuracy.

    Attributes:
        name: the metric's name in evidence and claims.
        variants: whose trials are measured.
        function: from the trained model and the validation examples, as they are in the dataset, to the number: an
            array (uint8 pixels, for instance), or arrays by name where an example has several.
    """

    name: str
    variants: tuple[str, ...]
    function: "Callable[[keras.Model, NDArray[np.uint8]], float]"


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
    """A picture or table of a day, made from the trial of a variant that is best on the validation split.

    Attributes:
        variant: whose trial.
        make: gives the exhibit as JSON values, in one of the kinds of :mod:`fortydays.study.exhibits`.
    """

    variant: str
    make: Callable[[Shown], dict[str, Any]]


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
        exhibits: pictures and tables.
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
    exhibits: tuple[Exhibit, ...] = ()
    withdrawn: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        names = self.names
        for what, found in (("variant", names), ("seed", self.seeds)):
            repeated = sorted({str(x) for x in found if list(found).count(x) > 1})
            if not found or repeated:
                nothing = "has no variant and no drill" if what == "variant" else f"has no {what}"
                wrong = f"has a {what} twice: {', '.join(repeated)}" if found else nothing
                raise FieldError(f"The study {self.title!r} {wrong}.", field=f"{what}s", owner="Study")
        if self.variants and self.dataset is None:
            raise FieldError(
                f"The study {self.title!r} has variants and no dataset for them to train on.",
                field="dataset",
                owner="Study",
                hint="`forty data` shows what there is.",
            )
        for target in self.targets:
            if not 0 < target <= 1:
                raise FieldError(
                    f"The study {self.title!r} has the target {target}; expected a share above 0 and at most 1.",
                    field="targets",
                    owner="Study",
                    hint="95% is 0.95.",
                )
        if len({each.folder for each in self.members}) < len(names):
            raise UsageError(f"The study {self.title!r} has variants whose names differ in spaces and dashes only.")
        for seed in self.seeds:
            if not 0 <= seed < 2**32:
                raise FieldError(
                    f"The study {self.title!r} has the seed {seed}; expected a whole number from 0 to {2**32 - 1}.",
                    field="seeds",
                    owner="Study",
                )
        mentioned = [(v, f"the claim {shown(c.sentence)}") for c in self.claims for v in c.variants]
        for name, by in mentioned:
            if name not in names:
                raise unknown_name("variant", name, names, about=by)
        # Both take a trained model, which a drill does not give.
        trained = [(v, f"the measure {shown(m.name)}") for m in self.measures for v in m.variants]
        trained += [(e.variant, "an exhibit") for e in self.exhibits]
        for name, by in trained:
            if name not in (variants := [v.name for v in self.variants]):
                raise unknown_name("variant", name, variants, about=by)
        for drill in self.drills:
            for metric in drill.measured:
                if metric != metric_of(metric.name, self.declared):
                    raise UsageError(f"The study {self.title!r} has two metrics with the name {metric.name!r}.")
        for claim in self.claims:
            known = self._measured_of(claim.variants)
            if claim.metric not in known:
                raise unknown_name("metric", claim.metric, known, about=f"the claim {shown(claim.sentence)}")
            if isinstance(claim, ThresholdOfBest) and not set(claim.among) <= {v.name for v in self.variants}:
                raise UsageError(
                    f"The claim {shown(claim.sentence)} chooses among drills; expected variants: the choice is made "
                    "by the validation accuracy."
                )
            for name in ("at_least", "at_most", "within"):
                bound = getattr(claim, name, None)
                if bound is not None and metric_of(claim.metric, self.declared).unit == "share" and abs(bound) > 1:
                    raise FieldError(
                        f"The claim {shown(claim.sentence)} has {name}={bound}; {claim.metric} is a share of 1.",
                        field=name,
                        owner=type(claim).__name__,
                        hint=f"{bound:g}% is {bound / 100:g}.",
                    )
        for sentence in self.withdrawn:
            if sentence not in [claim.sentence for claim in self.claims]:
                raise unknown_name(
                    "claim",
                    sentence,
                    [claim.sentence for claim in self.claims],
                    of=f"the study {self.title!r}",
                )
        tuning = {s for v in self.variants if v.search for s in v.search.seeds}
        if tuning & set(self.seeds):
            both = ", ".join(map(str, sorted(tuning & set(self.seeds))))
            raise UsageError(f"The study {self.title!r} chooses settings with seeds it also reports: {both}.")

    def _measured_of(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The metrics that all of some variants and drills are measured by."""
        targets = (name(t) for t in self.targets for name in (steps_metric, seconds_metric))
        of_variants = (*METRICS, *targets)
        found = {
            v.name: [*of_variants, *(m.name for m in self.measures if v.name in m.variants)] for v in self.variants
        }
        found |= {drill.name: [metric.name for metric in drill.measured] for drill in self.drills}
        first, *others = (found[name] for name in names)
        return tuple(metric for metric in first if all(metric in other for other in others))

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
        """The variants and the drills named by ``only``, in the study's order; all where it is empty.

        Args:
            only: names of variants, of drills or of groups.

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


def steps_metric(target: float) -> str:
    """The name of the metric "steps until the validation accuracy reached the target"."""
    return f"steps_to_{target:g}"


def seconds_metric(target: float) -> str:
    """The name of the metric "seconds until the validation accuracy reached the target"."""
    return f"seconds_to_{target:g}"


Metrics = Mapping[str, float | None]
"""A trial's numbers by name; None is a target never reached."""

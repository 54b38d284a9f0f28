"""Optuna, as far as a search needs it: candidates in batches, what came of them, and which fields mattered.

Its sampler is a function of its seed and of what it was told, in that order. So it is asked for whole batches and told
in the order of asking: the same search comes out, whatever order the trainings end in.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fortydays.tune.space import Range, Space, Value

if TYPE_CHECKING:
    import optuna

FEWEST_FOR_IMPORTANCE = 4
_DIGITS = 3
"""Digits of a number that is proposed: more would be false precision in the recipe that comes of it."""


class Sampler:
    """Proposes candidates by the tree-structured Parzen estimator (Bergstra et al., 2011).

    ``rungs`` is how many a candidate goes through that is never stopped.
    """

    def __init__(self, space: Space, *, seed: int, rungs: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._rungs = space, rungs
        self._distributions = {each.field: _distribution(each) for each in space.fields}
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._asked: list[optuna.Trial] = []

    def ask(self, count: int) -> list[dict[str, Value]]:
        """The values of so many candidates, by field. What was asked for before must have been told."""
        assert not self._asked
        self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [
            {each.field: _rounded(each, trial.params[each.field]) for each in self._space.fields}
            for trial in self._asked
        ]

    def tell(self, reached: Sequence[Sequence[float | None]]) -> None:
        """What came of the candidates of the last batch, in the order of asking.

        Args:
            reached: for each the validation accuracy in each rung; None is a try that failed and ends them. One with
                fewer than all rungs was stopped. A failed one counts as worse than all that were stopped, so that
                its neighbourhood is avoided; Optuna would forget what is told to have failed.
        """
        from optuna.trial import TrialState

        for trial, accuracies in zip(self._asked, reached, strict=True):
            if None not in accuracies and len(accuracies) == self._rungs:
                self._study.tell(trial, accuracies[-1])
                continue
            if None not in accuracies:
                for rung, accuracy in enumerate(accuracies):
                    assert accuracy is not None
                    trial.report(accuracy, rung)
            self._study.tell(trial, state=TrialState.PRUNED)
        self._asked = []


def importance(space: Space, candidates: Sequence[tuple[Mapping[str, Value], float]]) -> dict[str, float]:
    """What share of the differences in accuracy each field explains, largest first; {} where that cannot be told.

    It is the functional analysis of variance of a random forest (Hutter, Hoos and Leyton-Brown, 2014), with a fixed
    seed.

    Args:
        space: what was searched.
        candidates: the values of each and its accuracy, all after the same share of their epochs.
    """
    if len(candidates) < FEWEST_FOR_IMPORTANCE or len({accuracy for _, accuracy in candidates}) == 1:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {each.field: _distribution(each) for each in space.fields}
    study = optuna.create_study(direction="maximize")
    for values, accuracy in candidates:
        study.add_trial(optuna.trial.create_trial(params=dict(values), distributions=distributions, value=accuracy))
    found = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    return {name: float(share) for name, share in found.items()}


def _distribution(each: Any) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(each, Range):
        return CategoricalDistribution(each.values)
    if isinstance(each.low, int) and isinstance(each.high, int):
        return IntDistribution(each.low, each.high, log=each.log)
    return FloatDistribution(each.low, each.high, log=each.log)


def _rounded(each: Any, value: Any) -> Value:
    if isinstance(value, float) and isinstance(each, Range):
        return float(min(max(float(f"{value:.{_DIGITS}g}"), each.low), each.high))
    found: Value = value
    return found

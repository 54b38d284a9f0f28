"""Learning curves over seeds."""

import copy
from typing import Any

import made_up
import numpy as np

from fortydays.report import curves
from fortydays.report.results import VariantResults, read_results


def variant(*histories: dict[str, list[float]]) -> VariantResults:
    """A variant whose trials saw these histories."""
    document: dict[str, Any] = copy.deepcopy(made_up.evidence())
    document["trials"] = [
        {**made_up.trial("network", seed), "history": history} for seed, history in enumerate(histories)
    ]
    return read_results(document).variants[0]


def test_the_mean_and_the_standard_deviation_by_hand() -> None:
    two = variant({"step": [10, 20], "train_loss": [4.0, 1.0]}, {"step": [10, 20], "train_loss": [2.0, 1.0]})
    found = curves.curve(two.finished, "train_loss", against="step")
    assert found is not None
    assert found.x.tolist() == [10, 20]
    assert found.mean.tolist() == [3.0, 1.0]
    assert found.std is not None
    np.testing.assert_allclose(found.std, [2**0.5, 0.0])


def test_the_mean_ends_where_the_first_trial_stopped() -> None:
    stopped = variant({"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0]}, {"epoch": [1, 2], "train_loss": [5.0, 4.0]})
    found = curves.curve(stopped.finished, "train_loss", against="epoch")
    assert found is not None
    assert found.mean.tolist() == [4.0, 3.0]
    assert [len(x) for x, _ in found.seeds] == [3, 2]


def test_one_seed_has_no_spread_and_no_seed_no_curve() -> None:
    one = curves.curve(variant({"epoch": [1], "train_loss": [3.0]}).finished, "train_loss", against="epoch")
    assert one is not None
    assert one.std is None
    assert curves.curve((), "train_loss", against="epoch") is None


def test_training_is_measured_in_epochs_unless_there_are_looks_between_them() -> None:
    assert curves.axis([variant({"epoch": [1, 2, 3]})]) == "epoch"
    assert curves.axis([variant({"epoch": [0, 0, 1]})]) == "step"

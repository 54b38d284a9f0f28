from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import settings_in

from fortydays.base.errors import UsageError
from fortydays.data import store
from fortydays.data.catalog import DATASETS
from fortydays.data.library import pinned


def test_every_dataset_is_pinned_and_adds_up() -> None:
    assert list(DATASETS) == ["mnist", "fashion_mnist", "cifar10", "digits"]
    for name, spec in DATASETS.items():
        assert pinned(name) is spec
        assert spec.name == name
        assert len(spec.digest) == 64
        assert len(spec.classes) == 10
        assert spec.official_test in (0, spec.sizes.test)
        assert spec.licence
        assert spec.citation
        assert spec.sources


def test_the_catalog_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        DATASETS["mnist"] = DATASETS["digits"]  # type: ignore[index]


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"There is no dataset 'cifar'. Did you mean 'cifar10'\?"):
        pinned("cifar")


def test_digits_need_no_network(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, FORTYDAYS_OFFLINE="1")
    dataset = store.load(DATASETS["digits"], settings)
    train, validation, test = dataset.training.train, dataset.training.validation, dataset.test.open()
    assert [len(split) for split in (train, validation, test)] == [1297, 200, 300]
    assert train.array.shape == (1297, 8, 8)
    assert (train.array.min(), train.array.max()) == (0, 255)
    # 1,797 digits: scikit-learn's documentation gives about 180 of each.
    whole = sum(np.bincount(split.labels, minlength=10) for split in (train, validation, test))
    assert whole.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # The exact shares lie between 29.05 and 30.55 of 300 and between 19.4 and 20.4 of 200.
    assert set(np.bincount(test.labels).tolist()) <= {29, 30, 31}
    assert set(np.bincount(validation.labels).tolist()) <= {19, 20, 21}

"""A try on few examples: which they are, what it gives, and that nobody takes it for the study."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_study
from tiny_study import PLAIN, Watch, source

from fortydays.base.errors import UsageError
from fortydays.data import library
from fortydays.data.arrays import Dataset, SealedSplit
from fortydays.registry.candidate import find_candidate
from fortydays.report.lookup import command_of
from fortydays.report.results import read_results
from fortydays.report.terminal import print_evidence
from fortydays.study import openings
from fortydays.study.claims import Threshold
from fortydays.study.design import Study, Variant
from fortydays.study.plan import make_plan
from fortydays.study.runner import Request, run_study
from fortydays.study.tries import with_at_most
from made_up_data import data_of, split_of

STUDY = Study(
    title="Small networks",
    dataset="digits",
    variants=(PLAIN,),
    claims=(Threshold(sentence="Anything beats guessing", variant="linear", metric="test_accuracy", at_least=0.01),),
    seeds=(0, 1),
)


def unequal() -> Dataset:
    """90 training examples of class 0, 9 of class 1 and 1 of class 2; each image says its own place."""
    train = split_of(np.arange(100, dtype=np.uint8).reshape(100, 1, 1), np.repeat([0, 1, 2], [90, 9, 1]))
    few = split_of(np.arange(6, dtype=np.uint8).reshape(6, 1, 1), np.array([0, 0, 1, 1, 2, 2], np.uint8))
    return Dataset(
        name="unequal",
        digest="0" * 64,
        split_version=1,
        classes=("a", "b", "c"),
        training=data_of(train, few, classes=3),
        test=SealedSplit(lambda: train),
    )


def test_each_class_has_its_share_and_one_example_at_least() -> None:
    whole = unequal()
    cut = with_at_most(whole, 20)
    # One of each, and of the 17 others 89/97, 8/97 and none: 15.6 and 1.4.
    assert np.bincount(cut.training.train.labels).tolist() == [17, 2, 1]
    places = cut.training.train.array.ravel()
    assert places.tolist() == sorted(set(places.tolist()))
    assert (whole.training.train.labels[places] == cut.training.train.labels).all()
    assert places[:17].tolist() != list(range(17))  # drawn, not the first ones
    assert len(cut.training.validation) == 6  # it has no more
    assert np.bincount(cut.test.open().labels).tolist() == [17, 2, 1]
    again = with_at_most(unequal(), 20)
    assert (again.training.train.array == cut.training.train.array).all()
    assert (cut.name, cut.digest) == (whole.name, whole.digest)


def test_without_a_number_it_is_the_very_dataset() -> None:
    whole = unequal()
    assert with_at_most(whole, None) is whole


def test_the_test_split_stays_sealed() -> None:
    def opened() -> Any:
        raise AssertionError("opened")

    sealed = dataclasses.replace(unequal(), test=SealedSplit(opened))
    cut = with_at_most(sealed, 20)
    with pytest.raises(AssertionError, match="opened"):
        cut.test.open()


def test_fewer_examples_than_classes_are_refused() -> None:
    with pytest.raises(UsageError) as error:
        with_at_most(unequal(), 2)
    assert error.value.message == (
        "--examples is 2, but 'unequal' has 3 classes; expected one example of each at least."
    )
    assert error.value.hint == "Take --examples 100"


def test_a_try_gives_numbers_and_no_verdicts_and_says_so_everywhere(tmp_path: Path, capsys: Any) -> None:
    from rich.console import Console

    home, told = tiny_study.settings(tmp_path), Watch()
    asked = Request(examples=100)
    run, evidence = run_study(source(STUDY), asked, home, progress=told)
    assert evidence["request"]["examples"] == 100
    assert [evidence["dataset"][name] for name in ("train", "validation", "test")] == [100, 100, 100]
    assert all(0 <= trial["metrics"]["test_accuracy"] <= 1 for trial in evidence["trials"])
    (claim,) = evidence["claims"]
    words = "a try on at most 100 examples of each split, without verdicts"
    assert (claim["verdict"], claim["seeds_needed"], claim["note"]) == ("undecided", None, "a try gives no verdict")
    assert claim["value"] is not None
    print_evidence(evidence, Console(width=100), source="your run")
    assert f"This is {words}." in capsys.readouterr().out
    results = read_results(evidence)
    assert (results.tried_on, results.as_a_try) == (100, words)
    assert command_of(evidence["request"], day=3, name="x") == "forty run 3 --seeds 2 --examples 100"

    # The whole study is another run, which does not go on where the try was, and has verdicts.
    plan = make_plan(source(STUDY), Request(), home, told)
    assert plan.is_whole and not make_plan(source(STUDY), asked, home, told).is_whole
    assert "examples" not in plan.as_asked
    whole, evidence = run_study(source(STUDY), Request(), home, progress=told)
    assert whole.run_id != run.run_id
    assert "examples" not in evidence["request"]
    assert evidence["claims"][0]["verdict"] == "supported"
    assert read_results(evidence).as_a_try == ""
    # Both have opened the test split of the same dataset.
    assert {each.run for each in openings.read(home.workspace)} == {run.run_id, whole.run_id}
    assert len({each.digest for each in openings.read(home.workspace)}) == 1


def test_a_model_of_a_try_is_not_registered(tmp_path: Path) -> None:
    home = tiny_study.settings(tmp_path)
    file = tmp_path / "mine.py"
    file.write_text(
        "from tiny_study import PLAIN, Study\n\n"
        "study = Study(title='Mine', dataset='digits', variants=(PLAIN,), claims=(), seeds=(0,))\n"
    )
    from fortydays.days.loading import find_study, load_study

    loaded = load_study(find_study(str(file)), threads=1)
    run, _ = run_study(loaded, Request(examples=100), home, progress=Watch())
    with pytest.raises(UsageError) as error:
        find_candidate(str(file), home, Watch(), variant="", run_id="")
    assert error.value.message == (
        f"The run {run.run_id} is a try on at most 100 examples of each split, without verdicts: "
        "no model of it is registered."
    )


def test_a_batch_that_is_larger_than_the_try_is_refused_with_what_would_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="The batch size is 64, but the training split has 20 images") as error:
        run_study(source(STUDY), Request(examples=20), tiny_study.settings(tmp_path), progress=Watch())
    assert error.value.hint == "Set batch_size to at most 20."


def test_what_cannot_be_asked_of_a_try(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--examples is 0; expected a whole number from 1 to 1000000"):
        Request(examples=0)
    with pytest.raises(UsageError, match="--examples is True; expected a whole number"):
        Request(examples=True)
    with pytest.raises(UsageError, match="A try with --examples is never published"):
        Request(examples=100, publish=True)


def test_texts_are_cut_in_whatever_way_they_are_read(tmp_path: Path) -> None:
    data = library.load("digits", tiny_study.settings(tmp_path), Watch())
    readings = []

    def read(reading: Any) -> Dataset:
        readings.append(reading)
        return data

    cut = with_at_most(dataclasses.replace(data, texts=read), 50)
    assert cut.texts is not None
    assert len(cut.texts("as short ones").training.train) == 50  # type: ignore[arg-type]
    assert readings == ["as short ones"]


def test_examples_of_each_class_are_drawn_from_those_of_the_try(tmp_path: Path) -> None:
    few = dataclasses.replace(STUDY, variants=(dataclasses.replace(PLAIN, examples=1000),))
    assert isinstance(few.variants[0], Variant)
    _, evidence = run_study(source(few), Request(examples=100), tiny_study.settings(tmp_path), progress=Watch())
    assert evidence["trials"][0]["status"] == "finished"
    assert evidence["trials"][0]["history"]["step"] == [1, 2]

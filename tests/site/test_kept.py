"""What pages compute with: that it belongs to the evidence, how it is refused, and how it is made."""

import copy
import json
import sys
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fortydays.base.errors import StorageError
from fortydays.data.arrays import Split
from fortydays.days.journey import JOURNEY
from fortydays.report.notes import to_html
from fortydays.site import finished, kept
from fortydays.site.finished import StaleEvidenceError, finished_days, read_evidence
from fortydays.site.play.digit import origin
from fortydays.study.seal import sealed

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import pages
import small_networks

EVIDENCE: dict[str, Any] = {
    "trials": [
        {
            "variant": "network",
            "seed": seed,
            "status": "finished",
            "weights_digest": f"w{seed}",
            "metrics": {"validation_accuracy": 0.9 + seed / 100, "validation_loss": 0.1},
        }
        for seed in (0, 1)
    ],
    "identity": {"variants": {"network": {"digests": {"steps": "abc"}}}},
}
DOCUMENT: dict[str, Any] = sealed(
    {
        "schema_version": 1,
        "trial": {
            "day": 1,
            "variant": "network",
            "seed": 1,
            "weights": "w1",
            "identity": kept.identity_digest(EVIDENCE, "network"),
        },
        "accuracy": {"int8": 0.97},
    }
)


def changed(document: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    found = copy.deepcopy(document)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return found


def test_the_files_belong_to_the_published_evidence() -> None:
    assert kept.stale_kept({number: read_evidence(JOURNEY[number - 1]) for number in (1, 5)}) == []


def test_a_network_belongs_to_the_best_trial_of_evidence_that_computes_the_same() -> None:
    assert kept.strange(DOCUMENT, {1: EVIDENCE}) == []
    assert kept.strange(DOCUMENT, {2: EVIDENCE}) == []
    better = changed(EVIDENCE, "trials", 0, "metrics", "validation_accuracy", to=0.99)
    assert kept.strange(DOCUMENT, {1: better}) == ["the best published trial of network on day 1 is another one"]
    other = changed(EVIDENCE, "trials", 1, "weights_digest", to="w9")
    assert kept.strange(DOCUMENT, {1: other}) == ["the best published trial of network on day 1 is another one"]
    steps = changed(EVIDENCE, "identity", "variants", "network", "digests", "steps", to="abd")
    assert kept.strange(DOCUMENT, {1: steps}) == ["network on day 1 computes something else"]
    assert len(kept.strange(DOCUMENT, {1: {"trials": [], "identity": {"variants": {}}}})) == 2


def test_digits_belong_to_the_dataset_that_the_program_knows() -> None:
    dataset = json.loads(kept.kept_path("thousand-digits").read_text())["dataset"]
    assert kept.strange(sealed({"dataset": dataset}), {}) == []
    assert kept.strange(sealed({"dataset": {**dataset, "digest": "0"}}), {}) == ["the dataset mnist has changed"]


def test_a_file_that_was_edited_is_refused_with_the_part() -> None:
    edited = changed(DOCUMENT, "accuracy", "int8", to=0.98)
    assert kept.strange(edited, {}) == ["it was edited: the seal does not fit its accuracy"]
    assert kept.strange({**DOCUMENT, "seal": {}}, {}) == ["it is not sealed"]


def test_the_site_refuses_a_file_that_does_not_belong_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "_reasons", lambda *_: [])
    monkeypatch.setattr(finished, "is_ready", lambda day: day.number == 1)
    monkeypatch.setattr(kept, "KEPT", ("first-network",))
    one = read_evidence(JOURNEY[0])
    found = changed(one, "identity", "variants", "network", "digests", "steps", to="0")
    monkeypatch.setattr(finished, "read_evidence", lambda _: found)
    with pytest.raises(StaleEvidenceError) as refused:
        finished_days(threads=1)
    assert refused.value.message.endswith("first-network.json: network on day 1 computes something else")
    assert refused.value.hint == (
        "Get an edited file again: git restore evidence. Or make them anew in a clone: make pages"
    )
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"There is no .*first-network\.json, which a page of the site computes with\."),
        ('{"schema_version": 2}', r"first-network\.json has schema version 2; expected 1\."),
        ('{"schema_version": 1, "trial": {"day": 1}}', r"first-network\.json is damaged: it has no 'variant'\."),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, said: str
) -> None:
    monkeypatch.setattr(kept, "kept_path", lambda name: tmp_path / f"{name}.json")
    if content is not None:
        (tmp_path / "first-network.json").write_text(content)
    with pytest.raises(StorageError, match=said):
        kept.stale_kept({1: EVIDENCE})


def test_a_network_that_was_trained_again_on_another_processor_is_told_as_such() -> None:
    trial = {"variant": "network", "day": 1, "seed": 1, "same_bits": True}
    assert origin(trial).endswith("best on the validation split (seed 1), trained again: the same bits came out.")
    accuracies = {"found": {"test_accuracy": 0.745}, "published": {"test_accuracy": 0.75}}
    said = origin({**trial, "same_bits": False, **accuracies})
    assert said.endswith("it is right on 74.5% of the test images, and the published one on 75.0%.")
    assert "<" not in to_html(said).replace("<p>", "").replace("</p>", "")


# ------------------------------------------------------------------------------------------------------- the making


def test_weights_are_rounded_to_whole_numbers_with_a_factor_for_each_unit() -> None:
    whole, scale = pages.rounded_to_bytes(np.array([[1.27, 0.0], [-0.634, 0.0]], np.float32))
    assert whole.tolist() == [[127, 0], [-63, 0]]
    assert scale[0] == pytest.approx(0.01)
    assert np.isfinite(whole * scale).all()


def test_samples_are_the_first_of_each_digit_and_the_surest_mistakes() -> None:
    labels = np.array([*range(10), 3, 3, 4], np.uint8)
    images = np.zeros((13, 28, 28), np.uint8)
    images[np.arange(13), 0, labels] = 255  # its pixel says what digit it is
    images[11, 0, 3], images[11, 0, 7] = 0, 255  # a three with the pixel of a seven
    images[12, 0, 4], images[12, 0, 5] = 0, 100  # a four with some of a five
    w1, w2 = np.eye(784, 128, dtype=np.float32), 8 * np.eye(128, 10, dtype=np.float32)
    layers = [(w1, np.zeros(128, np.float32)), (w2, np.zeros(10, np.float32))]
    split = Split(inputs={"images": images}, labels=labels)
    chosen = pages.samples(layers, split)
    assert chosen.labels.tolist() == [*range(10), 3, 4]
    assert pages.accuracy(layers, split) == pytest.approx(11 / 13)


def test_digits_are_packed_two_pixels_in_a_byte() -> None:
    assert pages.four_bits(np.full((1, 28, 28), 128, np.uint8))[0, 0] == 8
    packed = pages.packed(np.array([[1, 2, 15, 0]], np.uint8))
    assert zlib.decompress(packed.tobytes()) == bytes([0x12, 0xF0])
    assert b64decode(pages.text(packed)) == packed.tobytes()


def test_the_first_of_each_digit_keep_their_order() -> None:
    split = Split(inputs={"images": np.arange(30)}, labels=np.array([*range(9, -1, -1)] * 3, np.uint8))
    chosen = pages.of_each_digit(split, 2)
    assert chosen.array.tolist() == list(range(20))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "none"])
def test_gradients_are_those_of_small_changes(activation: str) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.random((5, 784)), np.array([0, 3, 3, 9, 1])
    parameters = small_networks.initial(4, seed=1)
    mask = np.array([2.0, 0.0, 2.0, 2.0])

    def loss() -> float:
        answers = small_networks.forward(parameters, x, activation, mask)[2]
        return float(-np.log(answers[np.arange(5), labels]).mean())

    found = small_networks.gradients(parameters, x, labels, activation, mask)
    for values, slopes in zip(parameters, found, strict=True):
        for place in rng.integers(values.size, size=6):
            kept_value, small = values.flat[place], 1e-6
            values.flat[place] = kept_value + small
            above = loss()
            values.flat[place] = kept_value - small
            below = loss()
            values.flat[place] = kept_value
            assert slopes.flat[place] == pytest.approx((above - below) / (2 * small), abs=1e-7)


def test_an_order_has_every_digit_once_and_depends_on_the_seed() -> None:
    orders = [small_networks.shuffled(50, small_networks.Random(seed, 1)).tolist() for seed in (1, 1, 2)]
    assert sorted(orders[0]) == list(range(50))
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("sgd", "SGD"), ("momentum", "SGD"), ("rmsprop", "RMSprop"), ("adam", "Adam")],
)
def test_optimizers_do_what_those_of_keras_do(keras: Any, name: str, theirs: str) -> None:
    options = {"momentum": 0.9} if name == "momentum" else {}
    optimizer = getattr(keras.optimizers, theirs)(learning_rate=0.05, **options)
    rng = np.random.default_rng(0)
    ours = [rng.normal(size=6)]
    kept_values = [[np.zeros(6)], [np.zeros(6)]]
    variable = keras.Variable(ours[0].astype(np.float32))
    for step in range(1, 6):
        slope = rng.normal(size=6)
        small_networks._OPTIMIZERS[name](ours, [slope], 0.05, *kept_values, step)
        optimizer.apply([keras.ops.convert_to_tensor(slope.astype(np.float32))], [variable])
    assert ours[0] == pytest.approx(np.asarray(variable), abs=1e-5)

"""The pages "Draw a digit", "Train it here" and "One photograph through a convolution" in a real browser.

What their scripts compute is compared with NumPy, and what a reader does with what the page says.
"""

import math
import re
import sys
import zlib
from base64 import b64decode
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fortydays.site.kept import read_kept
from fortydays.site.play.training import USUAL

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import pages
import small_networks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def numbers(text: str, kind: Any) -> Any:
    return np.frombuffer(b64decode(text), kind)


# ------------------------------------------------------------------------------------------------------ draw a digit


def arc(x: float, y: float, wide: float, high: float, start: float, end: float) -> list[list[float]]:
    angles = [math.radians(start + (end - start) * n / 24) for n in range(25)]
    return [[x + wide * math.cos(angle), y + high * math.sin(angle)] for angle in angles]


DRAWN = [
    [arc(0.5, 0.5, 0.2, 0.3, 0, 360)],
    [[[0.5, 0.2], [0.48, 0.8]]],
    [[*arc(0.5, 0.35, 0.17, 0.15, -170, 30), [0.33, 0.78], [0.7, 0.78]]],
    [arc(0.47, 0.34, 0.16, 0.14, -160, 90) + arc(0.47, 0.64, 0.2, 0.16, -90, 150)],
    [[[0.35, 0.2], [0.3, 0.5], [0.65, 0.5]], [[0.6, 0.2], [0.58, 0.8]]],
    [[[0.65, 0.22], [0.4, 0.22], [0.38, 0.45], *arc(0.48, 0.6, 0.18, 0.17, -120, 140)]],
    [[[0.6, 0.18], [0.45, 0.35], [0.37, 0.55], *arc(0.5, 0.65, 0.14, 0.15, 180, 540)]],
    [[[0.3, 0.22], [0.7, 0.22], [0.45, 0.8]]],
    [arc(0.5, 0.35, 0.13, 0.13, 90, 450) + arc(0.5, 0.65, 0.16, 0.16, -90, 270)],
    [[*arc(0.48, 0.38, 0.15, 0.15, 0, 360), [0.63, 0.4], [0.58, 0.8]]],
]
"""The ten digits as somebody draws them: for each a list of strokes on a pad of 1 x 1."""


def layers() -> list[tuple[Any, Any]]:
    found = []
    for layer in read_kept("first-network")["layers"]:
        whole = numbers(layer["weights"], np.int8).reshape(layer["inputs"], layer["outputs"])
        found.append((whole * numbers(layer["scales"], np.float32), numbers(layer["biases"], np.float32)))
    return found


def test_the_network_in_the_page_answers_as_numpy_does_and_its_gradient_is_right(opened: Any) -> None:
    page = opened("play/digit.html")
    samples = read_kept("first-network")["samples"]
    images = numbers(samples["pixels"], np.uint8).reshape(-1, 28, 28)
    answers = page.evaluate(
        "(images) => { const net = play.digit.network(playData.layers);"
        " return images.map((image) => { const x = image.map((gray) => gray / 255), found = net.answer(x);"
        " return [[...found.probabilities], [...net.slopes(x, 3)]]; }); }",
        images.reshape(-1, 784).tolist(),
    )
    (w1, b1), (w2, b2) = [(w.astype(float), b.astype(float)) for w, b in layers()]
    for image, (probabilities, slopes) in zip(images, answers, strict=True):
        hidden = np.maximum(image.reshape(784) / 255 @ w1 + b1, 0)
        powers = np.exp(hidden @ w2 + b2 - (hidden @ w2 + b2).max())
        expected = powers / powers.sum()
        assert probabilities == pytest.approx(expected, abs=1e-5)  # factors are of 32 bits
        errors = (expected - np.eye(10)[3]) @ w2.T * (hidden > 0)
        assert slopes == pytest.approx(w1 @ errors, abs=1e-4)
    right = pages.answers(layers(), images).argmax(axis=1) == samples["labels"]
    assert right.tolist() == [True] * 10 + [False] * 2


def test_ten_drawn_digits_are_centered_as_in_mnist_and_read_rightly(opened: Any) -> None:
    page = opened("play/digit.html")
    found = page.evaluate(
        "(drawn) => { const net = play.digit.network(playData.layers);"
        " return drawn.map(play.digit.picture).map((x) => [net.answer(x).digit, [...x]]); }",
        [*DRAWN, [[[x / 4, y / 4] for x, y in stroke] for stroke in DRAWN[3]]],  # a small one, in a corner
    )
    assert [digit for digit, _ in found] == [*range(10), 3]
    assert found[10][1] == pytest.approx(found[3][1], abs=0.01)
    for _, values in found:
        ink = np.reshape(values, (28, 28))
        center = (np.arange(28) + 0.5) @ np.stack([ink.sum(axis=0), ink.sum(axis=1)], axis=1) / ink.sum()
        assert center == pytest.approx([14, 14], abs=0.1)
        rows, columns = ink.any(axis=1).nonzero()[0], ink.any(axis=0).nonzero()[0]
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 22


def test_a_digit_is_drawn_by_pointer_and_cleared(opened: Any) -> None:
    page = opened("play/digit.html")
    assert page.text_content("#said") == "It says 3, >99.9% sure. It is a 3."
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.22 * box["height"])
    page.mouse.down()
    for x, y in ((0.7, 0.22), (0.45, 0.8)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('It says 7, ')")
    assert page.locator("#bars li.first").text_content().split()[0] == "7"
    page.click("#clear")
    page.wait_for_function("() => document.querySelector('#said').textContent === 'Nothing is drawn yet.'")
    assert page.is_disabled("#until")


def test_a_digit_is_drawn_by_keyboard(opened: Any) -> None:
    page = opened("play/digit.html", width=390)
    page.focus("#pad")
    page.keyboard.press("Delete")
    for _ in range(7):
        page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    for _ in range(14):
        page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelector('#said').textContent.startsWith('It says 1, ')")


def test_a_unit_is_chosen_by_click_and_arrow_keys(opened: Any) -> None:
    page = opened("play/digit.html")
    assert page.locator("#units button").count() == 128
    page.locator("#units button").nth(20).click()
    assert page.text_content("#unit").startswith("Unit 21 ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    votes = layers()[1][0][37]
    assert page.text_content("#unit").startswith("Unit 38 ")
    assert f"speaks most for {votes.argmax()} (+{votes.max():.2f})" in page.text_content("#unit")
    assert page.locator("#units button[aria-pressed=true]").count() == 1


def test_small_steps_fool_the_network_and_random_ones_do_not(opened: Any) -> None:
    page = opened("play/digit.html")
    page.click("#once")
    assert page.text_content("#fooled") == (
        "1 step: no pixel differs by more than 2 of 255. It still says 3, >99.9% sure."
    )
    page.click("#until")
    said = page.text_content("#fooled")
    steps, levels, after = map(
        int,
        re.match(r"(\d+) steps: no pixel differs by more than (\d+) of 255\. That makes the 3 a (\d)", said).groups(),
    )
    assert levels == 2 * steps < 40
    assert after != 3
    assert page.text_content("#says-after").startswith(f"The sum: {after}, ")
    assert "none changed the answer" in page.text_content("#noise")
    page.click("#back")
    assert page.text_content("#says-after") == "The sum: 3, >99.9% sure"
    assert page.text_content("#fooled") == ""


# ----------------------------------------------------------------------------------------------------- train it here


def digits() -> list[tuple[Any, Any]]:
    kept = read_kept("thousand-digits")
    pairs = np.frombuffer(zlib.decompress(b64decode(kept["digits"])), np.uint8)
    grays = np.stack([pairs >> 4, pairs & 15], axis=1).reshape(-1, 784) / kept["grays"]
    labels = np.array([int(label) for label in kept["labels"]])
    return [(grays[:1000], labels[:1000]), (grays[1000:], labels[1000:])]


def ready(page: Any) -> Any:
    page.wait_for_function("() => window.play.ready")
    return page


def test_the_gradient_in_the_page_is_that_of_small_changes(opened: Any) -> None:
    page = ready(opened("play/train.html"))
    differences = page.evaluate(
        """() => ["relu", "tanh", "sigmoid", "none"].map((activation) => {
          const from = play.ready.digits.train, batch = [3, 500, 999];
          const setting = { activation, optimizer: "sgd", rate: 1, dropout: 0, width: 5, seed: 2 };
          const net = play.training.create(play.ready.digits, setting);
          const loss = () => batch.reduce((sum, n) => sum + net.forward(from, n), 0) / batch.length;
          net.gradient(from, batch);
          const slopes = [...net.gradients], found = [], p = net.parameters, small = 1e-6;
          const lit = from.at[from.start[3] + 40];
          for (const place of [lit * 5, lit * 5 + 3, 3920, 3924, 3925, 3960, 3974, 3975, 3984]) {
            const kept = p[place];
            p[place] = kept + small;
            const above = loss();
            p[place] = kept - small;
            found.push([slopes[place], (above - loss()) / (2 * small)]);
            p[place] = kept;
          }
          return found;
        })"""
    )
    pairs = np.array(differences).reshape(-1, 2)
    assert np.abs(pairs[:, 0]).max() > 0.01
    assert pairs[:, 0] == pytest.approx(pairs[:, 1], abs=1e-7)


@pytest.mark.parametrize(
    ("activation", "optimizer", "dropout"),
    [("relu", "adam", 0.5), ("tanh", "rmsprop", 0.0), ("sigmoid", "momentum", 0.2), ("none", "sgd", 0.0)],
)
def test_a_curve_of_the_page_is_that_of_numpy(opened: Any, activation: str, optimizer: str, dropout: float) -> None:
    page = ready(opened("play/train.html"))
    setting = small_networks.Setting(
        activation=activation, optimizer=optimizer, rate=USUAL[optimizer], dropout=dropout, width=8, epochs=3
    )
    curve = page.evaluate(
        """(setting) => {
          const { digits } = play.ready, net = play.training.create(digits, setting), found = [];
          for (let epoch = 0; epoch <= setting.epochs; epoch++) {
            if (epoch) while (!net.step());
            const [train, validation] = [net.measure(digits.train), net.measure(digits.validation)];
            found.push([train.loss, train.accuracy, validation.loss, validation.accuracy]);
          }
          return found;
        }""",
        {**asdict(setting), "seed": 7},
    )
    expected = small_networks.train(setting, 7, *digits())
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    assert np.array(curve) == pytest.approx(np.array([expected[name] for name in names]).T, abs=1e-9)
    assert curve[3][0] < curve[0][0]


def test_our_setting_gives_one_of_our_curves_again_and_the_page_tells_how_it_stands(opened: Any) -> None:
    page = ready(opened("play/train.html"))
    reference = read_kept("thousand-digits")["reference"]
    page.fill("#seed", "3")
    page.click("#start")
    assert page.text_content("#start") == "Stop"
    page.wait_for_function("() => document.querySelector('#start').textContent === 'Train'", timeout=120_000)
    curve = page.evaluate("play.ready.runs[0].seeds[0].validation")
    ours = reference["curves"]["validation_accuracy"]
    assert curve == pytest.approx(ours[2], abs=1e-6)
    finals = [each[-1] for each in ours]
    better, equal = sum(each < finals[2] for each in finals), sum(each == finals[2] for each in finals)
    assert page.text_content("#said") == (
        f"After 20 epochs: {100 * finals[2]:.1f}% of the others are right. Better than {better}, as good as {equal}."
    )
    assert page.locator("#rows tr").count() == 1
    page.focus("#chart")
    page.keyboard.press("End")
    assert page.text_content("#readout").startswith(f"Epoch 20: yours {100 * finals[2]:.1f}%, ours ")
    page.click("#loss")
    assert page.locator("#chart path.mine").count() == 1


def test_the_sliders_set_the_network_a_run_can_be_stopped_and_nonsense_is_told(opened: Any) -> None:
    page = ready(opened("play/train.html", width=390))
    page.select_option("#optimizer", "sgd")
    assert page.text_content("#rate-is") == "0.1"
    page.focus("#rate")
    page.keyboard.press("End")
    page.focus("#dropout")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#dropout-is") == "10%"
    page.select_option("#activation", "none")
    page.click("#start")
    page.click("#start")
    page.wait_for_function("() => document.querySelector('#start').textContent === 'Train'")
    page.click("#ours")
    assert page.text_content("#dropout-is") == "none"
    assert page.text_content("#rate-is") == "0.001"


def test_on_a_phone_the_axis_is_whole_and_a_touch_reads_values_that_stay(opened: Any) -> None:
    page = ready(opened("play/train.html", width=390, has_touch=True, is_mobile=True))
    assert page.text_content("#readout") == "Touch the picture to read values."
    chart = page.locator("#chart svg").bounding_box()
    for text in page.locator("#chart text").all():
        box = text.bounding_box()
        assert box["x"] >= chart["x"], text.text_content()
        assert box["x"] + box["width"] <= chart["x"] + chart["width"], text.text_content()
    page.locator("#chart").tap()
    assert re.match(r"Epoch \d+: ours ", page.text_content("#readout"))


def test_the_field_has_the_seed_that_a_run_was_trained_from(opened: Any) -> None:
    page = ready(opened("play/train.html"))
    page.fill("#seed", "")
    page.click("#start")
    assert page.input_value("#seed") == "1"


def test_a_rate_that_is_too_high_is_told_as_such(opened: Any) -> None:
    page = ready(opened("play/train.html"))
    page.select_option("#activation", "none")
    page.select_option("#optimizer", "momentum")
    for slider, key in (("#rate", "End"), ("#width", "Home")):
        page.focus(slider)
        page.keyboard.press(key)
    page.click("#start")
    page.wait_for_function("() => document.querySelector('#start').textContent === 'Train'")
    said = r"The loss stopped being a number in epoch \d+: a lower rate helps\.$"
    assert re.search(said, page.text_content("#said"))
    assert page.locator("#rows tr").count() == 1
    page.select_option("#optimizer", "adam")  # with its usual rate, and two units without activation
    page.click("#start")
    page.wait_for_function("() => document.querySelector('#start').textContent === 'Train'")
    assert page.text_content("#said").endswith("% of the others are right. Below all 20.")
    assert page.locator("#chart text").first.text_content() == "0%"


# ------------------------------------------------------------------------------------------------------- convolution


def convolved(planes: Any, weights: Any, bias: float, *, stride: int, padding: int) -> Any:
    """A convolution of planes, shape (k, h, w), with weights, shape (k, 3, 3)."""
    padded = np.pad(planes, ((0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("kyxij,kij->yx", windows, weights) + bias


@pytest.mark.parametrize(
    ("filter_", "stride", "padding", "then"), [(0, 1, 0, ()), (3, 2, 1, ("relu",)), (None, 3, 0, ("relu", "pool"))]
)
def test_a_map_of_the_page_is_that_of_numpy(
    opened: Any, filter_: int | None, stride: int, padding: int, then: tuple[str, ...]
) -> None:
    page = opened("play/convolution.html")
    kept = read_kept("first-filters")
    color = numbers(kept["photographs"][2]["pixels"], np.uint8).reshape(32, 32, 3).transpose(2, 0, 1) / 255
    if filter_ is None:  # a filter of one's own, on gray
        planes, weights, bias = np.tensordot([0.299, 0.587, 0.114], color, 1)[None], np.arange(9.0) - 5, 0.25
        weights = weights.reshape(1, 3, 3)
    else:
        found = kept["filters"][filter_]
        planes, weights, bias = color, np.array(found["weights"]).transpose(2, 0, 1), found["bias"]
    answer = page.evaluate(
        """([planes, weights, bias, options, then]) => {
          let map = play.convolution.convolve({ height: 32, width: 32, planes }, weights, bias, options);
          for (const each of then) map = play.convolution[each](map);
          return [map.height, map.width, [...map.values]];
        }""",
        [planes.reshape(len(planes), -1).tolist(), weights.reshape(len(planes), 9).tolist(), bias,
         {"stride": stride, "padding": padding}, then],
    )  # fmt: skip
    expected = convolved(planes, weights, bias, stride=stride, padding=padding)
    if "relu" in then:
        expected = np.maximum(expected, 0)
    if "pool" in then:
        expected = expected.reshape(5, 2, 5, 2).max(axis=(1, 3))
    assert answer[:2] == [*expected.shape]
    assert answer[2] == pytest.approx(expected.ravel(), abs=1e-9)


def test_the_window_moves_by_keys_and_pointer_and_the_sum_is_written_out(opened: Any) -> None:
    page = opened("play/convolution.html")
    color = numbers(read_kept("first-filters")["photographs"][0]["pixels"], np.uint8).reshape(32, 32, 3) / 255
    gray = color @ [0.299, 0.587, 0.114]
    page.select_option("#filter", "identity")
    page.focus("#map")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    value = f"{gray[14, 15]:.2f}"  # the window began at row 13 and column 13, and its middle is one further
    assert page.text_content("#total") == f"Row 14, column 15: {value} · 1 + bias 0 = {value}"
    box = page.locator("#photograph").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 1.5 / 32, box["y"] + box["height"] * 1.5 / 32)
    assert page.text_content("#total").startswith("Row 1, column 1: ")
    page.keyboard.press("ArrowUp")
    assert page.text_content("#total").startswith("Row 1, column 1: ")
    page.click("#go")
    assert page.text_content("#go") == "Stop"
    page.wait_for_function("() => document.querySelector('#go').textContent === 'Slide'")
    assert page.text_content("#total").startswith("Row 30, column 30: ")


def test_a_weight_that_is_too_large_is_told_with_what_counts(opened: Any) -> None:
    page = opened("play/convolution.html")
    weight = page.locator("[aria-label='Weight row 2, column 2']")
    weight.fill("1e9")
    said = "Weight row 2, column 2 goes from −99 to 99: 1000000000 counts as 99."
    assert page.text_content("#limit") == said
    weight.blur()
    assert weight.input_value() == "99"
    weight.fill("2")
    assert page.text_content("#limit") == ""
    weight.fill("")
    weight.blur()
    assert weight.input_value() == "2"


def test_weights_stride_edge_and_pooling_are_changed_by_hand_and_the_shape_is_told(opened: Any) -> None:
    page = opened("play/convolution.html", width=390)
    page.select_option("#filter", "identity")
    page.fill("[aria-label='Weight row 2, column 2']", "-2")
    page.fill("[aria-label=Bias]", "0.5")
    assert page.input_value("#filter") == "own"
    assert "· (−2) + bias 0.5 = " in page.text_content("#total")
    page.check("#relu")
    assert ", and after ReLU " in page.text_content("#total")
    page.select_option("#stride", "2")
    assert page.text_content("#shape") == (
        "Places along a side: (32 + 2 · 0 − 3) / 2 + 1 = 15.5, rounded down to 15, so the map is 15 × 15."
    )
    page.select_option("#padding", "1")
    page.check("#pool")
    assert page.text_content("#shape").endswith("the map is 16 × 16. Pooling keeps the largest of each 2 × 2: 8 × 8.")
    assert page.is_visible("#pooled")
    page.select_option("#filter", "0")
    assert page.locator("#kernels fieldset").count() == 3
    page.locator("#photographs button").nth(1).click()
    assert page.text_content("#says-photograph").startswith("ship, 32 × 32 × 3: red, green and blue")

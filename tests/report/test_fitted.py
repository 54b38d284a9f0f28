"""The page about a classifier, and what the terminal is told: complete, harmless, and dependent on nothing."""

import base64
import dataclasses
import functools
import io
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_findings import CONFUSION, SIDE, curve, findings, picture
from PIL import Image
from rich.console import Console
from test_day_page import outline, words

sys.path.insert(0, str(Path(__file__).parents[1]))
import real_browser
from fortydays.fit.findings import Answer, Findings, LabelError
from fortydays.fit.learning_curve import CurvePoint, LearningCurve
from fortydays.report import plots
from fortydays.report.fitted import confusions, make_page, print_findings, sentence, too_small, worst_first

HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e\n"


@functools.cache
def whole_page() -> str:
    return make_page(findings(), picture)


def printed(found: Findings, *, width: int = 80, **options: Any) -> str:
    file = io.StringIO()
    print_findings(found, Console(file=file, width=width, **options))
    return file.getvalue()


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_the_page_says_how_good_it_is_and_everything_that_was_found() -> None:
    said = words(whole_page())

    assert (
        "Of 150 photographs that it had never seen, it names 90.7% rightly (95% interval 84.9% to 94.4%); "
        "always naming the largest class would get 33.3%." in said
    )
    assert (
        "A linear head on pooled features, seed 2. It sees 160 x 160 pixels of a photograph. Over 3 seeds the "
        "mean is 91.0% (95% interval 88.5% to 93.5%)" in said
    )
    assert "It is registered as pets@3, and is its champion now. It did not pass 1 gate of 2: size." in said
    assert "1,170 photographs of 3 classes; 3 files are left out. The classes are even: 300 photographs" in said
    assert "The class 'gnu' is left out." in said
    assert "2 it is the same file as another cat/a.jpg 1 it is damaged dog/e.jpg" in said
    assert "cat taken for dog 8 of 50 dog taken for cat 3 of 50 cat taken for emu 2 of 50" in said
    assert "14 test photographs are named wrongly; these with most confidence. A few may" in said
    assert "dog, 98% is cat cat/1.jpg" in said
    assert "dog → looks like emu train: dog/2.jpg" in said
    assert "emu, 99% emu/3.jpg" in said
    assert curve().sentence in said
    assert "Accuracy on 120 validation photographs" in said
    assert (
        "Confidence was off by 5.0 points on average; with logits divided by a temperature of 1.50 it is off by 2.0, "
        "on 150 photographs." in said
    )
    assert (
        "Below a confidence of 50.0% the answer is “unknown”. Of 150 photographs of known classes, 4.0% are called "
        "that by mistake (95% interval 2.0% to 9.0%)." in said
    )
    assert "accuracy ✓ passed 90.7% clearly more than 33.3% size ✗ not passed 120 MB at most 100 MB" in said
    assert "features 61.0 s, heads 4.5 s, 65.5 s in all" in said


def test_seeds_that_are_right_as_often_have_no_interval_told() -> None:
    test = dataclasses.replace(findings().test, mean=0.9, mean_low=0.9 - 1e-16, mean_high=0.9 + 1e-16)

    said = sentence("about", findings(test=test))

    assert said.endswith(
        "It sees 160 x 160 pixels of a photograph. All 3 seeds name 90.0% rightly; this one was best on the "
        "validation photographs."
    )


def test_where_all_mistakes_are_shown_none_is_called_the_most_confident() -> None:
    confusion = ((50, 0, 0), (0, 50, 0), (1, 0, 49))

    said = words(make_page(findings(confusion=confusion), picture))

    assert "1 test photograph is named wrongly. It may be wrongly labelled" in said


def test_the_classes_that_are_recognised_least_often_are_first() -> None:
    found = findings(confusion=((50, 0, 0), (25, 25, 0), (0, 0, 0)))

    assert [each.name for each in worst_first(found)] == ["dog", "cat", "emu"]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td class="number first">([^<]*)<', make_page(found, picture))
    assert rows == [("dog", "50.0%"), ("cat", "100.0%"), ("emu", "–")]


def test_the_page_is_well_formed_and_reaches_for_nothing() -> None:
    page = whole_page()
    parsed = outline(page)

    tags = {tag for tag, _ in parsed.elements}
    assert not tags & {"script", "iframe", "object", "embed", "form", "input", "audio", "video"}
    policy = next(a["content"] for t, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in page.replace("http-equiv", "")
    anchors = [value for value in parsed.values("href") if value.startswith("#")]
    ids = parsed.values("id")
    assert {anchor[1:] for anchor in anchors} <= set(ids)
    assert len(ids) == len(set(ids))
    assert {value[:5] for value in parsed.values("src")} == {"data:"}


def test_the_pictures_are_those_of_the_rows_and_the_map_lies_over_its_photograph() -> None:
    asked: list[int] = []

    def remembered(row: int) -> np.ndarray:
        asked.append(row)
        return picture(row)

    page = make_page(findings(), remembered)

    assert asked == [1, 2, 3]
    jpegs = [base64.b64decode(found) for found in re.findall(r"data:image/jpeg;base64,([^\"]*)", page)]
    shown = [np.asarray(Image.open(io.BytesIO(content))).astype(float) for content in jpegs]
    assert [image.shape for image in shown] == [(SIDE, SIDE, 3)] * 4
    for image, row in zip(shown, (1, 2, 3), strict=False):
        assert np.abs(image - picture(row)).mean() < 12
    # The map is highest at the right of the top: there the overlay is lighter than at the left.
    lighter = shown[3].mean(axis=2) - 0.55 * picture(3).mean(axis=2)
    assert lighter[:16, -16:].mean() > lighter[:16, :16].mean() + 40


def test_names_that_are_markup_or_would_steer_a_terminal_do_neither() -> None:
    name = HOSTILE + "x"
    found = findings(
        name=name,
        place=name,
        classes=(name, "dog", "emu"),
        mistakes=(Answer(file=name, label=name, answer="dog", probability=0.9, row=1),),
        label_errors=(LabelError(file=name, split="test", label=name, suggested="dog", score=-0.5, row=2),),
    )

    page, shown = make_page(found, picture), printed(found)

    assert "<script" not in page
    assert "?[31m&lt;script&gt;alert(1)&lt;/script&gt;??x" in page
    for text in (page, shown):
        assert not set(text) & {"\x1b", "\u202e"}
    assert "<script>alert(1)</script>" in shown


@pytest.mark.slow
def test_on_a_telephone_all_that_the_gates_say_can_be_read_without_scrolling_sideways() -> None:
    with real_browser.started() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.set_content(whole_page())
        cells = page.locator("#gates ~ .wide td").all()
        boxes = [cell.bounding_box() for cell in cells]
    assert len(cells) == 6
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def test_without_mistakes_suspects_maps_curve_and_model_the_page_says_so_or_nothing() -> None:
    found = findings(
        model="", alias="", gates=(), confusion=((50, 0, 0), (0, 50, 0), (0, 0, 50)), mistakes=(), label_errors=(),
        attention=(), learning_curve=None, calibration=None, unknown=None,
    )  # fmt: skip

    page = make_page(found, picture)
    said = words(page)

    assert "No test photograph is taken for another class." in said
    assert "no label stands out as wrong" in said
    for heading in ("Most confident mistakes", "Where it looks", "Would more photographs help?", "Gates", "unknown"):
        assert heading not in said
    assert "registered" not in said
    anchors = [value[1:] for value in outline(page).values("href") if value.startswith("#")]
    assert set(anchors) <= set(outline(page).values("id"))
    assert "registered" not in printed(found)


def test_a_class_that_is_too_small_for_its_labels_to_be_judged_is_named() -> None:
    found = findings()
    small = (found.per_class[0].__class__(name="gnu", train=2, validation=1, test=1, precision=None, recall=None),)

    assert too_small(found) == []
    page = make_page(findings(per_class=(*found.per_class, *small)), picture)
    assert "Not judged, since they have too few photographs: 'gnu'." in words(page)


@pytest.mark.parametrize(("count", "drawn"), [(21, True), (100, True), (101, False)])
def test_many_classes_do_not_break_the_page(count: int, drawn: bool) -> None:
    names = tuple(f"class {number}" for number in range(count))
    confusion = tuple(
        tuple(9 if a == b else 1 if b == (a + 1) % count else 0 for b in range(count)) for a in range(count)
    )

    page = make_page(findings(classes=names, confusion=confusion), picture)

    assert ("Rows: what the test photographs are." in page) is drawn
    assert "wide matrix few" not in page
    assert "wide matrix few" in whole_page()
    assert page.count("taken for class") >= 10
    assert page.count('<th scope="row">class ') == count


def test_the_terminal_is_told_the_same_in_eighty_columns_without_colours_or_pictures() -> None:
    shown = printed(findings())

    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert sentence("headline", findings()) in one_line(shown)
    assert re.search(r"class +train +validation +test +recognised +right when named", shown)
    assert re.search(r"cat +300 +40 +50 +80\.0% +93\.0%\ndog +300 +40 +50 +92\.0% +85\.2%", shown)
    assert "  cat → dog  8 of 50\n" in shown
    assert "Labels worth a look: 1, the clearest first\n  dog/2.jpg: dog → looks like emu\n" in shown
    assert curve().sentence in one_line(shown)
    assert "4.0% are called that by mistake" in one_line(shown)
    assert "✗ size: 120 MB; asked: at most 100 MB" in shown


def test_only_a_terminal_with_colours_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in printed(findings(), force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", printed(findings(), force_terminal=True, color_system="standard"))


def test_a_terminal_of_ascii_gets_ascii() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_findings(findings(), Console(file=file, width=80))
    file.seek(0)

    assert 'Below a confidence of 50.0% the answer is "unknown"' in file.read()


def test_what_is_much_is_cut_and_counted() -> None:
    many = tuple(
        LabelError(file=f"{number}.jpg", split="train", label="cat", suggested="dog", score=-0.5, row=number)
        for number in range(60)
    )

    assert "And 12 more." in words(make_page(findings(label_errors=many), picture))
    shown = printed(findings(label_errors=many))
    assert "Labels worth a look: 60" in shown
    assert "  4.jpg" in shown
    assert "  and 55 more\n" in shown
    assert "  5.jpg" not in shown


def test_a_very_long_name_is_folded_and_not_cut() -> None:
    name = "x" * 200 + ".jpg"
    found = findings(label_errors=(LabelError(file=name, split="train", label="a", suggested="b", score=-1, row=0),))

    shown = printed(found)

    assert max(map(len, shown.splitlines())) <= 80
    assert name in re.sub(r"\s", "", shown)


def test_confusions_are_counted_the_most_frequent_first() -> None:
    found = confusions(findings(confusion=CONFUSION))

    assert [(each["label"], each["answer"], each["count"], each["of"]) for each in found] == [
        ("cat", "dog", 8, 50), ("dog", "cat", 3, 50), ("cat", "emu", 2, 50), ("dog", "emu", 1, 50),
    ]  # fmt: skip


def test_the_curve_has_a_tick_for_each_size_and_for_twice_as_many() -> None:
    svg = plots.photograph_curve(curve())

    assert svg is not None
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert {"50", "100", "200", "400", "800", "1,600", "validation accuracy"} <= texts
    assert "stroke-dasharray" in svg
    assert "currentColor" in svg


def test_a_curve_without_a_law_has_only_its_points_and_one_point_is_no_curve() -> None:
    points = curve().points
    plain = LearningCurve(points=points[:2], validated=40, law=None, twice=None, verdict="unknown")
    svg = plots.photograph_curve(plain)

    assert svg is not None
    assert "stroke-dasharray" not in svg
    alone = LearningCurve(points=points[:1], validated=40, law=None, twice=None, verdict="unknown")
    assert plots.photograph_curve(alone) is None
    said = words(make_page(findings(learning_curve=alone), picture))
    assert "There are too few photographs to tell whether more would help." in said


def test_a_curve_at_its_limit_can_be_drawn() -> None:
    flat = tuple(CurvePoint(images=10 * 2**k, accuracy=1.0, low=1.0, high=1.0, draws=1) for k in range(4))

    assert plots.photograph_curve(LearningCurve(points=flat, validated=60, law=None, twice=None, verdict="unknown"))


def test_all_of_it_can_be_written_down_as_json() -> None:
    import json

    document = json.loads(json.dumps(findings().as_dict()))

    assert document["schema_version"] == 1
    assert document["test"]["accuracy"] == pytest.approx(136 / 150)
    assert document["confusion"] == [list(row) for row in CONFUSION]
    assert document["backbone"]["weights_sha256"] == "ab" * 32
    assert document["learning_curve"]["sentence"] == curve().sentence
    assert document["label_errors"][0]["suggested"] == "emu"
    assert document["attention"][0]["heat"] == [[0, 1], [0, 0.5]]

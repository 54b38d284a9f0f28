"""The page of a day: complete, harmless, and dependent on nothing."""

import base64
import html.parser
import json
import re
from typing import Any

import made_up
import pytest
from made_up import short

from fortydays.base.errors import StorageError
from fortydays.report.page import differing_fields, make_page
from fortydays.report.palette import look
from fortydays.report.results import read_results

VOID = {"meta", "link", "img", "br", "hr"}


class Outline(html.parser.HTMLParser):
    """The elements of a page, and whether every one that is opened is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        return [
            value or "" for _, attributes in self.elements for name, value in attributes.items() if name == attribute
        ]


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    return parsed


def words(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(outline(page).text))


@pytest.fixture(scope="module")
def page() -> str:
    return make_page(made_up.evidence(), notes_html="<p>The lesson.</p>", source="published")


def test_the_verdicts_come_first(page: str) -> None:
    text = words(page)
    assert "6 claims: 4 supported, 1 refuted, 1 undecided. 3 variants, 5 seeds, 14 finished trials on mnist." in text
    order = ["6 claims", 'id="verdicts"', "The lesson.", 'id="results"', 'id="curves"', 'id="provenance"', "Method."]
    assert [page.index(part) for part in order] == sorted(page.index(part) for part in order)


def test_the_page_has_every_number_of_the_results_table(page: str) -> None:
    text = words(page)
    for shown in ("97.23% ± 0.07", "97.34% ± 0.05", "95.52% ± 0.10", "2,375 ± 80", "9.0e-07 ± 5.9e-07"):
        assert shown in text
    assert "sgd fair, seed 4, failed: The loss stopped being a number in epoch 2." in text
    assert "Chosen: 0.1, on the validation split" in text


def test_recipes_show_what_differs_and_fold_the_rest_away(page: str) -> None:
    results = read_results(made_up.evidence())
    assert differing_fields(results.variants) == ["optimizer", "learning_rate", "optimizer_options.momentum"]
    before, after = page.split("<details>")
    assert "label smoothing" not in before
    assert "label smoothing" in after


def test_a_field_that_recipes_got_later_is_not_told_of_variants_that_were_trained_before() -> None:
    document = made_up.evidence()
    newer = next(iter(document["details"].values()))
    newer["recipe"] |= {"clip_norm": 0.0, "ema": 0.0}  # as they are where nobody sets them
    assert differing_fields(read_results(document).variants) == differing_fields(
        read_results(made_up.evidence()).variants
    )
    newer["recipe"]["clip_norm"] = 1.0
    first, second, *_ = read_results(document).variants
    assert "clip_norm" in differing_fields((first, second))
    assert (first.recipe["clip_norm"], second.recipe["clip_norm"]) == (1.0, 0.0)


def test_provenance_tells_how_to_get_the_numbers_again(page: str) -> None:
    text = words(page)
    for shown in ("forty run 4 --seeds 5", "5ec0ffee" * 8, "ab" * 32, "keras 3.15.1", "avx2 avx512f", "5 min 12 s"):
        assert shown in text


def test_provenance_tells_how_evidence_was_renewed() -> None:
    checked = [{"variant": name, "seed": 0} for name in made_up.VARIANTS]
    again = {"engine": "0" * 64, "at": "2026-11-22T18:00:00Z", "checked": checked}
    compared = {
        "engine": "1" * 64,
        "at": "2026-11-26T20:00:00Z",
        "checked": [c | {"epochs": 1, "precision": "float32"} for c in checked],
        "against": "a" * 40,
        "machine": {"cpu_model": "Another processor", "flags": [], "system": "Linux x86_64"},
        "packages": {},
    }
    document = short(made_up.evidence(exhibits=[]))
    document["code"]["renewed"] = [again, compared]
    told = (
        "2026-11-22, as 3 trials gave the same bits again; 2026-11-26, as 2 engines gave the same bits in the first "
        "epoch of 3 trials, computed in float32"
    )
    assert told in words(make_page(document, source="your run x"))
    for trial in compared["checked"]:
        trial["epochs"] = 2
    document["code"]["renewed"] = [compared | {"checked": compared["checked"][:1]}]
    assert "in the first 2 epochs of 1 trial, computed" in words(make_page(document, source="your run x"))


def test_what_marginal_and_flagged_mean_stands_below_the_verdicts() -> None:
    document = short(made_up.evidence(exhibits=[]))
    document["claims"] = [each | {"marginal": False, "flags": []} for each in document["claims"]]
    assert "Marginal: " not in words(make_page(document, source="your run x"))
    document["claims"][0]["marginal"] = True
    told = words(make_page(document, source="your run x"))
    assert "Marginal: the verdict stands only as long as one looks at this claim alone." in told
    assert "Flagged: " not in told
    document["claims"][1]["flags"] = ["pairing decides"]
    assert "Flagged: by a check that the claim, or a variant of it, did not pass." in words(
        make_page(document, source="x")
    )


def test_a_run_with_options_is_repeated_with_them() -> None:
    request = {"seeds": [0], "only": ["sgd fair"], "settings": ["epochs=1"], "engine": "plain"}
    page = make_page(short(made_up.evidence(seeds=(0,), request=request, exhibits=[])), source="your run x")
    assert "forty run 4 --seeds 1 --only 'sgd fair' --set epochs=1 --engine plain" in words(page)


def test_what_settles_the_question_stands_before_the_verdicts_and_not_again_below() -> None:
    first = made_up.exhibits()[2] | {
        "first": True, "variant": "", "seed": None, "title": "All of it", "y_unit": "share",
        "lines": [{"name": "ours", "x": [0, 1], "y": [0.5, 0.25]}], "x_names": ["in order", "shuffled"],
    }  # fmt: skip
    page = make_page(short(made_up.evidence(exhibits=[made_up.exhibits()[1], first])), source="published")
    said = words(page)
    assert said.index("At a glance") < said.index("All of it") < said.index("Claims and verdicts")
    assert said.index("Claims and verdicts") < said.index("The 10 most confident mistakes")
    assert page.count("<h3>All of it</h3>") == 1
    assert "ours: 50.0% at in order, 25.0% at shuffled." in " ".join(outline(page).values("aria-label"))
    without = make_page(short(made_up.evidence(exhibits=[made_up.exhibits()[1]])), source="published")
    assert "At a glance" not in words(without)
    alone = make_page(short(made_up.evidence(exhibits=[first])), source="published")
    assert 'href="#exhibits"' not in alone


def test_nothing_comes_from_elsewhere(page: str) -> None:
    parsed = outline(page)
    outside = [v for name in ("src", "href", "xlink:href", "action", "srcset") for v in parsed.values(name)]
    allowed = ("#", "data:", "https://doi.org/10.")
    assert [value for value in outside if not value.startswith(allowed)] == []
    assert not re.search(r"@import|url\((?!#)", page)
    assert {tag for tag, _ in parsed.elements} & {"script", "iframe", "object", "embed", "form"} == set()
    policy = next(a["content"] for tag, a in parsed.elements if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_ids_are_unique_and_every_reference_inside_the_page_resolves(page: str) -> None:
    parsed = outline(page)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    targets = [v[1:] for v in parsed.values("href") if v.startswith("#")] + re.findall(r"url\(#([^)]*)\)", page)
    assert targets
    assert set(targets) <= set(ids)
    assert set(parsed.values("aria-labelledby")) <= set(ids)


def test_figures_and_pictures_have_words_for_those_who_do_not_see_them(page: str) -> None:
    parsed = outline(page)
    # The plot of a chart is an element of its own inside of it.
    drawings = [a for tag, a in parsed.elements if tag == "svg" and a.get("class") != "plot"]
    assert len(drawings) == 9
    assert all(a["role"] == "img" and a["aria-label"] for a in drawings)
    assert any("network ends at 97" in str(a["aria-label"]) for a in drawings)
    pictures = [attributes for tag, attributes in parsed.elements if tag == "img"]
    assert [p["alt"] for p in pictures][:2] == ["picture 1", "picture 2"]  # what each shows stands below it
    assert page.count("<h1") == 1


def test_costs_have_a_table_and_a_picture_where_they_differ(page: str) -> None:
    costs = {"lenet": (651_720, 0.65), "network": (4_311_000, 0.74)}
    text = words(costly := make_page(short(made_up.evidence_of_costs(costs)), source="published"))
    assert "variant parameters multiply-adds seconds test accuracy lenet 101,770 652 k 21.0 65.00% ± 0.25" in text
    drawings = [str(a["aria-label"]) for tag, a in outline(costly).elements if tag == "svg"]
    assert any(d.startswith("Test accuracy against multiply-adds") and "network 4.31 M 74.00%" in d for d in drawings)
    assert "multiply-adds" not in words(page)


PARTS = {
    "transfer": ("transfer", None, 0.86), "fine-tuned": ("", None, 0.88), "transfer 10": ("transfer", 10, 0.6),
    "scratch 10": ("from scratch", 10, 0.2),
}  # fmt: skip


def test_accuracies_by_training_images_have_a_table_and_a_picture_where_parts_were_learned_from(page: str) -> None:
    text = words(parts := make_page(short(made_up.evidence_of_images(PARTS)), source="published"))
    assert (
        "variant training images test accuracy transfer transfer 10 100 60.00% ± 0.25 transfer 55,000 86.00% ± 0.25 "
        "from scratch scratch 10 100 20.00% ± 0.25"
    ) in text
    drawings = [str(a["aria-label"]) for tag, a in outline(parts).elements if tag == "svg"]
    told = "transfer: 60.00% ± 0.25 from 100, 86.00% ± 0.25 from 55,000; from scratch: 20.00% ± 0.25 from 100."
    assert any(d.startswith("Test accuracy against the number of training images") and told in d for d in drawings)
    # In the table beside the picture, a variant has the color of its line.
    rows = parts.split('aria-label="Accuracy against training images"')[1].split("</table>")[0]
    assert re.findall(r"--color:(#\w+)", rows) == [look(0).color, look(0).color, look(3).color]
    assert "training images" not in words(page)


def test_where_all_learned_from_equally_many_images_there_is_no_table_and_no_picture() -> None:
    alike = {"a": ("x", 10, 0.5), "b": ("x", 10, 0.6), "c": ("y", 10, 0.7)}
    page = make_page(short(made_up.evidence_of_images(alike)), source="published")
    assert "images of each class" in words(page)
    assert "Accuracy against training images" not in page
    assert "Test accuracy against" not in page


def test_the_recipes_tell_which_network_made_the_features_and_how_many_images_were_learned_from(page: str) -> None:
    document = short(made_up.evidence_of_images(PARTS))
    document["details"]["transfer"]["features"] = made_up.features()
    document["details"]["transfer 10"]["features"] = made_up.features(side=224, pretrained=False)
    document["details"]["fine-tuned"]["features"] = made_up.features(before_last_block=True, backbone="a <new> one")
    text = words(make_page(document, source="published"))
    assert "they differ in the model, or in what they learned from." in text
    for row in (
        "variant parameters features images of each class what is different about it",
        "transfer 101,770 MobileNetV2 at 96 px all –",
        "fine-tuned 101,770 a <new> one at 96 px, before its last block all –",
        "transfer 10 101,770 MobileNetV2 at 224 px, random weights 10 –",
        "scratch 10 101,770 – 10 –",
        "features MobileNetV2 at 96 px a <new> one",
        "images of each class all all 10 10 trained in",
    ):
        assert row in text
    assert "images of each class" not in words(page)
    assert "features" not in words(page)


def test_pictures_are_enlarged_without_blur_by_one_whole_number(page: str) -> None:
    assert "image-rendering: pixelated" in page
    assert page.count('<img style="--width:112px"') == 10  # 28 pixels, four times
    rows = made_up.exhibits()[1] | {"columns": 1}
    rows["pictures"] = [{"png": made_up.png(size, 1), "label": f"{size}"} for size in (32, 270)]
    page = make_page(short(made_up.evidence(exhibits=[rows])), source="published")
    assert '<ul class="pictures rows" style="--columns:1;--widest:810px">' in page
    assert re.findall(r"--width:(\d+)px", page) == ["96", "810"]


def test_pictures_with_sentences_under_them_get_more_room_than_those_with_names() -> None:
    exhibit = made_up.exhibits()[1] | {"columns": 3}
    for label, widths in (
        ("a name", ["104"]),
        ("a sentence about what is in the picture, as a person says it", ["160"]),
    ):
        exhibit["pictures"] = [{"png": made_up.png(160, 1), "label": label}]
        page = make_page(short(made_up.evidence(exhibits=[exhibit])), source="published")
        assert re.findall(r"--width:(\d+)px", page) == widths
        assert ('class="pictures labelled sentences"' in page) == (widths == ["160"])


def test_a_picture_larger_than_its_room_is_made_smaller_and_a_false_header_does_no_harm() -> None:
    pictures = made_up.exhibits()[1] | {"columns": 1}
    pictures["pictures"] = [{"png": made_up.png(1000, 1), "label": ""}]
    assert "--width:704px" in make_page(short(made_up.evidence(exhibits=[pictures])), source="published")
    huge = base64.b64decode(made_up.png(8, 1))
    huge = huge[:16] + b"\xff\xff\xff\xff" + huge[20:]
    pictures["pictures"] = [{"png": base64.b64encode(huge).decode(), "label": ""}, {"png": "no", "label": ""}]
    assert "--widest:704px" in make_page(short(made_up.evidence(exhibits=[pictures])), source="published")
    pictures["pictures"] = []
    assert "--widest:0px" in make_page(short(made_up.evidence(exhibits=[pictures])), source="published")


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}"


def poisoned(value: Any) -> Any:
    """The same document with every text that is free poisoned."""
    if isinstance(value, dict):
        chosen = {"kind", "status", "verdict", "backend", "engine", "precision"}
        fixed = chosen | {"png", "history", "metrics", "variants", "variant"}
        return {k: v if k in fixed else poisoned(v) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return value + HOSTILE if isinstance(value, str) else value


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    document = poisoned(json.loads(json.dumps(made_up.evidence())))
    page = make_page(document, source="your run " + HOSTILE)
    parsed = outline(page)
    assert {tag for tag, _ in parsed.elements} & {"script", "iframe"} == set()
    handlers = [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]
    assert handlers == []
    assert all(src.startswith("data:image/png;base64,") for src in parsed.values("src"))
    assert "{{ 7*7 }}" in words(page)
    assert "Overfitting and regularization\"'><script>alert(1)</script>" in words(page)


def test_a_hostile_name_of_a_variant_or_metric_is_text_too() -> None:
    document = short(made_up.evidence(exhibits=[]))
    document["details"][HOSTILE] = document["details"]["network"]
    document["variants"][HOSTILE] = {HOSTILE: {"mean": 1.0, "std": None, "low": None, "high": None, "n": 1}}
    page = make_page(document, source="published")
    assert "<script" not in page
    assert "<img src=x" not in page


def test_a_picture_that_is_no_png_is_left_out_and_said_so() -> None:
    document = short(made_up.evidence(exhibits=made_up.exhibits()[1:2]))
    document["exhibits"][0]["pictures"][0]["png"] = 'x" onerror="alert(1)'
    page = make_page(document, source="published")
    assert "onerror" not in page
    assert "not a PNG" in words(page)
    assert page.count("<img ") == 9


def test_one_seed_has_no_interval_anywhere_but_in_the_method() -> None:
    page = make_page(short(made_up.evidence(seeds=(0,), exhibits=[])), source="published")
    assert " ± " not in words(page).split("Method.")[0]
    assert "1 seed, 3 finished trials" in words(page)


def test_a_study_of_ones_own_without_claims_exhibits_or_success() -> None:
    document = made_up.evidence(day=None, claims=[], exhibits=[], variants={})
    document["details"] = {"network": made_up.detail("network")}
    document["trials"] = [made_up.failed("network", 0)]
    page = make_page(document, source="your run sizes-1")
    text = words(page)
    assert "A study" in text
    assert "No claims. 1 variant, 5 seeds, 0 finished trials on mnist." in text
    assert "Too short a training to draw." in text
    assert "Exhibits" not in text


def test_damaged_evidence_is_refused() -> None:
    with pytest.raises(StorageError, match="dataset is 3; expected an object"):
        make_page(made_up.evidence(dataset=3), source="published")


def test_a_withdrawn_claim_has_its_reason_in_the_place_of_a_verdict(page: str) -> None:
    withdrawn = [{"claim": "It is <so>", "reason": "The control cannot learn."}]
    told = make_page(short(made_up.evidence(withdrawn=withdrawn, exhibits=[])), source="published")
    assert '<p class="sentence">It is &lt;so&gt;</p>' in told
    assert '<p class="basis">The control cannot learn.</p>' in told
    assert "1 withdrawn. 3 variants" in told
    alone = make_page(short(made_up.evidence(claims=[], withdrawn=withdrawn, exhibits=[])), source="published")
    assert "1 claim: 1 withdrawn." in alone
    assert 'href="#verdicts"' in alone
    assert "withdrawn" not in page


def test_the_page_lists_the_checks_that_were_not_passed(page: str) -> None:
    assert 'id="checks"' not in page
    told = make_page(short(made_up.evidence(checks=made_up.CHECKS, exhibits=[])), source="published")
    assert 'href="#checks"' in told
    assert told.count("<dt>not converged</dt>") == 1
    assert "<strong>network</strong>: it still rises</dd>" in told
    assert "it &lt;still&gt; falls. The study expects this: it is slow</dd>" in told
    assert "<strong>claim 2</strong>: it is undecided</dd>" in told

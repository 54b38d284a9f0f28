"""What is refused in an evidence document, and what is made harmless."""

import copy
from typing import Any

import made_up
import pytest

from fortydays.base.errors import StorageError
from fortydays.report.reading import clean
from fortydays.report.results import read_results
from fortydays.study.exhibit_document import Lines, Matrix, Pictures, Table
from fortydays.study.judgement import Verdict


def changed(*path: Any, to: Any) -> dict[str, Any]:
    """The made-up document with one value changed."""
    document = copy.deepcopy(made_up.evidence())
    inner: Any = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return document


def test_a_document_is_read_with_everything_in_it() -> None:
    results = read_results(made_up.evidence())
    assert [v.name for v in results.variants] == ["network", "network with dropout", "sgd fair"]
    assert [(group, len(variants)) for group, variants in results.groups] == [("plain", 2), ("optimizers", 1)]
    assert [(t.variant, t.seed) for t in results.failed] == [("sgd fair", 4)]
    assert [type(e) for e in results.exhibits] == [Matrix, Pictures, Lines, Table]
    assert (results.count(Verdict.SUPPORTED), results.count(Verdict.REFUTED)) == (4, 1)
    assert results.variants[2].recipe["optimizer_options.momentum"] == 0.9
    assert results.variants[2].search is not None
    assert not results.variants[2].search.at_edge
    assert results.machine["flags"] == "avx2 avx512f"


@pytest.mark.parametrize(("clean", "expected"), [(True, "a" * 40), (False, f"{'a' * 40} with changes")])
def test_evidence_from_a_checkout_names_its_commit(clean: bool, expected: str) -> None:
    document = made_up.evidence()
    document["code"] |= {"commit": "a" * 40, "clean": clean}
    assert read_results(document).code["commit"] == expected
    assert "clean" not in read_results(document).code


CHECKED = [{"variant": "network", "seed": 0}, {"variant": "sgd fair", "seed": 0}]
RENEWED = {"engine": "0" * 64, "at": "2026-11-22T18:00:00Z", "checked": CHECKED}
COMPARED = {
    "engine": "1" * 64,
    "at": "2026-11-26T20:00:00Z",
    "checked": [c | {"epochs": n, "precision": "float32"} for c, n in zip(CHECKED, (3, 2), strict=True)],
    "against": "a" * 40,
    "machine": {"cpu_model": "Another processor", "flags": ["avx2"], "system": "Linux x86_64"},
    "packages": {"keras": "3.15.1"},
}


def test_evidence_that_was_renewed_says_when_and_by_how_many_trials() -> None:
    (renewal,) = read_results(changed("code", "renewed", to=[RENEWED])).renewed
    assert (renewal.at, len(renewal.checked)) == ("2026-11-22T18:00:00Z", 2)
    assert read_results(made_up.evidence()).renewed == ()
    with pytest.raises(StorageError, match=r"code\.renewed is 'yes'"):
        read_results(changed("code", "renewed", to="yes"))


def test_what_two_engines_trained_alike_is_told_apart_from_trials_that_gave_the_same_bits_again() -> None:
    again, compared = read_results(changed("code", "renewed", to=[RENEWED, COMPARED])).renewed
    assert (again.epochs, again.precisions) == (None, ())
    # The fewest epochs of any trial: of all of them at least so many are the same.
    assert (compared.epochs, compared.precisions) == (2, ("float32",))
    for damaged in ({"checked": [CHECKED[0] | {"epochs": "one"}]}, {"at": None}):
        with pytest.raises(StorageError, match=r"code\.renewed\[0\]\.(checked\[0\]\.epochs|at) is "):
            read_results(changed("code", "renewed", to=[COMPARED | damaged]))


def test_a_processor_is_no_accelerator() -> None:
    assert "accelerator" not in read_results(changed("machine", "accelerator", to=None)).machine
    assert read_results(changed("machine", "accelerator", to="A card")).machine["accelerator"] == "A card"


def test_a_target_that_not_every_seed_reached_is_told_as_a_count() -> None:
    document = made_up.evidence()
    document["trials"][0]["metrics"]["steps_to_0.95"] = None
    assert read_results(document).variants[0].reached("steps_to_0.95") == (4, 5)


def test_multiply_adds_are_read_where_they_are_told() -> None:
    costs = {"small": (1_000, 0.6), "large": (26_543_104, 0.8), "older": (None, 0.7)}
    results = read_results(made_up.evidence_of_costs(costs))
    assert [v.multiply_adds for v in results.variants] == [1_000, 26_543_104, None]
    assert results.differ_in_cost
    del costs["large"]
    assert not read_results(made_up.evidence_of_costs(costs)).differ_in_cost
    assert not read_results(made_up.evidence()).differ_in_cost


PARTS = {
    "transfer": ("transfer", None, 0.86), "fine-tuned": ("", None, 0.88), "transfer 10": ("transfer", 10, 0.6),
    "scratch 10": ("from scratch", 10, 0.2), "scratch 6000": ("from scratch", 6000, 0.7),
}  # fmt: skip


def learning_groups(parts: dict[str, tuple[str, int | None, float]], **changes: Any) -> dict[str, list[str]]:
    results = read_results(made_up.evidence_of_images(parts, **changes))
    return {name: [v.name for v in variants] for name, variants in results.learning_groups}


def test_images_of_each_class_are_counted_for_all_classes_and_never_more_than_there_are() -> None:
    results = read_results(made_up.evidence_of_images(PARTS))
    images = {v.name: results.training_images(v) for v in results.variants}
    assert images == {
        "transfer": 55_000, "fine-tuned": 55_000, "transfer 10": 100, "scratch 10": 100, "scratch 6000": 55_000,
    }  # fmt: skip
    assert [v.examples for v in results.variants] == [None, None, 10, 10, 6000]


def test_groups_that_learned_from_parts_come_with_the_one_that_learned_from_all_fewest_images_first() -> None:
    assert learning_groups(PARTS) == {
        "transfer": ["transfer 10", "transfer"], "from scratch": ["scratch 10", "scratch 6000"],
    }  # fmt: skip
    assert learning_groups({"a": ("", None, 0.5), "b": ("x", None, 0.6)}) == {}
    assert learning_groups({"a": ("", 10, 0.5), "b": ("x", 10, 0.6)}) == {}
    assert learning_groups({"a": ("x", 6000, 0.5), "b": ("x", None, 0.6)}) == {}


def test_of_several_variants_that_learned_from_all_images_none_is_the_last_of_its_group() -> None:
    parts = {"few": ("", 10, 0.5), "wide": ("", None, 0.7), "deep": ("", None, 0.8), "more": ("", 100, 0.6)}
    assert learning_groups(parts) == {"": ["few", "more"]}


def test_features_are_read_where_they_are_told() -> None:
    told = made_up.features(side=224, pretrained=False)
    first, *others = read_results(changed("details", "network", "features", to=told)).variants
    assert first.features is not None
    assert (first.features.backbone, first.features.side) == ("mobilenetv2-1.0", 224)
    assert (first.features.before_last_block, first.features.pretrained) == (False, False)
    assert [v.features for v in others] == [None, None]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("title",), None, "title is None; expected text"),
        (("title",), "x" * 2001, "title has 2001 characters; expected at most 2000"),
        (("seeds",), "01234", "seeds is '01234'; expected a list"),
        (("seeds", 1), True, r"seeds\[1\] is True; expected a whole number"),
        (("dataset", "train"), 5.5, "dataset.train is 5.5; expected a whole number"),
        (("trials", 2, "status"), "done", r"trials\[2\].status is 'done'; expected 'finished' or 'failed'"),
        (
            ("trials", 0, "metrics", "test_accuracy"),
            float("nan"),
            r"test_accuracy'\] is nan; expected a finite number",
        ),
        (("trials", 0, "metrics", "test_accuracy"), 10**400, r"test_accuracy'\] is 1000.*; expected a finite number"),
        (
            ("trials", 0, "history", "step"),
            [1, 2],
            r"trials\[0\] has a history with lists of different lengths; expected one length",
        ),
        (("variants", "network"), [], r"variants\['network'\] is \[\]; expected an object"),
        (("claims", 0, "verdict"), "true", r"claims\[0\].verdict is 'true'; expected one of supported, refuted"),
        (("details", "network", "multiply_adds"), 1.5, r"\['network'\].multiply_adds is 1.5; expected a whole number"),
        (("details", "network", "examples"), 0, r"\['network'\].examples is 0; expected a whole number from 1 on"),
        (("details", "network", "examples"), 2.5, r"\['network'\].examples is 2.5; expected a whole number"),
        (("details", "network", "examples"), True, r"\['network'\].examples is True; expected a whole number"),
        (("trials", 0, "variant"), "other", "details has no 'other'; expected each variant that has trials or means"),
        (("request", "engine"), "steam", "request.engine is 'steam'; expected 'compiled' or 'plain' or 'fit'"),
        (("details",), {str(k): {} for k in range(201)}, "details has 201 entries; expected at most 200"),
        (("details", "network", "features"), "all", r"\['network'\].features is 'all'; expected an object"),
        (("details", "network", "features"), {}, r"\['network'\].features.backbone is None; expected text"),
        (
            ("details", "network", "features"),
            made_up.features(side=0),
            r"features.side is 0; expected a whole number from 32 on",
        ),
        (
            ("details", "network", "features"),
            made_up.features(pretrained="no"),
            r"features.pretrained is 'no'; expected true or false",
        ),
        (("exhibits", 0, "kind"), ["matrix"], r"exhibits\[0\].kind is \['matrix'\]; expected one of matrix"),
        (("trials", 2, "status"), ["done"], r"trials\[2\].status is \['done'\]; expected 'finished' or 'failed'"),
        (("claims", 0, "verdict"), [], r"claims\[0\].verdict is \[\]; expected one of supported, refuted"),
        (("exhibits", 0, "kind"), "video", r"exhibits\[0\].kind is 'video'; expected one of matrix"),
        (
            ("exhibits", 0, "rows"),
            ["0"],
            r"exhibits\[0\] has values of another shape than its rows and columns; expected 1 × 10",
        ),
        (("exhibits", 2, "lines", 0, "x"), [1.0], r"exhibits\[2\].lines\[0\] has 1 x and 60 y"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(StorageError, match=message) as caught:
        read_results(changed(*path, to=value))
    assert caught.value.message.startswith("The evidence is damaged: ")
    assert "forty run" in caught.value.hint


def test_text_cannot_steer_a_terminal_or_turn_the_direction_of_writing() -> None:
    assert clean("a\x1b[2Jb\u202ec\x07\nd") == "a\ufffd[2Jb\ufffdc\ufffd d"
    assert clean("ReLU ≥ 95% – π") == "ReLU ≥ 95% – π"
    results = read_results(changed("title", to="\x1b]0;owned\x07"))
    assert "\x1b" not in results.title


@pytest.mark.parametrize(
    "png",
    [
        'x" onerror="alert(1)',
        "PHN2Zz4=",  # base64 of an SVG file
        "iVBORw0KGgo",  # not a whole number of bytes
        made_up.png(4, 0) + "\n",
        made_up.png(4, 0) + "A" * 500_000,
        None,
        7,
    ],
)
def test_what_is_not_a_small_png_file_is_no_picture(png: Any) -> None:
    document = changed("exhibits", 1, "pictures", 0, "png", to=png)
    (pictures,) = [e for e in read_results(document).exhibits if isinstance(e, Pictures)]
    assert (pictures.pictures[0].png, pictures.pictures[0].label) == ("", "0 → 5 99%")
    assert pictures.pictures[1].png == made_up.png(28, 1)

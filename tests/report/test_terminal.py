"""What is printed in a terminal."""

import copy
import io
import re
from itertools import pairwise
from typing import Any

import made_up
import numpy as np
import pytest
from rich.console import Console

from fortydays.base.errors import StorageError
from fortydays.report import terminal


def printed(document: dict[str, Any], *, width: int = 80, encoding: str = "utf-8", **options: Any) -> str:
    """What a console shows of a document."""
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding)
    console = Console(file=file, width=width, **options)
    terminal.print_evidence(document, console, source="your run day04-20261122-140311-beef")
    file.flush()
    return buffer.getvalue().decode(encoding)


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(made_up.evidence())


def test_the_header_says_what_when_and_where_from(document: dict[str, Any]) -> None:
    text = printed(document)
    assert text.startswith("Day 4 · Overfitting and regularization\n")
    assert "mnist 5ec0ffee5ec0: 55,000 to train, 5,000 to validate, 10,000 to test" in text
    assert "seeds 0 to 4 · your run day04-20261122-140311-beef · 2026-11-22" in text
    assert "Made-up processor at 2.0 GHz · 2 threads · keras 3.15.1" in text


def test_a_study_of_ones_own_and_what_was_asked_for(document: dict[str, Any]) -> None:
    document["day"] = None
    document["request"] |= {"only": ["plain"], "settings": ["epochs=1"]}
    text = printed(document)
    assert text.startswith("Study · Overfitting")
    assert "asked for: plain, epochs=1" in text


def test_results_stand_in_rows_by_group_with_half_the_interval(document: dict[str, Any]) -> None:
    text = printed(document)
    assert re.search(r"^network +97\.23% ± 0\.07 +2\.28 +0\.0834 +9\.\d +5 +320 ± 56$", text, re.MULTILINE)
    assert re.search(r"^optimizers *\nsgd fair +95\.52% ± 0\.10 +0\.29 +0\.1347 +9\.\d +4 ", text, re.MULTILINE)


def test_numbers_that_do_not_fit_continue_below_for_the_variants_that_have_them(document: dict[str, Any]) -> None:
    below = printed(document).split("collapse error")[1]
    table = below.split("\n\n")[0]
    assert re.search(r"^network +9\.0e-07 ± 5\.9e-07$", table, re.MULTILINE)
    assert "dropout" not in table


def test_a_target_that_some_seeds_never_reached_is_counted(document: dict[str, Any]) -> None:
    document["trials"][0]["metrics"]["steps_to_0.95"] = None
    del document["variants"]["network"]["steps_to_0.95"]
    assert re.search(r"^network .* in 4 of 5 *$", printed(document), re.MULTILINE)


def test_claims_tell_verdict_by_sign_and_word_value_and_what_would_decide(document: dict[str, Any]) -> None:
    document["claims"][3]["seeds_needed"] = 280
    text = re.sub(r"\s+", " ", printed(document))
    assert "✓ supported The network names at least 97% of the test digits 97.23% (97.16 to 97.30), 5 seeds" in text
    assert "✗ refuted SGD reaches 95% in fewer steps than Adam +2,050 steps" in text
    assert "4 seeds; seeds of one variant only are left out: 4" in text
    assert "? undecided Dropout makes no difference" in text
    assert "280 fresh seeds would decide it 4 times in 5, if this is the true value" in text


COSTS = {"lenet": (651_720, 0.65), "network": (4_311_000, 0.74), "older": (None, 0.7)}


def test_costs_stand_beside_what_they_buy() -> None:
    table = printed(made_up.evidence_of_costs(COSTS)).split("Accuracy against cost\n")[1].split("\n\n")[0]
    assert re.match(r"variant +parameters +multiply-adds +seconds +test accuracy *\n", table)
    assert re.search(r"^lenet +101,770 +652 k +21\.0 +65\.00% ± 0\.25 *$", table, re.MULTILINE)
    assert re.search(r"^network +101,770 +4\.31 M +21\.0 +74\.00% ± 0\.25 *$", table, re.MULTILINE)
    assert re.search(r"^older +101,770 +– +21\.0 +70\.00% ± 0\.25 *$", table, re.MULTILINE)


def test_alike_costs_are_not_worth_a_table(document: dict[str, Any]) -> None:
    assert "Accuracy against cost" not in printed(document)
    assert "Accuracy against cost" not in printed(made_up.evidence_of_costs({"a": (5, 0.6), "b": (5, 0.7)}))


PARTS = {
    "transfer": ("transfer", None, 0.86), "fine-tuned": ("", None, 0.88), "transfer 10": ("transfer", 10, 0.6),
    "scratch 1000": ("from scratch", 1000, 0.2),
}  # fmt: skip


def test_what_was_reached_from_how_many_training_images_stands_in_a_table(document: dict[str, Any]) -> None:
    text = printed(made_up.evidence_of_images(PARTS))
    table = text.split("Accuracy against training images\n")[1].split("± is half")[0]
    assert re.search(r"^variant +images +test accuracy *$", table, re.MULTILINE)
    rows = (
        r"^transfer *\n"
        r"transfer +55,000 +86\.00% ± 0\.25 *\n"
        r"transfer 10 +100 +60\.00% ± 0\.25 *\n"
        r" *\n"
        r"from scratch *\n"
        r"scratch 1000 +10,000 +20\.00% ± 0\.25 *$"
    )
    assert re.search(rows, table, re.MULTILINE)
    assert "fine-tuned" not in table
    assert "Accuracy against training images" not in printed(document)
    alike = made_up.evidence_of_images({"a": ("x", 10, 0.5), "b": ("x", 10, 0.6)})
    assert "Accuracy against training images" not in printed(alike)
    assert "scratch 1000" in printed(made_up.evidence_of_images(PARTS), encoding="ascii").split("training images\n")[1]


def confusions(classes: tuple[str, ...]) -> dict[str, Any]:
    values = [[987 if r == c else (r + c) % 3 for c in range(len(classes))] for r in range(len(classes))]
    values[1][0] = 321
    names = list(classes)
    return made_up.exhibits()[0] | {"rows": names, "columns": names, "values": values}


@pytest.mark.parametrize("width", [80, 60])
def test_a_confusion_matrix_fits_though_its_classes_have_long_names(document: dict[str, Any], width: int) -> None:
    document["exhibits"] = [confusions(made_up.CIFAR10)]
    text = printed(document, width=width)
    assert "Confusion matrix on the test split  network, seed 2" in text
    heads = r"^ +airp\w* +auto\w* +bird +cat +deer +dog +frog +hors\w* +ship +truc\w* *$"
    assert re.search(heads, text, re.MULTILINE)
    assert re.search(r"^automobile +321 +987 +0 +1 +2 +0 +1 +2 +0 +1 *$", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines()) <= width


def test_of_a_matrix_too_wide_for_the_screen_the_largest_mistakes_are_told(document: dict[str, Any]) -> None:
    document["exhibits"] = [confusions(tuple(f"class {k}" for k in range(40)))]
    text = printed(document)
    assert "The largest values:\nclass 1 → class 0  321\nclass 0 → class 2  2\n" in re.sub(r" +\n", "\n", text)
    assert text.count(" → class") == 8
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_search_tells_what_was_tried_and_warns_at_its_edge(document: dict[str, Any]) -> None:
    assert "learning_rate 0.1  0.01 (92.1%), 0.1 (95.6%), 0.5 (95.1%), 1 (90.2%)" in printed(document)
    document["details"]["sgd fair"]["search"] |= {"chosen": 1.0, "at_edge": True}
    assert "the best may lie beyond" in re.sub(r"\s+", " ", printed(document))


def test_failed_trials_are_named_with_their_error(document: dict[str, Any]) -> None:
    assert "✗ sgd fair, seed 4, failed: The loss stopped being a number in epoch 2." in printed(document)


def test_one_seed_shows_no_interval() -> None:
    table = printed(made_up.evidence(seeds=(0,))).split("plain")[-1]
    results = table.split("± is half")[0]
    assert "97.21%" in results
    assert "±" not in results
    assert "? undecided" in results
    assert "at least 2 are needed" in re.sub(r"\s+", " ", results)


@pytest.mark.parametrize("width", [80, 200, 60])
@pytest.mark.parametrize("colored", [True, False])
def test_no_line_is_longer_than_the_screen_or_80_columns(document: dict[str, Any], width: int, colored: bool) -> None:
    document["details"]["network"]["description"] = "long " * 100
    document["machine"]["cpu_model"] = "A processor with a name that goes on and on @ 3.00GHz " * 3
    document["trials"][-1]["error"] = "An error that says a lot. " * 10
    text = printed(document, width=width, force_terminal=colored, color_system="truecolor" if colored else None)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(len(line) for line in plain.splitlines()) <= min(width, 80)


def test_long_names_of_variants_are_broken_not_cut() -> None:
    name = "a name of forty letters, as long as can"[:39].replace(",", "")
    text = made_up.evidence()
    renamed = copy.deepcopy(text)
    renamed["details"] = {name if k == "network" else k: v for k, v in text["details"].items()}
    renamed["variants"] = {name if k == "network" else k: v for k, v in text["variants"].items()}
    for trial in renamed["trials"]:
        trial["variant"] = name if trial["variant"] == "network" else trial["variant"]
    shown = printed(renamed)
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "a name of forty letters as" in shown
    assert re.search(r"^long as can", shown, re.MULTILINE)


def test_no_color_means_no_escape_codes_and_lines_of_letters(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(document, force_terminal=True)
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", text))
    assert codes <= {"0", "1", "2", "3"}  # bold, dim and italic may stay, colors may not
    assert "aaaa" in text
    assert "a network   b network with dropout" in text


def test_with_color_lines_are_fine_dots_in_the_color_of_their_key(document: dict[str, Any]) -> None:
    text = printed(document, force_terminal=True, color_system="truecolor")
    assert re.search("[\u2801-\u28ff]{3}", text)
    assert text.count("38;2;0;114;178") > 1


def test_ascii_is_enough(document: dict[str, Any]) -> None:
    text = printed(document, encoding="ascii")
    assert "97.23% +/- 0.07" in text
    assert "x refuted" in text
    assert "-0.39 points (-0.42 to -0.35), 5 seeds" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_too_short_a_training_has_no_picture_but_its_numbers(document: dict[str, Any]) -> None:
    for trial in document["trials"]:
        trial["history"] = {name: column[:1] for name, column in trial["history"].items()}
    text = printed(document)
    assert "Validation accuracy" not in text
    assert "97.23%" in text


def test_equal_curves_are_a_line_and_not_an_error(document: dict[str, Any]) -> None:
    for trial in document["trials"]:
        if trial["history"]:
            trial["history"]["validation_accuracy"] = [0.5] * len(trial["history"]["step"])
    assert "50.0%┤bbbbb" in printed(document)


def test_only_failures_are_shown_as_such(document: dict[str, Any]) -> None:
    document["trials"] = [made_up.failed(name, 0) for name in made_up.VARIANTS]
    document |= {"variants": {}, "claims": [], "exhibits": []}
    text = printed(document)
    assert text.count("failed: The loss stopped being a number") == 3


def test_markup_and_terminal_commands_in_evidence_are_shown_not_obeyed(document: dict[str, Any]) -> None:
    document["title"] = "[red]x[/] \x1b[2J"
    text = printed(document, force_terminal=True)
    assert "[red]x[/] \ufffd[2J" in text
    assert "\x1b[2J" not in text


def test_damaged_evidence_is_refused() -> None:
    with pytest.raises(StorageError, match="claims is 3; expected a list"):
        printed(made_up.evidence(claims=3))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), (0.93, 0.99, [0.94, 0.96, 0.98]), (5.0, 5.0, [5.0])],
)
def test_ticks_are_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert terminal.nice_ticks(low, high, most=6 if high == 1.0 else 5) == pytest.approx(ticks)


def test_a_line_has_a_point_in_every_cell_it_crosses() -> None:
    x, y = terminal.joined(np.array([0.0, 10.0]), np.array([0.0, 1.0]), across=1, up=4)
    assert len(x) == 11
    assert max(b - a for a, b in pairwise(x)) == pytest.approx(1.0)
    assert (x[-1], y[-1]) == (10.0, 1.0)


def test_a_withdrawn_claim_has_its_reason_in_the_place_of_a_verdict(document: dict[str, Any]) -> None:
    document["withdrawn"] = [{"claim": "It is so", "reason": "The control cannot learn."}]
    text = printed(document)
    assert "– withdrawn It is so" in text
    assert "The control cannot learn." in text


def test_what_marginal_and_flagged_mean_stands_below_the_claims(document: dict[str, Any]) -> None:
    marginal = "Marginal: the verdict stands only as long as one looks at this claim alone."
    flagged = "Flagged: by a check that the claim, or a variant of it, did not pass."
    document["claims"] = [each | {"marginal": False, "flags": []} for each in document["claims"]]
    text = " ".join(printed(document).split())
    assert marginal not in text
    assert flagged not in text
    document["claims"][0]["flags"] = ["pairing decides"]
    assert " ".join(printed(document).split()).endswith(f" {flagged}")
    document["claims"][1]["marginal"] = True
    assert " ".join(printed(document).split()).endswith(f" {marginal} {flagged}")


def test_checks_that_were_not_passed_stand_before_the_verdicts_and_claims_name_them(document: dict[str, Any]) -> None:
    assert "check  " not in printed(document)
    document["claims"][1]["flags"] = ["pairing decides"]
    text = " ".join(printed(document | {"checks": made_up.CHECKS}).split())
    assert "not converged network: it still rises" in text
    assert "sgd fair: it <still> falls (expected: it is slow)" in text
    assert "pairing decides claim 2: it is undecided" in text
    assert "flagged: pairing decides" in text
    assert text.index("claim 2: it is undecided") < text.index(document["claims"][0]["claim"])

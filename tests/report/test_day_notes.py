"""Notes whose numbers come from evidence."""

import copy
import io
import re
from typing import Any

import made_up
import pytest
from rich.console import Console

from fortydays.base.errors import UsageError
from fortydays.report.notes import for_terminal, print_notes, render_notes, to_html


@pytest.fixture
def evidence() -> dict[str, Any]:
    return copy.deepcopy(made_up.evidence())


@pytest.mark.parametrize(
    ("placeholder", "text"),
    [
        ('mean("network", "test_accuracy")', "97.2%"),
        ('mean("network", "test_accuracy", digits=2)', "97.23%"),
        ('mean("network", "steps_to_0.95")', "320"),
        ('spread("network", "test_accuracy")', "97.23% ± 0.07"),
        ('deviation("network", "test_accuracy")', "0.1 points"),
        ('ratio("sgd fair", "network", "steps_to_0.95")', "7.4"),
        ('difference("network with dropout", "network", "test_accuracy")', "+0.1 ± 0.1 points"),
        ('difference("sgd fair", "network", "steps_to_0.95")', "+2,050 ± 159 steps"),
        ('epochs("network")', "6 epochs"),
        ("verdict(1)", "supported"),
        ("claim(1)", r"The network names at least 97% of the test digits"),
        ("value(1)", "97.23% (97.16 to 97.30), 5 seeds"),
        ('recipe("network", "epochs")', "6"),
        ('recipe("network", "monitor")', "validation_loss"),
        ('recipe("network", "patience")', "none"),
        ('recipe("sgd fair", "optimizer_options.momentum")', "0.9"),
        ('parameters("network")', "101,770"),
        ('chosen("sgd fair")', "0.1"),
        ("seeds()", "5"),
        ('dataset("train")', "55,000"),
        ('dataset("name")', "mnist"),
        ('dataset("classes")', "10"),
    ],
)
def test_placeholders_become_numbers_of_the_evidence(evidence: dict[str, Any], placeholder: str, text: str) -> None:
    assert render_notes(f"Here: {{{{ {placeholder} }}}}.", evidence) == f"Here: {text}."


def test_multiply_adds_are_told_in_three_digits_or_missed(evidence: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="does not say how many multiply-adds 'network' does"):
        render_notes('{{ multiply_adds("network") }}', evidence)
    evidence["details"]["network"]["multiply_adds"] = 26_543_104
    assert render_notes('{{ multiply_adds("network") }}', evidence) == "26.5 M"


def test_a_withdrawn_claim_is_told_with_its_reason_and_a_missing_one_refused(evidence: dict[str, Any]) -> None:
    evidence["withdrawn"] = [{"claim": "it is *so*", "reason": "No control."}]
    assert render_notes("{{ withdrawn(1) }}: {{ reason(1) }}", evidence) == r"it is \*so\*: No control."
    with pytest.raises(UsageError, match="There is no withdrawn claim 2; the evidence has 1"):
        render_notes("{{ reason(2) }}", evidence)


def test_a_difference_is_by_hand_what_the_seeds_give(evidence: dict[str, Any]) -> None:
    for trial in evidence["trials"]:
        if trial["variant"] == "network with dropout":
            trial["metrics"]["test_accuracy"] = 0.98 + 0.001 * trial["seed"]
        elif trial["variant"] == "network":
            trial["metrics"]["test_accuracy"] = 0.97
    # Differences 1.0 to 1.4 points: mean 1.2, standard deviation 0.158, half the interval 2.776 * 0.158 / sqrt(5).
    notes = '{{ difference("network with dropout", "network", "test_accuracy") }}'
    assert render_notes(notes, evidence) == "+1.2 ± 0.2 points"


def test_with_one_seed_there_is_a_mean_and_no_interval() -> None:
    one = made_up.evidence(seeds=(0,))
    assert re.fullmatch(r"97\.\d%", render_notes('{{ spread("network", "test_accuracy") }}', one))


def test_without_evidence_numbers_are_a_dash_and_a_first_line_says_why() -> None:
    notes = render_notes('# Title\n\n{{ mean("any", "thing") }} of {{ seeds() }}\n', None)
    assert notes.startswith("*This day has no evidence yet")
    assert notes.endswith("# Title\n\n— of —\n")


@pytest.mark.parametrize(
    ("placeholder", "message", "hint"),
    [
        (
            'mean("netwrk", "test_accuracy")',
            "no variant 'netwrk'. Did you mean 'network'?",
            "sgd fair",
        ),
        (
            'mean("network", "test_acuracy")',
            "no metric 'test_acuracy' of the variant 'network'. Did you mean",
            "test_loss",
        ),
        (
            'recipe("network", "epoch")',
            "no recipe field 'epoch' of the variant 'network'. Did you mean 'epochs'?",
            "batch_size",
        ),
        ("verdict(7)", "There is no claim 7; the evidence has 6, counted from 1.", ""),
        ("verdict(0)", "There is no claim 0", ""),
        ('chosen("network")', "'network' did not choose a setting.", ""),
        ('dataset("size")', "no fact 'size' of a dataset", "validation"),
        ("men(1)", "there is no such function ('men' is undefined)", "mean"),
        ("mean(", "is not a placeholder", "mean"),
        ('mean("network")', "missing 1 required positional argument: 'metric'", "mean"),
        ('"".__class__.__mro__', "cannot be evaluated: access to attribute '__class__'", "mean"),
        ("mean.__globals__", "cannot be evaluated", "mean"),
        ("range(3)", "there is no such function", "mean"),
    ],
)
def test_an_unknown_name_is_told_with_file_line_and_placeholder(
    evidence: dict[str, Any], placeholder: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        render_notes(f"# Title\n\nText {{{{ {placeholder} }}}}", evidence, file="day04_regularization/notes.md")
    assert caught.value.message.startswith("day04_regularization/notes.md, line 3: {{ " + placeholder + " }}")
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_target_not_reached_by_every_seed_has_no_mean_but_a_difference(evidence: dict[str, Any]) -> None:
    evidence["trials"][0]["metrics"]["steps_to_0.95"] = None
    del evidence["variants"]["network"]["steps_to_0.95"]
    with pytest.raises(UsageError, match=r"'network' reached steps_to_0\.95 in 4 of 5 seeds only, so it has no mean"):
        render_notes('{{ mean("network", "steps_to_0.95") }}', evidence)
    shown = render_notes('{{ difference("sgd fair", "network", "steps_to_0.95") }}', evidence)
    assert shown.endswith(" steps")


def test_a_mistyped_placeholder_is_found_before_there_is_evidence() -> None:
    with pytest.raises(UsageError, match=r"notes\.md, line 1: \{\{ mean\( \}\} is not a placeholder"):
        render_notes("{{ mean( }}", None)


def test_text_from_evidence_cannot_become_markdown(evidence: dict[str, Any]) -> None:
    evidence["claims"][0]["claim"] = "![x](http://a.example/x.png) <b>*bold*</b> [l](http://a.example)"
    html = to_html(render_notes("{{ claim(1) }}", evidence))
    assert html == "<p>![x](http://a.example/x.png) &lt;b&gt;*bold*&lt;/b&gt; [l](http://a.example)</p>\n"


def test_notes_as_html_have_no_markup_of_their_own_and_lower_headings() -> None:
    html = to_html(
        "# One\n\n## Two\n\n<script>alert(1)</script>\n\n![x](http://a.example/x.png)\n\n[l](javascript:x)\n"
    )
    assert "<h2>One</h2>" in html
    assert "<h3>Two</h3>" in html
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


def test_tables_and_code_of_notes_reach_the_page() -> None:
    html = to_html("| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx < 1\n```\n")
    assert "<table>" in html
    assert "<td>2</td>" in html
    assert "x &lt; 1" in html


QUESTIONS = "## Check\n\n- One?\n\n  > Yes: 1 < 2,\n  > and more.\n\n- Two?\n\n  > No.\n\n> A quotation.\n"


def test_a_picture_of_the_day_stands_with_its_caption_where_the_notes_name_it() -> None:
    drawn = {"way": lambda: '<svg><path id="p"/><use xlink:href="#p"/></svg>'}
    html = to_html("Before.\n\n![From a\nto b < c](way)\n\n![Again](way)\n\nAfter ![x](way).\n", drawn)
    assert html == (
        "<p>Before.</p>\n"
        '<figure>\n<svg role="img" aria-label="From a to b &lt; c"><path id="n1-p"/><use href="#n1-p"/></svg>\n'
        "<figcaption>From a to b &lt; c</figcaption>\n</figure>\n"
        '<figure>\n<svg role="img" aria-label="Again"><path id="n2-p"/><use href="#n2-p"/></svg>\n'
        "<figcaption>Again</figcaption>\n</figure>\n"
        '<p>After !<a href="way">x</a>.</p>\n'
    )


def test_a_picture_that_the_day_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(UsageError, match="There is no figure 'wya' of the day") as caught:
        to_html("![x](wya)\n", {"way": lambda: "<svg></svg>"})
    assert "way" in str(caught.value.hint)


def test_answers_are_folded_on_the_page_and_quotations_are_not() -> None:
    html = to_html(QUESTIONS)
    assert html.count("<details>\n<summary>Answer</summary>\n<p>") == html.count("</details>") == 2
    assert "<p>Yes: 1 &lt; 2,\nand more.</p>" in html
    assert "<blockquote>\n<p>A quotation.</p>\n</blockquote>" in html


def test_in_a_terminal_answers_are_shown_to_those_who_ask_and_pictures_are_told() -> None:
    notes = f"![From a\nto b](way)\n\n{QUESTIONS}"
    shown = for_terminal(notes)
    assert shown.startswith("*Picture on the page: From a to b*\n")
    assert "Yes" not in shown
    assert "- Two?" in shown
    assert "> A quotation." in shown
    assert shown.endswith("*The answers to the questions: the same command with --answers*\n")
    asked = for_terminal(notes, answers=True)
    assert "  > Yes: 1 < 2,\n  > and more." in asked
    assert "--answers" not in asked
    assert for_terminal("No question.\n") == "No question.\n"


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "±"), ("ascii", "+/-")])
def test_notes_in_a_terminal_fit_80_columns_and_its_encoding(
    evidence: dict[str, Any], encoding: str, sign: str
) -> None:
    notes = "# Title\n\n" + 'It reaches {{ spread("network", "test_accuracy") }}. ' * 10 + "\n\n- one\n- two\n"
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding)
    print_notes(render_notes(notes, evidence), Console(file=file, width=120))
    file.flush()
    text = buffer.getvalue().decode(encoding)
    assert f"97.23% {sign} 0.07" in text
    assert max(len(line) for line in text.splitlines()) <= 80

"""Formulas in TeX, and what a terminal shows of them."""

import pytest

from fortydays.base.errors import UsageError
from fortydays.report.formulas import as_code, as_text, formulas_of


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\hat{y} = \operatorname{softmax}(W_1 x + b)", "ŷ = softmax(W₁ x + b)"),
        (r"L = -\log \hat{y}_t", "L = −log ŷₜ"),
        (r"W \leftarrow W - \eta \frac{\partial L}{\partial W}", "W ← W − η ∂L/∂W"),
        (r"\sigma(z) = \frac{1}{1 + e^{-z}}", "σ(z) = 1 / (1 + e⁻ᶻ)"),
        (r"1 - \tanh^2 z", "1 − tanh² z"),
        (r"\hat{m} = \frac{m}{1 - \beta_1^t}", "m̂ = m / (1 − β₁ᵗ)"),
        (r"\frac{\hat{m}}{\sqrt{\hat{s}} + \epsilon}", "m̂ / (√ŝ + ε)"),
        (r"w_{u, v, c} \cdot x_{i + u}", "w[u, v, c] · x[i + u]"),
        (r"x^{a b}", "x^(a b)"),
        (r"3 \cdot 3 + 32", "3·3 + 32"),
        (r"784 \times 10", "784 × 10"),
        (r"\sqrt{\frac{p (1 - p)}{n}}", "√(p (1 − p) / n)"),
        (r"p \text{ of } 95\%", "p of 95%"),
        (r"from \text{ } {-0.1}", "from −0.1"),
        (r"f(x, -1)", "f(x, −1)"),
        (r"a \qquad b", "a      b"),
    ],
)
def test_a_formula_reads_as_one_writes_it_by_hand(tex: str, text: str) -> None:
    assert as_text(tex) == text


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\frac{1}{5} (a + b)", "(1/5) (a + b)"),  # not 1 / (5 (a + b))
        (r"c \frac{a}{b}", "c a/b"),
        (r"\log \frac{a}{b}", "log (a/b)"),  # not (log a) / b
        (r"\frac{a + b}{c}", "(a + b) / c"),
        (r"\frac{a}{b c}", "a / (b c)"),
        (r"\frac{a}{b}^2", "(a/b)²"),
        (r"\frac{-a}{2}", "−a/2"),
    ],
)
def test_a_quotient_in_one_line_keeps_its_meaning(tex: str, text: str) -> None:
    assert as_text(tex) == text


def test_rows_are_lines_and_their_columns_stay_columns() -> None:
    rows = r"&\text{SGD} & w &\leftarrow w - \eta g \\ &\text{momentum} & v &= \hat{v} \\[1em] && w &= v"
    tex = rf"\begin{{aligned}} {rows} \end{{aligned}}"
    assert as_text(tex) == "SGD        w ← w − η g\nmomentum   v = v̂\n           w = v"


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\fraq{1}{2}", r"There is no sign '\\fraq' of formulas. Did you mean '\\frac'?"),
        (r"\begin{matrix} a \end{matrix}", "There is no environment 'matrix' of formulas"),
        (r"\frac{1}", "lacks what a sign is applied to"),
        (r"{a", "opens a group that it does not close"),
        (r"a}", "closes a group that it does not open"),
        (r"_a", "has nothing before '_'"),
        (r"\text a", "has a text without braces"),
    ],
)
def test_what_has_no_form_in_characters_is_refused_with_its_name(tex: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        as_text(tex)
    assert message.replace("\\\\", "\\") in caught.value.message.replace("\\\\", "\\")


def test_formulas_are_found_between_dollars_and_not_in_code_or_prices() -> None:
    text = "It is $a$, `$b$`, \\$5 or 5 $ and $ 6.\n\n```sh\necho $c $d\n```\n\n$$\nx_1\n$$\n\nand $y\nz$.\n"
    assert formulas_of(text) == [("a", False), ("x_1", True), ("y\nz", False)]
    assert as_code("So $x_1$:\n\n$$\n1 + 1\n$$\n") == "So `x₁`:\n\n```text\n1 + 1\n```\n"

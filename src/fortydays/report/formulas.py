r"""Formulas in Markdown: written once, in TeX between dollars, and shown as a terminal can show them.

``$W_1 x$`` is part of a sentence, ``$$...$$`` stands on lines of its own. A page has them typeset
(:mod:`fortydays.report.typesetting`). Where there are characters alone, they become the signs of Unicode:
``\hat{y}_k \leftarrow \frac{1}{n}`` is "ŷₖ ← 1/n". What has no such form is refused with its name: nothing is lost.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fortydays.base.errors import UsageError, unknown_name

_FORMULA = re.compile(
    r"^(?P<fence>`{3,}).*?^(?P=fence)$"
    r"|(?P<code>`+)(?!`).+?(?<!`)(?P=code)(?!`)"
    r"|(?<![\\$])\$\$(?P<block>[^$]+)\$\$"
    r"|(?<![\\$])\$(?P<inline>[^\s$](?:[^$]*[^\s$\\])?)\$(?!\$)",
    re.DOTALL | re.MULTILINE,
)
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)

_LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ε", "eta": "η", "lambda": "λ", "mu": "μ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "varphi": "φ", "Phi": "Φ", "partial": "∂", "ell": "ℓ", "infty": "∞", "dots": "…",
    "sum": "Σ", "mid": "|", "%": "%", "theta": "θ", "delta": "δ", "tau": "τ",
}  # fmt: skip
_BINARY = {"+": "+", "-": "−", "cdot": "·", "times": "×", "pm": "±", "odot": "⊙"}
_RELATIONS = {"=": "=", "<": "<", ">": ">", "leftarrow": "←", "approx": "≈", "le": "≤", "ge": "≥", "in": "∈",
              "ne": "≠", "sim": "~", "to": "→"}  # fmt: skip
_FUNCTIONS = ("cos", "exp", "log", "max", "min", "tanh", "sin")
_SPACES = {"quad": "   ", "qquad": "      ", ",": "", ";": " ", " ": " ", "!": ""}
_MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_SIZES = ("left", "right", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "textstyle")
_BELOW = str.maketrans("0123456789+−=aehijklmnoprstuvxβγρφ", "₀₁₂₃₄₅₆₇₈₉₊₋₌ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩ")
_ABOVE = str.maketrans("0123456789+−=abcdefghijklmnoprstuvwxyzTβγφ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀᵝᵞᵠ")
_ENVIRONMENTS = ("aligned", "array")
_GAP = "   "


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A part of a formula: its signs, and what it is to its neighbors."""

    text: str
    kind: str = "sign"  # sign, number, name, binary, relation, open, close, comma, space, quotient, words


def with_formulas(markdown: str, shown: Callable[[str, bool], str]) -> str:
    """Markdown with something in the place of its formulas; code keeps its dollars.

    Args:
        markdown: a text with formulas in TeX.
        shown: what to put there, given the TeX, and whether it stands on lines of its own.
    """

    def one(match: re.Match[str]) -> str:
        if match["block"] is not None:
            return shown(match["block"].strip(), True)
        return shown(match["inline"], False) if match["inline"] is not None else match[0]

    return _FORMULA.sub(one, markdown)


def formulas_of(markdown: str) -> list[tuple[str, bool]]:
    """The formulas of a text: the TeX of each, and whether it stands on lines of its own."""
    found: list[tuple[str, bool]] = []

    def note(tex: str, block: bool) -> str:
        found.append((tex, block))
        return ""

    with_formulas(markdown, note)
    return found


def as_code(markdown: str) -> str:
    """Markdown whose formulas are code: characters that a terminal shows as they are.

    Raises:
        UsageError: a formula has no form in characters.
    """
    return with_formulas(
        markdown, lambda tex, block: f"```text\n{as_text(tex)}\n```" if block else f"`{as_text(tex)}`"
    )


def as_text(tex: str) -> str:
    r"""A formula in characters; the rows of ``aligned`` and ``array`` are lines, and their columns stay columns.

    Args:
        tex: TeX of the part that :mod:`fortydays.report.formulas` knows.

    Raises:
        UsageError: it has something else; the message names it.
    """
    whole = re.fullmatch(r"\s*\\begin\{(\w+)\}(?:\{[lcr ]+\})?(.*)\\end\{(\w+)\}\s*", tex, re.DOTALL)
    if whole is None:
        return _line(tex)
    if whole[1] not in _ENVIRONMENTS or whole[3] != whole[1]:
        raise unknown_name("environment", whole[1], _ENVIRONMENTS, of="formulas")
    rows = [[_line(cell) for cell in row.split("&")] for row in re.split(r"\\\\(?:\[[^\]]*\])?", whole[2])]
    rows = [row for row in rows if any(row)] if not any(rows[-1]) else rows
    return _table(rows, in_pairs=whole[1] == "aligned")


def _table(rows: list[list[str]], *, in_pairs: bool) -> str:
    """Cells under each other. In pairs, the first of two stands at the right of its column, next to the second."""
    count = max(map(len, rows))
    full = [[*row, *[""] * (count - len(row))] for row in rows]
    widths = [max(len(_flat(row[place])) for row in full) for place in range(count)]
    lines = []
    for row in full:
        line = ""
        for place, cell in enumerate(row):
            pad = " " * (widths[place] - len(_flat(cell)))
            right = in_pairs and place % 2 == 0
            apart = _GAP if line.strip() or any(widths[:place]) else ""
            between = " " if in_pairs and place % 2 and widths[place - 1] else apart
            line += (between if widths[place] else "") + (pad + cell if right else cell + pad)
        lines.append(line.rstrip())
    return "\n".join(lines)


def _flat(text: str) -> str:
    """A text without the marks that take no column of their own."""
    return "".join(each for each in text if not unicodedata.combining(each))


def _line(tex: str) -> str:
    reader = _Reader(tex)
    pieces = reader.pieces("")
    if reader.left:
        raise UsageError(f"The formula {tex.strip()!r} closes a group that it does not open.")
    return _joined(pieces).strip()


class _Reader:
    """Reads TeX from left to right."""

    def __init__(self, tex: str) -> None:
        self._tex = tex
        self._tokens = _TOKEN.findall(tex)
        self._at = 0

    @property
    def left(self) -> bool:
        """Whether there is more to read."""
        return self._at < len(self._tokens)

    def pieces(self, end: str) -> list[_Piece]:
        """All up to a closing brace, or up to the end."""
        found: list[_Piece] = []
        while self.left and self._tokens[self._at] != "}":
            sign = self._next()
            if sign.isspace():
                if found and found[-1].kind != "space":
                    found.append(_Piece(text="", kind="space"))
            elif sign in "_^":
                self._attach(found, sign)
            else:
                found.extend(self._atom(sign))
        if end and not self.left:
            raise UsageError(f"The formula {self._tex.strip()!r} opens a group that it does not close.")
        self._at += bool(end)
        return found

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def _argument(self) -> list[_Piece]:
        """A group, or the next sign."""
        sign = self._next()
        while sign.isspace():
            sign = self._next()
        if sign == "{":
            return self.pieces("}")
        if not sign or sign in "}_^":
            raise UsageError(f"The formula {self._tex.strip()!r} lacks what a sign is applied to.")
        return list(self._atom(sign))

    def _words(self) -> str:
        """A group as it is written."""
        if self._next() != "{":
            raise UsageError(f"The formula {self._tex.strip()!r} has a text without braces.")
        found = ""
        while self.left and self._tokens[self._at] != "}":
            found += self._next()
        self._at += 1
        return found.replace("\\%", "%")

    def _atom(self, sign: str) -> Iterator[_Piece]:
        name = sign[1:] if sign[0] == "\\" else ""
        if sign == "{":  # a sign of its own to its neighbors, as in TeX
            yield _Piece(text=_joined(self.pieces("}")))
        elif sign in _BINARY or name in _BINARY:
            yield _Piece(text=_BINARY[name or sign], kind="binary")
        elif sign in _RELATIONS or name in _RELATIONS:
            yield _Piece(text=_RELATIONS[name or sign], kind="relation")
        elif sign in "()[]|/,:;!'." or name in ("{", "}"):
            yield _Piece(text=name or sign, kind=_KINDS.get(name or sign, "sign"))
        elif not name:
            yield _Piece(text=sign, kind="number" if sign[0].isdigit() else "sign")
        elif name in _LETTERS:
            yield _Piece(text=_LETTERS[name])
        elif name in _SPACES:
            yield _Piece(text=_SPACES[name], kind="space")
        elif name not in _SIZES:
            yield self._command(name)

    def _command(self, name: str) -> _Piece:
        if name in _FUNCTIONS:
            return _Piece(text=name, kind="name")
        if name == "operatorname":
            return _Piece(text=self._words(), kind="name")
        if name in ("text", "mathrm"):
            return _Piece(text=self._words(), kind="words")
        if name in _MARKS:
            base = _joined(self._argument())
            return _Piece(text=unicodedata.normalize("NFC", base + _MARKS[name]))
        if name == "sqrt":
            inside = _joined(self._argument())
            return _Piece(text=f"√{inside}" if _is_simple(inside) else f"√({inside})")
        if name in ("frac", "dfrac", "tfrac"):
            above, below = _joined(self._argument()), _joined(self._argument())
            slash = " / " if " " in above + below else "/"
            parts = (above if _is_product(above) else f"({above})", below if _is_factor(below) else f"({below})")
            return _Piece(text=slash.join(parts), kind="quotient")
        known = [*_LETTERS, *_BINARY, *_RELATIONS, *_FUNCTIONS, *_MARKS, "frac", "sqrt", "text", "operatorname"]
        raise unknown_name("sign", f"\\{name}", [f"\\{each}" for each in known if each.isalpha()], of="formulas")

    def _attach(self, found: list[_Piece], where: str) -> None:
        """Put what stands below or above to the sign before it."""
        if found and found[-1].kind == "space":
            found.pop()
        if not found:
            raise UsageError(f"The formula {self._tex.strip()!r} has nothing before {where!r}.")
        inside = _joined(self._argument())
        raised = inside.translate(_BELOW if where == "_" else _ABOVE)
        whole = all(a != b for a, b in zip(inside, raised, strict=True))
        text = raised if whole else f"[{inside}]" if where == "_" else f"^({inside})"
        before = found.pop()
        base = f"({before.text})" if before.kind == "quotient" else before.text
        found.append(_Piece(text=base + text, kind="sign" if before.kind == "quotient" else before.kind))


_KINDS = {"(": "open", "[": "open", "{": "open", ")": "close", "]": "close", "}": "close", ",": "comma"}


def _is_simple(text: str) -> bool:
    """Whether a text is one sign or number, with what is attached to it."""
    return bool(re.fullmatch(r"[^\W\d]\w*|[\d.]+|\w", _flat(text), re.UNICODE)) and " " not in text


def _is_factor(text: str) -> bool:
    """Whether a text means the same without brackets, before or after a stroke of division."""
    return _is_simple(text) or bool(re.fullmatch(r"\S+\([^()]*\)|\([^()]*\)|[\w∂√]+", _flat(text)))


def _is_product(text: str) -> bool:
    """Whether nothing in a text, outside of its brackets, is added or compared."""
    depth = 0
    for before, sign in itertools.pairwise(f" {text}"):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and before == " " and sign in "+−±=<>≤≥≈" and text[0] != sign:
            return False
    return True


def _joined(pieces: list[_Piece]) -> str:
    """The pieces in one line, with spaces where a reader expects them."""
    text, before, apart = "", "start", False
    for place, piece in enumerate(pieces):
        if piece.kind == "space":
            apart, text = True, text + piece.text
            before = "start" if piece.text else before
            continue
        after = _after(pieces, place)
        said, kind = piece.text, piece.kind
        # a/b c could be read as a/(b c), and log a/b as (log a)/b; for c a/b it makes no difference.
        if kind == "quotient" and (before == "name" or _is_beside(after)):
            said = f"({said})"
        text += _space(before, kind, said, after, apart=apart, text=text) + said
        if kind in ("binary", "relation") and not _is_unary(before, said, after):
            text += "" if _is_tight(before, said, after) else " "
        if kind == "comma" and after != "end":
            text += " "
        before, apart = kind if kind != "binary" or not _is_unary(before, said, after) else "open", False
    return text


def _after(pieces: list[_Piece], place: int) -> str:
    found = next((each for each in pieces[place + 1 :] if each.kind != "space" or each.text), None)
    return "end" if found is None or found.kind == "space" else found.kind


def _is_beside(kind: str) -> bool:
    """Whether a neighbor is multiplied without a sign."""
    return kind in ("sign", "number", "name", "open", "quotient")


def _is_unary(before: str, said: str, after: str) -> bool:
    return said in "−+±" and before in ("start", "open", "comma", "relation", "binary") and after != "end"


def _is_tight(before: str, said: str, after: str) -> bool:
    return said == "·" and before == after == "number"


def _space(before: str, kind: str, said: str, after: str, *, apart: bool, text: str) -> str:
    """What stands between a piece and the one before it."""
    if before == "start" or text.endswith((" ", "∂")):
        return ""
    if kind in ("binary", "relation"):
        return "" if _is_unary(before, said, after) or _is_tight(before, said, after) else " "
    if before in ("binary", "relation", "comma", "open") or kind in ("close", "comma"):
        return ""
    if before == "name" or kind == "name":
        return "" if said[0] in "([" and not apart else " "
    return " " if apart and kind != "words" and before != "words" else ""

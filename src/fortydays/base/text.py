"""Text from outside, made fit to be shown: in one line, not too long, nothing in it that a terminal would act on."""

import re

_LONGEST_SHOWN = 60
# A password may hold "/" and "@" though it should not: then rather too much is left out than too little. What stands
# after a host's colon, digits only, is a port.
_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/@:]*:(?!\d+(?:/|$))\S*@|[^\s/?#]*@)")


def printable(text: str) -> str:
    """A text from outside in one line, with every character that cannot be printed as a question mark."""
    return "".join(c if c.isprintable() else "?" for c in text)


def shown(text: str) -> str:
    """A text from outside as a message quotes it: printable, and not longer than a line."""
    clean = printable(text)
    return repr(clean if len(clean) <= _LONGEST_SHOWN else clean[: _LONGEST_SHOWN - 3] + "...")


def without_credentials(text: str) -> str:
    """A text with addresses in it, without the users and passwords in these: ``s3://me:secret@host`` as ``s3://host``."""
    return _CREDENTIALS.sub("", text)


_BOX_DRAWING = (
    {chr(code): "+" for code in range(0x2500, 0x2580)} | dict.fromkeys("─━═", "-") | dict.fromkeys("│┃║", "|")
)
_SIGNS_IN_ASCII = {
    "±": "+/-", "−": "-", "–": "-", "—": "-", "·": "-", "×": "x", "✓": "+", "✗": "x", "≥": ">=", "≤": "<=",
    "→": "->", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"', "●": "*", "○": "o", "•": "*", "▌": "|",
}  # fmt: skip
_ASCII = str.maketrans(_BOX_DRAWING | _SIGNS_IN_ASCII)


def in_ascii(text: str) -> str:
    """A text in ASCII: signs and lines as what comes near them, every other character as a question mark."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")

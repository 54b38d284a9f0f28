"""Text from outside, made fit to be shown: in one line, not too long, nothing in it that a terminal would act on."""

import re

_LONGEST_SHOWN = 60
# A password may hold "/" and "@" though it should not: then rather too much is left out than too little. What stands
# after a host's colon, digits only, is a port.
_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/@:]*:(?!\d+(?:/|$))\S*@|[^\s/?#]*@)")


def printable(text: str) -> str:
    """A text from outside in one line, with every character that cannot be printed as a question mark."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def shown(text: str) -> str:
    """A text from outside as a message quotes it: printable, and not longer than a line."""
    clean = printable(text)
    return repr(clean if len(clean) <= _LONGEST_SHOWN else clean[: _LONGEST_SHOWN - 3] + "...")


def counted(count: int, noun: str) -> str:
    """A number of things: ``1 epoch``, ``0 epochs``, ``1,200 epochs``; for nouns that take an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def without_credentials(text: str) -> str:
    """A text with addresses in it, without the users and passwords in these: ``s3://me:secret@host`` as ``s3://host``."""
    return _CREDENTIALS.sub("", text)


def size_in_words(count: int) -> str:
    """A number of bytes in a unit in which it is no zero: "512 bytes", "78 kB", "11 MB", "2.4 GB"."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB")):
        if count >= factor:
            return f"{count / factor:,.{1 if count < 10 * factor else 0}f} {unit}"
    return f"{count / 1000:,.0f} kB" if count >= 10_000 else counted(count, "byte")


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

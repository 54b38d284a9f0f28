"""Text from outside, made fit to be shown: in one line, not too long, nothing in it that a terminal would act on."""

_LONGEST_SHOWN = 60


def printable(text: str) -> str:
    """A text from outside in one line, with every character that cannot be printed as a question mark."""
    return "".join(c if c.isprintable() else "?" for c in text)


def shown(text: str) -> str:
    """A text from outside as a message quotes it: printable, and not longer than a line."""
    clean = printable(text)
    return repr(clean if len(clean) <= _LONGEST_SHOWN else clean[: _LONGEST_SHOWN - 3] + "...")

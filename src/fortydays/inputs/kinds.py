"""All kinds of input, by their names in documents."""

from collections.abc import Mapping
from typing import Any

from fortydays.inputs.images import Images
from fortydays.inputs.input import Input
from fortydays.inputs.ngrams import Ngrams
from fortydays.inputs.numbers import Numbers
from fortydays.inputs.tokens import Tokens
from fortydays.inputs.wordpieces import Wordpieces

KINDS: Mapping[str, type[Images] | type[Ngrams] | type[Numbers] | type[Tokens] | type[Wordpieces]] = {
    kind.KIND: kind for kind in (Images, Ngrams, Numbers, Tokens, Wordpieces)
}
"""To add a kind, write its class and name it here."""


def read_input(document: Mapping[str, Any]) -> Input:
    """What :meth:`~fortydays.inputs.input.Input.as_dict` wrote.

    Args:
        document: JSON values from anywhere. Without a "kind" they are of images, as older bundles have them.

    Raises:
        ValueError: they describe no input; the message says what is wrong.
    """
    kind = document.get("kind", Images.KIND)
    if kind not in KINDS:
        raise ValueError(f"its kind is none of {', '.join(KINDS)}")
    return KINDS[kind].from_dict(document)

"""What is learned about a classifier of a reader's own photographs: how far it can be trusted, and what would help.

A head on the features of a pretrained network is cheap to train, so much can be asked of it: whether its confidence is
worth its name, which labels are probably wrong, where it looks, and whether more photographs would help. The answers
are computed here from arrays, without a training framework; :mod:`fortydays.report.fitted` shows them.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """Called as ``fortydays.fit``, this room is the function of its name: a package has one attribute of a name."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return importlib.import_module("fortydays.api").fit(*arguments, **named)


sys.modules[__name__].__class__ = _Room

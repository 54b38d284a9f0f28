"""Forty days of deep learning and MLOps as software: studies that run, claims that are checked."""

import os

__version__ = "0.1.0"

if "FORTYDAYS_PARENT" in os.environ:
    # Another process of this program has started this one, which ends with it. Here and not in the entry of each such
    # process, because evidence depends on the code of one of them, study/frozen.py.
    from fortydays.base.process import end_with_parent

    end_with_parent()

"""Forty days of deep learning and MLOps as software: studies that run, claims that are checked."""

__version__ = "0.1.0"

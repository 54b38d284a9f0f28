"""What pages compute with beside the evidence: small files that a maintainer makes with ``make pages``.

A file with a network says of which published trial it is. It is refused where the evidence has another one by now,
and where it is not what it was when it was made (:mod:`fortydays.study.seal`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.data.library import pinned
from fortydays.study.evidence import best_trial, published
from fortydays.study.seal import EDITED, edited, is_sealed

SCHEMA_VERSION = 1
KEPT = ("first-network", "thousand-digits", "first-filters")
"""The names of these files."""


def kept_path(name: str) -> Path:
    """Where a file is, whether it is there or not."""
    return published().folder / "pages" / f"{name}.json"


def read_kept(name: str) -> dict[str, Any]:
    """The content of a file.

    Raises:
        StorageError: it is missing, damaged, or of another schema version.
    """
    path = kept_path(name)
    if not files.exists(path):
        raise StorageError(
            f"There is no {path}, which a page of the site computes with.", hint="Make it in a clone: make pages"
        )
    document = files.read_json(path)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise StorageError(f"{path} has schema version {document.get('schema_version')!r}; expected {SCHEMA_VERSION}.")
    return document


def identity_digest(evidence: Mapping[str, Any], variant: str) -> str:
    """SHA-256 of what a variant computes, as its evidence says it; see :mod:`fortydays.study.identity`."""
    return files.sha256_of_json(evidence["identity"]["variants"].get(variant))


def strange(document: Mapping[str, Any], evidence: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """Why what a page computes with does not belong to the evidence; empty where it does.

    Args:
        document: of one of the files.
        evidence: the published evidence by day. Of a day that is not in it nothing is said.
    """
    reasons = []
    if changed := edited(document):
        reasons.append(f"{EDITED} {', '.join(changed)}")
    if not is_sealed(document):
        reasons.append("it is not sealed")
    if dataset := document.get("dataset"):
        now = pinned(dataset["name"])
        if (dataset["digest"], dataset["split_version"]) != (now.digest, now.split_version):
            reasons.append(f"the dataset {now.name} has changed")
    trial = document.get("trial")
    if trial and (of_day := evidence.get(trial["day"])) is not None:
        variant = trial["variant"]
        best = best_trial(each for each in of_day["trials"] if each["variant"] == variant)
        if best is None or (best["seed"], best["weights_digest"]) != (trial["seed"], trial["weights"]):
            reasons.append(f"the best published trial of {variant} on day {trial['day']} is another one")
        if identity_digest(of_day, variant) != trial["identity"]:
            reasons.append(f"{variant} on day {trial['day']} computes something else")
    return reasons


def stale_kept(evidence: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """A line for each file that does not belong to the evidence, with the reasons.

    Raises:
        StorageError: a file is missing or damaged.
    """
    told = []
    for name in KEPT:
        try:
            reasons = strange(read_kept(name), evidence)
        except (KeyError, TypeError) as error:
            raise StorageError(f"{kept_path(name)} is damaged: it has no {error}.", hint="make pages") from error
        if reasons:
            told.append(f"{kept_path(name)}: {'; '.join(reasons)}")
    return told

"""Whether evidence is still true: made by today's code and data, and met again by a fresh run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fortydays.base.errors import StorageError
from fortydays.data.library import pinned
from fortydays.study import evidence as documents
from fortydays.study.code import engine_digest, study_digest
from fortydays.study.design import Study
from fortydays.study.drills import declared_metrics
from fortydays.study.judgement import Judgement
from fortydays.study.seal import EDITED, edited, is_sealed
from fortydays.study.statistics import CONFIDENCE, student_t
from fortydays.tasks.metric import metric_of

OF_CLAIMS = (
    "its verdicts are not what its trials give",
    "its withdrawn claims are not those of the study",
    "its checks are not what its trials give",
    "its verdicts were edited: the seal does not fit",
    "its overviews are not what the study makes of its trials",
)
"""Reasons that go away when the claims are judged, and the overviews made, anew from the trials, without training."""


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Say of which file a document is that turns out to be damaged while it is worked with.

    Raises:
        StorageError: a part is missing or of another kind, or its parts do not fit together.
    """
    try:
        yield
    except StorageError as error:
        raise StorageError(f"{path}: {error.message}", hint=error.hint) from error
    except KeyError as error:
        raise StorageError(f"{path} is damaged: it has no {error}.") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}.") from error


def stale_parts(evidence: Mapping[str, Any], study: Study) -> list[str]:
    """In what ways evidence is not that of the study, as far as can be told without computing; empty where in none."""
    reasons = []
    if list(evidence["details"]) != list(study.names):
        reasons.append("the variants are not those of the study")
    if evidence["seeds"] != list(study.seeds):
        reasons.append("the seeds are not those of the study")
    if (evidence["dataset"] is None) != (study.dataset is None):
        reasons.append("the dataset is not that of the study")
    if evidence["dataset"] is not None:
        dataset = pinned(evidence["dataset"]["name"])
        if evidence["dataset"]["digest"] != dataset.digest:
            reasons.append(f"the dataset {dataset.name} has changed")
        if evidence["dataset"]["split_version"] != dataset.split_version:
            reasons.append(f"the splits of {dataset.name} have changed")
    reasons += broken_seal(evidence)
    told = {name: detail.get("metrics", []) for name, detail in evidence["details"].items()}
    if any(told.get(drill.name) != drill.as_dict()["metrics"] for drill in study.drills):
        reasons.append("the metrics of its drills are not those of the study")
    declared = declared_metrics(evidence["details"])
    if evidence["results_digest"] != documents.results_digest(evidence["trials"], declared):
        reasons.append("its trials were edited: their digest is not the recorded one")
    if not _equal(evidence["variants"], documents.summarize(evidence["trials"])):
        reasons.append("its table is not what its trials give")
    judged = documents.judgements_of(study, evidence)
    recorded = [documents.with_defaults(Judgement, claim) for claim in evidence["claims"]]
    # Older programs told what was tested in words alone.
    found = judged["claims"] if any(each["tested"] for each in recorded) else _without_tested(judged["claims"])
    if not _equal(recorded, found):
        reasons.append(OF_CLAIMS[0])
    if evidence.get("withdrawn", []) != judged["withdrawn"]:
        reasons.append(OF_CLAIMS[1])
    if not _equal(evidence.get("checks", []), judged["checks"]):
        reasons.append(OF_CLAIMS[2])
    made = documents.with_overviews(study, evidence)["exhibits"]
    if not _equal(_overviews(evidence["exhibits"]), _overviews(made)):
        reasons.append(OF_CLAIMS[4])
    return reasons


def _overviews(exhibits: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that show several variants."""
    return [exhibit for exhibit in exhibits if not exhibit["variant"]]


def broken_seal(evidence: Mapping[str, Any]) -> list[str]:
    """Which parts of evidence were edited after a program had written it, in words; empty where none, or no seal."""
    changed = edited(evidence)
    judged = [name for name in changed if name in ("claims", "withdrawn", "checks")]
    others = [name for name in changed if name not in judged]
    reasons = [f"{EDITED} {', '.join(others)}"] if others else []
    return [*reasons, OF_CLAIMS[3]] if judged else reasons


def unfinished(evidence: Mapping[str, Any]) -> list[str]:
    """What current evidence of an older program lacks that :func:`fortydays.study.evidence.publish` would give it."""
    reasons = []
    if not is_sealed(evidence):
        reasons.append("it is not sealed: an edited number would not be noticed")
    if any(not claim.get("tested") for claim in evidence["claims"]):
        reasons.append("its claims do not say what was tested as values")
    return reasons


def code_changes(evidence: Mapping[str, Any], study_file: Path) -> list[str]:
    """What of the source text that evidence was made with has changed since; empty where nothing has.

    A change need not change a number: whether it does, :mod:`fortydays.study.identity` tells.
    """
    reasons = []
    if evidence["code"]["study"] != study_digest(study_file):
        reasons.append("the day's study has changed")
    if evidence["code"]["engine"] != engine_digest():
        reasons.append("the training engine has changed")
    return reasons


def _without_tested(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**claim, "tested": None} for claim in claims]


def _equal(recorded: Any, found: Any) -> bool:
    """Whether two tables are equal but for the last digits, which depend on the version of SciPy."""
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        return recorded.keys() == found.keys() and all(_equal(recorded[name], found[name]) for name in found)
    if isinstance(recorded, list) and isinstance(found, list):
        return len(recorded) == len(found) and all(map(_equal, recorded, found))
    if isinstance(recorded, float) and isinstance(found, float):
        return math.isclose(recorded, found, rel_tol=1e-9, abs_tol=1e-12)
    return bool(recorded == found)


def agreement(evidence: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a fresh run agrees with evidence.

    It does where both have the same bits, or else where the same trials finished, for every variant and metric but
    times the difference of the two means is within its 95% interval (Welch, 1947: unequal variances), with
    Bonferroni's correction for the number of comparisons, and no verdict has turned from supported to refuted or back.

    Returns:
        ``agrees`` (bool), ``agreement`` (a sentence), ``same_bits`` (bool), ``differences`` (what does not agree).
    """
    if evidence["results_digest"] == fresh["results_digest"]:
        return {"agrees": True, "same_bits": True, "differences": [], "agreement": "a fresh run gave the same bits"}
    declared = declared_metrics(evidence["details"])
    pairs = [
        (variant, metric, metrics[metric], fresh["variants"].get(variant, {}).get(metric))
        for variant, metrics in evidence["variants"].items()
        for metric in metrics
        if metric_of(metric, declared).exact
    ]
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(pairs))
    ended, ends = ({(t["variant"], t["seed"]): t["status"] for t in d["trials"]} for d in (evidence, fresh))
    differences = [
        f"the trial of {variant} with seed {seed} was {ended.get((variant, seed), 'absent')} "
        f"and is {ends.get((variant, seed), 'absent')}"
        for variant, seed in sorted({*ended, *ends})
        if ended.get((variant, seed)) != ends.get((variant, seed))
    ]
    for variant, metric, old, new in pairs:
        if new is None:
            differences.append(f"{variant} has no {metric} now")
        elif old["std"] is None or new["std"] is None:
            differences.append(f"{metric} of {variant} is of one seed, which has no spread to agree within")
        elif not within_noise(old, new, confidence=confidence):
            differences.append(f"{metric} of {variant} was {old['mean']:.4f} and is {new['mean']:.4f}")
    now = {c["claim"]: c["verdict"] for c in fresh["claims"]}
    for claim in evidence["claims"]:
        turned = {claim["verdict"], now.get(claim["claim"])}
        if claim["claim"] not in now:
            differences.append(f"the claim {claim['claim']!r} is not made any more")
        elif turned == {"supported", "refuted"}:
            differences.append(f"the verdict on {claim['claim']!r} turned to {now[claim['claim']]}")
    said = "a fresh run agrees within its intervals" if not differences else "a fresh run does not agree"
    return {
        "agrees": not differences,
        "same_bits": False,
        "differences": differences,
        "agreement": "; ".join([said, *differences]),
    }


def within_noise(old: Mapping[str, Any], new: Mapping[str, Any], *, confidence: float) -> bool:
    """Whether two means over at least two seeds, ``{mean, std, n}``, differ by no more than Welch's interval."""
    difference = abs(old["mean"] - new["mean"])
    a, b = old["std"] ** 2 / old["n"], new["std"] ** 2 / new["n"]
    if a + b == 0:
        return bool(difference == 0)
    freedom = (a + b) ** 2 / (a**2 / (old["n"] - 1) + b**2 / (new["n"] - 1))
    return bool(difference <= student_t(max(1, math.floor(freedom)), confidence=confidence) * math.sqrt(a + b))

"""Checks of claims: whether a verdict hangs on how it was found.

A decided verdict is found a second time in other ways: without the pairing by seeds, on the validation split, with a
target one step away. Where one of them says something else, a reader must know it.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fortydays.base.text import counted
from fortydays.study.checks import TOLD_ONLY, CheckResult, check_variant, checked_variants
from fortydays.study.claims import Best, Claim
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.samples import Declared, Findings, findings_of, with_costs
from fortydays.tasks.metric import ACCURACY, LOSS, OF_NETWORK, SECONDS, STEPS
from fortydays.train.history import first_reaching

if TYPE_CHECKING:
    from fortydays.study.design import Study

TARGET_STEP = 0.01
"""How far the next targets are from one that a claim names."""

UNLIKE = "unlike variants"
PAIRING = "pairing decides"
VALIDATION = "validation disagrees"
TARGET = "target decides"
CHANGED = "changed since opening"

CLAIM_CHECKS = (UNLIKE, PAIRING, VALIDATION, TARGET, CHANGED)
"""The names of the checks of claims. The last one is about variants too."""


def checks_of(
    evidence: Mapping[str, Any],
    claims: Sequence[tuple[Claim, Judgement]],
    *,
    expected: Mapping[str, Mapping[str, str]],
    declared: Declared,
) -> list[CheckResult]:
    """The checks that the variants and the claims of an evidence document did not pass.

    Args:
        evidence: the document.
        claims: those that are judged, with their verdicts.
        expected: variant -> check -> the reason why the study expects that it is not passed.
        declared: the metrics that drills declare.

    Raises:
        StorageError: the answers of a trial are damaged.
    """
    found = [
        result for of in checked_variants(evidence) for result in check_variant(of, expected=expected.get(of.name))
    ]
    trials = with_costs(evidence["trials"], evidence["details"])
    examples = evidence["dataset"]["test"] if evidence["dataset"] else 0
    findings = findings_of(trials, examples=examples, declared=declared, looks=evidence.get("looks", 0))
    for claim, judgement in claims:
        looks = {UNLIKE: _unlike(claim, evidence["details"], trials)}
        if judgement.verdict is not Verdict.UNDECIDED:
            looks[PAIRING] = _without_pairing(claim, judgement, findings)
            looks[VALIDATION] = _on_validation(claim, judgement, findings)
            looks[TARGET] = _with_other_targets(claim, judgement, findings, trials)
        found += [
            CheckResult(check=check, claim=claim.sentence, said=said, expected=claim.expected.get(check, ""))
            for check, sentences in looks.items()
            for said in sentences
        ]
    found += [
        CheckResult(
            check=CHANGED,
            variant=variant,
            said=f"{counted(count, 'trial')} of it with other recipes opened this test split before in this workspace",
        )
        for variant, count in evidence.get("opened", {}).items()
    ]
    return found + [CheckResult(**change) for change in evidence.get("changed", [])]


def flagged(judgement: Judgement, claim: Claim, results: Sequence[CheckResult]) -> Judgement:
    """The judgement with the names of the checks that it, or a variant of it, did not pass unexpectedly."""
    of_claim = [
        result.check
        for result in results
        if not result.expected
        and result.check not in TOLD_ONLY
        and (result.claim == claim.sentence or result.variant in claim.variants)
    ]
    return dataclasses.replace(judgement, flags=tuple(dict.fromkeys(of_claim)))


def changes_since(first: Mapping[str, Any], now: Mapping[str, Any], study: "Study") -> list[CheckResult]:
    """What of a study was changed after its test split had been opened for the first time.

    Args:
        first: the evidence document of the first time, which may be of an older program.
        now: the document of today.
        study: with the claims as they are now.
    """
    when = f"the first publication, of {first['created'][:10]}"
    before, found = first["details"], []
    for name, detail in now["details"].items():
        if name not in before:
            found.append(CheckResult(check=CHANGED, variant=name, said=f"it was not part of {when}"))
        elif changed := _changed_parts(before[name], detail):
            found.append(CheckResult(check=CHANGED, variant=name, said=f"not as in {when}: {', '.join(changed)}"))
    stated = {claim["claim"]: claim["condition"] for claim in first["claims"]}
    examples = now["dataset"]["test"] if now["dataset"] else 0
    findings = findings_of(with_costs(now["trials"], now["details"]), examples=examples, declared=study.declared)
    for claim in study.standing:
        if claim.sentence not in stated:
            found.append(CheckResult(check=CHANGED, claim=claim.sentence, said=f"it was stated after {when}"))
        elif stated[claim.sentence] != claim.judge(findings).condition:
            said = f"in {when}, it was tested by: {stated[claim.sentence]}"
            found.append(CheckResult(check=CHANGED, claim=claim.sentence, said=said))
    kept = {claim.sentence for claim in study.claims}
    return found + [
        CheckResult(check=CHANGED, claim=sentence, said=f"it was part of {when}, and is neither a claim nor withdrawn")
        for sentence in stated
        if sentence not in kept
    ]


def _changed_parts(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of a variant is not as it was, in words. Of a drill, that it is another kind of thing."""
    if ("recipe" in before) != ("recipe" in now):
        return ["a drill" if "recipe" in before else "a variant"]
    if "recipe" not in now:
        return [] if before.get("metrics") == now.get("metrics") else ["its metrics"]
    searched = [(detail.get("search") or {}).get("field", "") for detail in (before, now)]
    old, new = before["recipe"], now["recipe"]
    # A field that the first program did not have was at its default then; which that was, a later program knows.
    recipe = [name for name in new if name in old and [name, name] != searched]
    told = [(name, old[name], new[name]) for name in recipe]
    told += [(name, before.get(name), now.get(name)) for name in ("parameters", "precision", "examples", "redrawn")]
    told.append(("searched", searched[0] or None, searched[1] or None))
    parts = [f"{name if was is None else f'{name} {was}'} is now {value}" for name, was, value in told if was != value]
    networks = [{**(detail.get("features") or {}), "onnxruntime": ""} for detail in (before, now)]
    return parts if networks[0] == networks[1] else [*parts, "other features"]


def _unlike(claim: Claim, details: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What no variant's description says: another precision, another machine, a training of another length."""
    if claim.metric in OF_NETWORK:  # no training has a part in it
        return
    names = [name for name in dict.fromkeys(claim.variants) if details.get(name, {}).get("recipe")]
    told = {
        "precision": [details[name]["precision"] for name in names],
        "epochs": [details[name]["recipe"]["epochs"] for name in names],
        "machine": [
            " and ".join(sorted({t.get("machine", "") for t in trials if t["variant"] == name})) for name in names
        ],
    }
    for what, values in told.items():
        if len(set(values)) > 1:
            yield f"{what}: " + ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _without_pairing(claim: Claim, judgement: Judgement, found: Findings) -> Iterator[str]:
    """The same question for two samples that are not paired, by the test of Welch (1947)."""
    other = claim.judge(dataclasses.replace(found, paired=False, answers={}, by_example={}))
    if other.verdict is not judgement.verdict:
        yield from _in_words(other, "without pairing by seed (Welch)")


def _on_validation(claim: Claim, judgement: Judgement, found: Findings) -> Iterator[str]:
    """Where the validation split says the opposite. It has fewer examples, so that it says less is no wonder."""
    if claim.metric not in (ACCURACY.of("test").name, LOSS.of("test").name):
        return
    metric = claim.metric.replace("test_", "validation_", 1)
    other = dataclasses.replace(claim, metric=metric).judge(found)
    if other.value is not None and judgement.value is not None and _side(other) != _side(judgement):
        yield from _in_words(other, "on the validation split")


def _side(judgement: Judgement) -> bool:
    """On which side of its bound a number is; of a margin to both sides, whether it is within."""
    value, bound = judgement.value or 0.0, judgement.bound
    within = judgement.tested is not None and judgement.tested.above is None
    return abs(value) <= bound if within else value >= bound


def _with_other_targets(
    claim: Claim, judgement: Judgement, found: Findings, trials: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Of two variants, which one is sooner. Of one alone, a higher target needs more steps, of course."""
    to = next((to for to in (STEPS, SECONDS) if claim.metric.startswith(to.name)), None)
    target = claim.metric.removeprefix(to.name) if to else ""
    compares = any(hasattr(claim, name) for name in ("than", "like")) or isinstance(claim, Best)
    if to is None or not compares or claim.metric in found.declared or not _TARGET.fullmatch(target):
        return
    against = "step" if to is STEPS else "seconds"
    for near in (round(float(target) - TARGET_STEP, 12), round(float(target) + TARGET_STEP, 12)):
        if not 0 < near < 1:
            continue
        moved: dict[str, dict[int, Mapping[str, float | None]]] = {}
        for trial in trials:
            if trial["status"] == "finished" and trial["variant"] in claim.variants:
                reached = {claim.metric: first_reaching(near, trial["history"], against=against)}
                moved.setdefault(trial["variant"], {})[trial["seed"]] = trial["metrics"] | reached
        other = claim.judge(dataclasses.replace(found, trials=moved))
        if other.verdict is not judgement.verdict:
            yield from _in_words(other, f"with a target of {100 * near:g}%")


_TARGET = re.compile(r"0?\.\d+|1")


def _in_words(other: Judgement, how: str) -> Iterator[str]:
    if other.value is None:
        return
    share = other.unit == "share"
    value = f"{100 * other.value:.2f} points" if share else f"{other.value:.4g}"
    yield f"{how} it is {other.word} ({value} against {100 * other.bound if share else other.bound:g})"

"""Evidence: what the trials of a study showed, with everything needed to show it again, as one JSON document."""

import contextlib
import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.privacy import share
from fortydays.base.revision import first_version
from fortydays.base.text import counted
from fortydays.study.claim_checks import changes_since, checks_of, flagged
from fortydays.study.claims import Claim
from fortydays.study.judgement import Judgement, Verdict
from fortydays.study.samples import NONE_DECLARED, Declared, findings_of, with_costs
from fortydays.study.seal import SEAL, sealed
from fortydays.study.statistics import CONFIDENCE, holm, interval
from fortydays.tasks.metric import OF_NETWORK, TRAINING_TIME, metric_of

if TYPE_CHECKING:
    from fortydays.study.design import Study

SCHEMA_VERSION = 1
_PACKAGE = Path(__file__).parent.parent
SCHEMA_FILE = Path(__file__).with_name("evidence.v1.schema.json")

# The packages a result can depend on.
PACKAGES = ("keras", "numpy", "scipy", "pillow")


def summarize(trials: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Mean, standard deviation and 95% interval of every metric of every variant, over its finished trials.

    A target that some trial never reached has no mean; it is left out of that variant's summary.

    Returns:
        variant -> metric -> ``{mean, std, low, high, n}``.
    """
    values: dict[str, dict[str, list[float | None]]] = {}
    for trial in trials:
        if trial["status"] != "finished":
            continue
        of_variant = values.setdefault(trial["variant"], {})
        numbers = {**trial["metrics"], "train_seconds": trial["train_seconds"]}
        if trial["epochs"]:  # a drill has none
            numbers["epochs"] = trial["epochs"]
        for metric, value in numbers.items():
            of_variant.setdefault(metric, []).append(value)
    return {
        variant: {
            metric: interval([v for v in found if v is not None]).as_dict()
            for metric, found in metrics.items()
            if None not in found and not metric.endswith("_limit")
        }
        for variant, metrics in values.items()
    }


def with_defaults(kind: type, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded fields of a dataclass ``kind``, with those that it got since at their defaults, as JSON values.

    They come in the order of the class. A default is what the program did before there was the field. So a document
    without it says the same as a later one that has the default, and the two are compared in this form.
    """
    fields, none = dataclasses.fields(kind), dataclasses.MISSING
    values = {field.name: field.default for field in fields if field.default is not none}
    made = {field.name: field.default_factory() for field in fields if field.default_factory is not none}
    known = {**values, **made, **recorded}
    return {field.name: known[field.name] for field in fields if field.name in known} | known


def best_trial(trials: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The finished trial that is best on the validation split, or None where none finished.

    Every choice of one trial is made here: the model that a run keeps, exhibits, registered models. The highest
    validation accuracy decides. Of equal accuracies, which a small split often gives, the smaller validation loss
    decides, because it says more of the same images than their count. Of equal losses, the first trial is taken.
    Trials of drills give no model and are left out.
    """
    finished = [t for t in trials if t["status"] == "finished" and t["weights_digest"]]

    def goodness(trial: Mapping[str, Any]) -> tuple[float, float]:
        return trial["metrics"]["validation_accuracy"], -trial["metrics"]["validation_loss"]

    return max(finished, key=goodness, default=None)


def judge(
    claims: Sequence[Claim],
    trials: Sequence[Mapping[str, Any]],
    *,
    examples: int = 0,
    declared: Declared = NONE_DECLARED,
    looks: int = 0,
    redrawn: Collection[str] = (),
) -> list[Judgement]:
    """The verdict on each claim, of the trials' entries in the evidence; see :func:`findings_of`.

    A trial that failed is an outcome of its variant too. Judging the survivors alone would flatter a variant that
    diverges in some seeds, so a claim about such a variant is undecided, and says why.

    The scope of a verdict tells that seeds vary what is learned from, where its claim is about variants ``redrawn``.
    A verdict is marginal where it does not stand when all claims of the study are looked at together.

    Raises:
        StorageError: the answers of a trial are damaged.
    """
    found = findings_of(trials, examples=examples, declared=declared, looks=looks)
    judged = []
    for claim in claims:
        judgement = claim.judge(found)
        of_claim = [t for t in trials if t["variant"] in claim.variants]
        # A trial that failed has no numbers; one of which a measure failed lacks this measure's.
        failed = sum(claim.metric not in t["metrics"] for t in of_claim)
        if failed:
            said = f"{failed} of {counted(len(of_claim), 'trial')} failed, so the numbers are of the others only"
            if claim.metric in OF_NETWORK and all(t["status"] == "finished" for t in of_claim):
                unknown = dict.fromkeys(t["variant"] for t in of_claim if claim.metric not in t["metrics"])
                said = f"the {metric_of(claim.metric).title} of {', '.join(unknown)} are not counted"
            judgement = dataclasses.replace(
                judgement,
                verdict=Verdict.UNDECIDED,
                seeds_needed=None,
                p=None,
                note="; ".join(filter(None, [said, judgement.note])),
            )
        judged.append(
            dataclasses.replace(
                judgement,
                scope=_scope(judgement, with_data=examples > 0, redrawn=not set(redrawn).isdisjoint(claim.variants)),
            )
        )
    tested = [j for j in judged if j.p is not None]
    adjusted = dict(zip(map(id, tested), holm([j.p for j in tested if j.p is not None]), strict=True))
    return [
        dataclasses.replace(
            j,
            adjusted_p=adjusted[id(j)],
            marginal=j.verdict is not Verdict.UNDECIDED and adjusted[id(j)] > 1 - CONFIDENCE,
        )
        if id(j) in adjusted
        else j
        for j in judged
    ]


def _scope(judgement: Judgement, *, with_data: bool, redrawn: bool) -> str:
    """What a verdict is about, and what it says nothing of."""
    if not with_data:
        return "these procedures; seeds vary what they choose at random"
    metric = judgement.tested.metric if judgement.tested else ""
    if metric in OF_NETWORK:
        return "these networks; no seed varies it"
    if metric == TRAINING_TIME.name:
        return "these recipes, this machine and what else it did; seeds vary initial weights, order and random layers"
    examples = "these test examples, and others like them" if judgement.over_both else "these test examples"
    varied = "what is learned from, initial weights" if redrawn else "initial weights"
    return f"this split of the data, {examples}; these recipes; seeds vary {varied}, order and random layers"


def judgements_of(study: "Study", evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What evidence says of a study's claims, by what its trials gave.

    Args:
        study: with the claims.
        evidence: the document; what it says of the claims so far does not matter.

    Returns:
        The verdicts under ``claims``, what is ``withdrawn``, and the ``checks`` that were not passed.

    Raises:
        StorageError: the answers of a trial are damaged.
    """
    examples = evidence["dataset"]["test"] if evidence["dataset"] else 0
    looks = evidence.get("looks", 0)
    judged = judge(
        study.standing,
        with_costs(evidence["trials"], evidence["details"]),
        examples=examples,
        declared=study.declared,
        looks=looks,
        redrawn=[name for name, detail in evidence["details"].items() if detail.get("redrawn")],
    )
    claims = list(zip(study.standing, judged, strict=True))
    expected = {variant.name: variant.expected for variant in study.variants}
    if evidence.get("request", {}).get("examples") is not None:
        claims = [(claim, _without_verdict(judgement)) for claim, judgement in claims]
    checks = checks_of(evidence, claims, expected=expected, declared=study.declared)
    return {
        "claims": [flagged(judgement, claim, checks).as_dict() for claim, judgement in claims],
        "withdrawn": [asdict(withdrawal) for withdrawal in study.withdrawals],
        "checks": [asdict(check) for check in checks],
    }


def _without_verdict(judgement: Judgement) -> Judgement:
    """The judgement of a claim in a try: its numbers, and no verdict."""
    return dataclasses.replace(
        judgement,
        verdict=Verdict.UNDECIDED,
        seeds_needed=None,
        p=None,
        adjusted_p=None,
        marginal=False,
        note="; ".join(filter(None, ["a try gives no verdict", judgement.note])),
    )


def with_changes(study: "Study", evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence with what was changed after its day was first published, and judged.

    When that was, Git tells. Where it cannot, what the evidence says of it stays. Of a try, and of a run with settings
    of a reader's, nothing is told: it is not the day.
    """
    document = dict(evidence)
    asked = evidence["request"]
    first = None if asked["settings"] or asked.get("examples") else _first_published(evidence["day"])
    if first is not None:
        document["changed"] = [asdict(change) for change in changes_since(first, evidence, study)]
    return document | judgements_of(study, document)


def exhibits_of(
    study: "Study", source: Mapping[str, Mapping[str, Any]], known: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The exhibits of a study in its order: those of one variant as they are, overviews of several made anew.

    Args:
        study: with the exhibits.
        source: by the name of each variant or drill, the evidence that has its exhibits.
        known: the evidence that overviews are made of; without exhibits, or with others.
    """
    from fortydays.study.design import Exhibit

    left = {name: [e for e in document["exhibits"] if e["variant"] == name] for name, document in source.items()}
    found = []
    for place, exhibit in enumerate(study.all_exhibits):
        if not isinstance(exhibit, Exhibit):
            if not known["variants"].keys() >= set(exhibit.variants):  # a draft has no trial of some yet
                continue
            content = exhibit.make(known)
        elif left.get(exhibit.variant):
            content = left[exhibit.variant].pop(0)
        else:  # it failed, which the run has told, or a draft has no trial of it yet
            continue
        plain = {name: value for name, value in content.items() if name != "first"}
        found.append({**plain, "first": True} if place < len(study.first) else plain)
    return found


def with_overviews(study: "Study", evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence with its overviews made anew."""
    return {**evidence, "exhibits": exhibits_of(study, dict.fromkeys(study.names, evidence), evidence)}


def _first_published(day: int | None) -> dict[str, Any] | None:
    """The evidence with which a day was first published, or None where it is not known or no evidence."""
    text = first_version(published().path(day)) if day is not None else None
    with contextlib.suppress(ValueError):
        document = json.loads(text or "")
        if isinstance(document, dict) and document.keys() >= {"created", "details", "claims"}:
            return document
    return None


def results_digest(trials: Sequence[Mapping[str, Any]], declared: Declared = NONE_DECLARED) -> str:
    """SHA-256 of what trials computed: equal digests, equal bits.

    That is how each ended, its metrics, its weights, its answers and numbers for each example, its dead units and its
    history. Times are left out, because they differ from run to run, and so are the metrics that drills ``declared``
    and that are not exact. Left out is also what is told about a trial beside its numbers: epochs, the best epoch,
    machine, error. An edit of those is noticed by the seal of the whole document (:mod:`fortydays.study.seal`).
    """
    return files.sha256_of_json(
        [
            {
                "variant": t["variant"],
                "seed": t["seed"],
                "status": t["status"],
                "metrics": {name: v for name, v in t["metrics"].items() if metric_of(name, declared).exact},
                "weights_digest": t["weights_digest"],
                # Older programs did not keep these.
                **{name: t[name] for name in ("right", "by_example", "dead_units") if t.get(name)},
                "history": {name: v for name, v in t["history"].items() if name != "seconds"},
            }
            for t in sorted(trials, key=lambda t: (t["variant"], t["seed"]))
        ]
    )


def package_versions(of_backend: Sequence[str] = ()) -> dict[str, str]:
    """The installed versions of the packages a result can depend on, those of the backend included."""
    return installed((*PACKAGES, *of_backend))


def installed(names: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that are installed here."""
    versions = {}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def outline(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence without histories, what is told of each example, exhibits and seal: what ``--json`` prints."""
    short = {name: value for name, value in evidence.items() if name not in ("exhibits", SEAL)}
    short["trials"] = [
        {k: v for k, v in trial.items() if k not in ("history", "right", "by_example")} for trial in evidence["trials"]
    ]
    return short


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the evidence that the package ships is kept."""

    folder: Path

    def path(self, day: int) -> Path:
        """The file of a day."""
        return self.folder / f"day{day:02}.json"

    def read(self, day: int) -> dict[str, Any] | None:
        """A day's published evidence, or None where there is none.

        Raises:
            StorageError: the file is damaged or of another schema version.
        """
        path = self.path(day)
        return read_evidence(path) if path.exists() else None


def published() -> Published:
    """The published evidence: inside an installed package, or beside ``src`` in a source checkout."""
    installed = _PACKAGE / "evidence"
    return Published(folder=installed if installed.is_dir() else _PACKAGE.parent.parent / "evidence")


def check_publishable(day: int) -> None:
    """Refuse to publish where the published evidence is not that of a source checkout.

    Raises:
        UsageError: the program is installed, or the place cannot be written or is a link; the message says which.
    """
    place = published()
    hint = "Publish from a clone of the repository, set up with: make setup. Without --publish, the run is kept too."
    if place.folder.is_relative_to(_PACKAGE) or _PACKAGE.parent.name != "src":
        raise UsageError(
            f"This program is installed in {_PACKAGE}, and what it ships is not changed. "
            "Evidence is published into a source checkout.",
            hint=hint,
        )
    for path in (place.folder, place.path(day)):
        if path.is_symlink():
            raise UsageError(
                f"{path} is a symbolic link. Evidence is published into a folder of the checkout itself.", hint=hint
            )
        if files.exists(path) and not files.is_writable(path):
            raise UsageError(f"{path} cannot be written, so no evidence can be published there.", hint=hint)


def publish(evidence: Mapping[str, Any]) -> None:
    """Seal a day's evidence and write it to the place of the published one, atomically.

    Raises:
        UsageError: see :func:`check_publishable`.
        StorageError: it cannot be written.
    """
    check_publishable(evidence["day"])
    text = json.dumps(sealed(evidence), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path = published().path(evidence["day"])
    files.write_text(path, text + "\n")
    share(path)


def read_evidence(path: Path) -> dict[str, Any]:
    """Read an evidence document.

    Raises:
        StorageError: it is damaged.
        FortydaysError: its schema version is not this program's.
    """
    document = files.read_json(path)
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise FortydaysError(
            f"{path} has evidence schema version {version!r}; this version of fortydays reads {SCHEMA_VERSION}."
        )
    missing = [k for k in ("title", "dataset", "seeds", "trials", "variants", "claims") if k not in document]
    if missing:
        raise StorageError(f"{path} is damaged: it has no {', '.join(missing)}.")
    return document

"""What a model version is made of: everything its training was a function of, and where each part can be found."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from fortydays.base import clock, files
from fortydays.data import library
from fortydays.study.drills import declared_metrics
from fortydays.study.evidence import results_digest, with_defaults
from fortydays.train.recipe import Recipe

SCHEMA_VERSION = 1
_ACCURACIES = ("test_accuracy", "validation_accuracy")


def lineage_of(
    evidence: Mapping[str, Any],
    trial: Mapping[str, Any],
    *,
    claims: Sequence[Mapping[str, str]],
    study_file: str,
    tracker_run: str,
    data_version: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The birth certificate of one trial's model, as JSON values.

    ``study_file`` is the path of a study of one's own, or "" for a day; ``tracker_run`` the tracker's id of the run,
    or "" where it has none there; ``data_version`` what a reader's data was taken from, or None.
    """
    details = evidence["details"][trial["variant"]]
    summary = evidence["variants"][trial["variant"]]
    version, licence = library.edition(evidence["dataset"]["name"])
    return {
        "schema_version": SCHEMA_VERSION,
        "dataset": {
            **evidence["dataset"],
            "version": version,
            "licence": licence,
            **({"data_version": dict(data_version)} if data_version else {}),
        },
        "study": {
            **_of(evidence, "day", "name", "title"),
            "file": study_file,
            "variant": trial["variant"],
            "description": details["description"],
            "searched": details["search"]["field"] if details["search"] else "",
            "features": details.get("features"),
        },
        "recipe": details["recipe"],
        "trial": {
            **_of(trial, "seed", "epochs", "train_seconds", "metrics", "weights_digest"),
            **_of(details, "precision", "parameters"),
            "multiply_adds": details.get("multiply_adds"),
            "over_seeds": {name: summary[name] for name in _ACCURACIES if name in summary},
        },
        **_of(evidence, "code", "packages"),
        "machine": {**evidence["machine"], **_of(evidence, "threads", "backend")},
        "run": {
            "id": evidence["run_id"],
            "tracker": tracker_run,
            "request": evidence["request"],
            "ended": evidence["created"],
        },
        "export": {name: metadata.version(name) for name in ("tf2onnx", "onnx", "onnxruntime")},
        "evidence": {
            "digest": files.sha256_of_json(dict(evidence)),
            "results_digest": results_digest(evidence["trials"], declared_metrics(evidence["details"])),
        },
        "claims": [dict(claim) for claim in claims],
        "registered": clock.timestamp(),
    }


def _of(document: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: document[name] for name in names}


def changed_since(lineage: Mapping[str, Any], today: Mapping[str, Any]) -> list[str]:
    """In what a training today would differ from the one that made a model, one sentence each; empty where in nothing.

    ``today`` has the same fields as a lineage: ``dataset``, ``recipe``, ``code``, ``packages`` and ``machine``.
    """
    found = []
    for group, field, said in (
        ("dataset", "digest", "the dataset has changed"),
        ("dataset", "split_version", "the splits of the dataset have changed"),
        ("code", "study", "the study has changed"),
        ("code", "engine", "the training engine has changed"),
        ("machine", "backend", "the backend is {now} and was {then}"),
        ("machine", "threads", "the number of threads is {now} and was {then}"),
        ("machine", "cpu_model", "the processor is {now} and was {then}"),
        ("machine", "flags", "the processor has other instructions"),
        ("machine", "accelerator", "the accelerator is {now} and was {then}"),
        ("machine", "python", "Python is {now} and was {then}"),
    ):
        then, now = lineage[group].get(field), today[group].get(field)
        if then != now:
            found.append(said.format(then=then or "none", now=now or "none"))
    commits = [each["code"].get("commit", "") for each in (lineage, today)]
    if all(commits) and commits[0] != commits[1]:
        found.append(f"the commit is {commits[1][:12]} and was {commits[0][:12]}")
    then, now = (with_defaults(Recipe, each["recipe"]) for each in (lineage, today))
    if then != now:
        fields = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
        found.append(f"the recipe has changed in {', '.join(fields)}")
    for name in sorted({*lineage["packages"], *today["packages"]}):
        then, now = lineage["packages"].get(name, "absent"), today["packages"].get(name, "absent")
        if then != now:
            found.append(f"{name} is {now} and was {then}")
    if lineage["code"].get("clean") is False:
        found.append("it was trained from a checkout with changes that were not committed")
    if today["code"].get("clean") is False:
        found.append("today's checkout has changes that are not committed")
    return found

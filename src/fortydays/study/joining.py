"""Evidence of some variants, trained anew, joined to the published evidence of the others.

A day gets a new variant, or one of its variants changes. The published trials of the others stay true as long as the
program would compute them again. Their identity tells that (:mod:`fortydays.study.identity`). So only what has changed
is trained, and the claims are judged on all of it.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from fortydays.base.errors import UsageError
from fortydays.base.machine import Machine
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.base.text import counted
from fortydays.data import library
from fortydays.study import evidence as documents
from fortydays.study.design import Exhibit, Study
from fortydays.study.identity import changes
from fortydays.study.plan import Request, StudySource, make_plan
from fortydays.study.probes import controls_of, probe
from fortydays.study.verification import broken_seal
from fortydays.train import backends

_NOTHING = {
    "details": {},
    "trials": [],
    "exhibits": [],
    "seconds": {"total": 0.0, "compilation": 0.0, "training": 0.0},
}
"""As much of a document as is joined, of a draft that has no evidence yet."""


def check_joinable(
    study: Study,
    published: Mapping[str, Any] | None,
    trained: Collection[str],
    settings: Settings,
    *,
    unfinished: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Refuse to train only some variants where the published trials of the others cannot stay.

    Args:
        study: of the day.
        published: its evidence, or None where there is none.
        trained: names of the variants that are to be trained.
        settings: the workspace.
        unfinished: whether the day is a draft, whose variants may be trained one after the other: those that have no
            trial yet may be missing.
        progress: told of the work.

    Raises:
        UsageError: there is no evidence of another variant, or it was edited, or not for the study's seeds, its
            dataset, these packages and as many threads; or the program computes that variant in another way now; or
            a drill would stay, whose trials cannot be compared.
        NotComparableError: what the published trials computed is not known for these versions.
        DataError: the dataset cannot be had.
    """
    hint = "Train the whole study: leave --only away."
    kept = [name for name in study.names if name not in trained]
    if unfinished:
        kept = [name for name in kept if published is not None and name in published["details"]]
    if drills := [drill.name for drill in study.drills if drill.name in kept]:
        raise UsageError(
            "The trials of drills cannot be compared with what they would give now, so none can stay.",
            hint=f"Carry them out too: {' '.join(f'--only {name!r}' for name in drills)}.",
        )
    if published is None:
        if unfinished:
            return
        raise UsageError("There is no published evidence that the other variants could stay in.", hint=hint)
    if missing := [name for name in kept if name not in published["details"]]:
        raise UsageError(
            f"The published evidence has no {', '.join(missing)}.",
            hint=f"Train that too: {' '.join(f'--only {name!r}' for name in missing)}. Or leave --only away.",
        )
    if published["seeds"] != list(study.seeds):
        raise UsageError(
            f"The published trials have {counted(len(published['seeds']), 'seed')} that are not those of the study, "
            f"which has {len(study.seeds)}.",
            hint=hint,
        )
    assert study.dataset is not None  # a study with variants has one
    now, was = library.load(study.dataset, settings, progress), published["dataset"]
    if (was["digest"], was["split_version"], was["test"]) != (now.digest, now.split_version, len(now.test.open())):
        raise UsageError(f"The dataset {now.name} is not the one of the published trials.", hint=hint)
    here = {"packages": documents.package_versions(backends.backend().PACKAGES), "threads": settings.threads}
    if unlike := [name for name, value in here.items() if published[name] != value]:
        raise UsageError(f"The published trials had other {' and '.join(unlike)}.", hint=hint)
    for name in kept:
        made = sum(content["variant"] == name for content in published["exhibits"])
        asked = sum(isinstance(e, Exhibit) and e.variant == name for e in study.all_exhibits)
        if made != asked:
            raise UsageError(
                f"The study has {counted(asked, 'exhibit')} of {name!r}, and the published evidence has {made}.",
                hint=f"Exhibits are made of trained weights. Train it too: --only {name!r}.",
            )
    if broken := broken_seal(published):
        raise UsageError(f"The published evidence cannot stay: {'; '.join(broken)}.", hint=hint)
    if found := changes(published, study, settings, only=kept, progress=progress):
        raise UsageError(f"The published trials of other variants are stale: {'; '.join(found)}.", hint=hint)


def with_probes(
    source: StudySource,
    published: Mapping[str, Any],
    trained: Collection[str],
    settings: Settings,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """The published evidence, in which each control that stays has been probed: earlier evidence has no probes.

    A probe needs no trial, and what :func:`check_joinable` has found good computes as it did.

    Args:
        source: of the day.
        published: its evidence, which is good.
        trained: names of the variants that are to be trained.
        settings: the workspace.
        progress: told of the work.
    """
    study, details = source.study, dict(published["details"])
    unprobed = [
        name
        for name in controls_of(study)
        if name in details and name not in trained and not details[name].get("fits")
    ]
    if unprobed:
        plan = make_plan(source, Request(only=tuple(unprobed)), settings, progress)
        for variant in plan.variants:
            detail = details[variant.name]
            search = variant.search
            chosen = {search.field: detail["recipe"][search.field]} if search else {}
            trials = [trial for trial in published["trials"] if trial["variant"] == variant.name]
            recipe = variant.recipe.replace(**chosen)
            details[variant.name] = detail | probe(plan, variant, recipe, trials, is_control=True, say=progress)
    return {**published, "details": details}


def joined(study: Study, published: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence of a whole study: variants of a run, and all others as they are published.

    Args:
        study: of the day.
        published: its evidence, which :func:`check_joinable` has found good; {} where a draft has none yet.
        run: the evidence of a run of some variants, with the study's seeds.

    Returns:
        A document with the verdicts of all trials, each of which says on which machine it was trained. ``kept`` names
        the runs that the variants which stayed were trained in.
    """
    published = published or _NOTHING | {"run_id": run["run_id"]}
    trained = run["details"]
    names = [name for name in study.names if name in trained or name in published["details"]]
    source = {name: run if name in trained else published for name in names}
    trials = [
        {**trial, "machine": trial.get("machine") or _in_words(source[name]["machine"])}
        for name in names
        for trial in source[name]["trials"]
        if trial["variant"] == name
    ]
    known = {
        "details": {name: source[name]["details"][name] for name in names},
        "trials": trials,
        "variants": documents.summarize(trials),
        "dataset": run["dataset"],
    }
    training = sum(trial["train_seconds"] for trial in trials)
    before = sum(trial["train_seconds"] for trial in published["trials"])
    stayed = sum(trial["train_seconds"] for trial in trials if trial["variant"] not in trained)
    share = stayed / before if before else 0.0
    earlier = published.get("kept", {})
    document = {
        **run,
        "request": {**run["request"], "only": []},
        **known,
        # What was looked at more often needs more to decide, also where it is joined to what was not.
        "looks": max(run.get("looks", 0), published.get("looks", 0)),
        "kept": {name: earlier.get(name, published["run_id"]) for name in names if name not in trained},
        "opened": {name: count for name in names if (count := source[name].get("opened", {}).get(name)) is not None},
        "exhibits": documents.exhibits_of(study, source, known),
        "seconds": {
            # Of what the variants that stay had cost, their share in the training.
            **{name: run["seconds"][name] + share * published["seconds"][name] for name in ("total", "compilation")},
            "training": training,
        },
        "results_digest": documents.results_digest(trials, study.declared),
    }
    return documents.with_changes(study, document)


def _in_words(machine: Mapping[str, Any]) -> str:
    facts = {field.name: machine[field.name] for field in dataclasses.fields(Machine)}
    return Machine(**facts).in_words(machine.get("accelerator"))

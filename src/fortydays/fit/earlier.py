"""What an earlier fit left: its run, what was found out, and its version in the registry."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import StorageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data.own.dataset import label_of
from fortydays.fit.findings import Findings, findings_from
from fortydays.fit.material import Material
from fortydays.registry.names import CHAMPION
from fortydays.study import evidence as documents
from fortydays.study.features import runtime
from fortydays.study.runs import RunFolder, latest_evidence, list_runs
from fortydays.study.verification import code_changes

if TYPE_CHECKING:
    from fortydays.registry.registry import Registry, Version


def finished_run(
    study: Path, seeds: tuple[int, ...], settings: Settings, progress: Progress
) -> tuple[RunFolder, dict[str, Any]] | None:
    """A run that ended of the very same photographs or texts, plan, program and packages, and its evidence; or None.

    Evidence that cannot be read is set aside with a warning.
    """
    from fortydays.days.loading import find_study
    from fortydays.train import backends

    name = find_study(str(study)).name
    run = latest_evidence(settings.runs, name, day=None)
    newest = [each for each in list_runs(settings.runs) if each.read()["name"] == name][-1:]
    if run is None or newest != [run]:
        return None  # the newest one was stopped, and goes on
    try:
        evidence = documents.read_evidence(run.evidence)
    except StorageError as error:
        aside = files.set_aside(run.evidence)
        progress.warn(f"{error.message} It is kept as {aside.name}; all is learned anew.")
        return None
    asked = {"seeds": list(seeds), "only": [], "settings": [], "engine": "compiled"}
    if evidence["request"] != asked or evidence["backend"] != backends.wanted() or code_changes(evidence, study):
        return None
    if evidence["packages"] != documents.package_versions(backends.backend().PACKAGES):
        return None
    features = [details["features"] for details in evidence["details"].values() if "features" in details]
    if any(each["onnxruntime"] != runtime() for each in features):
        return None
    return run, evidence


def known_findings(run: RunFolder, material: Material, progress: Progress) -> Findings | None:
    """What was found out about a run, under the names that its photographs have now; None where that did not end.

    Findings that cannot be read are set aside with a warning.
    """
    path = _document(material.folder, run)
    if not files.is_file(path):
        return None
    try:
        known = findings_from(files.read_json(path).get("findings"))
    except StorageError as error:
        aside = files.set_aside(path)
        progress.warn(f"{error.message} It is kept as {aside.name}; what there is to find out is found out again.")
        return None
    path_of = dict(zip(material.kept.rows.tolist(), material.kept.paths, strict=True))
    return replace(
        known,
        place=material.place,
        inspection=material.inspection.as_dict(),
        mistakes=tuple(replace(each, file=path_of.get(each.row, each.file)) for each in known.mistakes),
        label_errors=tuple(replace(each, file=path_of.get(each.row, each.file)) for each in known.label_errors),
        attention=tuple(replace(each, file=path_of.get(each.row, each.file)) for each in known.attention),
    )


def keep_findings(findings: Findings, run: RunFolder, study: Path, material: Material) -> None:
    """Write down what was found out about a run, once all of it is. Raises StorageError."""
    path = _document(material.folder, run)
    files.make_folder(path.parent)
    files.write_json(path, {"run": run.run_id, "study": study.name, "findings": findings.as_dict()})


def last_seconds(material: Material) -> dict[str, float]:
    """Seconds of each phase when photographs of this name were last fitted on this machine; empty if never."""
    folder, found = material.folder / "fits", []
    for path in folder.glob("*.json") if files.is_folder(folder) else ():
        # What is damaged is told, and set aside, where it is needed.
        with contextlib.suppress(StorageError, KeyError, TypeError, ValueError, AttributeError):
            kept = files.read_json(path)["findings"]
            seconds = {str(phase): float(took) for phase, took in kept["seconds"].items()}
            found.append((str(kept["created"]), seconds))
    return max(found, default=("", {}), key=lambda each: each[0])[1]


def version_of(run: RunFolder, material: Material, registry: "Registry") -> "Version | None":
    """The version that was made of a run and names the data version of the photographs, where there is one."""
    if material.model not in registry.names():
        return None
    wanted = {"run": run.run_id, "data_version": label_of(material.kept.data_version)}
    made = (
        each
        for each in registry.versions(material.model)
        if all(each.facts.get(fact, "") == value for fact, value in wanted.items()) and not each.retired
    )
    return next(made, None)


def with_version(findings: Findings, version: "Version") -> Findings:
    """Findings with the version that was made earlier, and with the alias that it has now."""
    return replace(findings, model=str(version), alias=CHAMPION if CHAMPION in version.aliases else "")


def _document(folder: Path, run: RunFolder) -> Path:
    return folder / "fits" / f"{run.run_id}.json"

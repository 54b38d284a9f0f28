"""Moving an alias: through the gates to a version, and back to the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import catalog as datasets
from fortydays.data import store as arrays
from fortydays.data.arrays import Dataset
from fortydays.registry.catalog import Catalog, Move, NotWholeError, Version
from fortydays.registry.evaluation import measure
from fortydays.registry.export import ONNX_FILE
from fortydays.registry.gates import Champion, GateResult, Limits, judge
from fortydays.registry.names import CHAMPION, Reference, check_alias
from fortydays.registry.registration import EVALUATION_FILE, LINEAGE_FILE

_LIMITS = Limits()


class GateClosedError(FortydaysError):
    """A version may not be promoted."""

    exit_code = ExitCode.NOT_MET


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """How an attempt to promote a version ended.

    Attributes:
        version: the candidate.
        alias: what was to move.
        gates: what each gate said; empty where the alias was there already.
        move: what was written into the history, or None where the alias stayed.
        already: whether the alias pointed to the version before.
    """

    version: Version
    alias: str
    gates: tuple[GateResult, ...]
    move: Move | None
    already: bool = False

    @property
    def closed(self) -> tuple[GateResult, ...]:
        """The gates that failed."""
        return tuple(gate for gate in self.gates if not gate.passed)


def promote(
    reference: Reference,
    alias: str,
    catalog: Catalog,
    settings: Settings,
    *,
    progress: Progress,
    reason: str = "",
    force: bool = False,
    limits: Limits = _LIMITS,
) -> Promotion:
    """Move an alias to a version, if it passes every gate.

    Args:
        reference: the candidate.
        alias: "champion" or "challenger".
        catalog: the registry.
        settings: where the validation data is, and threads.
        progress: told of the work.
        reason: why, for the history; needed with ``force``.
        force: move also where gates fail; they are written down with the reason.
        limits: what the gates ask for.

    Returns:
        What the gates said and whether the alias moved. It stays where a gate fails and ``force`` is not given.

    Raises:
        UsageError: there is no such version or alias, or ``force`` without a reason.
        GateClosedError: the version was retired.
        NotWholeError: its files are missing or altered, or it was never evaluated; ``force`` does not help.
        BusyError: someone else is changing the same model.
    """
    check_alias(alias)
    if force and not reason.strip():
        raise UsageError("--force needs a reason.", hint='Say why: --force --reason "..."')
    # Asked before the lock is taken, so that a wrong name is said as such, and again under it.
    catalog.find(reference)
    with catalog.locked(reference.name, doing=f"promoting {reference} to {alias}"):
        version = catalog.find(reference)
        if version.retired:
            raise GateClosedError(
                f"{version} was retired ({version.retired}) and cannot be promoted.",
                hint=f"List the others with: forty models show {version.name}",
            )
        if alias in version.aliases:
            return Promotion(version=version, alias=alias, gates=(), move=None, already=True)
        with files.temporary_folder(settings.workspace / "registry", version.name) as scratch:
            gates = _gates(version, catalog, settings, scratch, progress, limits)
        closed = [gate.gate for gate in gates if not gate.passed]
        if closed and not force:
            return Promotion(version=version, alias=alias, gates=tuple(gates), move=None)
        move = catalog.move(
            version.name, alias, version.version, kind="promote", forced=tuple(closed), reason=reason.strip()
        )
    return Promotion(version=version, alias=alias, gates=tuple(gates), move=move)


def roll_back(name: str, alias: str, catalog: Catalog, settings: Settings, *, reason: str = "") -> Move:
    """Move an alias back to the version it was at before. No gate is asked: it had passed them, or been forced.

    Going back again goes further back, through all the versions that had the alias.

    Args:
        name: of the model.
        alias: "champion" or "challenger".
        catalog: the registry.
        settings: the workspace.
        reason: why, for the history.

    Raises:
        UsageError: there is no such model, or nothing to go back to.
        NotWholeError: the files of the version before are missing or altered.
        BusyError: someone else is changing the same model.
    """
    check_alias(alias)
    catalog.moves(name)
    with catalog.locked(name, doing=f"rolling back the {alias}"):
        known = {v.version: v for v in catalog.versions(name)}
        now = next((v.version for v in known.values() if alias in v.aliases), None)
        earlier = [number for number in before(catalog.moves(name), alias, now) if number in known]
        usable = [number for number in earlier if not known[number].retired]
        if not usable:
            at = f"version {now} is the first {alias}" if now else f"it has no {alias}"
            if earlier:
                at = f"every {alias} before version {now} was retired"
            raise UsageError(f"{name!r} has nothing to go back to: {at}.", hint=f"See: forty models show {name}")
        with files.temporary_folder(settings.workspace / "registry", name) as scratch:
            catalog.fetch(known[usable[0]], scratch / "before")
        return catalog.move(name, alias, usable[0], kind="rollback", forced=(), reason=reason.strip())


def before(moves: Sequence[Move], alias: str, now: int | None) -> list[int]:
    """The versions an alias can go back to, the last one first.

    A promotion puts a version on top of those before it; going back takes away what lay above. Where the alias points
    to a version that no move brought it to, someone moved it by other means, and all of the history is before it.
    """
    stack: list[int] = []
    for move in moves:
        if move.alias != alias:
            continue
        if move.kind == "rollback" and move.version in stack:
            while stack[-1] != move.version:
                stack.pop()
        elif not stack or stack[-1] != move.version:
            stack.append(move.version)
    if now in stack:
        while stack and stack.pop() != now:
            pass
    return stack[::-1]


def retire(reference: Reference, catalog: Catalog, *, reason: str) -> Version:
    """Mark a version as never to be used again; its files stay for the record.

    Raises:
        UsageError: there is no such version, an alias points to it, or the reason is empty.
        BusyError: someone else is changing the same model.
    """
    if not reason.strip():
        raise UsageError("A version is retired for a reason.", hint='Say why: --reason "..."')
    catalog.find(reference)
    with catalog.locked(reference.name, doing=f"retiring {reference}"):
        version = catalog.find(reference)
        if version.aliases:
            raise UsageError(
                f"{version} is the {' and the '.join(version.aliases)} and cannot be retired.",
                hint=f"Promote another version first, or go back: forty rollback {version.name}",
            )
        catalog.retire(version, reason.strip())
        return catalog.find(Reference(name=version.name, version=version.version))


def _gates(
    version: Version, catalog: Catalog, settings: Settings, scratch: Path, progress: Progress, limits: Limits
) -> list[GateResult]:
    progress.say(f"Measuring {version}")
    catalog.fetch(version, scratch / "candidate")
    lineage, evaluation = documents_of(scratch / "candidate", version)
    spec = datasets.find(lineage["dataset"]["name"])
    dataset = arrays.load(spec, settings, progress)
    problem = different_data(lineage, dataset)
    if problem:
        raise NotWholeError(
            f"{version} was trained on other data than there is now: {problem}.",
            hint="What it was validated on cannot be told from what it has learned. Run the study again and register.",
        )
    content = (scratch / "candidate" / ONNX_FILE).read_bytes()
    measured = measure(content, dataset.training.validation, threads=settings.threads)
    champion = _champion(version, lineage, catalog, dataset, settings, scratch, progress)
    return judge(
        measured,
        facts={"claims": lineage["claims"], "onnx": evaluation["onnx"]},
        classes=dataset.classes,
        champion=champion,
        limits=limits,
    )


def _champion(
    version: Version,
    lineage: Mapping[str, Any],
    catalog: Catalog,
    dataset: Dataset,
    settings: Settings,
    scratch: Path,
    progress: Progress,
) -> Champion | None:
    """The champion on the candidate's validation data; None where there is no other."""
    champion = next((v for v in catalog.versions(version.name) if CHAMPION in v.aliases), None)
    if champion is None or champion.version == version.version:
        return None
    progress.say(f"Measuring the champion, {champion}")
    try:
        catalog.fetch(champion, scratch / "champion")
        theirs, _ = documents_of(scratch / "champion", champion)
    except NotWholeError as error:
        return Champion(version=champion.version, measured=None, problem=f"not comparable: {error.message}")
    if theirs["dataset"]["name"] != lineage["dataset"]["name"] or different_data(theirs, dataset):
        problem = f"not comparable: version {champion.version} was trained on other data or other splits"
        return Champion(version=champion.version, measured=None, problem=problem)
    content = (scratch / "champion" / ONNX_FILE).read_bytes()
    measured = measure(content, dataset.training.validation, threads=settings.threads)
    return Champion(version=champion.version, measured=measured)


def different_data(lineage: Mapping[str, Any], dataset: Dataset) -> str:
    """In what a model's data differs from a dataset as it is now, or ""."""
    then = lineage["dataset"]
    if then["digest"] != dataset.digest:
        return f"the dataset {dataset.name} has changed"
    if then["split_version"] != dataset.split_version:
        return f"the splits of {dataset.name} have changed"
    return ""


def documents_of(folder: Path, version: Version) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lineage and evaluation of a fetched version.

    Raises:
        NotWholeError: one of them is not there: it was never evaluated.
    """
    found = []
    for name in (LINEAGE_FILE, EVALUATION_FILE):
        if not (folder / name).is_file():
            raise NotWholeError(
                f"{version} has no {name}: it was never evaluated.", hint="Register the model anew: forty register DAY"
            )
        found.append(files.read_json(folder / name))
    lineage, evaluation = found
    return lineage, evaluation

"""Moving an alias: through the gates to a version, and back to the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import DataError, ExitCode, FortydaysError, StorageError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset
from fortydays.data.own import dataset as own
from fortydays.registry.catalog import Catalog, NotWholeError, Version
from fortydays.registry.contents import EVALUATION_FILE, LINEAGE_FILE, ONNX_FILE
from fortydays.registry.evaluation import measure
from fortydays.registry.gates import Champion, GateResult, Limits, judge
from fortydays.registry.inference import UnsafeModelError
from fortydays.registry.moves import Move, check_reason
from fortydays.registry.names import CHAMPION, Reference, check_alias
from fortydays.registry.scratch import scratch

_LIMITS = Limits()
_NEEDED = {
    LINEAGE_FILE: ("dataset", "study", "recipe", "trial", "code", "packages", "machine", "run", "claims"),
    EVALUATION_FILE: ("onnx",),
}


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
        already: whether the alias pointed to the version before; its files are whole.
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
    check_reason(reason)
    # Asked before the lock is taken, so that a wrong name is said as such, and again under it.
    catalog.find(reference)
    with catalog.locks.held(reference.name, doing=f"promoting {reference} to {alias}"):
        version = catalog.find(reference)
        if version.retired:
            raise GateClosedError(
                f"{version} was retired ({version.retired}) and cannot be promoted.",
                hint=f"List the others with: forty models show {version.name}",
            )
        with scratch(settings) as folder:
            if alias in version.aliases:
                catalog.fetch(version, folder / "candidate")
                return Promotion(version=version, alias=alias, gates=(), move=None, already=True)
            gates = _gates(version, catalog, settings, folder, progress, limits)
        closed = [gate.gate for gate in gates if not gate.passed]
        if closed and not force:
            return Promotion(version=version, alias=alias, gates=tuple(gates), move=None)
        move = catalog.move(
            version.name,
            alias,
            version.version,
            kind="promote",
            forced=tuple(closed),
            reason=reason,
            gates=tuple(gate.as_dict() for gate in gates),
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
    check_reason(reason)
    catalog.moves(name)
    with catalog.locks.held(name, doing=f"rolling back the {alias}"):
        known = {v.version: v for v in catalog.versions(name)}
        now = next((v.version for v in known.values() if alias in v.aliases), None)
        earlier = [number for number in before(catalog.moves(name), alias, now) if number in known]
        usable = [number for number in earlier if not known[number].retired]
        if not usable:
            at = f"version {now} is the first {alias}" if now else f"it has no {alias}"
            if earlier:
                at = f"every {alias} before version {now} was retired"
            raise UsageError(f"{name!r} has nothing to go back to: {at}.", hint=f"See: forty models show {name}")
        with scratch(settings) as folder:
            catalog.fetch(known[usable[0]], folder / "before")
        return catalog.move(name, alias, usable[0], kind="rollback", reason=reason)


def before(moves: Sequence[Move], alias: str, now: int | None) -> list[int]:
    """The versions an alias can go back to, the last one first.

    A promotion puts a version on top of those before it; going back takes away what lay above. Each move tells where
    the alias was in truth. Where that is not where the last one had put it, that last one was written down and never
    made, or else someone moved the alias by other means, to a version that then counts as well.
    """
    stack: list[int] = []

    def was_at(version: int | None) -> None:
        if version is None or (stack and stack[-1] == version):
            return
        if len(stack) > 1 and stack[-2] == version:
            stack.pop()
        else:
            stack.append(version)

    for move in moves:
        if move.alias != alias:
            continue
        was_at(move.before)
        if move.kind == "rollback" and move.version in stack:
            while stack[-1] != move.version:
                stack.pop()
        elif not stack or stack[-1] != move.version:
            stack.append(move.version)
    was_at(now)
    return stack[-2::-1] if now is not None else stack[::-1]


def retire(reference: Reference, catalog: Catalog, *, reason: str) -> Version:
    """Mark a version as never to be used again; its files stay for the record.

    Raises:
        UsageError: there is no such version, an alias points to it, or the reason is empty.
        BusyError: someone else is changing the same model.
    """
    if not reason.strip():
        raise UsageError("A version is retired for a reason.", hint='Say why: --reason "..."')
    check_reason(reason)
    catalog.find(reference)
    with catalog.locks.held(reference.name, doing=f"retiring {reference}"):
        version = catalog.find(reference)
        if version.retired:
            raise UsageError(f"{version} was retired before: {version.retired}")
        if version.aliases:
            raise UsageError(
                f"{version} is the {' and the '.join(version.aliases)} and cannot be retired.",
                hint=f"Promote another version first, or go back: forty rollback {version.name}",
            )
        catalog.retire(version, reason)
        return catalog.find(Reference(name=version.name, version=version.version))


def _gates(
    version: Version, catalog: Catalog, settings: Settings, folder: Path, progress: Progress, limits: Limits
) -> list[GateResult]:
    progress.say(f"Measuring {version}")
    catalog.fetch(version, folder / "candidate")
    lineage, evaluation = documents_of(folder / "candidate", version)
    dataset = library.load(lineage["dataset"]["name"], settings, progress)
    problem = different_data(lineage, dataset)
    if problem:
        raise NotWholeError(
            f"{version} was trained on other data than there is now: {problem}.",
            hint="What it was validated on cannot be told from what it has learned. Run the study again and register.",
        )
    content = _model_in(folder / "candidate")
    measured = measure(content, dataset.training, threads=settings.threads)
    champion = _champion(version, lineage, catalog, dataset, settings, folder, progress)
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
    folder: Path,
    progress: Progress,
) -> Champion | None:
    """The champion on the candidate's validation data; None where there is no other."""
    champion = next((v for v in catalog.versions(version.name) if CHAMPION in v.aliases), None)
    if champion is None or champion.version == version.version:
        return None
    progress.say(f"Measuring the champion, {champion}")
    try:
        catalog.fetch(champion, folder / "champion")
        theirs, _ = documents_of(folder / "champion", champion)
    except NotWholeError as error:
        return Champion(version=champion.version, measured=None, problem=f"not comparable: {error.message}")
    if theirs["dataset"]["classes"] != list(dataset.classes) and _are_own(theirs, lineage):
        # A reader who adds a class wants it told apart; a model that does not know it is nothing to compare with.
        progress.say(f"{champion} tells other classes apart, so it is not compared with.")
        return None
    problem = _incomparable(theirs, lineage, dataset, settings)
    if problem:
        return Champion(
            version=champion.version, measured=None, problem=f"not comparable: version {champion.version}: {problem}"
        )
    try:
        measured = measure(_model_in(folder / "champion"), dataset.training, threads=settings.threads)
    except UnsafeModelError as error:
        return Champion(version=champion.version, measured=None, problem=f"not comparable: {error.message}")
    return Champion(version=champion.version, measured=measured)


def _are_own(*lineages: Mapping[str, Any]) -> bool:
    return all(own.is_own(each["dataset"]["name"]) for each in lineages)


def _incomparable(theirs: Mapping[str, Any], lineage: Mapping[str, Any], dataset: Dataset, settings: Settings) -> str:
    """Why the champion may not be judged on the candidate's validation data, or ""."""
    earlier, name = theirs["dataset"]["name"], lineage["dataset"]["name"]
    # The same photographs have the same digest, whether a day names them or a fit.
    if not different_data(theirs, dataset):
        return ""
    if not _are_own(theirs, lineage):
        return "it was trained on other data or other splits"
    # Photographs were added to those of the champion, or taken away.
    try:
        return own.was_learned(earlier, name, settings)
    except (DataError, StorageError) as error:
        return error.message


def _model_in(folder: Path) -> bytes:
    with files.storage_errors("read", folder / ONNX_FILE):
        return (folder / ONNX_FILE).read_bytes()


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
        FortydaysError: another version of this program wrote them.
    """
    found = []
    for name, needed in _NEEDED.items():
        if not (folder / name).is_file():
            raise NotWholeError(
                f"{version} has no {name}: it was never evaluated.", hint="Register the model anew: forty register DAY"
            )
        document = files.read_json(folder / name)
        if document.get("schema_version") != 1:
            raise FortydaysError(
                f"{name} of {version} has schema version {document.get('schema_version')!r}; "
                "this version of fortydays reads 1.",
                hint="Use the version of fortydays that registered it, or register the model anew.",
            )
        missing = [field for field in needed if field not in document]
        if missing:
            raise NotWholeError(f"{name} of {version} has no {', '.join(missing)}.", hint="Register the model anew.")
        found.append(document)
    lineage, evaluation = found
    return lineage, evaluation

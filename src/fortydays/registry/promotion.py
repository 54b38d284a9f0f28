"""Moving an alias: through the gates to a version, and back to the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fortydays.base import files
from fortydays.base.errors import DataError, ExitCode, FortydaysError, StorageError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import Dataset, Reading
from fortydays.data.own import dataset as own
from fortydays.inputs.kinds import read_input
from fortydays.registry.contents import EVALUATION_FILE, LINEAGE_FILE, ONNX_FILE, PREPROCESSING_FILE
from fortydays.registry.evaluation import Measured, measure
from fortydays.registry.gates import Champion, GateResult, Limits, judge
from fortydays.registry.inference import UnsafeModelError
from fortydays.registry.moves import Move, check_reason
from fortydays.registry.names import CHAMPION, Reference, check_alias
from fortydays.registry.registry import NotWholeError, Registry, Version
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
    """How an attempt to promote a version ended: what each gate said, and what was written into the history.

    The move is None where the alias stayed. Where it pointed to the version already, no gate is asked.
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
    registry: Registry,
    settings: Settings,
    *,
    progress: Progress,
    reason: str = "",
    force: bool = False,
    limits: Limits = _LIMITS,
) -> Promotion:
    """Move an alias to a version, if it passes every gate.

    With ``force``, which needs a reason, it moves also where gates fail; they are written down with the reason.

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
    registry.find(reference)
    with registry.locks.held(reference.name, doing=f"promoting {reference} to {alias}"):
        version = registry.find(reference)
        if version.retired:
            raise GateClosedError(
                f"{version} was retired ({version.retired}) and cannot be promoted.",
                hint=f"List the others with: forty models show {version.name}",
            )
        with scratch(settings) as folder:
            if alias in version.aliases:
                registry.fetch(version, folder / "candidate")
                return Promotion(version=version, alias=alias, gates=(), move=None, already=True)
            gates = tuple(_gates(version, registry, settings, folder, progress, limits))
        closed = tuple(gate.gate for gate in gates if not gate.passed)
        if closed and not force:
            return Promotion(version=version, alias=alias, gates=gates, move=None)
        move = registry.move(
            version.name,
            alias,
            version.version,
            kind="promote",
            forced=closed,
            reason=reason,
            gates=tuple(map(asdict, gates)),
        )
    return Promotion(version=version, alias=alias, gates=gates, move=move)


def roll_back(name: str, alias: str, registry: Registry, settings: Settings, *, reason: str = "") -> Move:
    """Move an alias back to the version it was at before. No gate is asked: it had passed them, or been forced.

    Going back again goes further back, through all the versions that had the alias.

    Raises:
        UsageError: there is no such model, or nothing to go back to.
        NotWholeError: the files of the version before are missing or altered.
        BusyError: someone else is changing the same model.
    """
    check_alias(alias)
    check_reason(reason)
    registry.moves(name)
    with registry.locks.held(name, doing=f"rolling back the {alias}"):
        known = {v.version: v for v in registry.versions(name)}
        now = next((v.version for v in known.values() if alias in v.aliases), None)
        earlier = [number for number in before(registry.moves(name), alias, now) if number in known]
        usable = [number for number in earlier if not known[number].retired]
        if not usable:
            at = f"version {now} is the first {alias}" if now else f"it has no {alias}"
            if earlier:
                at = f"every {alias} before version {now} was retired"
            raise UsageError(f"{name!r} has nothing to go back to: {at}.", hint=f"See: forty models show {name}")
        with scratch(settings) as folder:
            registry.fetch(known[usable[0]], folder / "before")
        return registry.move(name, alias, usable[0], kind="rollback", reason=reason)


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


def retire(reference: Reference, registry: Registry, *, reason: str) -> Version:
    """Mark a version as never to be used again; its files stay for the record.

    Raises:
        UsageError: there is no such version, an alias points to it, or the reason is empty.
        BusyError: someone else is changing the same model.
    """
    if not reason.strip():
        raise UsageError("A version is retired for a reason.", hint='Say why: --reason "..."')
    check_reason(reason)
    registry.find(reference)
    with registry.locks.held(reference.name, doing=f"retiring {reference}"):
        version = registry.find(reference)
        if version.retired:
            raise UsageError(f"{version} was retired before: {version.retired}")
        if version.aliases:
            raise UsageError(
                f"{version} is the {' and the '.join(version.aliases)} and cannot be retired.",
                hint=f"Promote another version first, or go back: forty rollback {version.name}",
            )
        registry.retire(version, reason)
        return registry.find(Reference(name=version.name, version=version.version))


def _gates(
    version: Version, registry: Registry, settings: Settings, folder: Path, progress: Progress, limits: Limits
) -> list[GateResult]:
    progress.say(f"Measuring {version}")
    registry.fetch(version, folder / "candidate")
    lineage, evaluation = documents_of(folder / "candidate", version)
    dataset = library.load(lineage["dataset"]["name"], settings, progress)
    problem = different_data(lineage, dataset)
    if problem:
        raise NotWholeError(
            f"{version} was trained on other data than there is now: {problem}.",
            hint="What it was validated on cannot be told from what it has learned. Run the study again and register.",
        )
    return judge(
        _measured(folder / "candidate", lineage, dataset, settings),
        facts={"claims": lineage["claims"], "onnx": evaluation["onnx"]},
        classes=dataset.classes,
        champion=_champion(version, lineage, registry, dataset, settings, folder, progress),
        limits=limits,
        noun=dataset.training.input.NOUN,
    )


def _champion(
    version: Version,
    lineage: Mapping[str, Any],
    registry: Registry,
    dataset: Dataset,
    settings: Settings,
    folder: Path,
    progress: Progress,
) -> Champion | None:
    """The champion on the candidate's validation data; None where there is no other."""
    champion = next((v for v in registry.versions(version.name) if CHAMPION in v.aliases), None)
    if champion is None or champion.version == version.version:
        return None
    progress.say(f"Measuring the champion, {champion}")
    try:
        registry.fetch(champion, folder / "champion")
        theirs, _ = documents_of(folder / "champion", champion)
        if theirs["dataset"]["classes"] != list(dataset.classes) and _are_own(theirs, lineage):
            # A reader who adds a class wants it told apart; a model that does not know it is nothing to compare with.
            progress.say(f"{champion} tells other classes apart, so it is not compared with.")
            return None
        problem = _incomparable(theirs, lineage, dataset, settings)
        if not problem:
            measured = _measured(folder / "champion", theirs, dataset, settings)
            return Champion(version=champion.version, measured=measured)
        problem = f"version {champion.version}: {problem}"
    except (NotWholeError, UnsafeModelError) as error:
        problem = error.message
    return Champion(version=champion.version, measured=None, problem=f"not comparable: {problem}")


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


def _measured(folder: Path, lineage: Mapping[str, Any], dataset: Dataset, settings: Settings) -> Measured:
    """A version on the validation data, with texts read as it learned to read them."""
    data = dataset.read_as(Reading.of(lineage["recipe"]))
    training = data.training
    if own.is_own(dataset.name):
        training = library.taken_by(data, read_input(files.read_json(folder / PREPROCESSING_FILE)), settings)
    return measure(_model_in(folder), training, threads=settings.threads)


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

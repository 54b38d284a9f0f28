"""The models there are: MLflow's registry, with what it lacks for two people to use it at once.

A version comes to be in one order: its files are uploaded, then MLflow makes the version, with the digest of the
files' manifest among its tags, in one call. Whatever dies in between leaves files without a version; a version without
that tag was made by something else, and is never promoted. Aliases move under a
lock, see :mod:`fortydays.registry.lock`, and each move is written down first, see :mod:`fortydays.registry.moves`.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.base.text import printable
from fortydays.base.values import fields_as_json
from fortydays.registry.asking import EXISTS, MISSING, asking, found
from fortydays.registry.lock import Locks
from fortydays.registry.moves import MOVE_TAG, Move, check_reason, read_move
from fortydays.registry.names import CHAMPION, Reference, check_name
from fortydays.registry.package import MANIFEST, DamagedPackageError, Manifest, check, read
from fortydays.track.store import (
    Store,
    UnreachableError,
    artifacts_at,
    destination,
    every,
    experiment_id,
    located,
    open_store,
    refused_as,
)

EXPERIMENT = "fortydays/models"
"""The tracker's experiment under which the versions' files are kept."""

_MODEL_TAG = "fortydays.model"
_DIGEST_TAG = "fortydays.digest"
_RETIRED_TAG = "fortydays.retired"
_LARGEST_FILE = 2**31
_ARTIFACTS = "model"


class NotWholeError(FortydaysError):
    """A version whose files are not those it was registered with."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version in the registry.

    Attributes:
        created: when it was registered, ISO 8601.
        digest: of its manifest, or "" where this program did not register it.
        facts: what was written down about it, by name: the study, the variant, accuracies.
        retired: why it was retired, or "".
        run_id: MLflow's run that has its files, or "".
        source: where MLflow keeps its files.
    """

    name: str
    version: int
    created: str
    digest: str
    facts: Mapping[str, str]
    aliases: tuple[str, ...]
    retired: str
    run_id: str
    source: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return fields_as_json(self)


def open_registry(settings: Settings, progress: Progress) -> "Registry":
    """The registry that the settings name; progress is told what the reader should know of it.

    Raises:
        TrackingError: it cannot be reached.
    """
    hint = "See what there is with `forty models`. Without MLFLOW_TRACKING_URI, the workspace has the registry."
    # A damaged store holds more than runs could fill again; a reader decides what becomes of it.
    store = open_store(destination(settings), hint=hint, set_aside=False, waiting=progress.say)
    for note in store.notes:
        progress.warn(note)
    return Registry(store)


class Registry:
    """The registry of one tracking store, which is open, and the locks of its models."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.locks = Locks(store)
        self._client = store.client

    def names(self) -> list[str]:
        """The models that this program has registered, by name."""
        with asking(self.store):
            models = every(self._client.search_registered_models)
        return sorted(model.name for model in models if _MODEL_TAG in model.tags)

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, oldest first. Raises UsageError where there is no such model."""
        aliases = self._model(name).aliases
        with asking(self.store):
            entries = every(self._client.search_model_versions, f"name='{name}'", order_by=["version_number ASC"])
        return [_version(entry, aliases) for entry in entries]

    def find(self, reference: Reference) -> Version:
        """The version that a reference means: the champion, or else the newest, where it names the model alone.

        Raises UsageError where there is no such model or version, or the alias points nowhere.
        """
        aliases, alias = self._model(reference.name).aliases, reference.alias or CHAMPION
        number = reference.version or aliases.get(alias)
        if number is None and reference.alias:
            raise UsageError(
                f"{reference.name!r} has no {alias} yet.",
                hint=f"Make one with: forty promote {reference.name}@VERSION --to {alias}",
            )
        if number is not None:
            entry = found(self.store, self._client.get_model_version, reference.name, str(number))
            if entry is not None:
                return _version(entry, aliases)
        versions = self.versions(reference.name)
        if not versions:
            raise UsageError(f"{reference.name!r} has no version.", hint="Register one with: forty register DAY")
        if number is None:
            return versions[-1]
        raise unknown_name("version", f"{reference.name}@{number}", [str(v.version) for v in versions[-10:]])

    def moves(self, name: str) -> list[Move]:
        """The history of a model's aliases, oldest first. Raises UsageError where there is no such model."""
        moves = []
        for key, value in self._model(name).tags.items():
            if key.startswith(MOVE_TAG):
                try:
                    moves.append(read_move(key, value))
                except ValueError as error:
                    raise NotWholeError(
                        f"The history of {name!r} is damaged: its entry {printable(key)} cannot be read.",
                        hint="It was edited outside of this program; remove or mend that tag in MLflow.",
                    ) from error
        return sorted(moves, key=lambda move: move.number)

    def add(self, name: str, folder: Path, manifest: Manifest, *, facts: Mapping[str, str]) -> Version:
        """Upload a sealed folder and make a version of it, and the model where it is missing.

        Lists of versions show the facts.

        Raises:
            UsageError: the registry has a model of that name which another program made.
            TrackingError: the registry cannot be reached, or refuses; no version was made, or it is not known whether.
        """
        check_name(name)
        tags = {_DIGEST_TAG: manifest.digest, **{f"fortydays.{key}": value for key, value in facts.items()}}
        self._make_model(name)
        with asking(self.store):
            run = self._client.create_run(
                experiment_id(self.store, EXPERIMENT),
                run_name=f"register {name}",
                tags={"mlflow.source.name": "fortydays", "mlflow.source.type": "LOCAL", _DIGEST_TAG: manifest.digest},
            )
            try:
                artifacts_at(self.store, run.info.artifact_uri).log_artifacts(str(folder), _ARTIFACTS)
            except BaseException:
                with contextlib.suppress(Exception):  # what went wrong first is what matters
                    self._client.set_terminated(run.info.run_id, "FAILED")
                raise
            self._client.set_terminated(run.info.run_id, "FINISHED")
        try:
            with asking(self.store):
                made = self._client.create_model_version(
                    name,
                    source=f"{located(self.store.destination, run.info.artifact_uri)}/{_ARTIFACTS}",
                    run_id=run.info.run_id,
                    tags=tags,
                )
        except FortydaysError:
            # The version may have been made and the answer lost on its way.
            with contextlib.suppress(FortydaysError):
                for version in self.versions(name):
                    if version.run_id == run.info.run_id:
                        return version
            raise
        return _version(made, {})

    def _make_model(self, name: str) -> None:
        try:
            with asking(self.store):
                self._client.create_registered_model(name, tags={_MODEL_TAG: "1"})
        except FortydaysError as error:
            if not refused_as(error, EXISTS):
                raise
            self._model(name)  # which tells, if it is another program's

    def fetch(self, version: Version, folder: Path) -> Manifest:
        """Copy a version's files into a new folder and check every byte of them.

        Raises:
            NotWholeError: files are missing or altered, or this program did not register it.
            TrackingError: the registry cannot be reached, or refuses.
        """
        if not version.digest:
            raise NotWholeError(
                f"{version} was not registered by this program, or its registration was not completed.",
                hint=f"Register the model anew: forty register DAY --name {version.name}",
            )
        try:
            with files.temporary_folder(folder.parent, folder.name) as scratch:
                self._check_source(version)
                with asking(self.store):  # it refuses addresses of a kind that it does not know
                    kept = artifacts_at(self.store, version.source)
                self._download(kept, MANIFEST, scratch, folder)
                manifest = read(folder)
                if manifest.digest != version.digest:
                    raise self._not_whole(version, "they are those of another version.")
                # What else lies there is left there: MLflow's own loading of a model puts a file beside ours.
                for name, (_, size) in manifest.files.items():
                    if size > _LARGEST_FILE:
                        raise self._not_whole(version, f"{name} is said to have {size:,} bytes.")
                    self._download(kept, name, scratch, folder)
            return check(folder)
        except UnreachableError:
            raise
        except FortydaysError as error:
            if isinstance(error, DamagedPackageError):
                raise self._not_whole(version, error.message.replace(str(folder), "their folder")) from error
            if _is_absent(error.__cause__):
                raise self._not_whole(version, f"they cannot be had. {error.message}") from error
            raise

    def move(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        kind: str,
        forced: tuple[str, ...] = (),
        reason: str = "",
        gates: tuple[Mapping[str, Any], ...] = (),
    ) -> Move:
        """Write down that an alias moves, then move it. The caller holds the model's lock.

        Should the process die between the two, the history tells of a move that the alias does not show; the next
        move says where the alias was in truth.

        Raises:
            UsageError: the reason is too long.
            BusyError: someone has taken the lock away.
        """
        moves = self.moves(name)
        before = self._model(name).aliases.get(alias)
        move = Move(
            number=moves[-1].number + 1 if moves else 1,
            kind=kind,
            alias=alias,
            version=version,
            before=int(before) if before else None,
            time=clock.timestamp(),
            forced=forced,
            reason=check_reason(reason),
            gates=gates,
        )
        self.locks.check(name)
        with asking(self.store):
            self._client.set_registered_model_tag(name, *move.as_tag())
            self._client.set_registered_model_alias(name, alias, str(version))
        return move

    def retire(self, version: Version, reason: str) -> None:
        """Mark a version as never to be used again; its files stay. The caller holds the model's lock."""
        self.locks.check(version.name)
        with asking(self.store):
            self._client.set_model_version_tag(version.name, str(version.version), _RETIRED_TAG, check_reason(reason))

    def _check_source(self, version: Version) -> None:
        """A version's files are where this program has put them: under the version's own run."""
        with asking(self.store):
            run = self._client.get_run(version.run_id) if version.run_id else None
        where = self.store.destination
        if run is None or located(where, version.source) != f"{located(where, run.info.artifact_uri)}/{_ARTIFACTS}":
            raise self._not_whole(version, "it says that they are somewhere else.")

    def _download(self, kept: Any, name: str, scratch: Path, folder: Path) -> None:
        """Copy one of the files that an MLflow ``ArtifactRepository`` keeps into a folder."""
        with asking(self.store):
            fetched = Path(kept.download_artifacts(name, str(scratch)))
        with files.storage_errors("read", fetched):
            content = fetched.read_bytes()
        files.write_bytes(folder / name, content)

    def _model(self, name: str) -> Any:
        model = found(self.store, self._client.get_registered_model, name)
        if model is None:
            raise unknown_name("model", name, self.names())
        if _MODEL_TAG not in model.tags:
            raise UsageError(
                f"The registry has a model {name!r}, but another program made it.",
                hint="Register under another name: --name NAME",
            )
        return model

    def _not_whole(self, version: Version, what: str) -> NotWholeError:
        return NotWholeError(
            f"The files of {version} are not those that were registered: {what}",
            hint="Nothing was changed. Register the model anew; if this version is in use: "
            f"forty rollback {version.name}",
        )


def _is_absent(cause: BaseException | None) -> bool:
    """Whether an error says that something is not there, rather than that it could not be asked for."""
    import requests
    from mlflow.exceptions import MlflowException

    if isinstance(cause, requests.HTTPError):
        return cause.response is not None and cause.response.status_code == 404
    if isinstance(cause, MlflowException):
        # Of several files that it was asked for, MLflow gathers what failed in words alone.
        told = cause.error_code == MISSING or "404 Client Error" in str(cause)
        return told or isinstance(cause.__cause__, FileNotFoundError)
    return isinstance(cause, FileNotFoundError | NotADirectoryError)


def _version(entry: Any, aliases: Mapping[str, Any]) -> Version:
    tags = entry.tags
    own = (_DIGEST_TAG, _RETIRED_TAG)
    return Version(
        name=entry.name,
        version=int(entry.version),
        created=clock.iso(entry.creation_timestamp / 1000),
        digest=tags.get(_DIGEST_TAG, ""),
        facts={
            printable(key.removeprefix("fortydays.")): printable(value)
            for key, value in tags.items()
            if key.startswith("fortydays.") and key not in own
        },
        aliases=tuple(printable(alias) for alias in sorted(aliases) if str(aliases[alias]) == str(entry.version)),
        retired=printable(tags.get(_RETIRED_TAG, "")),
        run_id=entry.run_id or "",
        source=entry.source,
    )

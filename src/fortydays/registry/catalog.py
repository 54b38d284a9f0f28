"""The models there are: MLflow's registry, with what it lacks for two people to use it at once.

A version comes to be in one order: its files are uploaded, then MLflow makes the version, with the digest of the
files' manifest among its tags, in one call. Whatever dies in between leaves files without a version; a version without
that tag was made by something else, and is never promoted. Aliases move under a lock, and each move is written down
first, so that it can be undone. MLflow has no locks; but no two models of it can have the same name, so the one who
makes the model ``NAME.lock`` holds the lock of NAME.
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.registry.names import CHAMPION, Reference, check_name, printable
from fortydays.registry.package import MANIFEST, DamagedPackageError, Manifest, check, read
from fortydays.track.store import Store, experiment_id, using_mlflow

EXPERIMENT = "fortydays/models"
"""The tracker's experiment under which the versions' files are kept."""

_MODEL_TAG = "fortydays.model"
_LOCK_TAG = "fortydays.lock"
_MOVE_TAG = "fortydays.move."
_DIGEST_TAG = "fortydays.digest"
_RETIRED_TAG = "fortydays.retired"
_LONGEST_REASON = 500
_AT_ONCE = 1_000
_NOT_REACHED = "See what there is with: forty models"


class BusyError(FortydaysError):
    """Someone else is changing the same model."""


class NotWholeError(FortydaysError):
    """A version whose files are not those it was registered with."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version in the registry.

    Attributes:
        name: of the model.
        version: its number.
        created: when it was registered, ISO 8601.
        digest: of its manifest, or "" where this program did not register it.
        facts: what was written down about it, by name: the study, the variant, accuracies.
        aliases: those that point to it.
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
        return {**asdict(self), "facts": dict(self.facts), "aliases": list(self.aliases)}


@dataclass(frozen=True, kw_only=True)
class Move:
    """One time that an alias moved.

    Attributes:
        number: counted from 1 for each model.
        kind: "promote" or "rollback".
        alias: what moved.
        version: where to.
        before: where it was, or None.
        time: when, ISO 8601.
        forced: the gates that had failed and were passed by force.
        reason: why, in the words of who moved it.
    """

    number: int
    kind: str
    alias: str
    version: int
    before: int | None
    time: str
    forced: tuple[str, ...]
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "forced": list(self.forced)}


class Catalog:
    """The registry of one tracking store.

    Args:
        store: an opened destination.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client = store.client

    def names(self) -> list[str]:
        """The models that this program has registered, by name."""
        with self._mlflow():
            found: list[str] = []
            token = None
            while True:
                page = self._client.search_registered_models(max_results=_AT_ONCE, page_token=token)
                found += [model.name for model in page if _MODEL_TAG in model.tags]
                token = page.token
                if not token:
                    return sorted(found)

    def versions(self, name: str) -> list[Version]:
        """The versions of a model, oldest first.

        Raises:
            UsageError: there is no such model.
        """
        model = self._model(name)
        aliases: dict[int, list[str]] = {}
        for alias, version in sorted(model.aliases.items()):
            aliases.setdefault(int(version), []).append(alias)
        found: list[Version] = []
        with self._mlflow():
            token = None
            while True:
                page = self._client.search_model_versions(
                    f"name='{name}'", max_results=_AT_ONCE, order_by=["version_number ASC"], page_token=token
                )
                found += [_version(entry, tuple(aliases.get(int(entry.version), ()))) for entry in page]
                token = page.token
                if not token:
                    return found

    def find(self, reference: Reference) -> Version:
        """The version that a reference means: the champion, or else the newest, where it names the model alone.

        Raises:
            UsageError: there is no such model or version, or the alias points nowhere.
        """
        model = self._model(reference.name)
        number = reference.version
        if number is None:
            alias = reference.alias or CHAMPION
            if alias in model.aliases:
                number = int(model.aliases[alias])
            elif reference.alias:
                raise UsageError(
                    f"{reference.name!r} has no {alias} yet.",
                    hint=f"Make one with: forty promote {reference.name}@VERSION --to {alias}",
                )
        if number is not None:
            entry = self._get_version(reference.name, number)
            if entry is not None:
                pointing = tuple(sorted(a for a, v in model.aliases.items() if int(v) == number))
                return _version(entry, pointing)
        versions = self.versions(reference.name)
        if number is None and versions:
            return versions[-1]
        if not versions:
            raise UsageError(f"{reference.name!r} has no version.", hint="Register one with: forty register DAY")
        known = [str(v.version) for v in versions]
        raise unknown_name("version", f"{reference.name}@{number}", known[-10:])

    def moves(self, name: str) -> list[Move]:
        """The history of a model's aliases, oldest first. Raises UsageError where there is no such model."""
        found = []
        for key, value in self._model(name).tags.items():
            if not key.startswith(_MOVE_TAG):
                continue
            try:
                told = json.loads(value)
                number = int(key.removeprefix(_MOVE_TAG))
                found.append(Move(**{**told, "number": number, "forced": tuple(told["forced"])}))
            except (ValueError, TypeError, KeyError) as error:
                raise NotWholeError(
                    f"The history of {name!r} is damaged: its entry {printable(key)} cannot be read.",
                    hint="It was edited outside of this program; remove or mend that tag in MLflow.",
                ) from error
        return sorted(found, key=lambda move: move.number)

    def next_version(self, name: str) -> int:
        """The number that the next version will have, if nobody else makes one before."""
        if not self._exists(name):
            return 1
        versions = self.versions(name)
        return versions[-1].version + 1 if versions else 1

    def add(self, name: str, folder: Path, manifest: Manifest, *, facts: Mapping[str, str]) -> Version:
        """Upload a sealed folder and make a version of it. The caller holds the model's lock.

        Args:
            name: of the model, which is made where it is missing.
            folder: the files.
            manifest: what the folder's manifest says.
            facts: what lists of versions show.

        Raises:
            TrackingError: the registry cannot be reached, or refuses; no version was made.
        """
        check_name(name)
        tags = {_DIGEST_TAG: manifest.digest, **{f"fortydays.{key}": value for key, value in facts.items()}}
        with self._mlflow():
            if not self._exists(name):
                self._client.create_registered_model(name, tags={_MODEL_TAG: "1"})
            elif _MODEL_TAG not in self._client.get_registered_model(name).tags:
                self._client.set_registered_model_tag(name, _MODEL_TAG, "1")
            run = self._client.create_run(
                experiment_id(self._store, EXPERIMENT),
                run_name=f"register {name}",
                tags={"mlflow.source.name": "fortydays", "mlflow.source.type": "LOCAL", _DIGEST_TAG: manifest.digest},
            )
            try:
                self._client.log_artifacts(run.info.run_id, str(folder), "model")
            except BaseException:
                with contextlib.suppress(Exception):  # what went wrong first is what matters
                    self._client.set_terminated(run.info.run_id, "FAILED")
                raise
            self._client.set_terminated(run.info.run_id, "FINISHED")
            made = self._client.create_model_version(
                name, source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id, tags=tags
            )
        return _version(made, ())

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
        import requests
        from mlflow.exceptions import MlflowException

        try:
            with files.temporary_folder(folder.parent, folder.name) as scratch:
                with self._mlflow():
                    fetched = Path(self._download(version.source, scratch))
                manifest = read(fetched)
                if manifest.digest != version.digest:
                    raise self._not_whole(version, "they are those of another version.")
                # MLflow's own loading of a model leaves a file of its own beside ours.
                for name in (*manifest.files, MANIFEST):
                    with files.storage_errors("read", fetched / name):
                        content = (fetched / name).read_bytes()
                    files.write_bytes(folder / name, content)
            return check(folder)
        except FortydaysError as error:
            gone = (MlflowException, FileNotFoundError, NotADirectoryError, requests.HTTPError)
            if isinstance(error, DamagedPackageError):
                raise self._not_whole(version, error.message.replace(str(folder), "their folder")) from error
            if isinstance(error.__cause__, gone):
                raise self._not_whole(version, f"they cannot be had. {error.message}") from error
            raise

    def move(self, name: str, alias: str, version: int, *, kind: str, forced: tuple[str, ...], reason: str) -> Move:
        """Write down that an alias moves, then move it. The caller holds the model's lock.

        Should the process die between the two, the history tells of a move that the alias does not show; moving again
        repairs that.
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
            reason=reason[:_LONGEST_REASON],
        )
        told = {key: value for key, value in move.as_dict().items() if key != "number"}
        with self._mlflow():
            self._client.set_registered_model_tag(
                name, f"{_MOVE_TAG}{move.number:06}", json.dumps(told, ensure_ascii=False)
            )
            self._client.set_registered_model_alias(name, alias, str(version))
        return move

    def retire(self, version: Version, reason: str) -> None:
        """Mark a version as never to be used again; its files stay. The caller holds the model's lock."""
        with self._mlflow():
            self._client.set_model_version_tag(
                version.name, str(version.version), _RETIRED_TAG, reason[:_LONGEST_REASON]
            )

    @contextlib.contextmanager
    def locked(self, name: str, *, doing: str) -> Iterator[None]:
        """Hold the lock of a model, whether it exists yet or not. Nobody waits: the second one is told.

        Args:
            name: of the model.
            doing: what for, as the other one will read it.

        Raises:
            BusyError: someone else holds it.
        """
        check_name(name)
        mine = {"host": socket.gethostname(), "pid": os.getpid(), "since": clock.timestamp(), "doing": doing}
        self._acquire(name, mine)
        try:
            yield
        except BaseException:
            with contextlib.suppress(FortydaysError):  # what went wrong first is what matters
                self._release(name)
            raise
        self._release(name)

    def unlock(self, name: str) -> bool:
        """Remove the lock of a model whose holder is gone. Returns whether there was one."""
        check_name(name)
        if not self._exists(_lock_name(name)):
            return False
        self._release(name)
        return True

    def _acquire(self, name: str, mine: Mapping[str, Any]) -> None:
        from mlflow.exceptions import MlflowException

        for _ in range(2):
            try:
                with self._mlflow():
                    self._client.create_registered_model(_lock_name(name), tags={_LOCK_TAG: json.dumps(mine)})
                return
            except FortydaysError as error:
                cause = error.__cause__
                if not isinstance(cause, MlflowException) or cause.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            holder = self._holder(name)
            if holder and not _is_gone(holder):
                raise BusyError(
                    f"{name!r} is being changed by another process: {printable(str(holder.get('doing')))}, "
                    f"process {holder.get('pid')} on {printable(str(holder.get('host')))}, "
                    f"since {printable(str(holder.get('since')))}.",
                    hint="Wait until it has ended and try again. "
                    f"If it is gone and left this behind: forty models unlock {name}",
                )
            # Left behind by a process of this machine that died, or given back in between.
            if holder:
                self.unlock(name)
        raise BusyError(f"{name!r} is being changed by other processes.", hint="Try again.")

    def _release(self, name: str) -> None:
        with self._mlflow():
            self._client.delete_registered_model(_lock_name(name))

    def _holder(self, name: str) -> dict[str, Any] | None:
        """Who holds a lock; None where nobody does any more."""
        try:
            tags = self._model(_lock_name(name), is_lock=True).tags
        except UsageError:
            return None
        try:
            told = json.loads(tags.get(_LOCK_TAG, ""))
        except ValueError:
            told = {}
        return told if isinstance(told, dict) and told else {"doing": "something unknown"}

    def _download(self, source: str, scratch: Path) -> str:
        from mlflow.artifacts import download_artifacts

        uri = self._store.destination.uri
        return str(download_artifacts(artifact_uri=source, dst_path=str(scratch), tracking_uri=uri))

    def _model(self, name: str, *, is_lock: bool = False) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            with self._mlflow():
                return self._client.get_registered_model(name)
        except FortydaysError as error:
            cause = error.__cause__
            if not isinstance(cause, MlflowException) or cause.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
        if is_lock:
            raise UsageError(f"There is no lock {name!r}.")
        raise unknown_name("model", name, self.names(), hint="") from None

    def _exists(self, name: str) -> bool:
        try:
            self._model(name, is_lock=True)
        except UsageError:
            return False
        return True

    def _get_version(self, name: str, version: int) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            with self._mlflow():
                return self._client.get_model_version(name, str(version))
        except FortydaysError as error:
            cause = error.__cause__
            if isinstance(cause, MlflowException) and cause.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _not_whole(self, version: Version, what: str) -> NotWholeError:
        return NotWholeError(
            f"The files of {version} are not those that were registered: {what}",
            hint="Nothing was changed. Register the model anew; if this version is in use: "
            f"forty rollback {version.name}",
        )

    def _mlflow(self) -> contextlib.AbstractContextManager[None]:
        return using_mlflow(self._store.destination, hint=_NOT_REACHED)


def _lock_name(name: str) -> str:
    return f"{name}.lock"  # a dot is in no model's name


def _is_gone(holder: Mapping[str, Any]) -> bool:
    """Whether a lock's holder was a process of this machine and runs no more."""
    pid = holder.get("pid")
    if holder.get("host") != socket.gethostname() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it runs, as another user
        return False
    return False


def _version(entry: Any, aliases: tuple[str, ...]) -> Version:
    tags = entry.tags
    own = (_DIGEST_TAG, _RETIRED_TAG)
    return Version(
        name=entry.name,
        version=int(entry.version),
        created=clock.iso(entry.creation_timestamp / 1000),
        digest=tags.get(_DIGEST_TAG, ""),
        facts={
            k.removeprefix("fortydays."): v for k, v in tags.items() if k.startswith("fortydays.") and k not in own
        },
        aliases=aliases,
        retired=tags.get(_RETIRED_TAG, ""),
        run_id=entry.run_id or "",
        source=entry.source,
    )

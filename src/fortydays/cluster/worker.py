"""What trains on a node: a process that loads the study and its data, and tells what happens when it is asked.

It waits for nobody. What it has to tell goes into a mailbox that is bounded: of the states of a trial, and of its
reports, only the newest is kept until the driver asks.
"""

import copy
import dataclasses
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.base.settings import Settings, read_settings
from fortydays.study.executor import Callbacks, InProcess
from fortydays.study.trial import TrialOutcome, TrialSpec
from fortydays.train.checkpoint import Checkpoint

_NEWEST_ONLY = ("keep", "report", "doing")
_MOST_MESSAGES = 100


class Mailbox:
    """What a worker has to tell, in the order in which it happened; written by one thread, read by another."""

    def __init__(self) -> None:
        self._news: deque[tuple[Any, ...]] = deque()
        self._changed = threading.Condition()

    def put(self, name: str, *content: Any) -> None:
        """Add a message. An earlier one of the kinds of which only the newest matters is dropped."""
        with self._changed:
            if name in _NEWEST_ONLY:
                self._news = deque(each for each in self._news if each[0] != name)
            elif sum(each[0] == name for each in self._news) >= _MOST_MESSAGES:
                return
            self._news.append((name, *content))
            self._changed.notify_all()

    def take(self, seconds: float = 0.0) -> list[tuple[Any, ...]]:
        """Everything that is there. Where nothing is, so many seconds are waited for the first message."""
        with self._changed:
            if not self._news:
                self._changed.wait(seconds)
            found, self._news = list(self._news), deque()
            return found

    def wake(self) -> None:
        """Let who waits go on."""
        with self._changed:
            self._changed.notify_all()


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyFiles:
    """The file of a study of one's own, and the modules beside it that it imports.

    Attributes:
        folder: the name of the folder that they are in, which names a study file that is just ``study.py``.
        study: the path of the study's file in that folder.
        content: by path in that folder, the bytes.
    """

    folder: str
    study: str
    content: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 of names and bytes."""
        return files.sha256_of_json(
            [self.folder, self.study, {name: files.sha256_of_bytes(each) for name, each in self.content.items()}]
        )

    def written(self, parent: Path) -> Path:
        """Write them below a folder named by their content, if they are not there yet.

        Returns:
            The path of the study's file.

        Raises:
            StorageError: they cannot be written.
        """
        place = parent / self.digest[:16]
        with files.locked(files.make_folder(parent) / "lock"):
            if not files.exists(place):
                with files.folder_built_whole(place) as building:
                    for name, content in self.content.items():
                        target = building / self.folder / name
                        files.make_folder(target.parent)
                        files.write_bytes(target, content)
        return place / self.folder / self.study


class TrialWorker:
    """Trains one trial after another, in a thread of its own process, and is asked for news in another thread.

    Args:
        settings: of the driver, where this machine shares its workspace; None for this machine's own.
        not_ours: places of the driver's machine where Python would look for modules first.
    """

    def __init__(self, *, settings: Settings | None, not_ours: Sequence[str] = ()) -> None:
        sys.path[:] = [place for place in sys.path if place not in not_ours]
        self._settings = settings
        self._mailbox = Mailbox()
        self._executors: dict[tuple[int | None, str, int | None], InProcess] = {}

    def greet(self) -> None:
        """Return at once, as soon as the process has begun."""

    def news(self, seconds: float) -> list[tuple[Any, ...]]:
        """What has happened since the last time: a name of :class:`Callbacks` or of a progress, and its content."""
        return self._mailbox.take(seconds)

    def train(
        self, spec: TrialSpec, study: StudyFiles | None, state: Checkpoint | None
    ) -> tuple[TrialOutcome | FortydaysError, list[tuple[Any, ...]]]:
        """The outcome of a spec, or the error that it cannot be trained here; and the news that nobody asked for.

        Args:
            spec: what is asked for.
            study: the study's files, where it is one of one's own.
            state: from which the trial goes on, or None.
        """
        put = self._mailbox.put
        self._mailbox.take()
        callbacks = Callbacks(
            started=lambda _, steps: put("started", steps),
            report=lambda _, *seen: put("report", *seen),
            resume=lambda _: state,
            # A copy, because it is sent later, when training has gone on.
            keep=lambda _, state: put("keep", copy.deepcopy(state)),
            doing=lambda _, text: put("doing", text),
        )
        found: TrialOutcome | FortydaysError
        try:
            (found,) = self._executor(spec, study).map(deque([spec]), callbacks)
        except FortydaysError as error:
            error.__traceback__ = error.__cause__ = error.__context__ = None  # they hold what cannot be sent
            found = error
        self._mailbox.wake()
        return found, self._mailbox.take()

    def _executor(self, spec: TrialSpec, study: StudyFiles | None) -> InProcess:
        key = (spec.day, spec.sha256, spec.examples)
        if key not in self._executors:
            self._executors = {key: self._made(spec, study)}
        return self._executors[key]

    def _made(self, spec: TrialSpec, study: StudyFiles | None) -> InProcess:
        from fortydays.data import library
        from fortydays.data.own import alone
        from fortydays.data.own import dataset as own
        from fortydays.days.loading import load_study_of
        from fortydays.study.tries import with_at_most
        from fortydays.train import backends

        settings = dataclasses.replace(self._settings or read_settings(), threads=spec.threads)
        path = str(study.written(settings.workspace / "cache" / "studies")) if study else spec.path
        source = load_study_of(dataclasses.replace(spec, path=path))
        if own.is_own(spec.dataset):
            settings = alone.settings_for(spec.dataset, settings)
        dataset = library.load(spec.dataset, settings, self._told()) if spec.dataset else None
        for what, asked, there in (
            ("backend", spec.backend, backends.wanted()),
            ("digest of the dataset", spec.dataset_digest, dataset.digest if dataset else ""),
        ):
            if asked != there:
                raise FortydaysError(
                    f"{spec.variant}, seed {spec.seed}, is to be trained where the {what} is {asked}; on a node it is "
                    f"{there}.",
                    hint="Give the same command again; with --fresh it begins anew.",
                )
        dataset = with_at_most(dataset, spec.examples) if dataset else None
        return InProcess(study=source.study, dataset=dataset, settings=settings, progress=self._told())

    def _told(self) -> Any:
        """A progress of which the messages are told, and not how far its preparations are."""

        def ignore(*_: Any, **__: Any) -> None:
            pass

        put = self._mailbox.put
        return SimpleNamespace(
            start=ignore,
            advance=ignore,
            finish=ignore,
            say=lambda message: put("say", message),
            warn=lambda message: put("warn", message),
        )

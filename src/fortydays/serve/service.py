"""What a service does with examples, whatever way they came in: answers them, watches a shadow, replaces its model."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.base.errors import FortydaysError, UnreadableContentError
from fortydays.inputs.input import Arrays, Bounds, count_of, stacked
from fortydays.serve.answers import unknown_among
from fortydays.serve.decoding import Decoders
from fortydays.serve.errors import RequestError, busy, refused
from fortydays.serve.limits import Limits
from fortydays.serve.log import RequestLog, Row
from fortydays.serve.metrics import Metrics
from fortydays.serve.served import ServedModel, load
from fortydays.serve.trying import try_out

MAIN, SHADOW = "main", "shadow"
FindBundle = Callable[[str], Awaitable[Path]]
"""From a role, "main" or "shadow", to the folder of the bundle that has it now."""

_MOST_WAITING_FOR_SHADOW = 64
_SECONDS_BETWEEN_LOOKS = 0.02
IsAlone = Callable[[], bool]


def nobody_knows() -> bool:
    """Of a request of which it is not known whether it is alone."""
    return False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request gets.

    Attributes:
        model: which answered, all of it.
        probabilities: float32, shape (examples, classes).
        seconds: from the request's arrival.
    """

    model: ServedModel
    probabilities: NDArray[np.float32]
    seconds: float


class Service:
    """The models in use and the work on them. All methods but the constructor belong to one event loop.

    Args:
        main: what answers.
        shadow: what answers beside it, unseen; or None.
        share: of requests that the shadow sees too.
        limits: of everything.
        metrics: told of everything.
        log: of requests, or None.
        threads: for each model to compute with.
    """

    def __init__(
        self,
        main: ServedModel,
        shadow: ServedModel | None = None,
        *,
        share: float = 1.0,
        limits: Limits,
        metrics: Metrics,
        log: RequestLog | None = None,
        threads: int = 1,
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.ready = True
        self._models: dict[str, ServedModel | None] = {MAIN: main, SHADOW: shadow}
        self._share = share
        self._log = log
        self._threads = threads
        self.bounds = Bounds(characters=limits.characters, pixels=limits.pixels, jpeg_pixels=limits.jpeg_pixels)
        self._decoders = Decoders(self.bounds, most_waiting=limits.waiting)
        self._reloading = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._random = random.Random(0)  # noqa: S311 - which requests the shadow sees is no secret
        for role in (MAIN, SHADOW):
            self._tell_model(role)

    @property
    def main(self) -> ServedModel:
        """What answers now."""
        found = self._models[MAIN]
        assert found is not None
        return found

    @property
    def shadow(self) -> ServedModel | None:
        """What answers beside it, unseen."""
        return self._models[SHADOW]

    async def answer_files(
        self,
        contents: Sequence[bytes],
        *,
        names: Sequence[str] = (),
        request: str,
        arrived: float,
        alone: IsAlone = nobody_knows,
    ) -> Answer:
        """Read files and answer them.

        Args:
            contents: the files, at least one.
            names: what to call each of several in an error.
            request: its id, for the log.
            arrived: when the request did, by :func:`fortydays.base.clock.seconds`.
            alone: tells whether no other request is under way.

        Raises:
            RequestError: a file cannot be read or is too large, or the service is busy.
        """
        if len(contents) > self.limits.images:
            raise RequestError(413, f"{len(contents):,} files in one request; expected at most {self.limits.images}.")
        model, until = self.main, self._until()
        inputs = self._read_now(model, contents[0]) if len(contents) == 1 else None
        if inputs is None:
            inputs = await self._read(model, contents, names=names, until=until)
        return await self._answer(model, inputs, request=request, arrived=arrived, until=until, alone=alone)

    async def answer_arrays(
        self,
        model: ServedModel,
        inputs: Arrays,
        *,
        request: str,
        arrived: float,
        alone: IsAlone = nobody_knows,
    ) -> Answer:
        """Answer examples that are as a model takes them.

        Args:
            model: which is to answer: the one that answered a moment ago still does.
            inputs: arrays by name.
            request: its id, for the log.
            arrived: when the request did.
            alone: as for :meth:`answer_files`.

        Raises:
            RequestError: there are too many, they have another shape, or the service is busy.
        """
        try:
            model.bundle.input.check(inputs)
        except ValueError as error:
            raise RequestError(422, f"This model takes {model.bundle.input.title}; {error}.") from None
        if not 1 <= count_of(inputs) <= self.limits.waiting:
            raise RequestError(
                413, f"{count_of(inputs):,} examples in one request; expected 1 to {self.limits.waiting}."
            )
        return await self._answer(model, inputs, request=request, arrived=arrived, until=self._until(), alone=alone)

    async def compare(self, content: bytes, *, arrived: float) -> Answer:
        """What the shadow says of a file, for a page that shows both.

        Raises:
            RequestError: there is no shadow, or as for :meth:`answer_files`.
        """
        model = self.shadow
        if model is None:
            raise RequestError(404, "No second model is loaded; start the service with --shadow challenger.")
        until = self._until()
        inputs = await self._read(model, [content], until=until)
        probabilities = await model.batcher.answer(inputs, until=until)
        return Answer(model=model, probabilities=probabilities, seconds=clock.seconds() - arrived)

    async def reload(self, find: FindBundle, *, tried: bool = False) -> dict[str, Any]:
        """Replace what has changed: find, load, check and warm the new, let it answer, and let the old one finish.

        Args:
            find: where the bundles are.
            tried: whether they have been tried out, by another worker or by having been served.

        Returns:
            What is served by role: {"model", "changed"}.

        Raises:
            FortydaysError: a bundle cannot be found, is damaged, or answers wrongly; everything stays as it was.
        """
        if self._reloading.locked():
            raise busy("Another reload is under way.")
        async with self._reloading:
            new: dict[str, ServedModel] = {}
            try:
                for role in [role for role, model in self._models.items() if model is not None]:
                    new[role] = await self._loaded(role, await find(role), tried=tried)
            except FortydaysError:
                self.metrics.reloads.labels("failed").inc()
                for model in new.values():
                    model.batcher.close(timeout=1)
                raise
            result = {}
            for role, model in new.items():
                old = self._models[role]
                assert old is not None
                changed = old.bundle.manifest.digest != model.bundle.manifest.digest
                result[role] = {"model": model.reference, "changed": changed}
                if not changed:
                    model.batcher.close(timeout=1)
                    continue
                self._models[role] = model
                self.metrics.no_model(*_labels(role, old))
                self._tell_model(role)
                self._spawn(self._drain(old))
            self.metrics.reloads.labels("done").inc()
            return result

    async def _loaded(self, role: str, folder: Path, *, tried: bool) -> ServedModel:
        try:
            if not tried:
                await try_out(folder, batch=self.limits.batch, seconds=self.limits.trial)
            model = await asyncio.to_thread(load, folder, self.limits, self.metrics, threads=self._threads)
        except FortydaysError as error:
            # Whoever asked over HTTP is not told where things lie.
            raise FortydaysError(error.message.replace(str(folder), "the bundle")) from error
        if role == MAIN and model.bundle.name != self.main.bundle.name:
            model.batcher.close(timeout=1)
            raise FortydaysError(f"the bundle is of another model, {model.bundle.name!r}.")
        return model

    async def close(self) -> None:
        """Answer what waits and end everything."""
        self.ready = False
        if self._background:
            await asyncio.wait(self._background, timeout=self.limits.drain)
        for model in self._models.values():
            if model is not None:
                await asyncio.to_thread(model.batcher.close, timeout=self.limits.drain)
        self._decoders.close()
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    def _until(self) -> float:
        """When the time for an answer is over, of a request whose body is complete."""
        return clock.seconds() + self.limits.deadline

    async def _read(
        self, model: ServedModel, contents: Sequence[bytes], *, names: Sequence[str] = (), until: float
    ) -> Arrays:
        with model.batcher.expecting():
            return stacked(await self._decoders.decode(contents, model.bundle.input, names=names, until=until))

    def _read_now(self, model: ServedModel, content: bytes) -> Arrays | None:
        try:
            found = model.bundle.input.at_once(content, self.bounds)
        except UnreadableContentError as error:
            raise refused(error) from None
        return None if found is None else stacked([found])

    async def _answer(
        self,
        model: ServedModel,
        inputs: Arrays,
        *,
        request: str,
        arrived: float,
        until: float,
        alone: IsAlone,
    ) -> Answer:
        # A model that was replaced while the file was read still answers what it began with.
        probabilities = await model.batcher.answer(inputs, until=until, alone=alone())
        seconds = clock.seconds() - arrived
        best = probabilities.argmax(axis=1)
        version = str(model.bundle.version)
        for index in best.tolist():
            self.metrics.classes.labels(version, model.bundle.classes[index]).inc()
        if model.bundle.unknown_below is not None:
            self.metrics.unknown.labels(version).inc(unknown_among(model.bundle, probabilities))
        shadow = self.shadow
        if shadow is not None and self._random.random() < self._share:
            self._spawn(self._with_shadow(shadow, model, inputs, probabilities, request, seconds))
        elif self._log is not None:
            self._keep(model, inputs, probabilities, request, seconds, None)
        return Answer(model=model, probabilities=probabilities, seconds=seconds)

    async def _with_shadow(
        self,
        shadow: ServedModel,
        model: ServedModel,
        inputs: Arrays,
        probabilities: NDArray[np.float32],
        request: str,
        seconds: float,
    ) -> None:
        seen = None
        if (
            shadow.bundle.input.arrays == model.bundle.input.arrays
            and shadow.batcher.waiting < _MOST_WAITING_FOR_SHADOW
        ):
            try:
                seen = await shadow.batcher.answer(inputs, until=clock.seconds() + self.limits.deadline)
            except RequestError:
                seen = None
        if seen is not None:
            for ours, theirs in zip(probabilities.argmax(axis=1), seen.argmax(axis=1), strict=True):
                agreed = model.bundle.classes[ours] == shadow.bundle.classes[theirs]
                self.metrics.shadow.labels("yes" if agreed else "no").inc()
        if self._log is not None:
            self._keep(model, inputs, probabilities, request, seconds, None if seen is None else (shadow, seen))

    def _keep(
        self,
        model: ServedModel,
        inputs: Arrays,
        probabilities: NDArray[np.float32],
        request: str,
        seconds: float,
        seen: tuple[ServedModel, NDArray[np.float32]] | None,
    ) -> None:
        assert self._log is not None
        now = clock.seconds_since_1970()
        for row in range(len(probabilities)):
            best = int(probabilities[row].argmax())
            shadow = None
            if seen is not None:
                theirs = int(seen[1][row].argmax())
                shadow = (seen[0].bundle.version, seen[0].bundle.classes[theirs], float(seen[1][row, theirs]))
            self._log.add(
                Row(
                    time=now,
                    request=request,
                    model=model.bundle.name,
                    version=model.bundle.version,
                    label=model.bundle.classes[best],
                    confidence=float(probabilities[row, best]),
                    inputs={name: array[row] for name, array in inputs.items()},
                    milliseconds=1000 * seconds,
                    shadow=shadow,
                )
            )

    async def _drain(self, old: ServedModel) -> None:
        end = clock.seconds() + self.limits.drain
        while old.batcher.expected and clock.seconds() < end:  # requests that hold on to it may still be decoding
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        await asyncio.to_thread(old.batcher.close, timeout=self.limits.drain)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _tell_model(self, role: str) -> None:
        model = self._models[role]
        if model is not None:
            self.metrics.model.labels(*_labels(role, model)).set(1)


def _labels(role: str, model: ServedModel) -> tuple[str, str, str, str]:
    bundle = model.bundle
    return bundle.name, str(bundle.version), role, bundle.manifest.digest

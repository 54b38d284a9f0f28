"""What a service does with examples, whatever way they came in: answers them, watches a shadow, replaces its model."""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import clock
from fortydays.base.errors import FortydaysError, UnreadableContentError
from fortydays.inputs.input import Arrays, count_of, stacked
from fortydays.serve.answers import unknown_among
from fortydays.serve.decoding import Decoders
from fortydays.serve.errors import RequestError, busy, refused
from fortydays.serve.exchange import Exchange
from fortydays.serve.limits import Limits
from fortydays.serve.log import RequestLog, Seen
from fortydays.serve.metrics import Metrics
from fortydays.serve.served import ServedModel, load
from fortydays.serve.trying import try_out

MAIN, SHADOW = "main", "shadow"
"""The roles of models."""

_MOST_WAITING_FOR_SHADOW = 64
_SECONDS_BETWEEN_LOOKS = 0.02


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request gets.

    Attributes:
        model: which answered, all of it.
        probabilities: float32, shape (examples, classes).
    """

    model: ServedModel
    probabilities: NDArray[np.float32]


class Service:
    """The models in use and the work on them. All methods but the constructor belong to one event loop.

    The model with the role ``main`` answers. One with the role ``shadow`` sees a share of the requests (0 to 1)
    and is never heard.
    """

    def __init__(
        self,
        models: Mapping[str, ServedModel],
        *,
        limits: Limits,
        metrics: Metrics,
        share: float = 1.0,
        log: RequestLog | None = None,
        threads: int = 1,
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.ready = True
        self._models = dict(models)
        self._share = share
        self._log = log
        self._threads = threads
        self._decoders = Decoders(limits.content, most_waiting=limits.waiting)
        self._reloading = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._random = random.Random(0)  # noqa: S311 - which requests the shadow sees is no secret
        for role, model in models.items():
            metrics.model.labels(*_labels(role, model)).set(1)

    @property
    def main(self) -> ServedModel:
        """What answers now."""
        return self._models[MAIN]

    @property
    def shadow(self) -> ServedModel | None:
        """What answers beside it, unseen."""
        return self._models.get(SHADOW)

    async def answer_files(self, contents: Sequence[bytes], request: Exchange, *, names: Sequence[str] = ()) -> Answer:
        """Read files, at least one, and answer them. Of several, an error names the one that is wrong.

        Raises:
            RequestError: a file cannot be read or is too large, or the service is busy.
        """
        if len(contents) > self.limits.images:
            raise RequestError(413, f"{len(contents):,} files in one request; expected at most {self.limits.images}.")
        model, until = self.main, self._until()
        inputs = self._read_now(model, contents[0]) if len(contents) == 1 else None
        if inputs is None:
            inputs = await self._read(model, contents, names=names, until=until)
        return await self._answer(model, inputs, request, until=until)

    async def answer_arrays(self, model: ServedModel, inputs: Arrays, request: Exchange) -> Answer:
        """Answer examples, whose arrays the input of the model has checked. The model is the one that was asked for.

        Raises:
            RequestError: there are too many, or the service is busy.
        """
        if not 1 <= count_of(inputs) <= self.limits.waiting:
            raise RequestError(
                413, f"{count_of(inputs):,} examples in one request; expected 1 to {self.limits.waiting}."
            )
        return await self._answer(model, inputs, request, until=self._until())

    async def compare(self, content: bytes) -> Answer:
        """What the shadow says of a file, for a page that shows both.

        Raises:
            RequestError: there is no shadow, or as for :meth:`answer_files`.
        """
        model = self.shadow
        if model is None:
            raise RequestError(404, "No second model is loaded; start the service with --shadow challenger.")
        until = self._until()
        inputs = await self._read(model, [content], until=until)
        return Answer(model=model, probabilities=await model.batcher.answer(inputs, until=until))

    async def reload(self, folders: Mapping[str, Path], *, tried: bool = False) -> dict[str, Any]:
        """Replace what has changed: load, check and warm the new, let it answer, and let the old one finish.

        Args:
            folders: of the bundles, by role.
            tried: whether they have been tried out, by another worker or by having been served.

        Returns:
            What is served by role: {"model", "changed"}.

        Raises:
            FortydaysError: a bundle is damaged or answers wrongly; everything stays as it was.
        """
        if self._reloading.locked():
            raise busy("Another reload is under way.")
        async with self._reloading:
            new: dict[str, ServedModel] = {}
            try:
                for role in self._models:
                    new[role] = await self._loaded(role, folders[role], tried=tried)
            except FortydaysError:
                self.metrics.reloads.labels("failed").inc()
                for model in new.values():
                    model.batcher.close(timeout=1)
                raise
            result = {}
            for role, model in new.items():
                old = self._models[role]
                changed = old.bundle.manifest.digest != model.bundle.manifest.digest
                result[role] = {"model": model.reference, "changed": changed}
                if not changed:
                    model.batcher.close(timeout=1)
                    continue
                self._models[role] = model
                self.metrics.no_model(*_labels(role, old))
                self.metrics.model.labels(*_labels(role, model)).set(1)
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
            found = model.bundle.input.at_once(content, self.limits.content)
        except UnreadableContentError as error:
            raise refused(error) from None
        return None if found is None else stacked([found])

    async def _answer(self, model: ServedModel, inputs: Arrays, request: Exchange, *, until: float) -> Answer:
        # A model that was replaced while the file was read still answers what it began with.
        probabilities = await model.batcher.answer(inputs, until=until, alone=request.is_alone)
        version = str(model.bundle.version)
        for index in probabilities.argmax(axis=1).tolist():
            self.metrics.classes(version, model.bundle.classes[index]).inc()
        if model.bundle.unknown_below is not None:
            self.metrics.unknown.labels(version).inc(unknown_among(model.bundle, probabilities))
        seen = Seen(
            time=clock.seconds_since_1970(),
            request=request.id,
            bundle=model.bundle,
            inputs=inputs,
            probabilities=probabilities,
            milliseconds=1000 * (clock.seconds() - request.arrived),
        )
        shadow = self.shadow
        if shadow is not None and self._random.random() < self._share:
            self._spawn(self._with_shadow(shadow, seen))
        elif self._log is not None:
            self._log.add(seen)
        return Answer(model=model, probabilities=probabilities)

    async def _with_shadow(self, shadow: ServedModel, seen: Seen) -> None:
        if (
            shadow.bundle.input.arrays == seen.bundle.input.arrays
            and shadow.batcher.waiting < _MOST_WAITING_FOR_SHADOW
        ):
            with contextlib.suppress(RequestError):
                until = clock.seconds() + self.limits.deadline
                theirs = await shadow.batcher.answer(seen.inputs, until=until)
                for one, other in zip(seen.probabilities.argmax(axis=1), theirs.argmax(axis=1), strict=True):
                    agreed = seen.bundle.classes[one] == shadow.bundle.classes[other]
                    self.metrics.shadow.labels("yes" if agreed else "no").inc()
                seen = dataclasses.replace(seen, shadow=(shadow.bundle, theirs))
        if self._log is not None:
            self._log.add(seen)

    async def _drain(self, old: ServedModel) -> None:
        end = clock.seconds() + self.limits.drain
        while old.batcher.expected and clock.seconds() < end:  # requests that hold on to it may still be decoding
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        await asyncio.to_thread(old.batcher.close, timeout=self.limits.drain)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _labels(role: str, model: ServedModel) -> tuple[str, str, str, str]:
    bundle = model.bundle
    return bundle.name, str(bundle.version), role, bundle.manifest.digest

"""How the workers of a service end: each does, and exactly one of them hears those who wait to be let in."""

import asyncio
import dataclasses
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fortydays.base import files
from fortydays.base.errors import FortydaysError
from fortydays.base.process import identity
from fortydays.serve import members, server
from fortydays.serve.guard import Access
from fortydays.serve.members import write_current
from fortydays.serve.server import Launch, Member

WORKERS = 2


def _launch(state: Path) -> Launch:
    return Launch(sources={}, state=state, access=Access(hosts=(), token="", admin_token="secret"))


def _stops(state: Path, together: Any, answers: Any) -> None:
    looked = server.members

    def slowly(folder: Path) -> list[dict[str, Any]]:
        found = looked(folder)
        time.sleep(0.02)  # all the others look meanwhile, if they can
        return found

    server.members = slowly
    files.write_json(state / f"worker-{os.getpid()}.json", {"process": identity(), "generation": 1, "problem": ""})
    together.wait(30)
    answers.put(server._is_last_to_stop(state))
    together.wait(30)  # one that has ended does not count any more


def test_of_workers_that_stop_at_once_exactly_one_is_the_last(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    together, answers = context.Barrier(WORKERS), context.Queue()
    processes = [context.Process(target=_stops, args=(tmp_path, together, answers)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    told = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert sorted(told) == [False] * (WORKERS - 1) + [True]


def test_a_worker_that_cannot_hear_those_who_wait_ends_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[int] = []

    async def fails() -> None:
        raise OSError(22, "Invalid argument")

    async def told_to_end() -> Any:
        service = SimpleNamespace(ready=True, main=SimpleNamespace(batcher=SimpleNamespace(waiting=0)))
        service.metrics = SimpleNamespace(waiting=SimpleNamespace(set=lambda _count: None))
        member = Member(_launch(tmp_path), cast("Any", service), generation=1, stop_listening=fails)
        member.start()
        signal.raise_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        while not ended and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await member.stop()
        return service

    before = signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    try:
        with caplog.at_level(logging.ERROR):
            service = asyncio.run(told_to_end())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == [signal.SIGTERM]
    assert not service.ready
    assert "Those who waited to be let in were not heard: a defect of the service" in caplog.text


def _made_up_service(reloads: list[tuple[int, bool]]) -> Any:
    """One that notes the version each reload finds, and whether it is taken for tried out."""
    service = SimpleNamespace(ready=True, main=SimpleNamespace(batcher=SimpleNamespace(waiting=0)))
    service.metrics = SimpleNamespace(waiting=SimpleNamespace(set=lambda _count: None))

    async def reload(folders: dict[str, Path], *, tried: bool = False) -> dict[str, Any]:
        reloads.append((int(folders["main"].name), tried))
        return {"main": {"changed": True}}

    service.reload = reload
    return service


def test_a_bundle_is_tried_out_by_the_worker_that_is_told_alone_and_the_old_one_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def new(_launch: Any) -> dict[str, Path]:
        return {"main": tmp_path / "2"}

    monkeypatch.setattr(members, "fetch_all", new)
    write_current(tmp_path, {"main": tmp_path / "1"}, generation=1)
    reloads: list[tuple[int, bool]] = []

    async def told() -> None:
        member = Member(_launch(tmp_path), _made_up_service(reloads), generation=1)
        other = {"process": {**identity(), "host": "another"}, "generation": 2, "problem": "no room"}
        files.write_json(tmp_path / "worker-1.json", other)
        with pytest.raises(FortydaysError, match="A worker could not load it: no room"):
            await member.reload()

    asyncio.run(told())
    assert reloads == [(2, False), (1, True)]

    async def watches() -> None:
        launch = dataclasses.replace(_launch(tmp_path), workers=2, parent=os.getppid())
        member = Member(launch, _made_up_service(reloads), generation=0)
        member.start()
        end = time.monotonic() + 10
        while len(reloads) < 3 and time.monotonic() < end:
            await asyncio.sleep(0.01)
        await member.stop()

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(watches())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert reloads[2:] == [(1, True)]

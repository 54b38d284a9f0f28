import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from made_up_versions import AddVersion, path_of
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from fortydays.base.errors import TrackingError, UsageError
from fortydays.base.process import identity
from fortydays.base.settings import Settings
from fortydays.registry.lock import BusyError
from fortydays.registry.moves import check_reason
from fortydays.registry.names import parse_reference
from fortydays.registry.registry import NotWholeError, Registry
from fortydays.track.store import destination, open_store


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_versions_are_numbered_from_one_and_come_back_byte_for_byte(
    registry: Registry, add_version: AddVersion, tmp_path: Path
) -> None:
    first, second = add_version(), add_version()

    assert [str(v) for v in registry.versions("digits")] == ["digits@1", "digits@2"]
    assert (first.facts["variant"], first.aliases, first.retired) == ("linear", (), "")
    manifest = registry.fetch(registry.find(parse_reference("digits@2")), tmp_path / "fetched")
    assert manifest.digest == second.digest
    assert (tmp_path / "fetched" / "README.md").read_text().endswith("A card.\n")
    assert registry.names() == ["digits"]


def test_a_model_alone_is_its_champion_or_else_its_newest_version(registry: Registry, add_version: AddVersion) -> None:
    for _ in range(3):
        add_version()

    assert registry.find(parse_reference("digits")).version == 3
    with registry.locks.held("digits", doing="testing"):
        registry.move("digits", "champion", 2, kind="promote")
    found = registry.find(parse_reference("digits"))
    assert (found.version, found.aliases) == (2, ("champion",))
    assert registry.find(parse_reference("digits@champion")) == found
    assert registry.find(parse_reference("digits@3")).aliases == ()


def test_what_does_not_exist_is_said_with_what_does(registry: Registry, add_version: AddVersion) -> None:
    add_version()

    with pytest.raises(UsageError) as model:
        registry.find(parse_reference("digit@1"))
    with pytest.raises(UsageError) as version:
        registry.find(parse_reference("digits@2"))
    with pytest.raises(UsageError) as alias:
        registry.find(parse_reference("digits@challenger"))

    assert (model.value.message, model.value.hint) == (
        "There is no model 'digit'. Did you mean 'digits'?", "Known: digits."
    )  # fmt: skip
    assert (version.value.message, version.value.hint) == ("There is no version 'digits@2'.", "Known: 1.")
    assert alias.value.message == "'digits' has no challenger yet."
    assert alias.value.hint == "Make one with: forty promote digits@VERSION --to challenger"


def test_each_move_is_kept_with_its_reason(registry: Registry, add_version: AddVersion) -> None:
    add_version()
    add_version()
    with registry.locks.held("digits", doing="testing"):
        registry.move("digits", "champion", 1, kind="promote")
        gates = ({"gate": "size", "passed": False, "found": "1 MB", "asked": "0 MB"},)
        registry.move(
            "digits", "champion", 2, kind="promote", forced=("size",), reason="ein\nGrund,\x1b[2J ünïcode", gates=gates
        )

    first, second = registry.moves("digits")

    assert (first.number, first.version, first.before, first.forced) == (1, 1, None, ())
    assert (second.number, second.version, second.before) == (2, 2, 1)
    assert (second.forced, second.reason) == (("size",), "ein Grund,?[2J ünïcode")
    assert second.gates == gates


@pytest.mark.parametrize("harm", ["altered", "missing", "gone"])
def test_files_that_were_altered_or_are_missing_are_never_given_out(
    registry: Registry, add_version: AddVersion, tmp_path: Path, harm: str
) -> None:
    version = add_version()
    stored = path_of(version.source)
    if harm == "altered":
        content = bytearray((stored / "model.onnx").read_bytes())
        content[100] ^= 1
        (stored / "model.onnx").write_bytes(content)
    elif harm == "missing":
        (stored / "labels.json").unlink()
    else:
        shutil.rmtree(stored)

    with pytest.raises(NotWholeError, match="The files of digits@1 are not those that were registered") as caught:
        registry.fetch(version, tmp_path / "fetched")

    assert "forty rollback digits" in caught.value.hint


def test_a_version_with_another_versions_files_is_found(
    registry: Registry, add_version: AddVersion, tmp_path: Path, weights: Any
) -> None:
    one, other = add_version(), add_version(of=weights * 2)
    stored, others = (path_of(v.source) for v in (one, other))
    shutil.rmtree(stored)
    shutil.copytree(others, stored)

    with pytest.raises(NotWholeError, match="they are those of another version"):
        registry.fetch(one, tmp_path / "fetched")


def test_a_version_made_by_mlflow_alone_is_not_given_out(
    registry: Registry, add_version: AddVersion, settings: Settings, tmp_path: Path
) -> None:
    add_version()
    client = open_store(destination(settings)).client
    client.create_model_version("digits", source=str(tmp_path))

    with pytest.raises(NotWholeError, match="digits@2 was not registered by this program, or its registration was"):
        registry.fetch(registry.find(parse_reference("digits@2")), tmp_path / "fetched")


def test_models_of_other_programs_are_not_listed(
    registry: Registry, add_version: AddVersion, settings: Settings
) -> None:
    add_version()
    open_store(destination(settings)).client.create_registered_model("Someone's Model")

    assert registry.names() == ["digits"]


def test_a_version_whose_answer_was_lost_is_found(
    registry: Registry, add_version: AddVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = registry._client.create_model_version

    def make_and_lose(*arguments: Any, **named: Any) -> Any:
        make(*arguments, **named)
        raise OSError("the line is dead")

    monkeypatch.setattr(registry._client, "create_model_version", make_and_lose)

    assert str(add_version()) == "digits@1"
    assert [v.version for v in registry.versions("digits")] == [1]


def test_a_version_that_names_another_place_is_not_fetched_from_there(
    registry: Registry, add_version: AddVersion, settings: Settings, tmp_path: Path
) -> None:
    version = add_version()
    client = open_store(destination(settings)).client
    client.create_model_version(
        "digits", source=str(tmp_path), run_id=version.run_id, tags={"fortydays.digest": version.digest}
    )

    with pytest.raises(NotWholeError, match="it says that they are somewhere else"):
        registry.fetch(registry.find(parse_reference("digits@2")), tmp_path / "fetched")


@pytest.mark.parametrize("reason", ["x" * 501, "\n" * 10_000])
def test_a_reason_that_is_too_long_is_refused_not_cut(reason: str) -> None:
    with pytest.raises(UsageError, match="characters; expected at most 500"):
        check_reason(reason)


def test_an_upload_that_fails_leaves_no_version(
    registry: Registry, add_version: AddVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalArtifactRepository, "log_artifacts", fail)
    with pytest.raises(TrackingError, match="No space left on device"):
        add_version()
    monkeypatch.undo()

    assert [v.version for v in registry.versions("digits")] == [1]
    assert add_version().version == 2


def test_only_one_can_hold_a_models_lock_and_the_other_is_told_who(registry: Registry, settings: Settings) -> None:
    other = Registry(open_store(destination(settings)))

    with (
        registry.locks.held("digits", doing="promoting digits@2 to champion"),
        pytest.raises(BusyError) as caught,
        other.locks.held("digits", doing="rolling back"),
    ):
        pytest.fail("two hold the lock")

    assert f"promoting digits@2 to champion, process {os.getpid()} on {socket.gethostname()}" in caught.value.message
    assert "forty models unlock digits" in caught.value.hint
    with other.locks.held("digits", doing="rolling back"):
        assert other.names() == []  # a lock is no model


def test_locks_of_other_models_do_not_matter(registry: Registry) -> None:
    with registry.locks.held("digits", doing="testing"), registry.locks.held("digits-2", doing="testing"):
        pass


def test_a_lock_is_given_back_also_after_an_error(registry: Registry) -> None:
    with pytest.raises(ZeroDivisionError), registry.locks.held("digits", doing="testing"):
        raise ZeroDivisionError

    with registry.locks.held("digits", doing="testing"):
        pass


def lock_of(registry: Registry, **changes: Any) -> None:
    holder = {**identity(), "pid": ended_process(), "since": "then", "doing": "\x1b[2Jdying", "token": "x", **changes}
    registry._client.create_registered_model("digits.lock", tags={"fortydays.lock": json.dumps(holder)})


def test_the_lock_of_a_process_that_died_here_is_taken_over(registry: Registry) -> None:
    lock_of(registry)

    with registry.locks.held("digits", doing="testing"):
        pass


def test_of_many_that_find_a_dead_holder_only_one_takes_over(registry: Registry, settings: Settings) -> None:
    lock_of(registry)
    held, outcomes = threading.Event(), list[str]()
    start = threading.Barrier(4)

    def take() -> None:
        own = Registry(open_store(destination(settings)))
        start.wait()
        try:
            with own.locks.held("digits", doing="testing"):
                outcomes.append("held")
                held.wait(60)
        except BusyError:
            outcomes.append("told")
            if outcomes.count("told") == 3:
                held.set()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["held", "told", "told", "told"]


def test_a_lock_that_was_made_though_the_answer_was_lost_is_held(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = registry._client.create_registered_model

    def make_twice(*arguments: Any, **named: Any) -> Any:  # as a client that asks again after a time-out
        make(*arguments, **named)
        return make(*arguments, **named)

    monkeypatch.setattr(registry._client, "create_registered_model", make_twice)

    with registry.locks.held("digits", doing="testing"):
        pass


def test_who_has_lost_the_lock_moves_nothing(registry: Registry, add_version: AddVersion, settings: Settings) -> None:
    add_version()

    with (
        pytest.raises(BusyError, match="Someone has taken the lock of 'digits' away; nothing was moved"),
        registry.locks.held("digits", doing="testing"),
    ):
        Registry(open_store(destination(settings))).locks.remove("digits", force=True)
        registry.move("digits", "champion", 1, kind="promote")

    assert registry.versions("digits")[0].aliases == ()
    assert registry.moves("digits") == []


def test_another_programs_model_is_neither_a_lock_nor_ours(
    registry: Registry, add_version: AddVersion, settings: Settings
) -> None:
    client = open_store(destination(settings)).client
    client.create_registered_model("digits.lock")
    client.create_registered_model("theirs")

    with pytest.raises(UsageError, match=r"model 'digits\.lock' that another program made"):
        registry.locks.remove("digits", force=True)
    with pytest.raises(UsageError, match="a model 'theirs', but another program made it"):
        add_version("theirs")
    assert client.search_model_versions("name='theirs'") == []


def test_a_lock_from_another_machine_stays_until_someone_removes_it(registry: Registry) -> None:
    lock_of(registry, host="elsewhere")

    with pytest.raises(BusyError) as caught, registry.locks.held("digits", doing="testing"):
        pytest.fail("two hold the lock")
    assert caught.value.message.isprintable()

    with pytest.raises(BusyError, match="'digits' is locked"):
        registry.locks.remove("digits")
    assert registry.locks.remove("digits", force=True)
    assert not registry.locks.remove("digits")
    with registry.locks.held("digits", doing="testing"):
        pass


@pytest.mark.parametrize("entry", ["{", "[]", '{"forced": 3}', '{"kind": "promote"}'])
def test_a_damaged_history_is_named_and_nothing_moves(entry: str, registry: Registry, add_version: AddVersion) -> None:
    add_version()
    registry._client.set_registered_model_tag("digits", "fortydays.move.000001", entry)

    with pytest.raises(NotWholeError, match=r"The history of 'digits' is damaged: its entry fortydays\.move\.000001"):
        registry.move("digits", "champion", 1, kind="promote")

    assert registry.versions("digits")[0].aliases == ()

import sys
import threading
from pathlib import Path
from typing import Any

import made_up_versions
import numpy as np
import pytest
from made_up_versions import AddVersion, path_of
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "own"))
from photographs import make_folder

from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings
from fortydays.data.arrays import Dataset
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.registry.gates import Limits
from fortydays.registry.lock import BusyError
from fortydays.registry.moves import Move
from fortydays.registry.names import parse_reference
from fortydays.registry.promotion import GateClosedError, Promotion, before, promote, retire, roll_back
from fortydays.registry.registry import NotWholeError, Registry
from fortydays.track.store import destination, open_store

# On pictures of 8 x 8, one pixel is much; and a few hundred images say little of calibration.
LENIENT = Limits(same_answers=0.2, calibration_error=1.0, calibration_margin=1.0, class_spread=1.0)


def to(registry: Registry, settings: Settings, text: str, alias: str = "champion", **changes: Any) -> Promotion:
    arguments = {"limits": LENIENT, **changes}
    return promote(parse_reference(text), alias, registry, settings, progress=SILENT, **arguments)


def worse(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """A model that never says 0 or 1."""
    changed = weights.copy()
    changed[:, :2] = -100
    return changed


def made_champion(registry: Registry, *numbers: int, name: str = "digits") -> None:
    """As by promotions, one after the other; what the gates would have said does not matter here."""
    for number in numbers:
        with registry.locks.held(name, doing="testing"):
            registry.move(name, "champion", number, kind="promote")


def test_a_version_that_passes_every_gate_becomes_the_champion(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    add_version()

    done = to(registry, settings, "digits@1")

    assert all(gate.passed for gate in done.gates)
    assert len(done.gates) == 9
    assert done.move is not None
    assert (done.move.version, done.move.before, done.move.forced) == (1, None, ())
    assert registry.find(parse_reference("digits@champion")).version == 1
    assert to(registry, settings, "digits@1").already
    # What the gates said stays in the history.
    assert [gate["gate"] for gate in registry.moves("digits")[0].gates] == [gate.gate for gate in done.gates]
    assert registry.moves("digits")[0].gates[1]["found"].endswith("there is no champion yet")


def test_a_worse_model_is_stopped_and_moves_by_force_only(
    registry: Registry, settings: Settings, add_version: AddVersion, weights: NDArray[np.float32]
) -> None:
    add_version()
    add_version(of=worse(weights))
    made_champion(registry, 1)

    stopped = to(registry, settings, "digits@2")

    assert stopped.move is None
    assert {"accuracy", "worst class"} <= {gate.gate for gate in stopped.closed}
    assert registry.find(parse_reference("digits@champion")).version == 1
    assert len(registry.moves("digits")) == 1

    # By force it moves, with the reason and the gates written down.
    done = to(registry, settings, "digits@2", force=True, reason=" a drill ")

    assert registry.find(parse_reference("digits@champion")).version == 2
    assert done.move == registry.moves("digits")[-1]
    assert done.move is not None
    assert "accuracy" in done.move.forced
    assert done.move.reason == "a drill"


@pytest.mark.parametrize("reason", ["", "  "])
def test_force_without_a_reason_is_refused(
    registry: Registry, settings: Settings, add_version: AddVersion, reason: str
) -> None:
    add_version()

    with pytest.raises(UsageError, match="--force needs a reason"):
        to(registry, settings, "digits@1", force=True, reason=reason)


@pytest.mark.parametrize("missing", ["evaluation.json", "lineage.json"])
def test_what_was_never_evaluated_is_not_promoted_even_by_force(
    registry: Registry, settings: Settings, add_version: AddVersion, missing: str
) -> None:
    add_version(leave_out=[missing])

    with pytest.raises(NotWholeError, match=f"digits@1 has no {missing}: it was never evaluated"):
        to(registry, settings, "digits@1", force=True, reason="I want it")

    assert registry.find(parse_reference("digits@1")).aliases == ()


def test_altered_files_are_not_promoted_even_by_force(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    stored = path_of(add_version().source)
    (stored / "labels.json").write_text('{"classes": []}')

    with pytest.raises(NotWholeError, match="are not those that were registered"):
        to(registry, settings, "digits@1", force=True, reason="I want it")


def test_a_model_of_other_data_cannot_be_judged(
    registry: Registry, settings: Settings, add_version: AddVersion, data: Any
) -> None:
    other = {**made_up_versions.lineage(data)["dataset"], "split_version": 2}
    add_version(dataset=other)

    with pytest.raises(NotWholeError, match="the splits of digits have changed"):
        to(registry, settings, "digits@1", force=True, reason="I want it")


def test_documents_of_another_schema_are_said_to_be_so(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    add_version(schema_version=2)

    with pytest.raises(
        FortydaysError, match=r"lineage\.json of digits@1 has schema version 2; this version of fortydays reads 1"
    ):
        to(registry, settings, "digits@1")


def test_a_champion_with_broken_files_stops_the_candidate(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    broken = add_version()
    add_version()
    made_champion(registry, 1)
    (path_of(broken.source) / "README.md").unlink()

    done = to(registry, settings, "digits@2")

    assert [gate.gate for gate in done.closed] == ["accuracy"]
    assert done.closed[0].found.startswith("not comparable: The files of digits@1 are not those")


def test_rolling_back_goes_through_the_champions_one_by_one(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    for _ in range(3):
        add_version()
    made_champion(registry, 1, 2, 3)

    first = roll_back("digits", "champion", registry, settings, reason="slow")
    second = roll_back("digits", "champion", registry, settings)

    assert [(m.kind, m.version, m.before, m.reason) for m in (first, second)] == [
        ("rollback", 2, 3, "slow"),
        ("rollback", 1, 2, ""),
    ]
    assert registry.find(parse_reference("digits@champion")).version == 1
    with pytest.raises(UsageError, match="nothing to go back to: version 1 is the first champion"):
        roll_back("digits", "champion", registry, settings)
    with pytest.raises(UsageError, match="it has no challenger"):
        roll_back("digits", "challenger", registry, settings)


def test_rolling_back_leaves_out_the_retired_and_refuses_broken_files(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    first = add_version()
    add_version()
    add_version()
    made_champion(registry, 1, 2, 3)
    retire(parse_reference("digits@2"), registry, reason="leaks")

    assert roll_back("digits", "champion", registry, settings).version == 1
    made_champion(registry, 3)
    (path_of(first.source) / "README.md").unlink()
    with pytest.raises(NotWholeError, match="digits@1"):
        roll_back("digits", "champion", registry, settings)
    assert registry.find(parse_reference("digits@champion")).version == 3


def test_a_retired_version_is_never_promoted_and_one_in_use_never_retired(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    add_version()
    add_version()
    made_champion(registry, 1)

    assert retire(parse_reference("digits@2"), registry, reason="worse").retired == "worse"
    with pytest.raises(GateClosedError, match=r"digits@2 was retired \(worse\) and cannot be promoted"):
        to(registry, settings, "digits@2", force=True, reason="please")
    with pytest.raises(UsageError, match="digits@1 is the champion and cannot be retired"):
        retire(parse_reference("digits@1"), registry, reason="old")
    with pytest.raises(UsageError, match="retired for a reason"):
        retire(parse_reference("digits@1"), registry, reason=" ")


def test_two_promotions_at_once_end_with_one_told_about_the_other(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    add_version()
    add_version()
    start, outcomes = threading.Barrier(2), list[str]()

    def work(text: str) -> None:
        own = Registry(open_store(destination(settings)))
        start.wait()
        try:
            outcomes.append("moved" if to(own, settings, text).move else "stopped")
        except BusyError as error:
            outcomes.append("told" if "is being changed by another process" in error.message else error.message)

    threads = [threading.Thread(target=work, args=(f"digits@{n}",)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["moved", "told"]
    assert len(registry.moves("digits")) == 1


def test_who_is_champion_already_must_still_be_whole(
    registry: Registry, settings: Settings, add_version: AddVersion
) -> None:
    stored = path_of(add_version().source)
    made_champion(registry, 1)
    (stored / "README.md").unlink()

    with pytest.raises(NotWholeError):
        to(registry, settings, "digits@1")


def history(*moves: tuple[str, int, int | None]) -> list[Move]:
    return [
        Move(number=n, kind=kind, alias="champion", version=v, before=b, time="", forced=(), reason="")
        for n, (kind, v, b) in enumerate(moves, start=1)
    ]


@pytest.mark.parametrize(
    ("moves", "now", "expected"),
    [
        ((), None, []),
        ((("promote", 1, None),), 1, []),
        ((("promote", 1, None), ("promote", 2, 1)), 2, [1]),
        ((("promote", 1, None), ("promote", 2, 1), ("promote", 1, 2)), 1, [2, 1]),
        ((("promote", 1, None), ("promote", 2, 1), ("promote", 3, 2), ("rollback", 2, 3)), 2, [1]),
        # Written down, but the process died before the alias moved.
        ((("promote", 1, None), ("promote", 2, 1)), 1, []),
        ((("promote", 1, None), ("promote", 2, 1), ("promote", 3, 2), ("promote", 4, 2)), 4, [2, 1]),
        # Someone moved the alias in MLflow, now or once.
        ((("promote", 1, None), ("promote", 2, 1)), 7, [2, 1]),
        ((("promote", 1, None), ("promote", 3, 2)), 3, [2, 1]),
        # Someone removed it there.
        ((("promote", 1, None), ("promote", 2, 1)), None, [2, 1]),
    ],
)
def test_what_an_alias_can_go_back_to(moves: Any, now: int | None, expected: list[int]) -> None:
    assert before(history(*moves), "champion", now) == expected


# --------------------------------------------------------------------------------------- photographs of a reader's own

# Of 8 x 8 pixels in red, green and blue: how much redder than blue it is, against the contrary.
REDDER = np.tile(np.array([[-1, 1], [0, 0], [1, -1]], np.float32), (64, 1))


def state(folder: Path, settings: Settings) -> Dataset:
    with opened("mine", settings, side=8) as collection:
        kept = own.keep(inspect(list_photographs(folder), collection, workers=2), collection, name="mine")
    return own.load(kept, settings)


def version_of(dataset: Dataset, registry: Registry, folder: Path) -> None:
    described = {
        "name": dataset.name, "version": 1, "digest": dataset.digest, "split_version": dataset.split_version,
        "classes": list(dataset.classes), "licence": "",
    }  # fmt: skip
    # Of green it knows nothing.
    weights = REDDER if len(dataset.classes) == 2 else np.insert(REDDER, 1, 0, axis=1)
    manifest = made_up_versions.version_folder(folder, dataset, weights, image=(8, 8, 3), dataset=described)
    registry.add("mine", folder, manifest, facts={"variant": "head", "validation_accuracy": "1.0"})


def test_a_champion_of_fewer_photographs_is_measured_on_those_of_the_candidate(
    registry: Registry, settings: Settings, tmp_path: Path
) -> None:
    photographs = make_folder(tmp_path / "mine", {"red": 50, "blue": 50})
    version_of(state(photographs, settings), registry, tmp_path / "first")
    made_champion(registry, 1, name="mine")
    make_folder(photographs, {"red": 100, "blue": 100})
    version_of(state(photographs, settings), registry, tmp_path / "second")

    done = to(registry, settings, "mine@2")

    (accuracy,) = [gate for gate in done.gates if gate.gate == "accuracy"]
    assert accuracy.found == ("100.00% of 20 images, +0.00 points against version 1 (95% interval +0.00 to +0.00)")
    assert done.closed == ()
    assert registry.find(parse_reference("mine@champion")).version == 2


def test_a_champion_that_may_have_learned_them_is_not(registry: Registry, settings: Settings, tmp_path: Path) -> None:
    photographs = make_folder(tmp_path / "mine", {"red": 50, "blue": 50})
    first = state(photographs, settings)
    version_of(first, registry, tmp_path / "first")
    made_champion(registry, 1, name="mine")
    make_folder(photographs, {"red": 60})
    (settings.workspace / "own/mine" / f"{first.digest[:12]}.json").unlink()
    version_of(state(photographs, settings), registry, tmp_path / "second")

    done = to(registry, settings, "mine@2")

    (found,) = [gate.found for gate in done.closed]
    assert found.startswith(
        f"not comparable: version 1: The photographs or texts own:mine@{first.digest[:12]} are not in"
    )
    assert done.move is None


def test_a_champion_that_knows_other_classes_is_not_compared_with(
    registry: Registry, settings: Settings, tmp_path: Path
) -> None:
    photographs = make_folder(tmp_path / "mine", {"red": 50, "blue": 50})
    version_of(state(photographs, settings), registry, tmp_path / "first")
    made_champion(registry, 1, name="mine")
    make_folder(photographs, {"green": 10})
    version_of(state(photographs, settings), registry, tmp_path / "second")

    done = to(registry, settings, "mine@2")

    (accuracy,) = [gate for gate in done.gates if gate.gate == "accuracy"]
    assert accuracy.found.endswith("there is no champion yet")

"""A kept state names the kind of processor that computed it: bits of two kinds are not mixed in one trial."""

import dataclasses
from collections import deque
from typing import Any

import pytest
import tiny_study
from tiny_study import Watch

from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.study.executor import Callbacks, InProcess
from fortydays.study.plan import Request, make_plan
from fortydays.train.checkpoint import Checkpoint


@pytest.mark.parametrize(("changed", "resumed"), [({}, 1), ({"processor": "another"}, 0)], ids=["same", "another"])
def test_a_trial_goes_on_from_a_state_of_its_own_kind_of_processor_only(
    keras: Any, settings: Settings, changed: dict[str, str], resumed: int
) -> None:
    plan = make_plan(tiny_study.source(tiny_study.PAIR), Request(), settings, Watch())
    spec = plan.spec("one hidden", 0, tiny_study.PAIR.variants[0].recipe)
    dataset, progress = library.load("digits", settings), Watch()
    executor = InProcess(study=tiny_study.PAIR, dataset=dataset, settings=settings, progress=progress)
    kept: list[Checkpoint] = []

    def tried(state: Checkpoint | None) -> dict[str, Any]:
        told = Callbacks(
            started=lambda *_: None,
            report=lambda *_: None,
            resume=lambda _: state,
            keep=lambda _, state: kept.append(state),
        )
        (outcome,) = executor.map(deque([spec]), told)
        return outcome.result

    whole = tried(None)
    first = kept[0]
    assert first.state["epoch"] == 1
    assert first.state["processor"]
    again = tried(dataclasses.replace(first, state={**first.state, **changed}))
    assert again["resumed_from_epoch"] == resumed
    assert again["weights_digest"] == whole["weights_digest"]
    said = ["one hidden, seed 0, was begun on another kind of processor. It begins anew."]
    assert [line for line in progress.said if "processor" in line] == (said if changed else [])

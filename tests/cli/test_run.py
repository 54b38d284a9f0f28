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

from fortydays.base.files import read_json
from fortydays.base.settings import read_settings
from fortydays.cli.main import execute
from fortydays.days import loading
from fortydays.study import runner
from fortydays.study.runs import RunState, list_runs

TINY = Path(__file__).parent / "studies" / "tiny.py"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace for commands that run in this process."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run in a workspace of its own, made once: that workspace, its exit code, what it printed."""
    home = tmp_path_factory.mktemp("finished") / "home"
    process = start_forty(home, "run", TINY, "--no-track", "--json", "--strict")
    out, err = process.communicate(timeout=200)
    return home, process.returncode, out, err


@pytest.fixture
def with_a_run(workspace, finished):
    """A copy of that workspace, for commands that run in this process; the document that the run printed."""
    shutil.copytree(finished[0], workspace)
    return json.loads(finished[2])


def forty(capsys, *arguments):
    """Run a command here; its exit code, standard output and standard error."""
    capsys.readouterr()
    code = execute([str(a) for a in arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.out, printed.err


def environment(home):
    return {**os.environ, "FORTYDAYS_HOME": str(home), "FORTYDAYS_THREADS": "1", "COLUMNS": "80"}


def start_forty(home, *arguments):
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fortydays", *map(str, arguments)],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--examples", "many"), "--examples is 'many'; expected a whole number, such as 500."),
        (("--examples", "-5"), "--examples is '-5'; expected a whole number, such as 500."),
        (("--examples", "0"), "--examples is 0; expected a whole number from 1 to 1000000."),
        (("--examples", "100", "--publish"), "A try with --examples is never published"),
        (("--examples", "100", "--strict"), "--strict asks for verdicts, and a try with --examples has none."),
    ],
)
def test_what_cannot_be_asked_of_a_try_is_told_before_anything_is_loaded(workspace, capsys, arguments, said):
    code, out, err = forty(capsys, "run", "1", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not workspace.exists()


def test_json_is_one_document_with_a_verdict_for_every_claim(finished):
    _, _, out, err = finished
    document = json.loads(out)
    assert document["day"] is None
    assert document["title"] == "Tiny"
    assert document["dataset"]["name"] == "digits"
    assert len(document["dataset"]["digest"]) == 64
    assert document["seeds"] == [0, 1]
    assert [(t["variant"], t["seed"], t["status"]) for t in document["trials"]] == [
        ("network", 0, "finished"),
        ("network", 1, "finished"),
        ("linear", 0, "finished"),
        ("linear", 1, "finished"),
    ]
    assert {c["claim"]: c["verdict"] in ("supported", "refuted", "undecided") for c in document["claims"]} == {
        "Better than guessing": True,
        "Never wrong": True,
        "Depth helps": True,
    }
    summary = document["variants"]["network"]["test_accuracy"]
    values = [t["metrics"]["test_accuracy"] for t in document["trials"] if t["variant"] == "network"]
    assert summary["n"] == 2
    assert summary["mean"] == pytest.approx(sum(values) / 2)
    assert summary["low"] < summary["mean"] < summary["high"]
    assert "Compiling network" in err


def test_the_same_command_gives_the_same_bits(with_a_run, capsys):
    code, out, _ = forty(capsys, "run", TINY, "--no-track", "--json")
    second = json.loads(out)
    assert code == 0
    assert with_a_run["run_id"] != second["run_id"]
    assert with_a_run["results_digest"] == second["results_digest"]


def test_more_seeds_are_counted_on_only_takes_groups_and_a_setting_changes_every_recipe(workspace, capsys):
    asked = ("--seeds", 3, "--only", "nets", "--set", "epochs=1")
    document = json.loads(forty(capsys, "run", TINY, "--no-track", "--json", *asked)[1])
    assert [(t["variant"], t["seed"]) for t in document["trials"]] == [("network", 0), ("network", 1), ("network", 2)]
    assert {d["recipe"]["epochs"] for d in document["details"].values()} == {1}
    assert {t["epochs"] for t in document["trials"]} == {1}
    assert document["request"]["settings"] == ["epochs=1"]


def test_strict_tells_the_shell_that_a_claim_does_not_hold(finished):
    _, code, out, _ = finished
    assert code == 3
    verdicts = {claim["claim"]: claim["verdict"] for claim in json.loads(out)["claims"]}
    assert verdicts["Never wrong"] != "supported"


def test_a_loss_that_is_no_number_fails_its_trials_and_the_others_go_on(workspace, capsys):
    shutil.copy(TINY, workspace.parent / "mixed.py")
    text = (workspace.parent / "mixed.py").read_text()
    exploding = 'RECIPE.replace(optimizer="sgd", learning_rate=3e38)'
    text = text.replace("model=linear, recipe=RECIPE", f"model=linear, recipe={exploding}")
    (workspace.parent / "mixed.py").write_text(text)
    code, out, err = forty(capsys, "run", workspace.parent / "mixed.py", "--no-track", "--json")
    document = json.loads(out)
    assert code == 1
    assert [t["status"] for t in document["trials"]] == ["finished", "finished", "failed", "failed"]
    assert document["trials"][2]["error"].startswith("The loss became")
    assert "Try a lower learning rate" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "99"], "There is no day 99"),
        (["run", "activatoins"], "Did you mean 'activations'?"),
        (["run", "40"], "is still to come"),
        (["run", "nothing.py"], "There is no study file nothing.py."),
        (["run", TINY, "--only", "netwrk"], "There is no variant 'netwrk'. Did you mean 'network'?"),
        (["run", TINY, "--engine", "plane"], "There is no engine 'plane'. Did you mean 'plain'?"),
        (["run", "2", "--only", "reluu"], "There is no variant 'reluu'. Did you mean 'relu'?"),
        (
            ["run", "2", "--set", "optimizer_options.momntum=0.9"],
            "There is no option 'momntum' of any optimizer. Did you",
        ),
        (["run", "2", "--set", "optimizer=sgd", "--set", "optimizer_options.rho=1"], "'rho' of the optimizer 'sgd'."),
        (
            ["run", "2", "--set", "optimizer_options.momentum=2"],
            "'optimizer_options.momentum' is 2.0; expected a number",
        ),
        (["verify", "--renew"], "There is no option '--renew'. Did you mean '--rerun'?"),
        (["run", TINY, "--seeds", "0"], "--seeds is 0; expected a whole number from 1 to 1000."),
        (
            ["run", TINY, "--seeds", "many"],
            "--seeds is 'many'; expected a whole number from 1 to 1000, or a range such as",
        ),
        (["run", TINY, "--seeds=1.5"], "--seeds is '1.5'; expected a whole number from 1 to 1000, or a range such as"),
        (
            ["run", TINY, "--seeds", "5-3"],
            "--seeds is '5-3'; expected a whole number from 1 to 1000, or a range such as",
        ),
        (["run", TINY, "--seeds", "0-4294967296"], "--seeds is '0-4294967296'; expected a whole number"),
        (["run", TINY, "--seeds", "0-1000"], "--seeds is 1001; expected a whole number from 1 to 1000."),
        (["run", TINY, "--set", "epoch=1"], "There is no recipe field 'epoch'. Did you mean 'epochs'?"),
        (["run", TINY, "--set", "epochs=one"], "The recipe field 'epochs' got 'one'; expected a whole number."),
        (["run", TINY, "--set", "learning_rate=-1"], "'learning_rate' is -1.0; expected a number above 0"),
        (["run", TINY, "--no-track", "--set", "batch_size=100000"], "but the training split has 1297 images."),
        (["run", TINY, "--publish", "--no-track"], "Only what a day's study says is published"),
        (["run", "1", "--publish", "--seeds", "1"], "Only what a day's study says is published"),
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(workspace, capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = forty(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in out + err


def test_with_json_an_error_is_json_too(workspace, capsys):
    code, out, err = forty(capsys, "run", "99", "--json")
    error = json.loads(err)["error"]
    assert (code, out) == (2, "")
    assert error["code"] == 2
    assert error["message"].startswith("There is no day 99")


def test_a_study_file_that_cannot_be_imported_is_named(workspace, capsys):
    broken = workspace.parent / "broken.py"
    broken.write_text("import nothing_of_that_name\n")
    code, _, err = forty(capsys, "run", broken)
    assert code == 2
    assert f"{broken}, line 1: There is no module 'nothing_of_that_name'." in err
    broken.write_text("x = 1\n")
    code, _, err = forty(capsys, "run", broken)
    assert code == 2
    assert "sets no study" in err


def test_a_workspace_that_is_a_file_is_named(workspace, capsys, monkeypatch):
    workspace.write_text("in the way")
    code, _, err = forty(capsys, "run", TINY)
    assert code == 1
    assert str(workspace) in err
    assert workspace.read_text() == "in the way"


def test_without_data_network_or_clients_every_source_is_named(workspace, capsys, monkeypatch):
    monkeypatch.setenv("FORTYDAYS_OFFLINE", "1")
    monkeypatch.setenv("FORTYDAYS_MIRROR", "")
    code, _, err = forty(capsys, "run", "1", "--no-track")
    assert code == 1
    assert "mnist" in err
    assert "FORTYDAYS_OFFLINE" in err


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        (["--seeds", "2", "--only", "sgd fair"], "forty run 3 --no-track --seeds 2 --only 'sgd fair'"),
        (["--fresh"], "forty run 3 --no-track"),  # which would begin anew
    ],
)
def test_a_stopped_run_says_with_which_command_it_goes_on(workspace, capsys, monkeypatch, arguments, again):
    def stopped(*_, **__):
        raise runner.StudyInterruptedError("Stopped. 1 of 4 trials are done and kept.")

    monkeypatch.setattr(loading, "load_study", lambda file, threads: None)
    monkeypatch.setattr(runner, "run_study", stopped)
    given = ["run", "3", "--no-track", *arguments]
    monkeypatch.setattr(sys, "argv", ["forty", *given])
    code, out, err = forty(capsys, *given)
    assert (code, out) == (130, "")
    assert err.endswith(f"Stopped. 1 of 4 trials are done and kept.\nContinue with: {again}\n")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lerning_rate=1", "There is no recipe field 'lerning_rate'. Did you mean 'learning_rate'?"),
        ("epochs=many", "The recipe field 'epochs' got 'many'; expected a whole number."),
        ("epochs", "--set got 'epochs'; expected FIELD=VALUE."),
    ],
)
def test_a_mistyped_setting_is_told_before_anything_is_loaded(workspace, capsys, setting, message):
    code, out, err = forty(capsys, "run", "1", "--set", setting)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {message}")


LONG = ["run", TINY, "--json", "--set", "epochs=60"]
UNTRACKED = [*LONG, "--no-track"]


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory):
    """The evidence of a run that takes long enough to be stopped, and was not."""
    home = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORTYDAYS_HOME", str(home))
        patch.setenv("FORTYDAYS_THREADS", "1")
        assert execute([str(a) for a in UNTRACKED]) == 0
    (run,) = list_runs(read_settings({"FORTYDAYS_HOME": str(home)}).runs)
    return read_json(run.evidence)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_is_kept_goes_on_and_ends_with_the_same_bits(tmp_path, number, never_stopped):
    home = tmp_path / "stopped"
    arguments = LONG if number == signal.SIGINT else UNTRACKED  # the tracker of one costs as much as the run
    process = start_forty(home, *arguments)
    runs = read_settings({"FORTYDAYS_HOME": str(home)}).runs
    wait_until(lambda: list(runs.glob("*/trials/*/checkpoint.npz")), process)
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 10  # two seconds and what the machine is busy with
    assert out == ""
    assert "Traceback" not in err, err
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    if number != signal.SIGKILL:
        assert re.search(r"(trials are|1 trial is) done and kept\.", err), err
        assert "Continue with: forty run" in err
    (run,) = list_runs(runs)
    assert run.state() is RunState.INTERRUPTED
    if number == signal.SIGTERM:
        return  # what is kept is the same as after the other two
    again, err = start_forty(home, *arguments).communicate(timeout=200)
    assert f"Continuing {run.run_id}" in err
    assert json.loads(again)["run_id"] == run.run_id
    assert json.loads(again)["results_digest"] == never_stopped["results_digest"]


@pytest.mark.slow
def test_a_changed_study_file_is_refused_and_fresh_starts_over(workspace, tmp_path, capsys):
    study = tmp_path / "mine.py"
    shutil.copy(TINY, study)
    arguments = ["run", study, "--no-track", "--set", "epochs=60"]
    process = start_forty(workspace, *arguments)
    runs = read_settings({"FORTYDAYS_HOME": str(workspace)}).runs
    wait_until(lambda: list(runs.glob("*/trials/*/checkpoint.npz")), process)
    process.kill()
    process.communicate()
    study.write_text(study.read_text().replace("Dense(16", "Dense(17"))
    code, _, err = forty(capsys, *arguments)
    assert code == 1
    assert "cannot continue: the study file changed since." in err
    assert "Start over with --fresh" in err
    study.write_text(study.read_text() + "\n# A comment changes nothing that is trained.\n")
    code, out, _ = forty(capsys, *arguments, "--fresh", "--set", "epochs=1", "--json")
    assert code == 0
    assert json.loads(out)["trials"][0]["epochs"] == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_space(tmp_path, finished):
    home = tmp_path / "small"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", home], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    arguments = ["run", TINY, "--no-track", "--json"]
    try:
        process = start_forty(home, *arguments)
        _, err = process.communicate(timeout=100)
        assert process.returncode == 1
        assert "No space left on device" in err
        assert "Free some space and run the command again" in err
        assert "Traceback" not in err, err
        subprocess.run(["mount", "-o", "remount,size=50m", home], check=True)
        out, err = start_forty(home, *arguments).communicate(timeout=100)
        digest = json.loads(out)["results_digest"]
    finally:
        subprocess.run(["umount", home], check=True)
    assert digest == json.loads(finished[2])["results_digest"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a read-only file system")
def test_a_read_only_workspace_is_told(tmp_path):
    home = tmp_path / "frozen"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", home], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        process = start_forty(home, "run", TINY, "--no-track")
        _, err = process.communicate(timeout=100)
    finally:
        subprocess.run(["umount", home], check=True)
    assert process.returncode == 1
    assert "Read-only file system" in err
    assert "Point FORTYDAYS_HOME to a folder that can be written." in err


def test_damaged_evidence_is_named_and_kept_aside(workspace, with_a_run, capsys):
    path = workspace / "runs" / with_a_run["run_id"] / "evidence.json"
    path.write_text(path.read_text()[:100])
    code, _, err = forty(capsys, "show", TINY)
    (aside,) = path.parent.glob("evidence.json.damaged-*")
    assert code == 1
    assert f"{path} is damaged: it is not JSON" in err
    assert f"It is kept as {aside.name}" in err
    assert len(aside.read_text()) == 100
    code, _, err = forty(capsys, "show", TINY)
    assert code == 2
    assert "has no evidence yet" in err


def test_show_gives_what_run_gave(workspace, with_a_run, capsys):
    assert json.loads(forty(capsys, "show", TINY, "--json")[1]) == with_a_run
    assert read_json(workspace / "runs" / with_a_run["run_id"] / "run.json")["state"] == "finished"


def wait_until(condition, process):
    """Wait for a condition while a process works towards it."""
    for _ in range(600):
        if condition():
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 seconds")

"""What `forty compare` says of two runs."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import BEEF, CAFE, longest_line, made_up, make_run

from fortydays.cli.main import execute
from fortydays.study.evidence import results_digest, summarize
from fortydays.train.recipe import Recipe


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one run."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    make_run(tmp_path, BEEF, evidence=made_up.evidence())
    return tmp_path


def other(**changes: Any) -> dict[str, Any]:
    """Evidence in which the network is better by 1.0, 1.1, ... 1.4 points from seed to seed."""
    document = copy.deepcopy(made_up.evidence())
    for trial in document["trials"]:
        if trial["variant"] == "network":
            trial["metrics"]["test_accuracy"] += 0.01 + 0.001 * trial["seed"]
    document["variants"] = summarize(document["trials"])
    document["results_digest"] = results_digest(document["trials"])
    document["details"]["network"]["recipe"]["epochs"] = 8
    return document | changes


def test_the_difference_is_paired_by_seed(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, CAFE, evidence=other())
    assert execute(["compare", BEEF, CAFE]) == 0
    text = capsys.readouterr().out
    # By hand: mean 1.2, standard deviation 0.158, half the interval 2.776 * 0.158 / sqrt(5) = 0.196.
    assert re.search(r"^network +test accuracy +97\.23% +98\.43% +\+1\.20 ± 0\.20 points$", text, re.MULTILINE)
    assert re.search(r"^network: epochs +6 +8 *$", text, re.MULTILINE)
    assert "The results are not the same to the last bit." in text
    assert longest_line(text) <= 80


def test_equal_results_are_the_same_bits(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(workspace, CAFE, evidence=made_up.evidence(threads=1))
    assert execute(["compare", "day04-20261122-13", "day04-20261122-14"]) == 0
    text = capsys.readouterr().out
    assert "✓ The same bits: everything the trials gave, except times, is equal." in text
    assert re.search(r"^threads +2 +1 *$", text, re.MULTILINE)


def written_today(**changes: Any) -> dict[str, Any]:
    """The same evidence, by a program whose recipes have more fields than those of the run in the workspace."""
    document = copy.deepcopy(made_up.evidence())
    for detail in document["details"].values():
        detail["recipe"] = Recipe(**detail["recipe"]).replace(**changes).as_dict()
    return document


def test_what_an_older_run_has_no_field_for_is_no_difference_at_its_default(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "mixup" not in made_up.evidence()["details"]["network"]["recipe"]
    make_run(workspace, CAFE, evidence=written_today())
    for both in ([BEEF, CAFE], [CAFE, BEEF]):
        assert execute(["compare", *both]) == 0
        text = capsys.readouterr().out
        assert "✓ The same bits" in text
        assert "Nothing differs in recipes, code, data and machine." in text


def test_what_an_older_run_has_no_field_for_is_a_difference_at_another_value(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, CAFE, evidence=written_today(mixup=0.2))
    assert execute(["compare", BEEF, CAFE, "--json"]) == 0
    differences = json.loads(capsys.readouterr().out)["differences"]
    assert {"what": "network: mixup", "first": "0", "second": "0.2"} in differences
    assert {each["what"].partition(": ")[2] for each in differences} == {"mixup"}


def test_seeds_that_only_one_has_are_left_out_of_the_difference(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, CAFE, evidence=made_up.evidence(seeds=(7, 8)))
    assert execute(["compare", BEEF, CAFE, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert not document["same_bits"]
    assert {change["change"] for change in document["changes"]} == {None}
    assert {"what": "seeds", "first": "0 to 4", "second": "7, 8"} in document["differences"]


@pytest.mark.parametrize("width", [60, 40])
def test_on_a_narrow_terminal_no_word_and_no_number_is_split(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    packages = made_up.evidence()["packages"] | {"tensorflow-cpu": "2.22.0"}
    make_run(workspace, CAFE, evidence=other(threads=1, packages=packages))
    assert execute(["compare", BEEF, CAFE]) == 0
    text = capsys.readouterr().out
    assert longest_line(text) <= width
    assert re.search(r"^what differs +A +B *$", text, re.MULTILINE)
    for whole in ("tensorflow-cpu", "97.23%", "98.43%", "+1.20 ± 0.20 points", "test accuracy"):
        assert whole in text
    assert "\n\n\n" not in re.sub(r" +\n", "\n", text)


def test_variants_of_one_run_only_are_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = other()
    for part in ("details", "variants"):
        del alone[part]["sgd fair"]
    alone["trials"] = [t for t in alone["trials"] if t["variant"] != "sgd fair"]
    make_run(workspace, CAFE, evidence=alone)
    assert execute(["compare", BEEF, CAFE]) == 0
    assert "Only in A: sgd fair" in capsys.readouterr().out


def test_an_evidence_file_can_be_compared_with_a_run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workspace / "theirs.json"
    path.write_text(json.dumps(made_up.evidence()))
    assert execute(["compare", BEEF, str(path)]) == 0
    assert "Nothing differs in recipes, code, data and machine." in capsys.readouterr().out


def test_a_run_that_does_not_exist_or_has_no_evidence_yet(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["compare", BEEF, "nowhere"]) == 2
    assert "There is no run 'nowhere'." in capsys.readouterr().err
    make_run(workspace, CAFE, done=2)
    assert execute(["compare", BEEF, CAFE]) == 2
    error = capsys.readouterr().err
    assert f"The run {CAFE} has no evidence yet: it is interrupted." in error
    assert "forty run 4 --seeds 5" in error


@pytest.mark.parametrize("text", ["day04", "4", "regularization"])
def test_a_day_means_its_latest_run(workspace: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    make_run(workspace, CAFE, evidence=other(), created="2026-11-22T14:58:00Z")
    make_run(workspace, "day04-20261122-155800-f00d", done=1, created="2026-11-22T15:58:00Z")  # has no evidence yet
    make_run(workspace, "regularization-1", evidence=other(day=None), day=None, created="2027-01-01T00:00:00Z")
    assert execute(["compare", BEEF, text]) == 0
    printed = capsys.readouterr().out
    assert f"A  your run {BEEF}" in printed
    assert f"B  your run {CAFE}" in printed


def test_a_day_that_was_never_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["compare", "day04", "day09"]) == 2
    assert "There is no run 'day09'." in capsys.readouterr().err


def test_of_several_runs_that_begin_so_only_those_are_listed(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(workspace, CAFE, evidence=other())
    make_run(workspace, "my-sizes-1", evidence=other(day=None), day=None, name="my-sizes")
    assert execute(["compare", BEEF, "day04-2026"]) == 2
    error = capsys.readouterr().err
    assert "Several runs begin with 'day04-2026'." in error
    assert f"Name one of them: {BEEF}, {CAFE}." in error
    assert "my-sizes" not in error


def test_a_run_whose_evidence_was_damaged_cannot_be_continued(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(workspace, CAFE, evidence=other())
    (folder / "evidence.json").unlink()
    assert execute(["compare", BEEF, CAFE]) == 2
    error = capsys.readouterr().err
    assert f"The run {CAFE} has no evidence: it was damaged." in error
    assert "It must be trained again, with: forty run 4 --seeds 5" in error
    assert "Continue" not in error

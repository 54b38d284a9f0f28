"""Drills: procedures on real parts, repeated for each seed, with the evidence and verdicts that variants have."""

import copy
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flipped_byte
import numpy as np
import pytest
import tiny_study
from jsonschema import Draft202012Validator
from rich.console import Console
from tiny_study import Watch
from worker_pool import Pool

from fortydays.base.errors import FortydaysError, StorageError, UsageError
from fortydays.base.process import PARENT
from fortydays.base.settings import Settings
from fortydays.days.loading import find_study, load_study, load_study_of
from fortydays.report.comparison import compare_results
from fortydays.report.page import make_page
from fortydays.report.results import read_results
from fortydays.report.terminal import print_evidence
from fortydays.study.bench import Bench
from fortydays.study.claims import Comparison, InEverySeed, Threshold, ThresholdOfBest
from fortydays.study.design import Exhibit, Measure, Study
from fortydays.study.drills import Drill
from fortydays.study.evidence import SCHEMA_FILE, best_trial, outline, results_digest
from fortydays.study.identity import changes
from fortydays.study.plan import Request, StudySource, make_plan
from fortydays.study.runner import StudyInterruptedError, run_study
from fortydays.study.runs import RunFolder, RunState
from fortydays.study.samples import findings_of
from fortydays.study.verification import agreement, stale_parts
from fortydays.tasks.metric import Metric
from fortydays.track.content import entries_of

PULSE = Metric(name="pulse", title="pulse at rest", exact=False)
READY = Metric(name="seconds_to_ready", title="until ready", unit="seconds", better="lower", exact=False)


@pytest.fixture(autouse=True)
def own_children_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the environment as it was: other tests' processes do not end with this one."""
    monkeypatch.setenv(PARENT, "")


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, dict[str, Any], Watch]:
    settings, progress = tiny_study.settings(tmp_path_factory.mktemp("home")), Watch()
    run, evidence = run_study(source_of(flipped_byte.study), Request(), settings, progress=progress)
    assert list((settings.workspace / "drills").iterdir()) == []
    return run, evidence, progress


def source_of(study: Study, path: Path = Path(flipped_byte.__file__)) -> StudySource:
    return StudySource(day=None, name="drilled", path=path, study=study)


def drill(do: Callable[[Bench], Any] = lambda bench: {"found": 1.0}, **fields: Any) -> Drill:
    return Drill(**{"name": "a drill", "do": do, "metrics": ("found",), **fields})


def study_of(*drills: Drill, **fields: Any) -> Study:
    return Study(**{"title": "Drilled", "claims": (), "seeds": (0, 1, 2), "drills": drills, **fields})


def printed(evidence: Mapping[str, Any]) -> str:
    console = Console(width=80, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    print_evidence(evidence, console, source="a test")
    console.file.close()
    return console.export_text()


# ------------------------------------------------------------------------------- one flipped byte in a bundle is found


def test_one_flipped_byte_in_a_bundle_is_found_in_every_seed(flipped: Any, schema: Draft202012Validator) -> None:
    run, evidence, progress = flipped
    (claim,) = evidence["claims"]
    assert (claim["verdict"], claim["n"], claim["value"]) == ("supported", 20, 1.0)
    assert claim["condition"] == "smallest found of one flipped byte over the seeds ≥ 1"
    schema.validate(evidence)
    schema.validate(outline(evidence))
    assert json.loads(run.evidence.read_text("utf-8")) == evidence
    assert run.state() is RunState.FINISHED
    assert not run.best_model.exists()
    assert best_trial(evidence["trials"]) is None
    assert evidence["dataset"] is None
    assert [t["seed"] for t in evidence["trials"]] == list(range(20))
    assert all(t["train_seconds"] > 0 and t["history"] == {} and t["machine"] for t in evidence["trials"])
    assert progress.done["study"] == 20
    assert progress.notes["one flipped byte, seed 3"] == "found 1"
    assert progress.running == {}


def test_what_its_evidence_says_is_shown_in_the_terminal_and_on_a_page(flipped: Any) -> None:
    _, evidence, _ = flipped
    told = printed(evidence)
    assert "✓ supported" in told
    assert "smallest of 20 seeds: 100.0%" in told
    assert "one flipped byte" in told
    assert "to validate" not in told
    assert "test accuracy" not in told
    page = make_page(evidence, source="a test")
    assert "1 claim: 1 supported. 1 drill, 20 seeds, 20 finished trials." in page
    assert '<h2 id="recipes">Drills</h2>' in page
    assert "one byte of a bundle, at random" in page
    assert "carried out once for each seed" in page
    for absent in ("Learning curves", "Every setting", "Every variant is trained", "dataset digest"):
        assert absent not in page


def test_its_evidence_is_verified_and_compared_and_sent(flipped: Any) -> None:
    run, evidence, _ = flipped
    study = flipped_byte.study
    assert stale_parts(evidence, study) == []
    assert changes(evidence, study, tiny_study.settings(run.path)) == []
    other = dataclasses.replace(study.drills[0], metrics=("found",))
    assert "the metrics of its drills are not those of the study" in stale_parts(
        evidence, dataclasses.replace(study, drills=(other,))
    )
    fresh = copy.deepcopy(evidence)
    assert agreement(evidence, fresh)["same_bits"]
    comparison = compare_results(read_results(evidence), read_results(fresh))
    assert [(c.metric, c.title, c.unit) for c in comparison.changes] == [
        ("train_seconds", "seconds", "seconds"),
        ("found", "found", "share"),
    ]
    assert [d.what for d in comparison.differences] == []
    first, *others = entries_of(run)
    assert ("one flipped byte/found", 1.0) in [(name, value) for name, value, *_ in first.metrics]
    assert first.dataset == {}
    assert len(others) == 20
    assert others[0].parameters["variant"] == "one flipped byte"


@pytest.mark.parametrize("raised", [KeyError("x"), SystemExit(0), FortydaysError("the part is broken")])
def test_an_exception_of_one_repetition_costs_no_other(raised: BaseException, settings: Settings) -> None:
    def do(bench: Bench) -> dict[str, float]:
        if bench.seed == 1:
            raise raised
        return {"found": True}

    claim = Threshold(sentence="It is found", variant="a drill", metric="found", at_least=1)
    progress = Watch()
    run, evidence = run_study(source_of(study_of(drill(do), claims=(claim,))), Request(), settings, progress=progress)
    assert [t["status"] for t in evidence["trials"]] == ["finished", "failed", "finished"]
    assert run.state() is RunState.FAILED
    assert evidence["claims"][0]["verdict"] == "undecided"
    assert "1 of 3 trials failed" in evidence["claims"][0]["note"]
    (warning,) = progress.warned
    assert warning.startswith("a drill, seed 1 failed: ")
    assert "a drill, seed 1, failed:" in printed(evidence)


# ------------------------------------------------------------------------------------------------ for each example


def test_claims_count_the_examples_that_drills_give_numbers_for(
    settings: Settings, schema: Draft202012Validator
) -> None:
    """No seed changes anything, so without the examples every difference would be certain."""
    ours, theirs = np.array([3.0, 1.0, 2.0, 4.0]), np.array([2.0, 1.0, 2.0, 1.0])
    drills = (
        drill(lambda bench: {"found": ours}, name="ours"),
        drill(lambda bench: {"found": theirs}, name="theirs"),
    )
    claim = Comparison(sentence="Ours finds more", metric="found", variant="ours", than="theirs", direction="above")
    study = study_of(*drills, claims=(claim,))
    run, evidence = run_study(source_of(study), Request(), settings, progress=Watch())
    schema.validate(json.loads(run.evidence.read_text("utf-8")))
    (judged,) = evidence["claims"]
    # The differences 1, 0, 0, 3 have the mean 1 and the standard error sqrt(2) / 2; Student's quantile is 3.182.
    assert judged["verdict"] == "undecided"
    assert judged["low"] == pytest.approx(1 - 3.182 * 2**0.5 / 2, abs=1e-3)
    assert (judged["value"], judged["examples"]) == (1.0, 4)
    assert evidence["trials"][0]["by_example"] == {"found": [3.0, 1.0, 2.0, 4.0]}
    assert "by_example" not in outline(evidence)["trials"][0]
    changed = copy.deepcopy(evidence["trials"])
    changed[0]["by_example"]["found"] = [3.0, 1.0, 4.0, 2.0]
    assert results_digest(changed, study.declared) != evidence["results_digest"]
    changed[0]["by_example"]["found"][0] = 4.0
    with pytest.raises(StorageError, match="the numbers for each example of 'ours', seed 0, do not give its found"):
        findings_of(changed)


def test_a_drill_can_show_something_with_its_first_seed(settings: Settings) -> None:
    def show(bench: Bench) -> dict[str, Any]:
        table = {"kind": "table", "title": "Seen", "caption": "", "columns": ["seed"]}
        return {**table, "rows": [[str(bench.seed + bench.random.integers(1))]]}

    def fail_once(bench: Bench) -> dict[str, float]:
        return {"found": 1.0} if bench.seed else {}

    exhibit = Exhibit(variant="a drill", make=show)
    study = study_of(drill(fail_once), exhibits=(exhibit,))
    _, evidence = run_study(source_of(study), Request(), settings, progress=Watch())
    (shown,) = evidence["exhibits"]
    assert (shown["variant"], shown["seed"], shown["rows"]) == ("a drill", 1, [["1"]])  # seed 0 has failed
    assert list((settings.workspace / "drills").iterdir()) == []
    with pytest.raises(UsageError, match="There is no variant 'other'"):
        study_of(drill(), exhibits=(Exhibit(variant="other", make=show),))


# ----------------------------------------------------------------------------------------------------------- the run


def test_an_interrupted_run_goes_on_with_the_seeds_that_are_missing(settings: Settings) -> None:
    carried: list[int] = []

    def do(bench: Bench) -> dict[str, float]:
        carried.append(bench.seed)
        if carried == [0, 1, 2]:
            raise KeyboardInterrupt
        return {"found": bench.random.random()}

    source = source_of(study_of(drill(do), seeds=(0, 1, 2, 3)))
    with pytest.raises(StudyInterruptedError, match=r"Stopped\. 2 of 4 trials are done and kept\."):
        run_study(source, Request(), settings, progress=Watch())
    assert list((settings.workspace / "drills").iterdir()) == []
    progress = Watch()
    run, evidence = run_study(source, Request(), settings, progress=progress)
    assert carried == [0, 1, 2, 2, 3]
    assert any(f"Continuing {run.run_id}: 2 of 4 trials are done." in said for said in progress.said)
    whole = run_study(source, Request(), settings, progress=Watch(), fresh=True)[1]
    assert whole["results_digest"] == evidence["results_digest"]


def test_a_time_is_no_part_of_what_must_be_equal(settings: Settings) -> None:
    timed = drill(
        lambda bench: dict.fromkeys(("seconds_to_ready", "pulse"), time.perf_counter()), metrics=(READY, PULSE)
    )
    study = study_of(
        timed, claims=(Threshold(sentence="s", variant="a drill", metric="seconds_to_ready", at_least=0),)
    )
    first, second = (
        run_study(source_of(study), Request(), settings, progress=Watch(), fresh=True)[1] for _ in range(2)
    )
    assert first["trials"][0]["metrics"] != second["trials"][0]["metrics"]
    assert first["results_digest"] == second["results_digest"] != results_digest(first["trials"])
    assert first["claims"][0]["unit"] == "seconds"
    assert "pulse at rest" in printed(first)
    assert "until ready" in printed(first)
    assert "until ready" in make_page(first, source="a test")


def test_drills_need_no_framework(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import tiny_study
from fortydays.study.design import Study
from fortydays.study.drills import Drill
from fortydays.study.plan import Request, StudySource
from fortydays.study.runner import run_study
study = Study(title="t", claims=(), drills=(Drill(name="d", do=lambda bench: {{"m": 1}}, metrics=("m",)),), seeds=(0,))
source = StudySource(day=None, name="d", path=Path(tiny_study.__file__), study=study)
run_study(source, Request(), tiny_study.settings(Path({str(tmp_path)!r})), progress=tiny_study.Watch())
print([name for name in ("keras", "tensorflow", "jax") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


FILE = '''
"""A reader's own drills."""
from fortydays.study.claims import Threshold
from fortydays.study.design import Study
from fortydays.study.drills import Drill


def odd(bench):
    bench.say("thinking")
    return {"is_odd": bench.seed % 2}


def broken(bench):
    return {"is_odd": 1 / 0}


study = Study(
    title="Odd",
    drills=(Drill(name="odd", do=odd, metrics=("is_odd",)), Drill(name="broken", do=broken, metrics=("is_odd",))),
    claims=(Threshold(sentence="Half are odd", variant="odd", metric="is_odd", at_least=0.4),),
    seeds=(0, 1),
)
'''


def test_processes_beside_each_other_give_the_same_and_a_failure_names_its_line(
    keras: Any, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    source = load_study(find_study(str(path)), threads=1)
    here = run_study(source, Request(), settings, progress=Watch())[1]
    progress = Watch()
    pool = Pool(workers=1, load=load_study_of, settings=settings, progress=progress)
    there = run_study(source, Request(), settings, progress=progress, executor=pool, fresh=True)[1]
    assert there["results_digest"] == here["results_digest"]
    assert [t["status"] for t in there["trials"]] == ["finished"] * 2 + ["failed"] * 2
    place = f"mine.py, line {FILE.splitlines().index('    return {' + chr(34) + 'is_odd' + chr(34) + ': 1 / 0}') + 1}"
    for evidence in (here, there):
        assert place in evidence["trials"][2]["error"]
        assert "ZeroDivisionError: division by zero" in evidence["trials"][2]["error"]


def test_variants_and_drills_stand_beside_each_other(
    keras: Any, settings: Settings, schema: Draft202012Validator
) -> None:
    def guess(bench: Bench) -> dict[str, float]:
        assert bench.dataset is not None
        labels = bench.dataset.test.open().labels
        return {"test_accuracy": float((bench.random.integers(10, size=len(labels)) == labels).mean())}

    guessing = drill(guess, name="guessing", metrics=("test_accuracy",))
    claims = (
        Comparison(
            sentence="Learning beats guessing", metric="test_accuracy", variant="one hidden", than="guessing",
            direction="above",
        ),
    )  # fmt: skip
    study = dataclasses.replace(tiny_study.PAIR, drills=(guessing,), claims=claims)
    run, evidence = run_study(source_of(study), Request(), settings, progress=Watch())
    schema.validate(evidence)
    assert [(t["variant"], t["seed"]) for t in evidence["trials"]] == [
        ("one hidden", 0), ("one hidden", 1), ("guessing", 0), ("guessing", 1)
    ]  # fmt: skip
    assert evidence["claims"][0]["n"] == 2
    assert evidence["claims"][0]["value"] > 0.1
    assert evidence["claims"][0]["unit"] == "share"
    best = best_trial(evidence["trials"])
    assert best is not None
    assert best["variant"] == "one hidden"
    assert run.best_model.exists()
    assert stale_parts(evidence, study)[:1] != ["the variants are not those of the study"]
    page = make_page(evidence, source="a test")
    assert "1 variant, 1 drill, 2 seeds, 4 finished trials on digits." in page
    assert '<h2 id="recipes">Recipes</h2>' in page
    assert "guessing" in printed(evidence)
    only = run_study(source_of(study), Request(only=("guessing",), seeds=3), settings, progress=Watch())[1]
    assert [(t["variant"], t["seed"]) for t in only["trials"]] == [("guessing", seed) for seed in (0, 1, 2)]
    assert only["trials"][0]["metrics"] == evidence["trials"][2]["metrics"]


def test_a_setting_of_a_recipe_is_refused_for_a_drill(settings: Settings) -> None:
    request = Request(settings=("epochs=1",))
    with pytest.raises(UsageError, match="--set epochs=1 sets a field of recipes, and the drill 'a drill' has no rec"):
        make_plan(source_of(study_of(drill())), request, settings, Watch())


# --------------------------------------------------------------------------------------------------- written down


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "A drill"}, "A drill is named 'A drill'; expected at most 40"),
        ({"metrics": ()}, "The drill 'a drill' has no metric."),
        ({"metrics": ("found", Metric(name="found", title="f"))}, "The drill 'a drill' has a metric twice."),
        ({"metrics": ("Found",)}, "The drill 'a drill' has the metric 'Found'; expected at most 40 of a-z"),
        ({"metrics": ("train_seconds",)}, "The drill 'a drill' has the metric 'train_seconds'"),
        ({"metrics": ("found_limit",)}, "The drill 'a drill' has the metric 'found_limit'"),
        (
            {"metrics": (Metric(name="m", title="m", unit="second"),)},
            "There is no unit 'second', which the metric 'm'",
        ),
        (
            {"metrics": "found"},
            "The field 'metrics' of Drill is 'found'; expected a tuple of values, each a Metric or",
        ),
        ({"do": 1}, "The field 'do' of Drill is 1; expected a function"),
    ],
)
def test_a_drill_that_cannot_be_carried_out_is_refused_when_it_is_written_down(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        drill(**fields)
    assert raised.value.message.startswith(message)


def test_a_study_has_a_variant_or_a_drill_and_a_dataset_for_variants() -> None:
    with pytest.raises(UsageError, match="The study 'Drilled' has no variant and no drill"):
        study_of()
    with pytest.raises(UsageError, match="has variants and no dataset for them to train on") as raised:
        study_of(variants=(tiny_study.PLAIN,))
    assert raised.value.hint == "`forty data` shows what there is."
    with pytest.raises(UsageError, match="has a variant twice: linear"):
        study_of(drill(name="linear"), variants=(tiny_study.PLAIN,), dataset="digits")
    both = study_of(drill(group="g"), variants=(tiny_study.PLAIN,), dataset="digits")
    assert both.names == ("linear", "a drill")
    assert both.select(("g",)) == ((), both.drills)
    assert both.select(("linear",)) == (both.variants, ())


def test_a_claim_names_a_metric_that_all_it_speaks_of_have() -> None:
    other = drill(name="other", metrics=("found", "lost"))
    claim = Comparison(sentence="s", metric="lost", variant="other", than="a drill", direction="above")
    with pytest.raises(UsageError, match="There is no metric 'lost', which the claim 's' names") as raised:
        study_of(drill(), other, claims=(claim,))
    assert raised.value.hint == "Known: found."
    best = ThresholdOfBest(sentence="s", among=("a drill", "other"), metric="found", at_least=0)
    with pytest.raises(UsageError, match="The claim 's' chooses among drills; expected variants"):
        study_of(drill(), other, claims=(best,))
    share = InEverySeed(sentence="s", variant="a drill", metric="found", at_least=100)
    with pytest.raises(UsageError, match="The claim 's' has at_least=100; found is a share of 1"):
        study_of(drill(metrics=(flipped_byte.FOUND,)), claims=(share,))


def test_a_measure_is_of_variants_and_a_metric_has_one_meaning() -> None:
    measure = Measure(name="m", variants=("a drill",), function=lambda model, images: 0.0)
    with pytest.raises(UsageError, match="There is no variant 'a drill', which the measure 'm' names"):
        study_of(drill(), variants=(tiny_study.PLAIN,), dataset="digits", measures=(measure,))
    with pytest.raises(UsageError, match="The study 'Drilled' has two metrics with the name 'found'"):
        study_of(drill(), drill(name="other", metrics=(flipped_byte.FOUND,)))
    mine = Metric(name="test_loss", title="my loss")
    with pytest.raises(UsageError, match="The study 'Drilled' has two metrics with the name 'test_loss'"):
        study_of(drill(metrics=(mine,)), variants=(tiny_study.PLAIN,), dataset="digits")
    assert study_of(drill(metrics=(mine,))).declared == {"test_loss": mine}

"""A whole small study: what is trained, what is kept, what is told, and what is refused."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_study
from tiny_study import PLAIN, SEARCHED, Watch, linear, source

from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.errors import StorageError, UsageError
from fortydays.base.machine import describe_machine
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.data.arrays import SealedSplit, Split
from fortydays.study import openings, plan, runner
from fortydays.study.design import Study, Variant
from fortydays.study.evidence import best_trial, judgements_of, results_digest, summarize
from fortydays.study.features import TextFeatures
from fortydays.study.runner import Request, StudyInterruptedError, run_study
from fortydays.study.runs import RunState
from fortydays.study.samples import findings_of
from fortydays.study.search import TUNING_SEEDS, Search
from fortydays.study.trial import digest_of_arrays
from fortydays.train import trainer


def small(*variants: Variant, **fields: Any) -> Study:
    return Study(
        **{"title": "Small", "dataset": "digits", "variants": variants, "claims": (), "seeds": (0,), **fields}
    )


# ------------------------------------------------------------------------------------------------ one whole run


def test_every_variant_is_trained_with_every_seed(finished: Any) -> None:
    trials = finished.evidence["trials"]
    assert [(t["variant"], t["seed"], t["status"]) for t in trials] == [
        ("linear", 0, "finished"),
        ("linear", 1, "finished"),
        ("one hidden", 0, "finished"),
        ("one hidden", 1, "finished"),
        ("exploding", 0, "failed"),
        ("exploding", 1, "failed"),
    ]
    for t in trials[:4]:
        assert t["metrics"]["test_accuracy"] > 0.7
        assert t["metrics"]["accuracy_gap"] == t["metrics"]["train_accuracy"] - t["metrics"]["test_accuracy"]
        assert t["epochs"] == len(t["history"]["step"]) == 2
        assert t["history"]["step"] == [20, 40]  # 1297 images in whole batches of 64
    assert "largest_weight" in trials[0]["metrics"]
    assert "largest_weight" not in trials[2]["metrics"]


def test_a_failed_trial_is_kept_as_such_and_the_study_goes_on(finished: Any) -> None:
    failed = finished.evidence["trials"][-1]
    assert failed["error"].startswith("The loss became nan at step 2, with a learning rate of 1e+30.")
    assert finished.run.state() is RunState.FAILED
    assert any(w.startswith("exploding, seed 1 failed: The loss became nan") for w in finished.progress.warned)
    assert finished.progress.notes["exploding, seed 1"] == "failed"
    assert "exploding" not in finished.evidence["variants"]
    assert json.loads(finished.run.trial("exploding-seed1").result.read_text()) == failed


def test_the_evidence_follows_from_its_trials(finished: Any) -> None:
    evidence = finished.evidence
    assert evidence["variants"] == summarize(evidence["trials"])
    assert evidence["results_digest"] == results_digest(evidence["trials"])
    assert judgements_of(tiny_study.study, evidence).items() <= evidence.items()
    assert [c["verdict"] for c in evidence["claims"]] == ["supported", "refuted", "undecided", "supported"]
    assert json.loads(finished.run.evidence.read_text("utf-8")) == json.loads(json.dumps(evidence))


def test_each_opening_of_the_test_split_is_noted_and_no_failed_trial_opens_it(finished: Any) -> None:
    noted = openings.read(finished.run.path.parents[1])
    ended = [(t["variant"], t["seed"]) for t in finished.evidence["trials"] if t["status"] == "finished"]
    assert [(each.variant, each.seed) for each in noted if each.run == finished.run.run_id] == ended
    assert {each.dataset for each in noted} == {finished.evidence["dataset"]["name"]}


def test_the_evidence_tells_the_share_of_the_largest_class(finished: Any, settings: Settings) -> None:
    labels = np.asarray(library.load("digits", settings).training.train.labels).tolist()
    largest = max(labels.count(each) for each in set(labels))
    assert finished.evidence["dataset"]["largest_class"] == largest / 1297


def test_each_trial_keeps_which_test_examples_it_answered_rightly(finished: Any, settings: Settings) -> None:
    labels = library.load("digits", settings).test.open().labels
    answers = findings_of(finished.evidence["trials"], examples=len(labels)).answers
    assert {name: set(of) for name, of in answers.items()} == {"linear": {0, 1}, "one hidden": {0, 1}}
    for name, of_variant in answers.items():
        for seed, right in of_variant.items():
            (probabilities,) = load_arrays(finished.run.trial_of(name, seed).predictions)
            assert np.array_equal(right, probabilities.argmax(axis=1) == labels)


def test_each_trial_names_the_machine_that_trained_it(finished: Any) -> None:
    machine = describe_machine()
    for t in finished.evidence["trials"]:  # failed ones too
        assert t["machine"].endswith(machine.system)
        assert machine.cpu_model in t["machine"]


def test_the_machine_is_no_part_of_what_the_trials_gave(finished: Any) -> None:
    elsewhere = [{**t, "machine": "another one"} for t in finished.evidence["trials"]]
    before = [{name: v for name, v in t.items() if name != "machine"} for t in finished.evidence["trials"]]
    assert results_digest(elsewhere) == results_digest(before) == finished.evidence["results_digest"]


def test_the_evidence_says_how_it_was_made(finished: Any) -> None:
    evidence = finished.evidence
    assert (evidence["name"], evidence["title"], evidence["day"]) == ("tiny", "Small networks", None)
    assert evidence["run_id"] == finished.run.run_id
    assert evidence["dataset"]["train"] == 1297
    assert evidence["dataset"]["validation"] == 200
    assert evidence["dataset"]["test"] == 300
    assert evidence["seeds"] == [0, 1]
    assert evidence["request"] == {"seeds": [0, 1], "only": [], "settings": [], "engine": "compiled"}
    assert (evidence["threads"], evidence["backend"]) == (1, "tensorflow")
    linear, hidden = evidence["details"]["linear"], evidence["details"]["one hidden"]
    assert linear["parameters"] == 64 * 10 + 10
    assert hidden["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
    assert (linear["group"], linear["description"], linear["precision"]) == ("plain", "no hidden layer", "float32")
    assert linear["recipe"] == PLAIN.recipe.as_dict()


def test_a_search_takes_the_best_on_the_validation_split_and_records_its_tries(finished: Any) -> None:
    search = finished.evidence["details"]["one hidden"]["search"]
    assert (search["field"], search["chosen"], search["seeds"]) == ("learning_rate", 0.02, list(TUNING_SEEDS))
    assert not search["at_edge"]
    low, right = search["tries"]
    assert [t["value"] for t in (low, right)] == [0.0001, 0.02]
    assert right["validation_accuracy"]["mean"] > low["validation_accuracy"]["mean"] > 0
    assert search["failed"] == [1e30]  # exploded
    assert {t["validation_accuracy"]["n"] for t in search["tries"]} == {2}
    assert finished.evidence["details"]["one hidden"]["recipe"]["learning_rate"] == 0.02
    assert finished.evidence["trials"][2]["history"]["learning_rate"] == [0.02, 0.02]
    assert finished.evidence["details"]["linear"]["search"] is None


def test_weights_and_answers_are_kept_beside_each_result(finished: Any) -> None:
    for t in finished.evidence["trials"][:4]:
        folder = finished.run.trial(f"{t['variant'].replace(' ', '-')}-seed{t['seed']}")
        assert json.loads(folder.result.read_text()) == t
        assert digest_of_arrays(load_arrays(folder.weights)) == t["weights_digest"]
        (answers,) = load_arrays(folder.predictions)
        assert answers.shape == (300, 10)
        assert answers.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-5)
        assert not folder.checkpoint.exists()
    assert len({t["weights_digest"] for t in finished.evidence["trials"][:4]}) == 4


def test_the_model_of_the_best_trial_is_kept_as_keras_saves_it(finished: Any, keras: Any) -> None:
    model = keras.saving.load_model(finished.run.best_model)
    best = best_trial(finished.evidence["trials"])
    assert best is not None
    folder = finished.run.trial(f"{best['variant'].replace(' ', '-')}-seed{best['seed']}")
    weights = [w for w in load_arrays(folder.weights) if w.dtype == np.float32]  # and a random generator's state
    assert digest_of_arrays(model.get_weights()) == digest_of_arrays(weights)
    assert [type(layer).__module__.split(".")[0] for layer in model.layers] == ["keras"] * len(model.layers)


def test_exhibits_are_made_from_the_best_trial_of_their_variant(finished: Any) -> None:
    _, matrix, mistakes, weights = finished.evidence["exhibits"]  # and none of the variant that failed
    assert [e["kind"] for e in (matrix, mistakes, weights)] == ["matrix", "pictures", "pictures"]
    for exhibit in (matrix, mistakes, weights):
        of_variant = [t for t in finished.evidence["trials"] if t["variant"] == exhibit["variant"]]
        best = best_trial(of_variant)
        assert best is not None
        assert exhibit["seed"] == best["seed"]
    right = sum(matrix["values"][k][k] for k in range(10))
    trial = next(t for t in finished.evidence["trials"] if (t["variant"], t["seed"]) == ("linear", matrix["seed"]))
    assert right == round(300 * trial["metrics"]["test_accuracy"])
    assert sum(map(sum, matrix["values"])) == 300
    assert len(mistakes["pictures"]) == 3
    assert len(weights["pictures"]) == 4


def test_an_overview_stands_first_and_is_left_out_where_a_variant_of_it_has_no_finished_trial(finished: Any) -> None:
    overview, *others = finished.evidence["exhibits"]
    assert (overview["title"], overview["first"], overview["kind"]) == ("Rates", True, "lines")
    (line,) = overview["lines"]
    tries = finished.evidence["details"]["one hidden"]["search"]["tries"]
    assert line["y"] == [t["validation_accuracy"]["mean"] for t in tries]
    assert not any("first" in other for other in others)


def test_progress_is_told_in_steps_of_the_whole_study(finished: Any) -> None:
    progress = finished.progress
    assert progress.running == {}  # all that was started has ended
    assert progress.tasks[0] == "study"
    assert progress.tasks.count("linear, seed 0") == 1
    assert "one hidden, learning_rate 1e+30, seed 1001" in progress.tasks
    # Six trials and six tries of 40 steps each.
    assert progress.done["study"] == 12 * 40
    assert "Compiling one hidden" in progress.said


def test_nothing_is_left_of_what_was_written_on_the_way(finished: Any) -> None:
    names = [p.name for p in finished.run.path.rglob("*")]
    assert not [n for n in names if ".part" in n or "checkpoint" in n]


# --------------------------------------------------------------------------------------------------- what is asked


def test_a_part_of_a_study_with_other_settings(keras: Any, settings: Settings, finished: Any) -> None:
    request = Request(seeds=3, only=("plain",), settings=("epochs=1", "learning_rate=0.05"))
    run, evidence = run_study(source(), request, settings, progress=Watch())
    assert [(t["variant"], t["seed"]) for t in evidence["trials"]] == [("linear", 0), ("linear", 1), ("linear", 2)]
    recipe = evidence["details"]["linear"]["recipe"]
    assert recipe == {**PLAIN.recipe.as_dict(), "epochs": 1, "learning_rate": 0.05}
    assert evidence["trials"][0]["history"]["learning_rate"] == [0.05]
    assert evidence["request"] == {
        "seeds": [0, 1, 2],
        "only": ["plain"],
        "settings": ["epochs=1", "learning_rate=0.05"],
        "engine": "compiled",
    }
    assert run.state() is RunState.FINISHED
    # Claims on variants that were left out are not judged from nothing.
    verdicts = {c["claim"]: (c["verdict"], c["n"]) for c in evidence["claims"]}
    assert verdicts["A hidden layer is slower"] == ("undecided", 0)
    assert verdicts["Anything beats guessing"][1] == 3
    assert [e["variant"] for e in evidence["exhibits"]] == ["linear"]


def test_the_test_split_is_opened_once_for_each_trial_and_never_for_a_search(
    keras: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Watch()
    busy_with: list[list[str]] = []
    really_open = SealedSplit.open

    def noted_open(split: SealedSplit) -> Split:
        busy_with.append([task for task in progress.running if task != "study"])
        return really_open(split)

    monkeypatch.setattr(SealedSplit, "open", noted_open)
    run_study(source(small(SEARCHED, seeds=(0, 1))), Request(settings=("epochs=1",)), settings, progress=progress)
    assert len([task for task in progress.tasks if "learning_rate" in task]) == 6
    # Afterwards, when all networks are chosen and trained, it is counted and shown.
    assert busy_with[:2] == [["one hidden, seed 0"], ["one hidden, seed 1"]]
    assert [tasks for tasks in busy_with[2:] if tasks] == []


@pytest.mark.parametrize("best", [0, 1])
def test_the_model_that_is_kept_is_chosen_on_the_validation_split(
    best: int, keras: Any, settings: Settings, interrupted_copy: Any, finished_pair: Any
) -> None:
    copied = interrupted_copy(finished_pair)
    weights = []
    for seed in (0, 1):
        folder = copied.trial(f"one-hidden-seed{seed}")
        result = json.loads(folder.result.read_text("utf-8"))
        result["metrics"]["validation_accuracy"] = 0.9  # equal: then the loss decides, as it does in the registry
        result["metrics"]["validation_loss"] = 0.2 if seed == best else 0.3
        result["metrics"]["test_accuracy"] = 0.8 if seed == best else 0.9
        result["right"] = ""  # the answers of another accuracy
        folder.result.write_text(json.dumps(result), "utf-8")
        weights.append([w for w in load_arrays(folder.weights) if w.dtype == np.float32])
    run, _ = run_study(finished_pair.source, Request(), settings, progress=Watch())
    model = keras.saving.load_model(run.best_model)
    assert digest_of_arrays(model.get_weights()) == digest_of_arrays(weights[best])


def test_a_search_over_words_has_no_edge(keras: Any, settings: Settings) -> None:
    search = Search(field="schedule", values=("constant", "linear"), seeds=(1000,))
    progress = Watch()
    study = small(dataclasses.replace(PLAIN, search=search))
    _, evidence = run_study(source(study), Request(settings=("epochs=1",)), settings, progress=progress)
    found = evidence["details"]["linear"]["search"]
    assert found["chosen"] in ("constant", "linear")
    assert not found["at_edge"]  # words have no order
    assert "linear, schedule constant, seed 1000" in progress.tasks


def test_a_search_with_a_second_round_goes_on_where_it_was_stopped(keras: Any, settings: Settings) -> None:
    search = Search(field="learning_rate", values=(0.0001, 0.02, 0.01), seeds=(1000,), finals=(1001, 1002))
    study = small(dataclasses.replace(PLAIN, search=search))

    def stop(task: str, done: float) -> None:
        if task == "linear, learning_rate 0.01, seed 1002" and done > 0:
            raise KeyboardInterrupt

    with pytest.raises(StudyInterruptedError):
        run_study(source(study), Request(), settings, progress=Watch(stop))
    progress = Watch()
    _, evidence = run_study(source(study), Request(), settings, progress=progress)
    assert progress.tasks == ["study", "linear, learning_rate 0.01, seed 1002", "linear, seed 0"]
    assert progress.done["study"] == 8 * 40  # three tries, four of the second round, one trial
    found = evidence["details"]["linear"]["search"]
    assert {t["value"]: t["validation_accuracy"]["n"] for t in found["tries"]} == {0.0001: 1, 0.02: 3, 0.01: 3}
    assert (found["seeds"], found["finals"]) == ([1000], [1001, 1002])


@pytest.mark.parametrize(
    ("seeds", "asked", "given"),
    [
        ((0, 1, 2, 3, 4), None, (0, 1, 2, 3, 4)),
        ((0, 1, 2, 3, 4), 2, (0, 1)),
        ((0, 1, 2, 3, 4), 7, (0, 1, 2, 3, 4, 5, 6)),
        ((7, 3), 4, (7, 3, 8, 9)),
        ((998, 999), 5, (998, 999, 1002, 1003, 1004)),  # those of the search are not reported
    ],
)
def test_more_seeds_are_the_next_that_are_free(seeds: tuple[int, ...], asked: int | None, given: Any) -> None:
    study = small(SEARCHED, seeds=seeds)
    assert Request(seeds=asked).seeds_of(study) == given


def test_a_range_of_seeds_is_taken_as_it_is_and_has_none_that_chose_a_setting() -> None:
    study = small(SEARCHED, seeds=(0, 1))  # its search has the seeds 1000 and 1001
    assert Request(seeds=range(5, 9)).seeds_of(study) == (5, 6, 7, 8)
    with pytest.raises(
        UsageError, match="chooses settings with the seeds 1000, 1001: they are not reported"
    ) as refused:
        Request(seeds=range(999, 1003)).seeds_of(study)
    assert refused.value.hint == "Take a range without them, such as --seeds 1002-1005"


def test_a_run_that_judges_seeds_again_is_a_further_look(settings: Settings) -> None:
    def looks(seeds: Any) -> int:
        _, evidence = run_study(source(small(PLAIN)), Request(seeds=seeds), settings, progress=Watch())
        return int(evidence.get("looks", 0))

    assert looks(1) == 0
    assert looks(2) == 0  # with one seed nothing was judged
    assert looks(range(50, 52)) == 0  # fresh seeds
    assert looks(3) == 1
    assert looks(3) == 1  # the same again tells nothing new
    assert looks(4) == 2
    assert looks(2) == 0  # as it was when it was first asked for


def test_a_run_tells_how_many_trials_with_other_recipes_opened_the_test_split_before(settings: Settings) -> None:
    def opened(*changes: str) -> Any:
        _, evidence = run_study(source(small(PLAIN)), Request(seeds=1, settings=changes), settings, progress=Watch())
        return evidence.get("opened", {})

    assert opened() == {}
    assert opened() == {}  # the same again
    assert opened("learning_rate=0.5") == {PLAIN.name: 2}
    assert opened() == {PLAIN.name: 1}


def test_what_cannot_be_asked_for_is_refused_before_anything_is_made(settings: Settings) -> None:
    for count in (0, -1, 1001):
        with pytest.raises(UsageError, match=f"--seeds is {count}; expected a whole number from 1 to 1000"):
            Request(seeds=count)
    with pytest.raises(UsageError, match=r"There is no engine 'plane'. Did you mean 'plain'\?"):
        Request(engine="plane")
    for request, message in (
        (Request(only=("liner",)), r"There is no variant 'liner'. Did you mean 'linear'\?"),
        (Request(settings=("epoch=1",)), "There is no recipe field 'epoch'"),
        (Request(settings=("epochs=0",)), "The recipe field 'epochs' is 0"),
    ):
        with pytest.raises(UsageError, match=message):
            run_study(source(), request, settings, progress=Watch())
    assert not settings.runs.exists()
    with pytest.raises(UsageError, match="There is no dataset 'digit'"):
        run_study(source(small(PLAIN, dataset="digit")), Request(), settings, progress=Watch())
    assert not settings.runs.exists()


def test_a_batch_larger_than_the_data_is_refused(keras: Any, settings: Settings) -> None:
    with pytest.raises(UsageError, match="The batch size is 5000, but the training split has 1297 images"):
        run_study(source(), Request(only=("linear",), settings=("batch_size=5000",)), settings, progress=Watch())


# ------------------------------------------------------------------------------------------------- arrays on disk


def test_arrays_come_back_in_order_and_bit_for_bit(tmp_path: Path) -> None:
    arrays = [np.array([[1.5, -0.0]], np.float32), np.array(7, np.uint32), np.zeros((0, 3)), *map(np.array, range(20))]
    save_arrays(tmp_path / "a.npz", arrays)
    assert digest_of_arrays(load_arrays(tmp_path / "a.npz")) == digest_of_arrays(arrays)


def test_damaged_arrays_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(StorageError, match="Could not read"):
        load_arrays(path)
    save_arrays(path, [np.arange(10)])
    whole = path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-5], b"\x80\x04K\x01.", whole.replace(b"\x05\x00\x00", b"\x06\x00\x00")):
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"a\.npz is damaged"):
            load_arrays(path)


# ------------------------------------------------------------------------------------------ engines and precision


def test_bfloat16_that_the_processor_only_emulates_is_warned_of(settings: Settings, monkeypatch: Any) -> None:
    slow = dataclasses.replace(describe_machine(), flags=("avx2",))
    monkeypatch.setattr(plan, "describe_machine", lambda: slow)
    progress = Watch()
    request = Request(seeds=1, settings=("precision=bfloat16", "epochs=1"))
    _, evidence = run_study(source(small(PLAIN)), request, settings, progress=progress)
    assert evidence["details"]["linear"]["precision"] == "bfloat16"
    (warned,) = progress.warned
    assert warned.startswith("linear trains in bfloat16, which this processor only emulates")
    assert "precision=auto would not" in warned


@pytest.mark.parametrize(("engine", "substituted"), [("compiled", True), ("plain", False)])
def test_the_plain_engine_trains_keras_own_layers_and_a_setting_takes_the_place_of_the_search_for_it(
    engine: str, substituted: bool, settings: Settings, monkeypatch: Any
) -> None:
    seen: list[bool] = []
    original = trainer.Trainer.__init__

    def watched(self: Any, **arguments: Any) -> None:
        seen.append(arguments["substitutes"])
        original(self, **arguments)

    monkeypatch.setattr(trainer.Trainer, "__init__", watched)
    fast = dataclasses.replace(describe_machine(), flags=("avx512_bf16",))
    monkeypatch.setattr(plan, "describe_machine", lambda: fast)
    study = small(dataclasses.replace(SEARCHED, model=linear))
    words = ("epochs=1", "learning_rate=0.03", "precision=bfloat16")
    progress = Watch()
    _, evidence = run_study(source(study), Request(settings=words, engine=engine), settings, progress=progress)
    assert seen == [substituted]
    assert evidence["request"]["engine"] == engine
    detail = evidence["details"]["one hidden"]
    assert (detail["multiply_adds"], detail["search"], detail["precision"]) == (64 * 10, None, "bfloat16")
    assert evidence["trials"][0]["history"]["learning_rate"] == [0.03]
    assert progress.warned == []  # this processor has bfloat16


def test_before_others_train_features_are_computed_of_what_each_recipe_reads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of texts, n-grams are read unless a recipe asks for pieces of words, which are all that an encoder takes."""
    encoder = TextFeatures(backbone="minilm", length=128)
    pieces = PLAIN.recipe.replace(units="wordpieces", length=128)
    variants = (Variant(name="n-grams", model=linear, recipe=PLAIN.recipe),
                Variant(name="encoder", model=linear, recipe=pieces, features=encoder))  # fmt: skip
    asked: list[Any] = []
    monkeypatch.setattr(runner, "prepare", lambda read, _, features, **__: asked.append((read, features)))
    dataset: Any = SimpleNamespace(read_as=lambda reading: reading.units)
    made: Any = SimpleNamespace(variants=variants, seeds=(0, 1), settings=settings)
    runner._keep_features(made, dataset, SILENT)
    assert asked == [("wordpieces", encoder)]

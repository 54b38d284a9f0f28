"""From a trained study to a registered version, its bundle, its card, and back to the same weights."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import made_up_versions
import numpy as np
import pytest

from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.days.loading import find_study, load_study
from fortydays.inputs.images import IMAGE, Images
from fortydays.registry import registration
from fortydays.registry.bundle import make_bundle
from fortydays.registry.calibration import as_logits, softmax
from fortydays.registry.card import read_card, write_card
from fortydays.registry.contents import Confidence, open_bundle
from fortydays.registry.inference import OnnxModel
from fortydays.registry.names import parse_reference
from fortydays.registry.package import DamagedPackageError
from fortydays.registry.registration import Registered, register
from fortydays.registry.registry import Registry
from fortydays.registry.reproduction import judge, reproduce
from fortydays.study.runner import Request, run_study
from fortydays.study.runs import RunFolder, create_run
from fortydays.track import record
from fortydays.track.store import destination, open_store

STUDY = str(Path(__file__).with_name("registered_study.py"))


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished run, and its best model registered."""

    run: RunFolder
    evidence: dict[str, Any]
    settings: Settings
    registry: Registry
    registered: Registered


@pytest.fixture(scope="module")
def trained(keras: Any, datasets: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    home = tmp_path_factory.mktemp("trained")
    shutil.copy(empty_store, home / "mlflow.db")
    settings = made_up_versions.settings(home, datasets=datasets)
    source = load_study(find_study(STUDY), threads=1)
    run, evidence = run_study(source, Request(), settings, progress=SILENT)
    record.write(run, destination="workspace")  # it is to be tracked, and is not in MLflow yet
    registry = Registry(open_store(destination(settings)))
    made = register(STUDY, registry, settings, progress=SILENT, variant="convolution")
    return Trained(run=run, evidence=evidence, settings=settings, registry=registry, registered=made)


def fetched(trained: Trained, folder: Path) -> Path:
    trained.registry.fetch(trained.registered.version, folder)
    return folder


def model_in(folder: Path) -> OnnxModel:
    return OnnxModel((folder / "model.onnx").read_bytes(), threads=1)


def test_the_trial_that_is_best_on_validation_is_registered(trained: Trained) -> None:
    of_variant = [t for t in trained.evidence["trials"] if t["variant"] == "convolution"]
    best = max(of_variant, key=lambda t: t["metrics"]["validation_accuracy"])

    version, lineage = trained.registered.version, trained.registered.lineage

    assert str(version) == "digits@1"
    assert (lineage["study"]["variant"], lineage["trial"]["seed"]) == (best["variant"], best["seed"])
    assert lineage["trial"]["weights_digest"] == best["weights_digest"]
    assert version.facts["run"] == trained.run.run_id
    assert trained.registered.evaluation["accuracy"] == pytest.approx(
        best["metrics"]["validation_accuracy"], abs=0.006
    )


def test_its_onnx_file_answers_as_keras_does_views_and_scaling_included(
    trained: Trained, data: Any, tmp_path: Path
) -> None:
    import keras

    folder = fetched(trained, tmp_path / "version")
    images = np.asarray(data.training.validation.array)
    kept = (trained.settings.workspace / "mlartifacts").rglob("*")
    assert [path.name for path in kept if path.stat().st_mode & 0o077] == []  # its owner's alone
    model = keras.models.load_model(folder / "model.keras")
    scaled = images.astype(np.float32) / 255
    mirrored = scaled[:, :, ::-1]
    both = (np.asarray(model(scaled)) + np.asarray(model(mirrored))) / 2

    answers = model_in(folder).predict({IMAGE: images})

    # The Keras file is as it was trained; the temperature, which views are averaged before, is in the ONNX file.
    confidence = json.loads((folder / "confidence.json").read_text())
    assert confidence["temperature"] != 1.0
    calibrated = softmax(as_logits(both), temperature=confidence["temperature"])
    np.testing.assert_allclose(answers, calibrated, atol=1e-5)
    assert confidence["images"] == 200
    # The threshold is the tenth smallest of 200, a twentieth of 201; rounding may put that one on either side.
    assert np.sum(answers.max(axis=1) < confidence["unknown_below"]) in (9, 10)
    assert 0 < confidence["false_alarms"] < 0.15
    onnx = trained.registered.evaluation["onnx"]
    assert (onnx["precision"], onnx["images"]) == ("float32", 200)
    assert onnx["difference"] < 1e-4
    golden_images, golden_answers, golden_labels = load_arrays(folder / "golden.npz")
    assert golden_labels.tolist() == list(range(10))  # an image of each class, from the validation split
    labels = np.asarray(data.training.validation.labels)
    first = [int(np.flatnonzero(labels == label)[0]) for label in range(10)]
    np.testing.assert_array_equal(golden_images, images[first])
    np.testing.assert_array_equal(model_in(folder).predict({IMAGE: golden_images}), golden_answers)


def test_the_run_is_in_mlflow_and_the_lineage_names_it(trained: Trained) -> None:
    there = trained.registry.store.client.get_run(trained.registered.lineage["run"]["tracker"])
    assert there.data.tags["fortydays.run_id"] == trained.run.run_id
    assert there.info.status == "FINISHED"
    assert record.is_sent(trained.run, destination(trained.settings))


def test_a_run_that_is_not_to_be_tracked_stays_out_of_mlflow(registry: Registry, settings: Settings) -> None:
    run = create_run(settings.runs, day=1, name="x", request={}, identity={})
    assert registration._tracked(run, registry, SILENT) == ""
    assert [e.name for e in registry.store.client.search_experiments()] == ["Default"]


def test_a_run_that_mlflow_refuses_is_told_and_stops_no_registration(registry: Registry, settings: Settings) -> None:
    class Told(Progress):
        def warn(self, message: str) -> None:
            told.append(message)

    told: list[str] = []
    run = create_run(settings.runs, day=1, name="x", request={}, identity={})
    record.write(run, destination="workspace")
    registry.store.client.delete_experiment(registry.store.client.create_experiment("fortydays/day01-x"))
    assert registration._tracked(run, registry, Told()) == ""
    (line,) = told
    assert line.startswith(f"{run.run_id} could not be sent to MLflow: The experiment 'fortydays/day01-x' has been")


def test_claims_about_others_are_not_those_of_the_variant(trained: Trained) -> None:
    assert [c["claim"] for c in trained.registered.lineage["claims"]] == [
        "It beats guessing",
        "It beats a linear model",
    ]


def test_mlflow_itself_can_load_the_version_which_stays_whole(
    trained: Trained, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", destination(trained.settings).uri)
    images = np.asarray(data.training.validation.array)[:5]
    model = mlflow.pyfunc.load_model("models:/digits/1")

    answers = model.predict(images)

    np.testing.assert_allclose(np.asarray(answers["probabilities"]).sum(axis=1), 1.0, atol=1e-5)
    # It writes a file beside ours.
    assert (fetched(trained, tmp_path / "version") / "model.onnx").is_file()


def test_the_card_has_the_numbers_of_the_evidence(trained: Trained) -> None:
    from huggingface_hub import ModelCard

    text = read_card(trained.registered.version, trained.registry, trained.settings)
    metrics = trained.registered.lineage["trial"]["metrics"]
    over = trained.evidence["variants"]["convolution"]["test_accuracy"]

    assert "\n# digits, version 1\n" in text
    assert f"| accuracy of this model | 300 test images, opened once | {100 * metrics['test_accuracy']:.2f}% |" in text
    half = (over["high"] - over["low"]) / 2  # what follows ± is half the interval, as everywhere
    assert (
        f"mean ± half the 95% interval of the mean | the same | {100 * over['mean']:.2f}% ± {100 * half:.2f} |" in text
    )
    assert "- It beats guessing: **supported**" in text
    assert trained.evidence["dataset"]["digest"] in text
    data = ModelCard(text).data
    assert data.pipeline_tag == "image-classification"
    assert data.eval_results[0].metric_value == pytest.approx(metrics["test_accuracy"], abs=1e-6)
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) < 200


def test_a_bundle_has_what_a_service_needs_and_is_always_the_same(trained: Trained, tmp_path: Path) -> None:
    reference = parse_reference("digits@1")
    first = make_bundle(reference, tmp_path / "a folder" / "one", trained.registry, trained.settings)
    second = make_bundle(reference, tmp_path / "two", trained.registry, trained.settings)

    assert first == second == open_bundle(tmp_path / "two", threads=1).manifest
    # A container is to read it: so is the folder above, where it is new.
    assert (tmp_path / "a folder").stat().st_mode == (tmp_path / "two").stat().st_mode
    assert set(first.files) == {
        "model.onnx", "labels.json", "signature.json", "preprocessing.json", "golden.npz", "lineage.json",
        "README.md", "mistakes.png", "confidence.json",
    }  # fmt: skip
    assert (first.facts["name"], first.facts["version"]) == ("digits", 1)
    assert "\n# digits, version 1\n" in (tmp_path / "two" / "README.md").read_text()
    assert json.loads((tmp_path / "two" / "preprocessing.json").read_text()) == {
        "kind": "images", "height": 8, "width": 8, "channels": 1, "layout": "height, width", "strokes": True,
        "inside_the_model": ["uint8 pixels as float32", "divided by 255"],
    }  # fmt: skip
    with pytest.raises(UsageError, match="two is there already"):
        make_bundle(reference, tmp_path / "two", trained.registry, trained.settings)


def test_a_version_is_no_bundle_and_a_bundle_without_a_model_neither(trained: Trained, tmp_path: Path) -> None:
    from fortydays.registry import package

    with pytest.raises(DamagedPackageError, match="is no bundle: it is a 'version'"):
        open_bundle(fetched(trained, tmp_path / "version"), threads=1)

    bundle = tmp_path / "bundle"
    make_bundle(parse_reference("digits@1"), bundle, trained.registry, trained.settings)
    whole = {path: path.read_bytes() for path in bundle.iterdir()}
    facts = {"name": "digits", "version": 1}
    images, answers, labels = load_arrays(bundle / "golden.npz")

    def resealed(message: str, *, facts: dict[str, Any] = facts) -> None:
        package.seal(bundle, kind="bundle", facts=facts)
        with pytest.raises(DamagedPackageError, match=f"is no bundle: {message}"):
            open_bundle(bundle, threads=1)
        for path, content in whole.items():
            path.write_bytes(content)

    (bundle / "model.onnx").unlink()
    resealed(r"it has no model\.onnx")
    (bundle / "labels.json").write_text('{"classes": ["one"]}')
    resealed(r"labels\.json does not name 10 classes")
    (bundle / "signature.json").write_text("{}")
    resealed(r"signature\.json is not the model's")
    told = json.loads(whole[bundle / "preprocessing.json"])
    (bundle / "preprocessing.json").write_text(json.dumps({**told, "kind": "sounds"}))
    kinds = "images, ngrams, numbers, tokens"
    resealed(rf"preprocessing\.json does not say what the model takes: its kind is none of {kinds}")
    (bundle / "preprocessing.json").write_text(json.dumps({**told, "width": 9}))
    resealed(r"preprocessing\.json tells of a picture of 8 x 9 grey pixels, which is not what the model takes")
    save_arrays(bundle / "golden.npz", [images, answers[::-1], labels])
    resealed("the model does not answer as it did where it was registered")
    for wrong in (labels + 1, labels[1:], labels.astype(np.float32)):
        save_arrays(bundle / "golden.npz", [images, answers, wrong])
        resealed(r"golden\.npz has labels that are no classes of the model")
    assert sorted(open_bundle(bundle, threads=1).samples) == list(range(10))
    save_arrays(bundle / "golden.npz", [images, answers])  # as older versions of this program wrote it
    package.seal(bundle, kind="bundle", facts=facts)
    assert open_bundle(bundle, threads=1).samples == {}
    (bundle / "preprocessing.json").write_text(json.dumps({name: told[name] for name in told if name != "kind"}))
    package.seal(bundle, kind="bundle", facts=facts)  # as they wrote it, too
    assert open_bundle(bundle, threads=1).input == Images(shape=(8, 8), strokes=True)
    (bundle / "preprocessing.json").write_bytes(whole[bundle / "preprocessing.json"])
    (bundle / "golden.npz").write_bytes(whole[bundle / "golden.npz"])
    resealed("its manifest does not name a model", facts={"name": "\x1b[2J", "version": 1})
    resealed("its manifest does not say which version it is", facts={"name": "digits"})
    package.seal(bundle, kind="bundle", facts=facts)
    open_bundle(bundle, threads=1)


def test_a_bundle_is_of_the_champion_or_of_a_version_that_was_named(
    registry: Registry, settings: Settings, add_version: Any, tmp_path: Path
) -> None:
    from fortydays.registry.promotion import retire

    add_version()
    with pytest.raises(UsageError, match="'digits' has no champion yet"):
        make_bundle(parse_reference("digits"), tmp_path / "bundle", registry, settings)
    make_bundle(parse_reference("digits@1"), tmp_path / "bundle", registry, settings)
    retire(parse_reference("digits@1"), registry, reason="leaks")
    with pytest.raises(UsageError, match=r"digits@1 was retired \(leaks\) and is not to be used"):
        make_bundle(parse_reference("digits@1"), tmp_path / "another", registry, settings)


def test_a_bundle_says_below_which_probability_an_answer_is_unknown_where_its_version_does(
    registry: Registry, settings: Settings, add_version: Any, tmp_path: Path
) -> None:
    told = {"schema_version": 1, "temperature": 1.5, "unknown_below": 0.41, "false_alarms": 0.05, "images": 367}
    add_version()
    add_version(confidence=told)

    for version in (1, 2):
        make_bundle(parse_reference(f"digits@{version}"), tmp_path / str(version), registry, settings)

    assert not (tmp_path / "1" / "confidence.json").exists()
    assert open_bundle(tmp_path / "1", threads=1).unknown_below is None
    assert json.loads((tmp_path / "2" / "confidence.json").read_text()) == told
    assert open_bundle(tmp_path / "2", threads=1).unknown_below == 0.41


def test_the_card_says_how_an_unknown_answer_is_told_where_that_was_measured(
    trained: Trained, data: Any, tmp_path: Path
) -> None:
    told = Confidence(temperature=1.5, unknown_below=0.41, false_alarms=0.0545, images=1367)

    def card(confidence: Any) -> str:
        tmp_path.mkdir(exist_ok=True)
        write_card(
            tmp_path,
            name="digits",
            lineage=trained.registered.lineage,
            evaluation=trained.registered.evaluation,
            claims=(),
            probabilities=np.eye(10, dtype=np.float32)[np.asarray(data.test.open().labels)],
            dataset=data,
            confidence=confidence,
        )
        return " ".join((tmp_path / "README.md").read_text().split())

    assert (
        "- An answer whose highest probability is below 41.00% is marked as *unknown*: what it was shown looks unlike "
        "what it has learned. Of 1,367 held-out images of known classes, 5.45% were so marked wrongly. Its logits "
        "are divided by a temperature of 1.5, so that its probabilities are as high as they are right. - It has "
        "learned"
    ) in card(told)
    assert "unknown" not in card(None)
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9. - It has learned" in card(None)


def test_training_again_gives_the_same_bits(trained: Trained) -> None:
    done = reproduce(parse_reference("digits@1"), trained.registry, trained.settings, progress=SILENT)

    assert done.same_bits
    assert done.agrees
    assert [said for said in done.changed if "checkout" not in said] == []


def test_a_model_of_an_engine_that_is_no_more_is_refused_with_what_can_train_it(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage = json.loads(json.dumps(dict(trained.registered.lineage)))
    lineage["run"]["request"]["engine"] = "fit"
    monkeypatch.setattr("fortydays.registry.reproduction.documents_of", lambda *_: (lineage, {}))

    with pytest.raises(FortydaysError, match="digits@1 was trained by the engine 'fit', which this program") as told:
        reproduce(parse_reference("digits@1"), trained.registry, trained.settings, progress=SILENT)

    assert told.value.hint == f"Use fortydays {lineage['code']['version']}, which trained it."


def test_other_bits_are_judged_by_the_spread_over_seeds(trained: Trained) -> None:
    lineage = json.loads(json.dumps(dict(trained.registered.lineage)))
    lineage["trial"]["metrics"] = {"validation_accuracy": 0.9, "test_accuracy": 0.9}
    lineage["trial"]["over_seeds"] = {"test_accuracy": {"std": 0.01}}
    result = {"weights_digest": "other", "metrics": {"validation_accuracy": 0.904, "test_accuracy": 0.865}}

    near = judge(trained.registered.version, lineage, result, changed=["Python is 3.12 and was 3.11"])
    nothing_changed = judge(trained.registered.version, lineage, result, changed=[])
    result["metrics"] = {"validation_accuracy": 0.906, "test_accuracy": 0.9}
    far = judge(trained.registered.version, lineage, result, changed=["Python is 3.12 and was 3.11"])

    assert not nothing_changed.agrees  # the bits should have been the same
    assert (near.same_bits, near.agrees, near.changed) == (False, True, ("Python is 3.12 and was 3.11",))
    assert near.metrics["test_accuracy"] == (0.9, 0.865, pytest.approx(0.04))
    assert near.metrics["validation_accuracy"] == (0.9, 0.904, 0.005)
    assert not far.agrees


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "linear"}, "There is no variant 'linear'. Did you mean 'linear model'?"),
        ({"name": "../digits"}, "'../digits' is no name of a model"),
        ({"run_id": "nowhere"}, "There is no run 'nowhere'"),
    ],
)
def test_what_is_not_there_is_refused_before_any_work(trained: Trained, changes: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?").replace("..", r"\.\.")):
        register(STUDY, trained.registry, trained.settings, progress=SILENT, **changes)


def test_a_study_that_was_never_run_is_told_how(trained: Trained, settings: Settings) -> None:
    with pytest.raises(UsageError, match="has no finished run in this workspace") as caught:
        register(STUDY, trained.registry, settings, progress=SILENT)

    assert caught.value.hint == f"Run it: forty run {STUDY}"


def copied(trained: Trained, settings: Settings) -> RunFolder:
    run = RunFolder(path=settings.runs / trained.run.run_id)
    shutil.copytree(trained.run.path, run.path)
    return run


def test_damaged_weights_are_not_registered(trained: Trained, settings: Settings, registry: Registry) -> None:
    run = copied(trained, settings)
    trial = trained.registered.lineage["trial"]["seed"]
    weights = run.trial(f"convolution-seed{trial}").weights
    other = run.trial(f"convolution-seed{1 - trial}").weights
    weights.write_bytes(other.read_bytes())

    with pytest.raises(FortydaysError, match=r"weights\.npz is damaged: its digest is not the one in the evidence"):
        register(STUDY, registry, settings, progress=SILENT, variant="convolution")

    assert registry.names() == []


def test_predictions_of_another_trial_are_not_described(
    trained: Trained, settings: Settings, registry: Registry
) -> None:
    run = copied(trained, settings)
    trial = trained.registered.lineage["trial"]["seed"]
    predictions = run.trial(f"convolution-seed{trial}").predictions
    (answers,) = load_arrays(predictions)
    save_arrays(predictions, [answers[::-1]])

    with pytest.raises(FortydaysError, match=r"predictions\.npz is damaged: its answers are not those"):
        register(STUDY, registry, settings, progress=SILENT, variant="convolution")


def test_a_study_that_is_another_one_now_is_not_run(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "registered_study.py"
    changed.write_text("raise SystemExit('it was run')\n")

    with pytest.raises(FortydaysError, match="is not the study that digits@1 was made with, so it is not run"):
        reproduce(
            parse_reference("digits@1"), trained.registry, trained.settings, progress=SILENT, study_file=str(changed)
        )


def test_a_study_that_has_changed_since_is_not_registered(
    trained: Trained, settings: Settings, registry: Registry, tmp_path: Path
) -> None:
    copied(trained, settings)
    changed = tmp_path / "registered_study.py"
    changed.write_text(Path(STUDY).read_text().replace("Conv2D(8, 3", "Conv2D(9, 3"))

    with pytest.raises(FortydaysError, match="has changed since the run"):
        register(str(changed), registry, settings, progress=SILENT)


@pytest.mark.slow
def test_a_temperature_makes_the_same_answers_less_sure_and_few_large_images_are_compared(
    trained: Trained,
    settings: Settings,
    registry: Registry,
    data: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied(trained, settings)
    monkeypatch.setattr(registration, "_COMPARED_NUMBERS", 66 * 64)
    confidence = Confidence(temperature=3.0, unknown_below=0.4, false_alarms=0.05, images=200)

    made = register(
        STUDY, registry, settings, progress=SILENT, variant="linear model", temperature=3.0, confidence=confidence
    )
    plain = register(STUDY, registry, settings, progress=SILENT, variant="linear model", temperature=1.0)

    assert made.evaluation["onnx"]["images"] == plain.evaluation["onnx"]["images"] == 66
    assert made.evaluation["onnx"]["difference"] < 1e-5
    answers = []
    for each in (made, plain):
        folder = tmp_path / str(each.version.version)
        registry.fetch(each.version, folder)
        assert (folder / "confidence.json").exists() == (each is made)
        answers.append(model_in(folder).predict(data.training.validation.inputs))
    assert json.loads((tmp_path / "1/confidence.json").read_text()) == {"schema_version": 1, **confidence.as_dict()}
    expected = np.power(answers[1].astype(np.float64), 1 / 3)
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.abs(answers[0] - expected).max() < 1e-4
    assert (answers[0].argmax(axis=1) == answers[1].argmax(axis=1)).all()


@pytest.mark.slow
def test_int8_is_smaller_and_still_right(trained: Trained, settings: Settings, registry: Registry) -> None:
    copied(trained, settings)

    made = register(STUDY, registry, settings, progress=SILENT, int8=True, name="small-digits")

    onnx = made.evaluation["onnx"]
    assert onnx["precision"] == "int8"
    assert onnx["agreement"] > 0.95
    card = read_card(made.version, registry, settings)
    assert "| accuracy of the float32 model it was made from | 300 test images" in card
    assert "test_accuracy" not in made.version.facts
    assert made.evaluation["accuracy"] > trained.registered.evaluation["accuracy"] - 0.03
    assert made.version.facts["precision"] == "int8"


@pytest.mark.slow
def test_a_model_is_reproduced_by_the_engine_that_trained_it(
    keras: Any, settings: Settings, registry: Registry
) -> None:
    request = Request(engine="plain", only=("convolution",), seeds=1)
    run_study(load_study(find_study(STUDY), threads=1), request, settings, progress=SILENT)
    register(STUDY, registry, settings, progress=SILENT)

    assert reproduce(parse_reference("digits@1"), registry, settings, progress=SILENT).same_bits

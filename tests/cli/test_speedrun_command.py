"""``forty speedrun``: its table, its document and its exit codes, with a speedrun that costs nothing."""

import json
from typing import Any

import pytest

from fortydays.base.errors import TrainingFailedError
from fortydays.cli.main import execute
from fortydays.data import library
from fortydays.study import speedrun
from fortydays.study.statistics import interval


def made_up(accuracies: tuple[float, ...], *, validate: bool = False, target: float = 0.94) -> dict[str, Any]:
    seeds = [{"seed": i, "accuracy": a, "loss": 0.5, "seconds": 420.5 + i} for i, a in enumerate(accuracies)]
    accuracy = interval(accuracies)
    return {
        "dataset": {"name": "cifar10", "digest": "0" * 64},
        "target": target,
        "reached": accuracy.mean >= target,
        "split": "validation" if validate else "test",
        "trained_on": 45_000 if validate else 50_000,
        "network": {"widths": (64, 256, 256)},
        "recipe": speedrun.find_preset("cifar10", target).recipe.as_dict(),
        "parameters": 1_972_784,
        "accuracy": accuracy.as_dict(),
        "seconds": interval([each["seconds"] for each in seeds]).as_dict(),
        "seeds": seeds,
        "compile_seconds": 9.8,
        "backend": "tensorflow",
        "device": "A processor",
        "precision": "bfloat16",
        "threads": 2,
    }


@pytest.fixture
def forty(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs ``forty speedrun`` with made-up accuracies; gives exit code, output, errors and what was asked for."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(library, "load", lambda *_: "the dataset")

    def run(*arguments: str, accuracies: tuple[float, ...] = (0.94, 0.942), error: BaseException | None = None) -> Any:
        asked: dict[str, Any] = {}

        def trained(dataset: Any, preset: Any, **options: Any) -> dict[str, Any]:
            asked.update(options, dataset=dataset, preset=preset)
            if error:
                raise error
            return made_up(accuracies, validate=options["validate"], target=options["target"])

        monkeypatch.setattr(speedrun, "run_speedrun", trained)
        code = execute(["speedrun", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err, asked

    return run


def test_the_table_names_seeds_seconds_and_what_is_not_in_them(forty: Any) -> None:
    code, out, _, asked = forty("cifar10", "--to", "0.94", "--seeds", "2")
    assert code == 0
    assert asked["seeds"] == 2
    assert asked["preset"] is speedrun.PRESETS[0.94]
    for text in ("A processor", "2 threads", "tensorflow", "bfloat16", "94.20%", "421.50", "94.10% ± 1.27", "mean"):
        assert text in out
    flowing = " ".join(out.split())
    assert "Not in these seconds: building and compiling, 9.8 s." in flowing
    assert "Reached: 94.10% on average over 2 seeds, 94.00% asked for." in flowing
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_mean_below_the_target_exits_with_3(forty: Any) -> None:
    code, out, _, _ = forty("cifar10", "--to", "0.94", accuracies=(0.939, 0.94))
    assert code == 3
    assert "Not reached: 93.95% on average over 2 seeds" in out


def test_one_seed_has_no_interval(forty: Any) -> None:
    code, out, _, _ = forty("cifar10", "--to", "0.94", "--seeds", "1", accuracies=(0.95,))
    assert code == 0
    assert "±" not in out
    assert "on average over 1 seed" in out


def test_json_is_one_document(forty: Any) -> None:
    code, out, _, _ = forty("cifar10", "--to", "0.9", "--json", accuracies=(0.8, 0.82))
    document = json.loads(out)
    assert code == 3
    assert (document["reached"], document["target"]) == (False, 0.9)
    assert document["accuracy"]["mean"] == pytest.approx(0.81)
    assert [s["seconds"] for s in document["seeds"]] == [420.5, 421.5]


def test_validate_is_passed_on_and_said(forty: Any) -> None:
    _, out, _, asked = forty("cifar10", "--to", "0.94", "--validate")
    assert asked["validate"] is True
    assert "validation accuracy" in out
    assert "the test split was not opened" in " ".join(out.split())


def test_ctrl_c_ends_it_with_130(forty: Any) -> None:
    code, out, err, _ = forty("cifar10", "--to", "0.94", error=KeyboardInterrupt())
    assert (code, out) == (130, "")
    assert "Stopped." in err


def test_a_training_that_fails_exits_with_1(forty: Any) -> None:
    code, _, err, _ = forty("cifar10", "--to", "0.94", error=TrainingFailedError("The loss became nan at step 3."))
    assert code == 1
    assert "Error: The loss became nan at step 3." in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cifar10", "--to", "0.95"), "There are presets for 0.70, 0.80, 0.90, 0.94"),
        (("cifar10", "--to", "94"), "expected a number above 0 and up to 0.94"),
        (("mnist", "--to", "0.9"), "'mnist'"),
        (("cifar10",), "--to"),
    ],
)
def test_mistakes_are_told_with_what_exists(forty: Any, arguments: tuple[str, ...], said: str) -> None:
    code, out, err, _ = forty(*arguments)
    assert (code, out) == (2, "")
    assert said in err

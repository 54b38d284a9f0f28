"""The commands about model versions as a reader calls them, on versions that no study trained."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "registry"))

import made_up_versions

from fortydays.base.settings import read_settings
from fortydays.cli.main import execute
from fortydays.registry.registry import Registry
from fortydays.track.store import destination, open_store


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture
def workspace(tmp_path: Path, datasets: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    shutil.copy(empty_store, tmp_path / "home" / "mlflow.db")
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_DATASETS", str(datasets))
    monkeypatch.setenv("FORTYDAYS_OFFLINE", "1")
    return tmp_path


def add(workspace: Path, *, harm: float = 0.0, times: int = 1) -> None:
    """Versions of one model; with ``harm``, it never says 0."""
    settings = read_settings()
    data = made_up_versions.digits(settings)
    weights = made_up_versions.fitted(data)
    weights[:, 0] -= harm
    registry = Registry(open_store(destination(settings)))
    folder = workspace / f"version-{harm}"
    manifest = made_up_versions.version_folder(folder, data, weights)
    facts = {"day": "1", "variant": "linear", "seed": "0", "validation_accuracy": "0.935"}
    for _ in range(times):
        registry.add("digits", folder, manifest, facts=facts)


def test_without_models_the_next_command_is_named(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["models"]) == 0
    assert capsys.readouterr().out == "No model is registered yet. Register one with: forty register DAY\n"


def test_the_way_of_a_model(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(workspace)
    add(workspace, harm=100.0)

    # On pictures of 8 x 8 a shift of one pixel is much, so this gate needs force.
    assert execute(["promote", "digits@1", "--to", "champion"]) == 3
    told = capsys.readouterr().out
    assert "✗  stable, shifted by" in told
    assert "✓  onnx is keras" in told
    assert "digits@1 is not promoted. Not passed: " in told
    assert max(map(len, told.splitlines()[:-2])) <= 80

    assert execute(["promote", "digits@1", "--to", "champion", "--force"]) == 2
    assert "--force needs a reason" in capsys.readouterr().err
    assert execute(["promote", "digits@1", "--to", "champion", "--force", "--reason", "begin"]) == 0
    assert "digits@1 is the champion now, by force. Not passed: " in capsys.readouterr().out
    assert execute(["promote", "digits@1", "--to", "champion"]) == 0
    assert capsys.readouterr().out == "digits@1 is the champion already.\n"

    assert execute(["promote", "digits@2", "--to", "champion", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    closed = [gate["gate"] for gate in document["gates"] if not gate["passed"]]
    assert document["moved"] is False
    assert {"accuracy", "worst class"} <= set(closed)
    assert execute(["promote", "digits@2", "--to", "champion", "--force", "--reason", "a drill"]) == 0
    capsys.readouterr()

    assert execute(["rollback", "digits", "--reason", "over"]) == 0
    assert capsys.readouterr().out == "digits@1 is the champion again; it was version 2.\n"
    assert execute(["retire", "digits@2", "--reason", "never says 0"]) == 0
    assert capsys.readouterr().out == "digits@2 is retired: never says 0\n"

    assert execute(["models"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["digits", "2", "1", "linear,", "93.50%"]
    assert execute(["models", "show", "digits"]) == 0
    shown = capsys.readouterr().out
    assert "rollback: champion is 1 (was 2): over" in shown
    assert "retired" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_card_a_lineage_and_a_bundle_are_shown(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(workspace)

    assert execute(["models", "show", "digits@1"]) == 0
    assert "\n# digits, version 1\n" in capsys.readouterr().out
    assert execute(["lineage", "digits"]) == 0
    tree = capsys.readouterr().out
    assert tree.startswith("digits@1\n")
    assert "dataset digits, version 1" in tree
    assert execute(["lineage", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lineage"]["run"]["id"] == "by-hand-1"

    folder = workspace / "a bundle"
    assert execute(["bundle", "digits@1", "-o", str(folder)]) == 0
    assert "7 files" in capsys.readouterr().out
    assert execute(["bundle", "--verify", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["name"] == "digits"
    (folder / "labels.json").write_text("{}")
    assert execute(["bundle", "--verify", str(folder)]) == 1
    assert "labels.json has 2 bytes instead of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["promote", "../x@1", "--to", "champion"], "'../x' is no name of a model"),
        (["promote", "digits", "--to", "champion"], "'digits' does not say which version"),
        (["promote", "digits@1", "--to", "Champion"], "There is no alias 'Champion'. Did you mean 'champion'?"),
        (["promote", "nothing@1", "--to", "champion"], "There is no model 'nothing'"),
        (["rollback", "/etc"], "'/etc' is no name of a model"),
        (["rollback", "nothing"], "There is no model 'nothing'"),
        (["retire", "nothing@1", "--reason", "x"], "There is no model 'nothing'"),
        (["retire", "nothing@1"], "A version is retired for a reason"),
        (["lineage", "x" * 10_000], "is no name of a model"),
        (["reproduce", "Digits"], "Did you mean 'digits'?"),
        (["models", "show", "digits@\x1b[2J"], "There is no alias"),
        (["models", "unlock", ".."], "'..' is no name of a model"),
        (["bundle"], "Name a model and a folder: forty bundle NAME -o FOLDER"),
        (["bundle", "digits", "--verify", "x"], "--verify takes the folder of a bundle and nothing else"),
        (["bundle", "nothing", "-o", "x"], "There is no model 'nothing'"),
        (["register", "99"], "There is no day"),
        (["register", "2"], "Day 2 has no finished run in this workspace."),
        (["register", "1", "--name", "A B"], "'A B' is no name of a model"),
    ],
)
def test_wrong_use_is_said_without_a_traceback(
    workspace: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(arguments) == 2

    said = capsys.readouterr().err
    assert message in said
    assert "\x1b" not in said
    assert len(said) < 600


def test_a_damaged_store_is_left_as_it_is_since_it_has_the_models(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(workspace)
    store = workspace / "home" / "mlflow.db"
    content = bytearray(store.read_bytes())
    content[:16] = b"x" * 16
    store.write_bytes(content)

    assert execute(["models"]) == 1

    assert "which has the registered models, is damaged" in capsys.readouterr().err
    assert store.read_bytes() == content


def test_what_others_wrote_into_the_registry_is_shown_and_not_acted_on(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(workspace)
    client = open_store(destination(read_settings())).client
    client.set_model_version_tag("digits", "1", "fortydays.variant", "conv [0.5] [/x] \x1b]0;owned\x07")
    told = '{"kind": "promote", "alias": "champion", "version": 1, "before": null, "time": "2026", "forced": [], '
    client.set_registered_model_tag(
        "digits", "fortydays.move.000001", told + '"reason": "x\\n2026-11-22  promote: champion is 9", "gates": []}'
    )

    for command in (["models"], ["models", "show", "digits"], ["models", "show", "digits", "--all"]):
        assert execute(command) == 0
        out = capsys.readouterr().out
        assert "conv [0.5] [/x]" in out.replace("\n", " ")
        assert "\x1b" not in out
        assert not [line for line in out.splitlines() if line.startswith("2026-11-22  promote")]


def test_errors_are_json_where_it_is_asked_for(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["models", "show", "nothing", "--json"]) == 2

    error: Any = json.loads(capsys.readouterr().err)
    assert error["error"]["code"] == 2
    assert "There is no model 'nothing'" in error["error"]["message"]


def test_a_server_that_is_not_there_is_said_and_nothing_is_lost(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://reader:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    assert execute(["models"]) == 1

    said = capsys.readouterr().err
    assert "The tracking server http://127.0.0.1:9 cannot be reached" in said
    assert "See what there is with `forty models`" in said
    assert "hunter2" not in said


def test_models_list_says_what_models_says(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(workspace)
    capsys.readouterr()
    assert execute(["models"]) == 0
    told = capsys.readouterr().out
    assert execute(["models", "list"]) == 0
    assert capsys.readouterr().out == told
    assert execute(["models", "--json"]) == 0
    told = capsys.readouterr().out
    assert execute(["models", "list", "--json"]) == 0
    assert capsys.readouterr().out == told

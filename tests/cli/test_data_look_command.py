"""`forty data look`: what a reader is told of a folder of photographs."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_runs import longest_line
from PIL import Image

from fortydays.base.errors import ExitCode
from fortydays.cli.main import execute


@pytest.fixture(autouse=True)
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder "My Pets!" of 30 cats and 8 dogs, with a broken file, one that is there twice, and a text."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    random = np.random.default_rng(0)
    folder = tmp_path / "My Pets!"
    for kind, count in (("cats", 30), ("dogs", 8)):
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            coarse = Image.fromarray(random.integers(0, 256, (5, 5, 3)).astype(np.uint8))
            coarse.resize((40, 30), Image.Resampling.BICUBIC).save(folder / kind / f"{number}.jpg", quality=95)
    (folder / "cats/again.jpg").write_bytes((folder / "cats/7.jpg").read_bytes())
    (folder / "cats/\x1b[31mbroken\n.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "dogs/<script>.txt").write_bytes(b"notes")
    return folder


def test_the_report_tells_counts_sizes_duplicates_and_what_is_left_out(pets: Path, capsys: Any) -> None:
    assert execute(["data", "look", str(pets)]) == ExitCode.DONE

    shown = capsys.readouterr().out
    assert "38 photographs of 2 classes; 3 files are left out." in shown
    assert "Smallest 40 x 30 pixels, median 40 x 30 pixels, largest 40 x 30 pixels." in shown
    assert re.search(r"cats +30 +21 +3 +6\n", shown)
    assert re.search(r"dogs  \(few\) +8 +\d +1 +\d\n", shown)
    assert "The same file more than once: 1\n  cats/7.jpg, cats/again.jpg" in shown
    assert (
        "Left out: 3\n"
        "  cats/?[31mbroken?.jpg: it is no image that can be read\n"
        "  cats/again.jpg: it is the same file as cats/7.jpg\n"
        "  dogs/<script>.txt: its name does not end like an image's\n"
    ) in shown
    assert "\x1b" not in shown
    assert longest_line(shown.split("The page with pictures")[0]) <= 80


def test_the_page_shows_the_same_picture_under_several_labels(pets: Path, tmp_path: Path) -> None:
    page = tmp_path / "look.html"
    with Image.open(pets / "cats/3.jpg") as cat:
        cat.save(pets / "dogs/no dog.png")

    assert execute(["data", "look", str(pets), "-o", str(page)]) == ExitCode.DONE

    _, _, told = page.read_text("utf-8").partition("The same picture under several labels")
    assert re.findall(r">([^<>]+\.(?:jpg|png))<", told)[:2] == ["cats/3.jpg", "dogs/no dog.png"]


def test_the_page_is_whole_and_shows_pictures_of_each_class(pets: Path, tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "look.html"

    assert execute(["data", "look", str(pets), "-o", str(page)]) == ExitCode.DONE

    text = page.read_text("utf-8")
    assert text.count('<img src="data:image/jpeg;base64,') == 24 + 8
    assert "<script" not in text
    assert "&lt;script&gt;.txt" in text
    assert "http" not in text.replace("http-equiv", "")
    assert str(page) in capsys.readouterr().out


def test_json_has_all_of_it(pets: Path, capsys: Any) -> None:
    assert execute(["data", "look", str(pets), "--json"]) == ExitCode.DONE

    document = json.loads(capsys.readouterr().out)
    assert document["name"] == "my-pets"
    assert document["classes"]["cats"] == {"train": 21, "validation": 3, "test": 6}
    assert document["exact_duplicates"] == [["cats/7.jpg", "cats/again.jpg"]]
    assert {each["file"] for each in document["left_out"]} == {
        "cats/again.jpg", "cats/\x1b[31mbroken\n.jpg", "dogs/<script>.txt",
    }  # fmt: skip
    assert Path(document["page"]).name == "my-pets-photographs.html"


def test_a_name_that_is_no_text_is_told_all_the_same(pets: Path, capsys: Any) -> None:
    (pets / "cats" / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")

    assert execute(["data", "look", str(pets), "--json"]) == ExitCode.DONE

    document = json.loads(capsys.readouterr().out)
    assert {"file": "cats/?.jpg", "reason": "its name is not UTF-8"} in document["left_out"]


def test_many_files_that_are_left_out_are_counted_by_their_reason(pets: Path, capsys: Any) -> None:
    for number in range(12):
        (pets / f"cats/{number:02}.txt").write_bytes(b"x")

    assert execute(["data", "look", str(pets)]) == ExitCode.DONE

    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "Left out: 15 13 because its name does not end like an image's: cats/00.txt, cats/01.txt, cats/02.txt "
        "and 10 more" in shown
    )


def test_another_folder_of_the_same_name_is_refused_with_a_name_to_type(
    pets: Path, tmp_path: Path, capsys: Any
) -> None:
    assert execute(["data", "look", str(pets)]) == ExitCode.DONE
    other = tmp_path / "new/my-pets"
    for kind in ("cats", "dogs"):
        (other / kind).mkdir(parents=True)
        for number in range(3):
            Image.effect_noise((40, 30), 50 + number).save(other / kind / f"{number}.png")
    capsys.readouterr()

    assert execute(["data", "look", str(other)]) == ExitCode.USAGE

    shown = " ".join(capsys.readouterr().err.split())
    assert f"The name 'my-pets' belongs to {pets}." in shown
    assert "Give these a name of their own: --name new-my-pets" in shown
    assert execute(["data", "look", str(other), "--name", "new-my-pets"]) == ExitCode.DONE


def test_a_fixed_camera_is_told_and_the_option_is_taken(tmp_path: Path, capsys: Any) -> None:
    random = np.random.default_rng(0)
    still = random.integers(60, 200, (6, 6, 3)).repeat(20, 0).repeat(20, 1)
    for label in ("good", "bad"):
        (tmp_path / "line" / label).mkdir(parents=True)
        for number in range(4):
            shot = still + random.integers(-5, 6, still.shape)
            shot[20:32, 20:32] = still[20:32, 20:32] if label == "good" else 0
            Image.fromarray(shot.astype(np.uint8)).save(tmp_path / "line" / label / f"{number}.png")

    assert execute(["data", "look", str(tmp_path / "line")]) == ExitCode.FAILED
    shown = " ".join(capsys.readouterr().err.split())
    assert "8 of 8 photographs look almost the same as another. If a fixed camera took them" in shown
    assert execute(["data", "look", str(tmp_path / "line"), "--fixed-camera"]) == ExitCode.DONE
    assert "8 photographs of 2 classes." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing"], ExitCode.FAILED, "There is no nothing."),
        (["{pets}", "--name", "../up"], ExitCode.USAGE, "is no name for data"),
        (["{pets}", "--name", "mnist"], ExitCode.USAGE, "'mnist' is a dataset that fortydays brings along"),
        (["{pets}", "--name", "tf_flowers"], ExitCode.USAGE, "'tf_flowers' is a dataset that fortydays brings along"),
        (["{pets}/cats"], ExitCode.FAILED, "holds no image with a class"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_a_line(
    pets: Path, arguments: list[str], status: ExitCode, message: str, capsys: Any
) -> None:
    assert execute(["data", "look", *(each.format(pets=pets) for each in arguments)]) == status

    shown = capsys.readouterr().err
    assert message in shown.replace("\n", " ")
    assert "Traceback" not in shown


def test_a_version_of_ones_own_data_is_looked_at(
    pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert execute(["data", "add", str(pets), "--name", "pets"]) == ExitCode.DONE
    (pets / "cats/0.jpg").unlink()
    capsys.readouterr()

    assert execute(["data", "look", "pets@v1", "--json"]) == ExitCode.DONE

    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["used"]) == ("pets", 38)
    assert execute(["data", "look", "pets@v2"]) == ExitCode.USAGE
    assert "'pets' has no version v2." in capsys.readouterr().err

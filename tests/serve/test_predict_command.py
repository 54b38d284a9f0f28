"""``forty predict`` as a reader meets it."""

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_bundles import CONFIDENCE, bundle, made_up_versions
from PIL import Image

from fortydays.cli import predict as command
from fortydays.cli.main import execute
from fortydays.serve import prediction

HOSTILE = ("\x1b[31mred\x1b[0m", "=1+1", "<b>bold</b>", "\u202eabc", "a\nb", "x" * 100, "漢字", "7", "8", "9")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    bundle(folder / "sure", confidence=CONFIDENCE)
    bundle(folder / "plain")
    bundle(folder / "hostile", confidence=CONFIDENCE, classes=HOSTILE, favourite=5)
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace, and a folder to work in with a bright image, of which the model is sure, and a dark one."""
    work = tmp_path / "work"
    for name, first in (("bright.png", 255), ("dark.png", 0)):
        save(work / "images" / name, first)
    monkeypatch.chdir(work)
    for name, value in (("FORTYDAYS_HOME", tmp_path / "home"), ("COLUMNS", "200")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return work


def save(path: Path, first: int) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Image.new("L", (8, 8), 0)
    made.putpixel((0, 0), first)
    made.save(path, "PNG")
    return path.read_bytes()


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Let standard input be this."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_the_classes_of_one_image_are_listed(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(models / "plain"), "images/bright.png", "--top", "2"]) == 0
    assert capsys.readouterr() == ("images/bright.png: 3, says digits@1\n  3   99.9%\n  0    0.0%\n", "")


def test_one_that_is_unlike_all_is_said_to_be_so(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(models / "sure"), "images/dark.png", "--top", "1"]) == 0
    assert capsys.readouterr().out == (
        "images/dark.png: unknown, says digits@1\n"
        "It looks unlike what the model has learned; its best guess is 0.\n"
        "  0   10.0%\n"
    )


def test_several_are_a_table(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(models / "sure"), "images"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines() == [
        "file               class  probability  unknown",
        "images/bright.png  3            99.9%",
        "images/dark.png    0            10.0%  unknown",
        "",
        "2 images answered by digits@1; 1 of them unknown: unlike what it has learned.",
    ]


def test_more_classes_of_each_stand_below(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(models / "plain"), "images", "--top", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "file               class  probability",
        "images/bright.png  3            99.9%",
        "                   0             0.0%",
        "images/dark.png    0            10.0%",
        "                   1            10.0%",
        "",
        "2 images answered by digits@1.",
    ]


def test_whatever_files_and_classes_are_called_a_table_has_eighty_columns(
    models: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.cells import cell_len, chop_cells

    long = "folder/" + "wide 漢字 " * 20 + "\x1b[2J.png"
    save(place / long, 255)

    assert execute(["predict", str(models / "hostile"), long, "images/dark.png", "--top", "10"]) == 0

    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert "\x1b" not in printed
    assert "\u202e" not in printed
    assert max(cell_len(line) for line in lines[:-1]) <= 80
    column = "".join(chop_cells(line, lines[0].index("class"))[0] for line in lines[1:] if line)
    assert column.replace(" ", "").startswith(long.replace(" ", "").replace("\x1b", "?"))
    assert "?[31mred?[0m" in printed
    assert "a?b" in printed


def test_a_document_has_every_answer_and_every_error(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("images/notes.txt").write_text("x")
    code = execute(["predict", str(models / "sure"), "nowhere.png", "images", "--json", "--top", "1"])
    printed = capsys.readouterr()
    document = json.loads(printed.out)

    assert code == 1
    assert len(document.pop("digest")) == 64
    assert document == {
        "schema_version": 1,
        "model": "digits",
        "version": 1,
        "unknown_below": 0.4,
        "predictions": [
            {"file": "nowhere.png", "error": "There is no such file."},
            {
                "file": "images/bright.png",
                "top": [{"class": "3", "index": 3, "probability": 0.998891}],
                "unknown": False,
            },
            {"file": "images/dark.png", "top": [{"class": "0", "index": 0, "probability": 0.1}], "unknown": True},
        ],
        "answered": 2,
        "failed": 1,
        "unknown": 1,
        "left_out": [{"file": "images/notes.txt", "reason": "its name does not end like an image's"}],
    }
    assert json.loads(printed.err.splitlines()[-1]) == {
        "error": {"code": 1, "message": "There is no answer for 1 of 3 images.", "hint": ""}
    }


def test_a_document_says_nothing_of_unknown_where_no_threshold_was_measured(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["predict", str(models / "plain"), "images/dark.png", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["unknown_below"] is None
    assert "unknown" not in document
    assert set(document["predictions"][0]) == {"file", "top"}
    assert len(document["predictions"][0]["top"]) == 5


def test_a_name_that_is_no_utf8_is_answered(models: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"\xff.png")
    try:
        save(place / name, 255)
    except OSError:
        pytest.skip("this file system takes no such name")
    for option in ("--json", "--top=1"):
        assert execute(["predict", str(models / "plain"), name, option]) == 0
        assert "?.png" in capsys.readouterr().out


def test_what_cannot_be_read_is_named_and_the_others_are_answered(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("images/broken.png").write_bytes(b"x")
    Path("images/notes.txt").write_text("x")

    assert execute(["predict", str(models / "plain"), "images", "nowhere.png"]) == 1

    printed = capsys.readouterr()
    assert printed.out.splitlines()[1:] == [
        "images/bright.png  3            99.9%", "images/dark.png    0            10.0%", "",
        "2 images answered by digits@1.",
    ]  # fmt: skip
    assert printed.err.splitlines() == [
        "Left out: images/notes.txt: its name does not end like an image's",
        "images/broken.png: This is no image that can be read; "
        "expected PNG, JPEG, WEBP, GIF, BMP, TIFF, AVIF or HEIC.",
        "nowhere.png: There is no such file.",
        "Error: There is no answer for 2 of 4 images.",
    ]


def test_the_only_one_that_cannot_be_read_is_the_error(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(models / "plain"), "nowhere.png"]) == 1
    looked = f"It was looked for in {Path.cwd()}.\n"
    assert capsys.readouterr() == ("", f"Error: nowhere.png: There is no such file.\n{looked}")
    assert execute(["predict", str(models / "plain"), "image.png"]) == 1  # there is a folder "images"
    assert capsys.readouterr().err == "Error: image.png: There is no such file.\nDid you mean images?\n"


def test_of_many_that_are_left_out_a_few_are_named(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        Path(f"images/{number:02}.txt").write_text("x")
    assert execute(["predict", str(models / "plain"), "images"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 21
    assert told[-1] == "Left out: 5 files more"


def test_a_folder_without_an_image_is_told_so(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("texts").mkdir()
    Path("texts/notes.txt").write_text("x")
    assert execute(["predict", str(models / "plain"), "texts"]) == 1
    told = capsys.readouterr().err
    assert "Error: There is no image in what was named; 1 other file is left out." in told
    assert "end with .jpg, .jpeg, .jpe, .jfif" in told


def test_an_image_on_standard_input_is_answered(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = Path("images/bright.png").read_bytes()
    given(monkeypatch, content)
    assert execute(["predict", str(models / "plain"), "-", "--top", "1"]) == 0
    assert capsys.readouterr().out.startswith("standard input: 3, says digits@1\n")

    given(monkeypatch, content)
    assert execute(["predict", str(models / "plain"), "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["file"] == "-"


def test_standard_input_that_is_empty_or_too_large_is_told_so(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, b"")
    assert execute(["predict", str(models / "plain"), "-"]) == 1
    assert capsys.readouterr().err == "Error: standard input: It is empty; expected one image file.\n"

    monkeypatch.setattr(prediction, "LARGEST_FILE", 10)
    given(monkeypatch, bytes(11))
    assert execute(["predict", str(models / "plain"), "-"]) == 1
    assert capsys.readouterr().err == "Error: standard input: It has more than 10 bytes.\n"


def test_a_list_names_files_and_folders(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("list").write_bytes(b"images/dark.png\nimages\n")
    assert execute(["predict", str(models / "plain"), "--list", "list", "--json"]) == 0
    assert [each["file"] for each in json.loads(capsys.readouterr().out)["predictions"]] == [
        "images/dark.png", "images/bright.png", "images/dark.png",
    ]  # fmt: skip

    given(monkeypatch, b"images/dark.png\0images/bright.png\0")
    assert execute(["predict", str(models / "plain"), "images/bright.png", "--list", "-", "-0", "--json"]) == 0
    assert [each["file"] for each in json.loads(capsys.readouterr().out)["predictions"]] == [
        "images/bright.png", "images/dark.png", "images/bright.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "There is nothing to answer."),
        (["--list", "empty"], "The list names no file."),
        (["-", "-"], "Standard input can be read once: as an image (-) or as a list (--list -)."),
        (["-", "--list", "-"], "Standard input can be read once: as an image (-) or as a list (--list -)."),
        (["images", "-0"], "--null says how the names in a list end."),
        (["images", "--csv", "images/dark.png"], "images/dark.png is there already."),
        (["images", "--top", "0"], "--top is '0'; expected at least 1."),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_done(
    models: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("empty").write_bytes(b"\n")
    assert execute(["predict", str(models / "plain"), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"Error: {message}\n")


def test_a_list_that_is_not_there_is_told_so(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["predict", str(models / "plain"), "--list", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("Error: Could not read nowhere: No such file or directory.")


def test_a_csv_file_has_a_row_for_each(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("=1.png").write_bytes(Path("images/bright.png").read_bytes())
    assert execute(["predict", str(models / "sure"), "images", "=1.png", "nowhere.png", "-o", "out.csv"]) == 1

    printed = capsys.readouterr()
    assert printed.out == (
        "3 images answered by digits@1; 1 of them unknown: unlike what it has learned.\nThe answers: out.csv\n"
    )
    lines = Path("out.csv").read_text().splitlines()
    assert lines[0] == '"file","class","probability","unknown","0","1","2","3","4","5","6","7","8","9"'
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ['"images/bright.png"', '"3"', "0.998891", '"false"'],
        ['"images/dark.png"', '"0"', "0.1", '"true"'],
        ['"./=1.png"', '"3"', "0.998891", '"false"'],
        ['"nowhere.png"', '""', '""', '""'],
    ]


def test_a_csv_file_is_replaced_only_when_asked_to_and_whole(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["predict", str(models / "plain"), "images", "--csv", "out.csv"]
    assert execute([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answered"] == 2
    first = Path("out.csv").read_bytes()
    assert execute(arguments) == 2
    assert "Name another file, or add --overwrite." in capsys.readouterr().err

    def stopped(*_arguments: Any, **_options: Any) -> Any:
        yield from ()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prediction, "answer", stopped)
        assert execute([*arguments, "--overwrite"]) == 130
    assert Path("out.csv").read_bytes() == first
    assert sorted(path.name for path in Path().iterdir()) == ["images", "out.csv"]

    assert execute([*arguments[:2], "images/dark.png", *arguments[3:], "--overwrite"]) == 0
    assert len(Path("out.csv").read_text().splitlines()) == 2


def test_stopped_before_a_csv_file_is_whole_it_says_how_to_go_on(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_arguments: Any, **_options: Any) -> Any:
        yield from ()
        raise KeyboardInterrupt

    monkeypatch.setattr(prediction, "answer", stopped)
    arguments = ["predict", str(models / "plain"), "images", "--csv", "out.csv"]
    monkeypatch.setattr(sys, "argv", ["forty", *arguments])
    assert execute(arguments) == 130
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "Stopped. What is answered is kept.",
        f"Continue with: {shlex.join(['forty', *arguments])}",
    ]


def test_a_csv_file_that_came_to_be_meanwhile_stays(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = prediction.answer

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        yield from before(*arguments, **options)
        Path("out.csv").write_text("another's")

    monkeypatch.setattr(prediction, "answer", meanwhile)
    assert execute(["predict", str(models / "plain"), "images", "--csv", "out.csv"]) == 2
    assert Path("out.csv").read_text() == "another's"


def test_how_far_a_long_one_has_come_is_told_on_standard_error(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_LONG", 2)
    assert execute(["predict", str(models / "plain"), "images", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["answered"] == 2
    assert printed.err == "Asking digits@1: done\n"


def test_no_model_and_no_bundle_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert execute(["predict", "./nowhere", "images"]) == 2
    assert capsys.readouterr().err.startswith("Error: There is no folder './nowhere'.")
    assert execute(["predict", "./empty", "images"]) == 1
    assert "Could not read" in capsys.readouterr().err
    assert execute(["predict", "No Name", "images"]) == 2
    assert "'No Name' is no name of a model" in capsys.readouterr().err


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "FORTYDAYS_HOME": str(place.parent / "home"), "FORTYDAYS_OFFLINE": "1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_printed_stays_when_it_is_stopped(models: Path, place: Path, number: int) -> None:
    names = "\n".join(["images/bright.png"] * 20_000)
    Path("list").write_text(names)
    process = subprocess.Popen(
        [sys.executable, "-m", "fortydays", "predict", str(models / "plain"), "--list", "list"],
        env=environment(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("file ")
    first = process.stdout.readline()
    assert first.startswith("images/bright.png  3 ")
    process.send_signal(number)
    rows, told = first + process.stdout.read(), process.stderr.read()  # the signal may come before a second row
    process.stdout.close()
    process.stderr.close()
    process.wait(60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[signal.Signals(number)]
    assert told.splitlines()[-1] == "Stopped."
    assert "Traceback" not in told
    assert len(rows.splitlines()) < 20_000
    assert all(re.fullmatch(r"images/bright\.png  3 +\d+\.\d%", row) for row in rows.splitlines()), rows[-200:]
    assert rows.endswith("%\n")


def test_a_reader_who_has_gone_is_not_told_anything(models: Path, place: Path) -> None:
    gone, pipe = os.pipe()
    os.close(gone)
    done = subprocess.run(
        [sys.executable, "-m", "fortydays", "predict", str(models / "plain"), "images"],
        env=environment(place), stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(pipe)
    assert (done.returncode, done.stderr) == (1, "")


def test_neither_a_tracker_nor_a_training_framework_is_loaded(models: Path, place: Path) -> None:
    code = (
        "import sys\n"
        "from fortydays.cli.main import execute\n"
        "assert execute(sys.argv[1:]) == 0\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & set("
        "'dvc jax keras matplotlib mlflow scipy sklearn tensorflow fastapi uvicorn'.split())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", str(models / "plain"), "images"],
        env=environment(place), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_model_of_the_registry_answers_and_after_a_promotion_the_next_version(
    empty_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fortydays.registry.registry import Registry
    from fortydays.track.store import destination, open_store

    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    settings = made_up_versions.settings(home, datasets=tmp_path / "datasets")
    data = made_up_versions.digits(settings)
    registry = Registry(open_store(destination(settings)))
    for number, favourite in enumerate((3, 7)):
        weights = np.zeros((64, 10), np.float32)
        weights[0, favourite] = 9.0
        folder = tmp_path / f"version-{number}"
        manifest = made_up_versions.version_folder(folder, data, weights, confidence=CONFIDENCE)
        registry.add("digits", folder, manifest, facts={})
        shutil.rmtree(folder)

    def promoted(version: int) -> None:
        with registry.locks.held("digits", doing="a test"):
            registry.move("digits", "champion", version, kind="promote")

    def said(*arguments: str, expected: int = 0) -> tuple[str, str]:
        assert execute(["predict", *arguments, "--top", "1"]) == expected
        return capsys.readouterr()

    capsys.readouterr()
    out, told = said("digits", "images", expected=2)
    assert out == ""
    assert told.splitlines()[:2] == [
        "Asking the registry for digits@champion", "Error: 'digits' has no champion yet.",
    ]  # fmt: skip
    assert "Error: There is no version 'digits@3'." in said("digits@3", "images", expected=2)[1]
    promoted(1)
    of_the_first = "images/bright.png: 3, says digits@1\n  3   99.9%\n"
    assert said("digits", "images/bright.png") == (of_the_first, "Asking the registry for digits@champion\n")
    assert said("digits", "images/bright.png") == (of_the_first, "")
    promoted(2)
    assert said("digits", "images/bright.png")[0] == "images/bright.png: 7, says digits@2\n  7   99.9%\n"
    assert said("digits@1", "images/dark.png")[0].startswith("images/dark.png: unknown, says digits@1\n")

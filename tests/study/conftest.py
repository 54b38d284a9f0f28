"""One whole run of the tiny study, made once; its dataset lies where all tests of this room find it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny_study

from fortydays.base.settings import Settings
from fortydays.study.runner import Request, StudySource, run_study
from fortydays.study.runs import RunFolder


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that has ended, and what it told on the way."""

    run: RunFolder
    evidence: dict[str, Any]
    progress: tiny_study.Watch
    source: StudySource
    settings: Settings


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture
def settings(tmp_path: Path, datasets: Path) -> Settings:
    """A workspace of the test's own, with the shared datasets."""
    return tiny_study.settings(tmp_path / "home", datasets=datasets)


@pytest.fixture(scope="session")
def finished(keras: Any, datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _ended(tiny_study.source(), tiny_study.settings(tmp_path_factory.mktemp("home"), datasets=datasets))


@pytest.fixture(scope="session")
def finished_pair(keras: Any, datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    source = tiny_study.source(tiny_study.PAIR)
    return _ended(source, tiny_study.settings(tmp_path_factory.mktemp("pair"), datasets=datasets))


def _ended(source: StudySource, settings: Settings) -> Finished:
    progress = tiny_study.Watch()
    run, evidence = run_study(source, Request(), settings, progress=progress)
    return Finished(run=run, evidence=evidence, progress=progress, source=source, settings=settings)


@pytest.fixture
def interrupted_copy(settings: Settings) -> Callable[[Finished], RunFolder]:
    """Copies a finished run into the test's workspace, as if it had been stopped after its last trial."""

    def copy(finished: Finished) -> RunFolder:
        run = RunFolder(path=settings.runs / finished.run.run_id)
        shutil.copytree(finished.run.path, run.path)
        run.evidence.unlink()
        run.best_model.unlink()
        run.update(state="interrupted")
        return run

    return copy

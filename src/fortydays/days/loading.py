"""From a day's name, or the path of a study file of one's own, to the study in it."""

import contextlib
import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StudyChangedError, UsageError
from fortydays.base.traces import shown_path
from fortydays.data.library import pinned
from fortydays.data.own.dataset import is_own
from fortydays.days.journey import JOURNEY, find_day, folder, is_ready
from fortydays.days.mistakes import explained, placed, without_study
from fortydays.study.design import Exhibit, Study, Variant
from fortydays.study.plan import StudySource
from fortydays.study.trial import TrialSpec

if TYPE_CHECKING:
    import keras

LONGEST_NAME = 40
"""Characters of a study's name; with a time and a few more it becomes a run's id."""


def is_study_file(text: str) -> bool:
    """Whether a command's DAY argument names a study file and not a day."""
    return text.endswith(".py")


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """A study file found but not yet imported, of a day or of one's own (day None).

    Attributes:
        day: number of the day, or None.
        name: slug of the day, or what runs of the file are called.
        path: the file.
        module: the name it is imported under.
    """

    day: int | None
    name: str
    path: Path
    module: str


def find_study(text: str) -> StudyFile:
    """Find the study file of a day, or check that a file of one's own is there.

    Args:
        text: a day ("1", "day1", its slug) or a path ending in ``.py``.

    Raises:
        UsageError: no such day or file, or a day still to come.
    """
    if is_study_file(text):
        path = Path(text).absolute()
        if not path.is_file():
            raise UsageError(f"There is no study file {text}.", hint="Give a path to one, or a day: `forty list`.")
        name = study_name(path)
        module = f"fortydays_study_{re.sub(r'[^a-z0-9]', '_', name)}"
        return StudyFile(day=None, name=name, path=path, module=module)
    found = find_day(text)
    where = folder(found)
    if where is None or not (where / "study.py").is_file():
        ready = ", ".join(str(d.number) for d in JOURNEY if is_ready(d))
        raise UsageError(f"Day {found.number}, {found.title}, is still to come.", hint=f"Ready: {ready}.")
    module = f"fortydays.lessons.{where.name}.study"
    return StudyFile(day=found.number, name=found.slug, path=where / "study.py", module=module)


def load_study(file: StudyFile, *, threads: int) -> StudySource:
    """Import the study of a file that sets ``study = Study(...)`` at its top level.

    A study file is Python and runs as such: load only files you would run.

    Args:
        file: found by :func:`find_study`.
        threads: what Keras, which the file imports, will compute with.

    Raises:
        UsageError: the file cannot be imported or holds no study.
    """
    from fortydays.train.framework import load_keras

    load_keras(threads=threads)
    module = _import_file(file.module, file.path) if file.day is None else importlib.import_module(file.module)
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        raise without_study(file.path, module)
    if file.day is None:
        try:
            classes = None if study.dataset is None or is_own(study.dataset) else len(pinned(study.dataset).classes)
        except UsageError as error:
            raise placed(error, file.path) from error
        variants = tuple(_guarded(variant, file.path, module, classes) for variant in study.variants)
        measures = [replace(m, function=_told(m.function, file.path, module)) for m in study.measures]
        first, exhibits = (
            tuple(replace(e, make=_told(e.make, file.path, module)) if isinstance(e, Exhibit) else e for e in some)
            for some in (study.first, study.exhibits)
        )
        drills = tuple(replace(d, do=_told(d.do, file.path, module)) for d in study.drills)
        study = replace(
            study, variants=variants, drills=drills, measures=tuple(measures), first=first, exhibits=exhibits
        )
    return StudySource(day=file.day, name=file.name, path=file.path, study=study)


def load_study_of(spec: TrialSpec) -> StudySource:
    """Load the study of a trial in a process that has only the trial's spec.

    Raises:
        UsageError: there is no such day or file.
        StudyChangedError: the file has another content than the spec says; it is not run.
    """
    file = find_study(spec.path if spec.day is None else str(spec.day))
    if spec.day is None and files.sha256_of_file(file.path) != spec.sha256:
        raise StudyChangedError(
            f"{shown_path(file.path)} has changed since its trials were asked for, so it is not run.",
            hint="Give the same command again, to continue or begin anew with the study as it is now.",
        )
    return load_study(file, threads=spec.threads)


def _guarded(variant: Variant, path: Path, module: ModuleType, classes: int | None) -> Variant:
    """The variant, with a function that builds its model or says in words why it cannot.

    ``classes`` is how many the dataset has, or None where that is known only when it is loaded.
    """
    build = variant.model
    if not isinstance(build, FunctionType):  # one of ours
        return variant
    told = _told(build, path, module)

    @functools.wraps(build)
    def model() -> "keras.Model":
        made = told()
        if not hasattr(made, "get_weights"):
            raise UsageError(
                f"{shown_path(path)}: the function 'model' of the variant {variant.name!r} gives "
                f"{type(made).__name__}; expected a Keras model.",
                hint="Does the function end with `return model`?",
            )
        found = made.output_shape if made.built else None
        if classes is not None and isinstance(found, tuple) and (len(found) != 2 or found[-1] != classes):
            code = build.__code__
            raise UsageError(
                f"{shown_path(Path(code.co_filename))}, line {code.co_firstlineno}: the model of the variant "
                f"{variant.name!r} gives an output of shape {found}; expected (None, {classes}), one probability for "
                f"each of the dataset's {classes} classes.",
                hint=f'End it with layers.Dense({classes}, activation="softmax").',
            )
        return made

    return replace(variant, model=model)


def _told(function: Callable[..., Any], path: Path, module: ModuleType) -> Callable[..., Any]:
    """A function of a study file that says where in the file it has failed."""

    @functools.wraps(function)
    def told(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except FortydaysError:
            raise
        except Exception as error:
            raise explained(error, path, module) from error

    return told


def study_name(path: Path) -> str:
    """What runs of a study file are called: its name, or its folder's where that is just ``study.py``."""
    stem = path.stem if path.stem != "study" else path.absolute().parent.name
    return re.sub(r"[^a-z0-9]+", "-", stem.lower())[:LONGEST_NAME].strip("-") or "study"


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Modules beside the file can be imported, as where Python runs it; last, so that none hides one of a library.
    sys.path.append(str(path.parent))
    try:
        # What a file prints is no part of the command's output, which may be one JSON document.
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        del sys.modules[name]
        raise
    except BaseException as error:
        del sys.modules[name]
        raise explained(error, path, module) from error
    finally:
        sys.path.remove(str(path.parent))
    return module

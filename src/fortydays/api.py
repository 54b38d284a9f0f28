"""The commands as functions, for Python and notebooks: ``import fortydays as fd``.

Each function does what the command of its name does, with the same workspace and the same settings from the
environment, and gives what the command would print as a value. What goes wrong is a
:class:`~fortydays.base.errors.FortydaysError`: its text says what happened, what was expected, and what to do next.
"""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from fortydays.base import clock, files
from fortydays.base.errors import FortydaysError, UsageError, unknown_name
from fortydays.base.privacy import shared
from fortydays.base.progress import SILENT, Progress, amount
from fortydays.base.settings import available_cores as _cores
from fortydays.base.settings import read_settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from fortydays.fit.findings import Findings
    from fortydays.registry.contents import Bundle
    from fortydays.report.results import Results
    from fortydays.study.judgement import Judgement

    _Answer = tuple[str, "NDArray[np.float32] | None", str]  # of an image or text: its name, and why there is none

_T = TypeVar("_T")
_P = ParamSpec("_P")

_TRACED = (
    "Numbers are traced to the file that they came from. Write the study into one, in a notebook with "
    "%%writefile my_study.py, and give its name: fd.run('my_study.py')"
)

_IMAGES = "Images are files, or one array of pixels"
_STACKED = "np.stack(images) makes one of several."

_ARGUMENTS = {"set": "settings", "time": "seconds", "no-track": "track=False", "fresh": "fresh=True"}
"""The options of the commands that are called otherwise here."""

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_UPDATES = 0.5


# ------------------------------------------------------------------------------------------------------------- results


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Result:
    """What came out of a day or study: a table in a terminal, HTML in a notebook, and all numbers behind it.

    Attributes:
        evidence: the whole document, JSON values: schema version 1, as in the folder ``evidence``.
        source: where it is from: "published", or "your run day02-...".
    """

    evidence: Mapping[str, Any]
    source: str

    @cached_property
    def results(self) -> "Results":
        """The same as typed values.

        Raises:
            StorageError: the evidence is damaged.
        """
        from fortydays.report.results import read_results

        return read_results(self.evidence)

    @property
    def claims(self) -> "tuple[Judgement, ...]":
        """The claims, each with its sentence, its verdict ("supported", "refuted", "undecided") and its numbers."""
        return self.results.claims

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row for each trial: variant, seed, status, error, epochs, best_epoch, train_seconds, and each metric.

        Accuracies are shares of 1, times are seconds. A target that was never reached is missing.
        """
        from fortydays.report.rows import trial_rows

        return _frame(trial_rows(self.results))

    @cached_property
    def history(self) -> "pd.DataFrame":
        """One row for each moment at which a trial was looked at in training.

        Columns: variant, seed, step, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy,
        learning_rate, and seconds since the trial began. A study of drills has no rows.
        """
        from fortydays.report.rows import history_rows

        return _frame(history_rows(self.results))

    def plot(self, field: str = "test_accuracy") -> "Plot":
        """A picture.

        Args:
            field: "test_accuracy" shows it for each variant, over seeds; a column of :attr:`history`, such as
                "validation_accuracy" or "train_loss", shows the learning curves.

        Raises:
            UsageError: there is no such field, or nothing to draw of it.
        """
        from fortydays.report import plots
        from fortydays.report.chart import learning_chart, standalone

        variants = self.results.variants
        if field == "test_accuracy":
            svg, said = (
                plots.accuracies(variants),
                "Large dot: mean over seeds; line: its 95% interval; small dots: seeds.",
            )
        else:
            known = [f for f in dict.fromkeys(self.history.columns) if f not in ("variant", "seed", "step", "epoch")]
            if field not in known:
                raise unknown_name("field", field, ["test_accuracy", *known], of="this result")
            chart, said = learning_chart(variants, field), "Thin lines: seeds; band: one standard deviation."
            svg = chart and standalone(chart)
        if svg is None:
            raise UsageError(f"There is nothing to draw of {field}.", hint="The numbers are in .trials and .history.")
        return Plot(svg=svg, caption=f"{self.results.title}: {field.replace('_', ' ')}. {said}")

    def __repr__(self) -> str:
        from fortydays.report.terminal import as_text, print_evidence

        return as_text(lambda console: print_evidence(self.evidence, console, source=self.source))

    def _repr_html_(self) -> str:
        from fortydays.report.page import make_fragment

        return make_fragment(self.evidence, source=self.source)


@dataclass(frozen=True, kw_only=True, repr=False)
class Plot:
    """A picture, which a notebook shows.

    Attributes:
        svg: the text of the SVG file. Its ink is the color of the text around it.
        caption: what it shows.
    """

    svg: str
    caption: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture into an SVG file; one that is there is replaced.

        Raises:
            UsageError: the name does not end in ``.svg``.
            StorageError: it cannot be written.
        """
        target = Path(path)
        if target.suffix != ".svg":
            raise UsageError(f"The picture is an SVG file; the name {target} does not end in .svg.")
        with shared(target):
            files.write_text(target, self.svg)
        return target

    def __repr__(self) -> str:
        return f"<Plot: {self.caption} A notebook shows it; .save('plot.svg') keeps it.>"

    def _repr_html_(self) -> str:
        from markupsafe import escape

        return f"<figure>{_drawing()(self.svg, self.caption)}<figcaption>{escape(self.caption)}</figcaption></figure>"


def _in_python(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The function, with the words of a command line in its errors put as its caller would write them."""

    @functools.wraps(function)
    def called(*arguments: _P.args, **named: _P.kwargs) -> _T:
        try:
            return function(*arguments, **named)
        except UsageError as error:
            error.message, error.hint = _as_arguments(error.message), _as_arguments(error.hint)
            error.args = (error.message,)
            raise

    return called


def _as_arguments(text: str) -> str:
    """Options as arguments, such as "--seeds is 0" as "seeds is 0"; what is meant for a terminal stays."""
    if "forty " in text:
        return text
    text = re.sub(r"--seeds (\d+)-(\d+)", lambda found: f"seeds=range({found[1]}, {int(found[2]) + 1})", text)

    def named(found: re.Match[str]) -> str:
        name = _ARGUMENTS.get(found[1], found[1].replace("-", "_"))
        return f"{name}={found[2]}" if found[2] else name

    return re.sub(r"(?<!\S)--([a-z][a-z-]*)(?: (?=[\dA-Z'])(\S*[^\s.,;:]))?", named, text)


@_in_python
def run(
    day: int | str | os.PathLike[str],
    *,
    seeds: int | range | None = None,
    only: str | Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
    engine: str = "compiled",
    examples: int | None = None,
    fresh: bool = False,
    track: bool = True,
    quiet: bool = False,
) -> Result:
    """Run a day's study: train every variant and carry out every drill with every seed, check the claims.

    A run that was interrupted goes on where it stopped when the same call is made again.

    Args:
        day: a day (2, "day2", "activations"), or the path of a study file, which ends in ``.py``.
        seeds: trials of each variant and drill; ``range(5, 29)`` for these seeds. None is as many as the study has.
        only: these variants, drills or groups.
        settings: recipe fields for every variant, such as ``{"epochs": 1}``.
        engine: "compiled", or "plain" (without substituted layers).
        examples: for a try in seconds, how many examples each split has at most; claims get no verdicts then.
        fresh: begin anew, even where an interrupted run could go on.
        track: record the run in MLflow.
        quiet: tell no progress.

    Raises:
        UsageError: there is no such day, variant or field, or the study has a mistake.
        StudyInterruptedError: you stopped it; what is done is kept.
        DataError: the data cannot be had.
        StorageError: the workspace cannot be read or written.
    """
    from fortydays.days.loading import find_study
    from fortydays.study.plan import Request
    from fortydays.track.follower import TrackingListener
    from fortydays.track.tracked import carry_out

    if seeds is not None and (isinstance(seeds, bool) or not isinstance(seeds, int | range)):
        raise UsageError(
            f"seeds is {seeds!r}; expected a whole number from 1 to 1000, or a range such as range(5, 29)."
        )
    environment = read_settings()
    asked = tuple(f"{name}={value}" for name, value in (settings or {}).items())
    request = Request(
        seeds=seeds,
        only=(only,) if isinstance(only, str) else tuple(only),
        settings=asked,
        engine=engine,
        examples=examples,
    )
    file = find_study(_named(day))
    files.make_folder(environment.workspace)
    progress, listener = _progress(quiet), TrackingListener(environment, enabled=track)
    folder, evidence = _resumable(
        lambda: carry_out(file, request, environment, listener, progress=progress, fresh=fresh)
    )
    for line in listener.trouble():
        progress.warn(line)
    return Result(evidence=evidence, source=f"your run {folder.run_id}")


def show(day: int | str | os.PathLike[str], *, published: bool = False) -> Result:
    """A day's results, without training: of your own latest run, or else the published ones.

    Args:
        day: a day (2, "day2", "activations"), or the path of a study file that you have run.
        published: the published results, even where you have a run of your own.

    Raises:
        UsageError: there is no such day, or nothing to show of it.
        StorageError: the evidence is damaged.
    """
    from fortydays.report.lookup import find_subject, need_evidence

    found = need_evidence(find_subject(_named(day)), read_settings(), only_published=published)
    shown = Result(evidence=found.evidence, source=found.source)
    _ = shown.results  # damaged evidence is told here, and not where it is shown
    return shown


# -------------------------------------------------------------------------------------------------------------- models


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions:
    """What a model says of some images or texts, in their order.

    Attributes:
        names: of the files, with the line in a table; of an array or of ``texts``, the places in it, from "0".
        classes: what the probabilities are of.
        probabilities: float32, shape (images or texts, classes); NaN where there is no answer.
        unknown: whether it looks unlike what the model has learned; None where the model cannot tell.
        errors: why there is no answer, a sentence; or "".
        left_out: other files of a folder, and rows that do not fit their table, each with the reason.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    probabilities: "NDArray[np.float32]"
    unknown: tuple[bool | None, ...]
    errors: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each image or text; "" where there is no answer."""
        best = (
            () if error else (int(row.argmax()),) for row, error in zip(self.probabilities, self.errors, strict=True)
        )
        return tuple(self.classes[at[0]] if at else "" for at in best)

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """One row for each image or text: file, class, probability (a share of 1), unknown, error."""
        return _frame(
            [
                {"file": name, "class": label, "probability": float(row.max()), "unknown": unknown, "error": error}
                for name, label, row, unknown, error in zip(
                    self.names, self.labels, self.probabilities, self.unknown, self.errors, strict=True
                )
            ]
        )

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return repr(self.frame)

    def _repr_html_(self) -> str:
        return str(self.frame._repr_html_())


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Model:
    """A registered model, loaded from its bundle and run by ONNX Runtime.

    Attributes:
        name: of the model.
        version: its number in the registry.
        classes: what its probabilities are of, in their order.
    """

    name: str
    version: int
    classes: tuple[str, ...]
    _bundle: "Bundle" = field(repr=False)

    @property
    def card(self) -> str:
        """What the model is, how it was made and what it is good for: Markdown."""
        return self._bundle.card

    def predict(
        self,
        files: "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | NDArray[Any] | None" = None,
        *,
        texts: str | Sequence[str] | None = None,
        text: str = "",
    ) -> Predictions:
        """What the model says of images or of texts, whichever it takes.

        Args:
            files: a file, a folder of them, or a list of both: of images, or of texts (``.txt``), where a CSV, TSV,
                JSONL or Parquet table is asked about row by row. Or, of images, an array of whole numbers from 0 to
                255 of the shape that the model takes, such as (28, 28), or of (images, 28, 28).
            texts: a text, or several, in the place of files.
            text: the column of a table that has the texts; "" to find it.

        Returns:
            One answer for each image or text, in their order.

        Raises:
            UsageError: there is nothing to answer, the model takes something else, the array is none of images for
                it, or the column cannot be told.
            DataError, StorageError: a table cannot be understood, or a folder or a table cannot be read.
            FortydaysError: the only image or text cannot be read; of several, ``errors`` says so.
        """
        import numpy as np

        from fortydays.serve.answers import is_unknown

        if (files is None) == (texts is None):
            said = "There is nothing to answer." if files is None else "Both files and texts are given."
            raise UsageError(said, hint=self._ways)
        left_out: tuple[str, ...] = ()
        if texts is not None:
            answers = self._of_texts(texts)
        elif isinstance(files, np.ndarray):
            answers = self._of_array(files)
        else:
            answers, left_out = self._of_files(files, column=text)
        errors = tuple(error for _, _, error in answers)
        if len(answers) == 1 and errors[0]:
            raise FortydaysError(f"{answers[0][0]}: {errors[0]}")
        nothing = np.full(len(self.classes), np.nan, np.float32)
        return Predictions(
            names=tuple(name for name, _, _ in answers),
            classes=self.classes,
            probabilities=np.stack([nothing if row is None else row for _, row, _ in answers]),
            unknown=tuple(None if row is None else is_unknown(self._bundle, row) for _, row, _ in answers),
            errors=errors,
            left_out=left_out,
        )

    @property
    def _ways(self) -> str:
        """How this model is asked, a sentence."""
        noun = self._bundle.input.NOUN
        if self._bundle.input.of_texts:
            return "Give texts=[...], or files of texts, folders of them, or tables."
        return f"Give {'an' if noun[0] in 'aeiou' else 'a'} {noun} file, a folder of them, or an array of pixels."

    def _of_texts(self, texts: str | Sequence[str]) -> "list[_Answer]":
        from fortydays.serve.prediction import ImageFile, answer

        if not self._bundle.input.of_texts:
            raise UsageError(
                f"texts= is for models of texts; {self} takes {self._bundle.input.title}.", hint=self._ways
            )
        several = [texts] if isinstance(texts, str) or not isinstance(texts, Iterable) else list(texts)
        for place, each in enumerate(several):
            if not isinstance(each, str):
                raise UsageError(
                    f"A text is a str; number {place} of texts is a {type(each).__name__}.",
                    hint="A column of pandas with missing cells: texts=list(column.dropna())",
                )
        if not several:
            raise UsageError("There is no text to answer.", hint=self._ways)
        asked = [ImageFile(name=str(n), content=each.encode("utf-8", "replace")) for n, each in enumerate(several)]
        return [(each.name, each.probabilities, each.error) for each in answer(self._bundle, asked, workers=_cores())]

    def _of_array(self, array: "NDArray[Any]") -> "list[_Answer]":
        import numpy as np

        if self._bundle.input.of_texts:
            raise UsageError(
                f"This is an array of shape {array.shape}; {self} takes {self._bundle.input.title}.", hint=self._ways
            )
        takes, (spec, *others) = self._bundle.input, self._bundle.input.arrays
        one = array.shape == spec.shape
        whole = array.dtype.kind in "iu" and (not array.size or (array.min() >= 0 and array.max() <= 255))
        if others or not (one or array.shape[1:] == spec.shape) or not len(array) or not whole:
            raise UsageError(
                f"The array is {array.dtype} of shape {array.shape}; expected whole numbers from 0 to 255 of shape "
                f"{spec.shape} or (images, {', '.join(map(str, spec.shape))}): {self} takes {takes.title}.",
                hint="Numbers from 0 to 1 become these with: (255 * array).round().astype('uint8')",
            )
        inputs = takes.named((array[None] if one else array).astype(np.dtype(spec.dtype)))
        return [(str(place), row, "") for place, row in enumerate(self._bundle.model.predict(inputs))]

    def _of_files(self, files: object, *, column: str) -> "tuple[list[_Answer], tuple[str, ...]]":
        from fortydays.serve.prediction import answer, find_question

        takes = self._bundle.input
        if column and not self._bundle.input.of_texts:
            raise UsageError(f"text= is for models of texts; {self} takes {takes.title}.", hint=self._ways)
        expected, hint = (
            ("Texts are files, or texts=[...]", "") if self._bundle.input.of_texts else (_IMAGES, _STACKED)
        )
        named = [files] if isinstance(files, str | os.PathLike) or not isinstance(files, Sequence) else files
        paths = [_path(name, expected, hint=hint) for name in named]
        # A dash would mean the standard input.
        question = find_question(self._bundle, [f"./{n}" if n == "-" else n for n in paths], column=column)
        left_out = tuple(f"{each.path}: {each.reason}" for each in question.left_out)
        if not question.images:
            raise UsageError(f"There is no {takes.NOUN} to answer.", hint=self._ways)
        answers = answer(self._bundle, question.images, workers=_cores())
        return [(each.name, each.probabilities, each.error) for each in answers], left_out

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def __repr__(self) -> str:
        return f"<Model {self}: takes {self._bundle.input.title}, tells {len(self.classes)} classes apart>"


def load(model: str, *, quiet: bool = False) -> Model:
    """Load a model to ask it about images or texts.

    Args:
        model: NAME (its champion), NAME@VERSION or NAME@ALIAS of the registry; or the folder of a bundle.
        quiet: tell no progress.

    Raises:
        FortydaysError: there is none, it is damaged, or the registry cannot be reached.
    """
    from fortydays.serve.kept import opened
    from fortydays.serve.source import source_of

    source, settings = source_of(_path(model, "A model is named by a text such as 'mnist@champion'")), read_settings()
    # In a thread, because a notebook has an event loop of its own in this one.
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(opened, source, settings, threads=_cores(), progress=_progress(quiet)).result()
    return Model(name=found.name, version=found.version, classes=found.classes, _bundle=found)


# ----------------------------------------------------------------------------------------------------- own data


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Fitted:
    """What came out of a fit: a summary in a terminal and in a notebook, and a page with pictures.

    Attributes:
        findings: all that was found out, as typed values.
        model: the registered version, such as "flowers@3".
        page: the HTML file that shows the findings.
        study: the study file that was written and run; it can be changed and run by itself.
        reused: whether nothing had changed since an earlier fit, which this is then.
        notes: what you should know, a sentence each.
    """

    findings: "Findings"
    model: str
    page: Path
    study: Path
    reused: bool
    notes: tuple[str, ...] = ()

    def load(self) -> Model:
        """Load the model; see :func:`load`."""
        return load(self.model)

    def __repr__(self) -> str:
        from fortydays.report.fitted import print_findings
        from fortydays.report.terminal import as_text

        said = as_text(lambda console: print_findings(self.findings, console))
        return "\n".join(
            [
                *self.notes,
                said,
                "",
                f"The page with {'examples' if self.findings.noun == 'text' else 'pictures'}: {self.page}",
            ]
        )

    def _repr_html_(self) -> str:
        from markupsafe import escape

        return f"<pre>{escape(repr(self))}</pre>"


@_in_python
def fit(
    folder: str | os.PathLike[str],
    *,
    name: str = "",
    backbone: str = "auto",
    seconds: float | None = None,
    target: float | None = None,
    fine_tune: bool = False,
    fixed_camera: bool = False,
    text: str = "",
    label: str = "",
    group: str = "",
    fresh: bool = False,
    track: bool = True,
    quiet: bool = False,
) -> Fitted:
    """Learn to tell your photographs or texts apart: look, divide, learn, show, and keep the model.

    The folder or table is only read. Made again, the same call goes on where it was interrupted, and is over at once
    where nothing has changed.

    Args:
        folder: one folder for each class, of photographs or of ``.txt``; a CSV, TSV or JSONL table of files, or of
            texts (also Parquet), with labels; NAME@v2; or "tf_flowers".
        name: what to call the model; the folder's or table's name if left out.
        backbone: of photographs, the pretrained network; the best that can be had if left out.
        seconds: to plan for; None is as long as it takes.
        target: the share of test photographs or texts that must be right over all seeds, such as 0.95. Missed, the
            model is registered and is not the champion.
        fine_tune: of photographs, also train the network's last block further: minutes.
        fixed_camera: all photographs show one scene.
        text: the column of a table that has the texts; "" to find it.
        label: the column that has their labels; "" to find it.
        group: the column whose equal cells stay on one side of the split; "" for none.
        fresh: learn anew, even where nothing has changed.
        track: record the run in MLflow.
        quiet: tell no progress.

    Raises:
        UsageError: an option does not fit, or a column cannot be told; the message lists the columns.
        DataError: the photographs or texts cannot be used, weights cannot be had, or there is no room.
        StudyInterruptedError: you stopped it; what is done is kept.
        FortydaysError: training or registering failed.
    """
    from fortydays.days.loading import find_study
    from fortydays.fit import fitting
    from fortydays.fit.request import FitRequest, name_of
    from fortydays.registry.registry import open_registry
    from fortydays.report.fitted import write_page
    from fortydays.report.photographs import tell
    from fortydays.study.plan import Request
    from fortydays.track.follower import TrackingListener
    from fortydays.track.tracked import carry_out

    source = _path(folder, "Photographs and texts are named by their folder, or by a table with labels")
    settings, progress = read_settings(), _progress(quiet)
    called = name_of(source, name, settings)
    request = FitRequest(
        source=source, name=called, backbone=backbone, seconds=seconds, target=target, fine_tune=fine_tune,
        fixed_camera=fixed_camera, fresh=fresh, text=text, label=label, group=group,
    )  # fmt: skip
    listener = TrackingListener(settings, enabled=track)
    done = _resumable(
        lambda: fitting.fit(
            request,
            settings,
            progress=progress,
            run_study=lambda study, anew: carry_out(
                find_study(str(study)), Request(), settings, listener, progress=progress, fresh=anew, renew=True
            ),
            registry=lambda: open_registry(settings, progress),
            looked=lambda found, content: tell(
                found, content, name=called, place=source, settings=settings, progress=progress
            ),
        )
    )
    for line in listener.trouble():
        progress.warn(line)
    page = write_page(done, None, settings)
    return Fitted(
        findings=done.findings,
        model=done.findings.model,
        page=page,
        study=done.study,
        reused=done.reused,
        notes=done.notes,
    )


# ------------------------------------------------------------------------------------------------------------ together


def _named(day: object) -> str:
    """A day or a path as the commands take it. Raises UsageError."""
    if isinstance(day, int) and not isinstance(day, bool):
        return str(day)
    return _path(day, "A study is named by its day or its file", hint=_TRACED)


def _path(value: object, expected: str, *, hint: str = "") -> str:
    """A path as a text. Raises UsageError."""
    if isinstance(value, str | os.PathLike):
        return str(os.fspath(value))
    raise UsageError(f"{expected}; this is a {type(value).__name__}.", hint=hint)


def _resumable(work: Callable[[], _T]) -> _T:
    """What the work gives; where the reader stops it, they are told how it goes on."""
    from fortydays.study.runner import StudyInterruptedError

    again = "Make the same call again to continue."
    try:
        return work()
    except StudyInterruptedError as error:
        raise StudyInterruptedError(error.message, hint=again) from error.__cause__
    except KeyboardInterrupt as interrupt:
        raise StudyInterruptedError("Stopped. What was done is kept.", hint=again) from interrupt


def _frame(rows: Sequence[Mapping[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows))


_DRAWING: list[Callable[[str, str], str]] = []


def _drawing() -> Callable[[str, str], str]:
    """What puts a figure into a notebook, where it meets all others of this process."""
    from fortydays.report.drawing import drawings

    if not _DRAWING:
        _DRAWING.append(drawings("plot"))
    return _DRAWING[0]


def _progress(quiet: bool) -> Progress:
    return SILENT if quiet else _OneLine()


class _OneLine(Progress):
    """Tells on standard error: on a terminal and in a notebook one line that changes, elsewhere some lines."""

    def __init__(self) -> None:
        self._changes = sys.stderr.isatty() or "ipykernel" in sys.modules
        self._totals: dict[str, tuple[float | None, str]] = {}
        self._said, self._width = clock.seconds(), 0

    def start(self, task: str, *, total: float | None, unit: str) -> None:
        self._totals[task] = total, unit

    def advance(self, task: str, *, done: float, note: str = "") -> None:
        pause = _SECONDS_BETWEEN_UPDATES if self._changes else _SECONDS_BETWEEN_LINES
        if clock.seconds() - self._said < pause:
            return
        self._said = clock.seconds()
        said = f"{task}: {amount(done, *self._totals[task])}{f', {note}' if note else ''}"
        if self._changes:
            sys.stderr.write(f"\r{said.ljust(self._width)}")
            sys.stderr.flush()
            self._width = len(said)
        else:
            self.say(said)

    def finish(self, task: str, *, note: str = "") -> None:
        self._totals.pop(task, None)
        self.say(f"{task}: {note or 'done'}")

    def say(self, message: str) -> None:
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            self._width = 0
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()

    def warn(self, message: str) -> None:
        self.say(f"Warning: {message}")

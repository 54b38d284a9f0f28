"""``forty predict``: what a model says of image files."""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Protocol, TextIO

import typer

from fortydays.base import files
from fortydays.base.errors import FortydaysError, UsageError
from fortydays.base.privacy import shared
from fortydays.base.settings import available_cores, read_settings
from fortydays.base.text import printable
from fortydays.cli import streams
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.inputs.input import Input
    from fortydays.registry.contents import Bundle
    from fortydays.serve.prediction import Answered, Question

_WIDEST, _NARROWEST = 80, 40
_TOP = 5
_LONG = 200
"""Images from which on a reader is told how far it has come."""
_NAMED = 20
"""How many of the files that are left out are named."""


def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION|@ALIAS]", help="A model of the registry (its champion), or the folder of a bundle."
        ),
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Image files, folders of them, or - for one on standard input."),
    ] = None,
    listed: Annotated[
        str, typer.Option("--list", metavar="FILE", help="A list of more of them, one a line; - for standard input.")
    ] = "",
    null: Annotated[
        bool, typer.Option("--null", "-0", help="In the list, each ends with a zero byte: find -print0.")
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Classes to name of each image [5; in a table 1].", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--csv", "-o", metavar="OUT.csv", help="Write all probabilities into a CSV file instead."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Though that file is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; all else to stderr.")] = False,
) -> None:
    """Say what images show, as a model sees them.

    An answer is marked as unknown where the image looks unlike what the model has learned. A file that cannot be read
    is named, the others are answered, and the exit code is 1.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.serve.kept import opened
    from fortydays.serve.prediction import STANDARD_INPUT, answer, find_images
    from fortydays.serve.source import source_of

    out = sys.stdout  # which is another one while a bar is drawn
    source = source_of(model)
    if output is not None and not overwrite:
        _check_free(output)
    with stopping_in_time(lambda: "Stopped."):
        names = _names(images or [], listed, null=null)
        given = _standard_input() if STANDARD_INPUT in names else b""
        with console_progress(streams.console(stderr=True), bars=False) as progress:
            bundle = opened(source, read_settings(), threads=available_cores(), progress=progress)
        takes = bundle.input
        question = find_images(names, endings=takes.SUFFIXES, standard_input=given)
        total = len(question.images)
        # Where the answers themselves run over the screen, there is no place for a bar.
        is_long = total >= _LONG and (output is not None or not out.isatty())
        with console_progress(streams.console(stderr=True), bars=is_long) as progress:
            _tell_left_out(question, takes, progress)
            count = _Count()
            printer: _Printer
            if as_json:
                printer = _Document(out, bundle, question, top or _TOP)
            elif output is not None:
                printer = _Nothing(out, bundle, output)
            elif total == 1:
                printer = _Alone(out, bundle, top or _TOP)
            else:
                printer = _Table(out, bundle, question, top or 1)
            with contextlib.closing(answer(bundle, question.images, workers=available_cores())) as answers:
                followed = _followed(answers, bundle, count, total, progress, is_long=is_long)
                if output is None:
                    _print(followed, printer)
                else:
                    _write(followed, printer, bundle, output, overwrite=overwrite)
        printer.finish(count)
    if count.failed and total == 1:
        raise FortydaysError(count.last)
    if count.failed:
        raise FortydaysError(f"There is no answer for {count.failed:,} of {total:,} images.")


# ------------------------------------------------------------------------------------------------------ what is asked


def _names(images: Sequence[str], listed: str, *, null: bool) -> list[str]:
    from fortydays.serve.prediction import STANDARD_INPUT, names_in

    names = list(images)
    if names.count(STANDARD_INPUT) + (listed == "-") > 1:
        raise UsageError("Standard input can be read once: as an image (-) or as a list (--list -).")
    if null and not listed:
        raise UsageError("--null says how the names in a list end.", hint="Give the list too: --list FILE --null")
    if listed == "-":
        names += names_in(sys.stdin.buffer, null=null)
    elif listed:
        with files.storage_errors("read", Path(listed)), Path(listed).open("rb") as file:
            names += names_in(file, null=null)
    if not names:
        raise UsageError(
            "The list names no file." if listed else "There is nothing to answer.",
            hint="Name image files or folders of them: forty predict NAME FILE...",
        )
    return names


def _standard_input() -> bytes:
    from fortydays.data.own.listing import LARGEST_FILE

    return sys.stdin.buffer.read(LARGEST_FILE + 1)


def _check_free(path: Path) -> None:
    if files.exists(path):
        raise UsageError(f"{path} is there already.", hint="Name another file, or add --overwrite.")


def _tell_left_out(question: "Question", takes: "Input", progress: "Progress") -> None:
    for each in question.left_out[:_NAMED]:
        progress.say(f"Left out: {printable(each.path)}: {each.reason}")
    if len(question.left_out) > _NAMED:
        progress.say(f"Left out: {len(question.left_out) - _NAMED:,} files more")
    if not question.images:
        raise FortydaysError(
            f"There is no {takes.NOUN} in what was named; {len(question.left_out):,} other files are left out.",
            hint=f"In folders, {takes.NOUN}s are the files whose names end with {', '.join(takes.SUFFIXES)}.",
        )


# ------------------------------------------------------------------------------------------------- what became of them


@dataclass(kw_only=True)
class _Count:
    """How many images had no answer, why the last of them had none, and how many answers are unknown."""

    answered: int = 0
    failed: int = 0
    unknown: int = 0
    last: str = ""


def _followed(
    answers: "Iterable[Answered]",
    bundle: "Bundle",
    count: _Count,
    total: int,
    progress: "Progress",
    *,
    is_long: bool,
) -> "Iterator[Answered]":
    """The same answers, counted and with the errors told."""
    from fortydays.serve.answers import is_unknown

    task = f"Asking {bundle.name}@{bundle.version}"
    if is_long:
        progress.start(task, total=float(total), unit="images")
    for done, each in enumerate(answers, start=1):
        if each.probabilities is None:
            count.failed += 1
            count.last = f"{_shown(each.name)}: {each.error}"
            if total > 1:
                progress.say(count.last)
        else:
            count.answered += 1
            count.unknown += is_unknown(bundle, each.probabilities) is True
        yield each
        if is_long:
            progress.advance(task, done=float(done))
    if is_long:
        progress.finish(task)


def _print(answers: "Iterable[Answered]", *receivers: "_Receiver") -> None:
    for each in answers:
        for receiver in receivers:
            receiver.add(each)


def _write(
    answers: "Iterable[Answered]", printer: "_Printer", bundle: "Bundle", path: Path, *, overwrite: bool
) -> None:
    from fortydays.serve.spreadsheet import Spreadsheet

    def write(file: IO[bytes]) -> None:
        _print(answers, Spreadsheet(file, bundle), printer)
        if not overwrite:  # it may have taken a while
            _check_free(path)

    with shared(path):
        files.write_atomically(path.absolute(), write)


# --------------------------------------------------------------------------------------------------- how they are told


class _Receiver(Protocol):
    def add(self, answered: "Answered") -> None: ...


class _Printer(_Receiver, Protocol):
    def finish(self, count: _Count) -> None: ...


class _Document:
    """One JSON document, a line for each image, so that a long one can be read while it is written."""

    def __init__(self, out: TextIO, bundle: "Bundle", question: "Question", top: int) -> None:
        self._out, self._bundle, self._question, self._top = out, bundle, question, top
        head = {
            "schema_version": 1,
            "model": bundle.name,
            "version": bundle.version,
            "digest": bundle.manifest.digest,
            "unknown_below": bundle.unknown_below,
        }
        self._before = f'{json.dumps(head)[:-1]}, "predictions": [\n'

    def add(self, answered: "Answered") -> None:
        from fortydays.serve.answers import prediction

        if answered.probabilities is None:
            said: dict[str, Any] = {"error": printable(answered.error)}
        else:
            said = prediction(self._bundle, answered.probabilities, self._top)
        self._say(f"{self._before}{_json({'file': answered.name, **said})}")
        self._before = ",\n"

    def finish(self, count: _Count) -> None:
        tail: dict[str, Any] = {"answered": count.answered, "failed": count.failed}
        if self._bundle.unknown_below is not None:
            tail["unknown"] = count.unknown
        tail["left_out"] = [{"file": each.path, "reason": each.reason} for each in self._question.left_out]
        self._say(f"\n], {_json(tail)[1:]}\n")

    def _say(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class _Nothing:
    """Only in the end, where the answers are."""

    def __init__(self, out: TextIO, bundle: "Bundle", path: Path) -> None:
        self._out, self._bundle, self._path = out, bundle, path

    def add(self, answered: "Answered") -> None:
        pass

    def finish(self, count: _Count) -> None:
        self._out.write(f"{_summary(self._bundle, count)}\nThe answers: {printable(str(self._path))}\n")


class _Alone:
    """The most probable classes of the only image."""

    def __init__(self, out: TextIO, bundle: "Bundle", top: int) -> None:
        self._out, self._bundle, self._top = out, bundle, top

    def add(self, answered: "Answered") -> None:
        from rich.cells import cell_len

        from fortydays.serve.answers import is_unknown, top

        if answered.probabilities is None:
            return
        best = top(self._bundle, answered.probabilities, self._top)
        unknown = is_unknown(self._bundle, answered.probabilities)
        said = "unknown" if unknown else best[0]["class"]
        lines = [f"{_shown(answered.name)}: {said}, says {self._bundle.name}@{self._bundle.version}"]
        if unknown:
            lines.append(f"It looks unlike what the model has learned; its best guess is {best[0]['class']}.")
        for line in lines:
            _row(self._out, [line], [_width()])
        width = min(max(cell_len(each["class"]) for each in best), _width() - len("    100.0%"))
        for each in best:
            _row(self._out, ["", each["class"], _percent(each["probability"])], [0, width, len("100.0%")])

    def finish(self, count: _Count) -> None:
        pass


class _Table:
    """A row for each image, written as soon as it is answered: the widths of the columns are known before."""

    _HEADS = ("file", "class", "probability", "unknown")

    def __init__(self, out: TextIO, bundle: "Bundle", question: "Question", top: int) -> None:
        from rich.cells import cell_len

        self._out, self._bundle, self._top = out, bundle, top
        self._heads = self._HEADS if bundle.unknown_below is not None else self._HEADS[:-1]
        file, label = (
            max((cell_len(name) for name in names), default=0)
            for names in (
                ("file", *(_shown(each.name) for each in question.images)),
                ("class", *(printable(name) for name in bundle.classes)),
            )
        )
        left = _width() - sum(2 + len(head) for head in self._heads[2:]) - 2
        if file + label > left:
            label = min(label, max(left // 3, left - file))
            file = left - label
        self._widths = (file, label, *(len(head) for head in self._heads[2:]))
        _row(self._out, self._heads, self._widths)

    def add(self, answered: "Answered") -> None:
        from fortydays.serve.answers import is_unknown, top

        if answered.probabilities is None:
            return  # why, stands on standard error
        marked = "unknown" if is_unknown(self._bundle, answered.probabilities) else ""
        for place, each in enumerate(top(self._bundle, answered.probabilities, self._top)):
            first = (_shown(answered.name), marked) if place == 0 else ("", "")
            _row(self._out, (first[0], each["class"], _percent(each["probability"]), first[1]), self._widths)

    def finish(self, count: _Count) -> None:
        self._out.write(f"\n{_summary(self._bundle, count)}\n")


def _row(out: TextIO, cells: Sequence[str], widths: Sequence[int]) -> None:
    """Write a row, its third cell to the right; what is too wide for its column goes on below."""
    from rich.cells import chop_cells, set_cell_size

    # A column without width only moves the others to the right.
    columns = [chop_cells(cell, width) if width else [""] for cell, width in zip(cells, widths, strict=False)]
    for parts in zip_longest(*columns, fillvalue=""):
        line = [
            part.rjust(width) if place == 2 else set_cell_size(part, width)
            for place, (part, width) in enumerate(zip(parts, widths, strict=False))
        ]
        out.write(f"{'  '.join(line).rstrip()}\n")
    out.flush()


def _summary(bundle: "Bundle", count: _Count) -> str:
    images = "1 image" if count.answered == 1 else f"{count.answered:,} images"
    said = f"{images} answered by {bundle.name}@{bundle.version}"
    if bundle.unknown_below is None:
        return f"{said}."
    return f"{said}; {count.unknown:,} of them unknown: unlike what it has learned."


def _shown(name: str) -> str:
    return "standard input" if name == "-" else printable(name)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _json(value: object) -> str:
    # A name that is no UTF-8 could not be written.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def _width() -> int:

    return max(_NARROWEST, min(_WIDEST, streams.console().width))

"""``forty predict``: what a model says of image files."""

import contextlib
import difflib
import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, TextIO

import typer

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StoppedError, UsageError
from fortydays.base.privacy import shared
from fortydays.base.settings import Settings, available_cores, read_settings
from fortydays.base.text import counted, printable
from fortydays.cli import streams
from fortydays.cli.cluster import checked_place
from fortydays.cli.progress import console_progress
from fortydays.cli.stopping import stopping_in_time, typed_again
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.cluster.place import Place
    from fortydays.cluster.shards import Job
    from fortydays.inputs.input import Input
    from fortydays.registry.contents import Bundle
    from fortydays.serve.kept_answers import KeptAnswers
    from fortydays.serve.prediction import Answered, Question
    from fortydays.serve.source import Source

_WIDEST, _NARROWEST = 80, 40
_TOP = 5
_LONG = 200
"""Images from which on a reader is told how far it has come."""
_NAMED = 20
"""How many of the files that are left out are named."""

_DECODERS = ("pi-heif",)
"""Packages that pixels depend on, and no trial: on all machines that answer, they are the same."""

_Model = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@VERSION|@ALIAS]", help="A model of the registry (its champion), or the folder of a bundle."
    ),
]
_Images = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE...", help="Image or text files, folders, tables of texts, or - for standard input."),
]
_Listed = Annotated[
    str, typer.Option("--list", metavar="FILE", help="A list of more of them, one a line; - for standard input.")
]
_Null = Annotated[bool, typer.Option("--null", "-0", help="In the list, each ends with a zero byte: find -print0.")]
_Top = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Classes to name of each image [5; in a table 1].", show_default=False),
]
_Output = Annotated[
    Path | None,
    typer.Option("--csv", "-o", metavar="OUT.csv", help="Write all probabilities into a CSV file instead."),
]
_On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="With --csv: answer on a cluster: local:N, HOST:PORT or ray://HOST:PORT (make setup-ray).",
    ),
]


def predict(
    model: _Model,
    images: _Images = None,
    listed: _Listed = "",
    null: _Null = False,
    top: _Top = None,
    output: _Output = None,
    text: Annotated[
        str, typer.Option("--text", metavar="COLUMN", help="Of a table of texts: the column that has them [found].")
    ] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Though that file is there already.")] = False,
    on: _On = None,
    as_json: AsJson = False,
) -> None:
    """Say what images show, or what texts are, as a model sees them.

    An answer is marked as unknown where the image looks unlike what the model has learned. A file that cannot be read
    is named, the others are answered, and the exit code is 1.
    """
    from fortydays.data.own.listing import LARGEST_FILE
    from fortydays.serve.kept import opened
    from fortydays.serve.prediction import STANDARD_INPUT
    from fortydays.serve.source import source_of

    out, count = sys.stdout, _Count()  # the output is another one while a bar is drawn
    source, settings = source_of(model), read_settings()
    if output is not None and not overwrite:
        _check_free(output)
    if on is not None and output is None:
        raise UsageError(
            "--on answers in parts, which are kept until the file of all answers is whole. No file is named.",
            hint="Add --csv OUT.csv.",
        )
    place = checked_place(on, settings)
    stopped, again = "Stopped. What is answered is kept.", f"Continue with: {typed_again(sys.argv[1:])}"
    with stopping_in_time(lambda: "Stopped." if output is None else f"{stopped}\n{again}"):
        names = _names(images or [], listed, null=null)
        content = sys.stdin.buffer.read(LARGEST_FILE + 1) if STANDARD_INPUT in names else b""
        with console_progress(streams.console(stderr=True), bars=False) as progress:
            bundle = opened(source, settings, threads=settings.threads, progress=progress)
        question = _question(names, bundle, content, column=text)
        total = len(question.images)

        def show(answers: "Iterable[Answered]") -> None:
            if as_json:
                _show_document(answers, out, bundle, question, count, top or _TOP)
            elif output is not None:
                for _ in answers:
                    pass
            elif total == 1:
                _show_alone(answers, out, bundle, top or _TOP)
            else:
                _show_table(answers, out, bundle, question, count, top or 1)

        # Where the answers themselves run over the screen, there is no place for a bar.
        is_long = total >= _LONG and (output is not None or not out.isatty())
        with console_progress(streams.console(stderr=True), bars=is_long) as progress:
            _tell_left_out(question, bundle.input, progress)
            asked = _Asked(
                source=source,
                bundle=bundle,
                question=question,
                settings=settings,
                place=place,
                in_parts=output is not None,
            )
            with asked.answers(progress) as answers:
                followed = _followed(answers, bundle, count, total, progress, is_long=is_long)
                if output is None:
                    show(followed)
                else:
                    try:
                        _write(followed, show, bundle, output, overwrite=overwrite)
                    except KeyboardInterrupt as interrupt:
                        raise StoppedError(stopped, hint=again) from interrupt
        if output is not None and not as_json:
            out.write(f"{_summary(bundle, count)}\nThe answers: {printable(str(output))}\n")
    if count.failed and total == 1:
        raise FortydaysError(count.last, hint=_where_it_is(question.images[0].name))
    if count.failed:
        raise FortydaysError(f"There is no answer for {count.failed:,} of {total:,} {bundle.input.NOUN}s.")


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is asked of which model, and where: in this process, or at a place."""

    source: "Source"
    bundle: "Bundle"
    question: "Question"
    settings: Settings
    place: "Place | None"
    in_parts: bool

    @contextlib.contextmanager
    def answers(self, progress: "Progress") -> "Iterator[Iterable[Answered]]":
        """The answers. Those of a long question that goes into a file are kept until the file is whole."""
        from fortydays.serve.kept_answers import BATCHES, answer_in_parts, keeping
        from fortydays.serve.parts import answer_elsewhere
        from fortydays.serve.prediction import answer, computed_at_once

        bundle, images, cores = self.bundle, self.question.images, available_cores()
        is_short = len(images) <= BATCHES * computed_at_once(bundle)
        if not self.in_parts or (is_short and self.place is None):
            with contextlib.closing(answer(bundle, images, workers=cores)) as answers:
                yield answers
            return
        with keeping(bundle, images, self.settings.workspace, threads=self.settings.threads) as kept:
            done = kept.done()
            if done:
                progress.say(f"Going on: {done:,} of {len(images):,} have their answer already.")
            if self.place is None:
                answered = answer_in_parts(bundle, kept, workers=cores, damaged=progress.say)
            else:
                answered = answer_elsewhere(kept, self._on(self.place, kept, progress), damaged=progress.say)
            with contextlib.closing(answered) as answers:
                yield answers

    def _on(
        self, place: "Place", kept: "KeptAnswers", progress: "Progress"
    ) -> "Callable[[Sequence[int]], Generator[tuple[int, bytes], None, None]]":
        """What answers parts at a place."""
        from fortydays.cluster.shards import done_on

        def answered(missing: Sequence[int]) -> "Generator[tuple[int, bytes], None, None]":
            return done_on(place, self._job(place, kept), missing, settings=self.settings, progress=progress)

        return answered

    def _job(self, place: "Place", kept: "KeptAnswers") -> "Job":
        """Workers on this machine read the files themselves. Others are sent them, some at a time."""
        from fortydays.cluster.shards import Job
        from fortydays.serve import parts
        from fortydays.serve.kept import folder_of

        bundle, threads = self.bundle, self.settings.threads
        content = parts.contents_of(folder_of(self.source, bundle, self.settings), bundle.manifest)
        return Job(
            worker=parts.WORKER,
            arguments=(content, bundle.manifest.digest, threads),
            pieces=lambda number: parts.pieces_of(kept.part(number), read_there=place.workers > 0),
            named=lambda number: parts.named(kept, number, bundle.input.NOUN),
            packages=_DECODERS,
        )


def _where_it_is(name: str) -> str:
    """What to do about a file that is not there: one that is called nearly so, or where it was looked for."""
    path = Path(name)
    if os.path.lexists(path) or name == "-" or not files.is_folder(path.parent):
        return ""
    with files.storage_errors("read", path.parent):
        near = difflib.get_close_matches(path.name, [each.name for each in path.parent.iterdir()], n=1)
    return f"Did you mean {path.with_name(near[0])}?" if near else f"It was looked for in {path.absolute().parent}."


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


def _question(names: Sequence[str], bundle: "Bundle", content: bytes, *, column: str) -> "Question":
    from fortydays.serve.prediction import find_question

    if column and not bundle.input.of_texts:
        raise UsageError(f"--text is for models of texts; {bundle.name} takes {bundle.input.title}.")
    return find_question(bundle, names, column=column, standard_input=content)


def _check_free(path: Path) -> None:
    if files.exists(path):
        raise UsageError(f"{path} is there already.", hint="Name another file, or add --overwrite.")


def _tell_left_out(question: "Question", takes: "Input", progress: "Progress") -> None:
    for note in question.notes:
        progress.say(note)
    for each in question.left_out[:_NAMED]:
        progress.say(f"Left out: {printable(each.path)}: {each.reason}")
    if len(question.left_out) > _NAMED:
        progress.say(f"Left out: {len(question.left_out) - _NAMED:,} files more")
    if not question.images:
        others = counted(len(question.left_out), "other file")
        raise FortydaysError(
            f"There is no {takes.NOUN} in what was named; {others} {'is' if len(question.left_out) == 1 else 'are'} "
            "left out.",
            hint=f"In folders, {takes.NOUN}s are the files whose names end with {', '.join(takes.SUFFIXES)}."
            + (" Name a table of texts itself: forty predict NAME new.csv" if takes.of_texts else ""),
        )


# ------------------------------------------------------------------------------------------------- what became of them


@dataclass(kw_only=True)
class _Count:
    """How many had no answer, why the last had none, how many are unknown, and of how many something is said."""

    answered: int = 0
    failed: int = 0
    unknown: int = 0
    noted: int = 0
    last: str = ""


def _followed(
    answers: "Iterable[Answered]", bundle: "Bundle", count: _Count, total: int, progress: "Progress", *, is_long: bool
) -> "Iterator[Answered]":
    """The same answers, counted and with the errors told."""
    from fortydays.serve.answers import is_unknown

    task = f"Asking {bundle.name}@{bundle.version}"
    if is_long:
        progress.start(task, total=float(total), unit=f"{bundle.input.NOUN}s")
    for done, each in enumerate(answers, start=1):
        if each.probabilities is None:
            count.failed += 1
            count.last = f"{_shown(each.name)}: {each.error}"
            if total > 1:
                progress.say(count.last)
        else:
            count.answered += 1
            count.unknown += is_unknown(bundle, each.probabilities) is True
            count.noted += bool(each.note)
            if each.note and count.noted <= _NAMED:
                progress.say(f"{_shown(each.name)}: {each.note}")
        yield each
        if is_long:
            progress.advance(task, done=float(done))
    if is_long:
        progress.finish(task)


def _write(
    answers: "Iterable[Answered]", show: "Callable[[Iterable[Answered]], None]", bundle: "Bundle", path: Path,
    *, overwrite: bool,
) -> None:  # fmt: skip
    """Show the answers, and write them into a file that is there when it is whole."""
    from fortydays.serve.spreadsheet import Spreadsheet

    def write(file: IO[bytes]) -> None:
        sheet = Spreadsheet(file, bundle)

        def kept() -> "Iterator[Answered]":
            for each in answers:
                sheet.add(each)
                yield each

        show(kept())
        if not overwrite:  # it may have taken a while
            _check_free(path)

    with shared(path):
        files.write_atomically(path.absolute(), write)


# --------------------------------------------------------------------------------------------------- how they are told


def _show_document(
    answers: "Iterable[Answered]", out: TextIO, bundle: "Bundle", question: "Question", count: _Count, top: int
) -> None:
    """One JSON document, a line for each image, so that a long one can be read while it is written."""
    from fortydays.serve.answers import prediction

    head = {
        "schema_version": 1,
        "model": bundle.name,
        "version": bundle.version,
        "digest": bundle.manifest.digest,
        "unknown_below": bundle.unknown_below,
    }
    before = f'{json.dumps(head)[:-1]}, "predictions": [\n'
    for each in answers:
        if each.probabilities is None:
            said: dict[str, Any] = {"error": printable(each.error)}
        else:
            said = prediction(bundle, each.probabilities, top)
        out.write(f"{before}{_json({'file': each.name, **said})}")
        out.flush()
        before = ",\n"
    unknown = {} if bundle.unknown_below is None else {"unknown": count.unknown}
    tail: dict[str, Any] = {"answered": count.answered, "failed": count.failed, **unknown}
    tail["left_out"] = [{"file": each.path, "reason": each.reason} for each in question.left_out]
    out.write(f"\n], {_json(tail)[1:]}\n")


def _show_alone(answers: "Iterable[Answered]", out: TextIO, bundle: "Bundle", count: int) -> None:
    """The most probable classes of the only image."""
    from rich.cells import cell_len

    from fortydays.serve.answers import is_unknown, top

    for each in answers:
        if each.probabilities is None:
            continue
        best, unknown = top(bundle, each.probabilities, count), is_unknown(bundle, each.probabilities)
        said = "unknown" if unknown else best[0]["class"]
        _row(out, [f"{_shown(each.name)}: {said}, says {bundle.name}@{bundle.version}"], [_width()])
        if unknown:
            guess = f"It looks unlike what the model has learned; its best guess is {best[0]['class']}."
            _row(out, [guess], [_width()])
        width = min(max(cell_len(answer["class"]) for answer in best), _width() - len("    100.0%"))
        for answer in best:
            _row(out, ["", answer["class"], _percent(answer["probability"])], [0, width, len("100.0%")])


def _show_table(
    answers: "Iterable[Answered]", out: TextIO, bundle: "Bundle", question: "Question", count: _Count, most: int
) -> None:
    """A row for each image, written as soon as it is answered: the widths of the columns are known before."""
    from rich.cells import cell_len

    from fortydays.serve.answers import is_unknown, top

    heads = ["file", "class", "probability", *(["unknown"] if bundle.unknown_below is not None else [])]
    file = max(map(cell_len, ("file", *(_shown(each.name) for each in question.images))))
    label = max(map(cell_len, ("class", *(printable(name) for name in bundle.classes))))
    left = _width() - sum(2 + len(head) for head in heads[2:]) - 2
    if file + label > left:
        label = min(label, max(left // 3, left - file))
        file = left - label
    widths = [file, label, *map(len, heads[2:])]
    _row(out, heads, widths)
    for each in answers:
        if each.probabilities is None:
            continue  # why, stands on standard error
        first = _shown(each.name), "unknown" if is_unknown(bundle, each.probabilities) else ""
        for answer in top(bundle, each.probabilities, most):
            _row(out, (first[0], answer["class"], _percent(answer["probability"]), first[1]), widths)
            first = "", ""
    out.write(f"\n{_summary(bundle, count)}\n")


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
    unknown = f"; {count.unknown:,} of them unknown: unlike what it has learned"
    said = f"{counted(count.answered, bundle.input.NOUN)} answered by {bundle.name}@{bundle.version}"
    return f"{said}{'' if bundle.unknown_below is None else unknown}."


def _shown(name: str) -> str:
    return "standard input" if name == "-" else printable(name)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _json(value: object) -> str:
    # A name that is no UTF-8 could not be written.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def _width() -> int:
    return max(_NARROWEST, min(_WIDEST, streams.console().width))

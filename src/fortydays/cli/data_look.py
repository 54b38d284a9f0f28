"""``forty data look``: what a folder of photographs or a table of texts holds, before anything is learned from it."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base import files
from fortydays.base.privacy import shared
from fortydays.base.settings import read_settings
from fortydays.base.text import printable
from fortydays.cli import streams
from fortydays.cli.progress import console_progress
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.data.own.inspection import Inspection

_SHOWN, _CLASSES = 5, 40
FIXED_CAMERA = typer.Option(
    "--fixed-camera", help="All show one scene: only pictures with equal pixels count as the same."
)
TEXT = typer.Option("--text", metavar="COLUMN", help="Of a table of texts: the column that has them [found].")
LABEL = typer.Option("--label", metavar="COLUMN", help="Of a table of texts: the column of the labels [found].")
GROUP = typer.Option(
    "--group", metavar="COLUMN", help="Of a table of texts: rows that are equal in it stay on one side of the split."
)
OUTPUT = typer.Option("--output", "-o", metavar="FILE", help="Where to write the page [reports/ in the workspace].")


def look(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|TABLE",
            help="One folder for each class; a table of files, or of texts, with labels; or your own data, NAME@v1.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call them [the folder's name].")] = "",
    fixed_camera: Annotated[bool, FIXED_CAMERA] = False,
    text: Annotated[str, TEXT] = "",
    label: Annotated[str, LABEL] = "",
    group: Annotated[str, GROUP] = "",
    output: Annotated[Path | None, OUTPUT] = None,
    as_json: AsJson = False,
) -> None:
    """Look at your photographs or texts: classes, sizes, what is broken or there twice, and some of each class.

    Your folder or table is only read. What is held out for validation and test is decided by content, once.
    """
    from fortydays.data.own.naming import suggested_name
    from fortydays.data.version_documents import check_name
    from fortydays.data.versions import named_folder
    from fortydays.fit.kinds import looked_at
    from fortydays.fit.request import FitRequest
    from fortydays.report.photographs import make_page

    settings = read_settings()
    with console_progress(streams.console(stderr=True)) as progress:
        _, version = named_folder(folder, settings, progress=progress)
        name = check_name(name or (version.name if version else suggested_name(folder)), settings)
        request = FitRequest(
            source=str(folder), name=name, fixed_camera=fixed_camera, text=text, label=label, group=group
        )
        with looked_at(request, settings, progress) as (found, content):
            path = (output or settings.workspace / "reports" / f"{name}-{found.noun}s.html").absolute()
            page = make_page(found, content, name=name, place=str(folder))
    with shared(path) if output is not None else contextlib.nullcontext():
        files.write_text(path, page)
    if as_json:
        streams.print_json({"name": name, "page": str(path), **found.as_dict()})
    else:
        print_inspection(found)
        typer.echo(f"\nThe page with {'examples' if found.noun == 'text' else 'pictures'}: {path}")


def print_inspection(found: "Inspection") -> None:
    """Write what was found as tables of at most 80 columns."""
    from rich.table import Column
    from rich.text import Text

    from fortydays.data.own.listing import told
    from fortydays.report.photographs import languages, sizes, summary
    from fortydays.report.tables import Table, number

    console = streams.console()
    console.print(Text(summary(found)))
    console.print(Text(f"{sizes(found)}."))
    if found.languages:
        console.print(Text(f"{languages(found)}."))
    for note in found.notes:
        console.print(Text(note))
    table = Table(Column("class", overflow="fold"), *map(number, (f"{found.noun}s", "train", "validation", "test")))
    counts = found.counts()
    for label in list(counts)[:_CLASSES]:
        row = counts[label]
        few = "  (few)" if label in found.small else ""
        table.add_row(f"{printable(label)}{few}", f"{sum(row.values()):,}", *(f"{row[each]:,}" for each in row))
    console.print()
    console.print(table)
    if len(counts) > _CLASSES:
        console.print(Text(f"And {len(counts) - _CLASSES:,} classes more; --json has all of them."))
    same, alike, either = ("text",) * 3 if found.noun == "text" else ("file", "picture", "file or picture")
    for heading, groups in (
        (f"The same {same} more than once", found.exact),
        (f"The same {either} under several labels", found.contradictions),
        (f"Almost the same {alike}, kept on one side of the split", found.near),
    ):
        if groups:
            console.print(Text(f"\n{heading}: {len(groups):,}"))
            for group in groups[:_SHOWN]:
                more = f" and {len(group) - 2:,} more" if len(group) > 2 else ""
                console.print(Text(f"  {', '.join(printable(path) for path in group[:2])}{more}", overflow="fold"))
            if len(groups) > _SHOWN:
                console.print(Text(f"  and {len(groups) - _SHOWN:,} more"))
    if found.left_out:
        console.print(Text(f"\nLeft out: {len(found.left_out):,}"))
        for line in told(found.left_out):
            console.print(Text(f"  {line}", overflow="fold"))

"""``forty data``: which datasets there are, getting them, and checking what is kept; and a reader's own data."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import DataError
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import size_in_words
from fortydays.cli import data_look, data_versions, streams
from fortydays.cli.listing import Commands
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.data.cache import Verification

app = typer.Typer(
    no_args_is_help=True, help="List, get and check the datasets; keep versions of your own data.", cls=Commands
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset, as `forty data list` names it.")]


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """Show every dataset: its size, its splits, and whether it is in the cache."""
    from fortydays.data import library

    settings = read_settings()
    rows = [_row(name, settings) for name in library.every()]
    if as_json:
        streams.print_json({"datasets": rows})
        return
    from fortydays.report.tables import Table, number

    numbers = map(number, ("classes", "train", "validation", "test", "download"))
    table = Table("dataset", "shape", *numbers, "cached")
    for row in rows:
        table.add_row(
            row["name"],
            "x".join(map(str, row["shape"])),
            str(len(row["classes"])),
            *("" if count is None else f"{count:,}" for count in row["splits"].values()),
            size_in_words(row["download_bytes"]) if row["download_bytes"] else "none",
            "yes" if row["cached"] else "no",
        )
    streams.console().print(table)


@app.command("get")
def get_dataset(name: _Name, as_json: AsJson = False) -> None:
    """Make sure that a dataset is in the cache and right, and print where.

    A damaged copy is set aside and fetched again.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.data import library

    settings = read_settings()
    with console_progress(streams.console(stderr=True)) as progress:
        folder = library.get(name, settings, progress)
    if as_json:
        streams.print_json(_row(name, settings))
    else:
        typer.echo(folder)


@app.command("verify")
def verify_datasets(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A dataset or data of your own; all that is here if left out.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Read every byte of what is kept and compare with what it should be; change nothing."""
    from fortydays.data.version_documents import names as own_names

    settings = read_settings()
    own = own_names(settings)
    found = _verifications(name, own, settings)
    if as_json:
        checks = [
            {"name": each.name, "path": str(each.path), "right": each.right, "problems": list(each.problems)}
            for each in found
        ]
        streams.print_json({"datasets": checks})
    elif not found:
        typer.echo(f"No dataset is in the cache {settings.datasets}.")
    else:
        for each in found:
            typer.echo(f"{each.name}: {'right' if each.right else 'damaged'}")
            for problem in each.problems:
                typer.echo(f"  {problem}")
    wrong = list(dict.fromkeys(each.name for each in found if not each.right))
    if wrong:
        commands = [f"forty data pull {each} REMOTE" if each in own else f"forty data get {each}" for each in wrong]
        raise DataError(
            f"Damaged in the cache: {', '.join(wrong)}.",
            hint=f"Set aside and fetch again with: {', '.join(commands)}",
        )


def _verifications(name: str, own: list[str], settings: Settings) -> "list[Verification]":
    from fortydays.base.errors import unknown_name
    from fortydays.data import library

    known = list(library.every())
    if name not in ("", *known, *own):
        raise unknown_name("dataset", name, [*known, *own])
    # A reader's name may be older than the dataset of that name: then both are looked at, as far as they are there.
    needed = [name] if name in known and name not in own else []
    cached = [each for each in known if name in ("", each) and each not in needed and library.place(each, settings)[1]]
    found = [library.verify(each, settings) for each in (*needed, *cached)]
    if own:
        from fortydays.data.versions import verify_versions

        found += [verify_versions(each, settings) for each in own if name in ("", each)]
    return found


@app.command("path")
def path_of_dataset(name: _Name, as_json: AsJson = False) -> None:
    """Print the folder in which a dataset is cached."""
    settings = read_settings()
    row = _row(name, settings)
    if not row["cached"]:
        raise DataError(
            f"The dataset {name!r} is not in the cache {settings.datasets}.",
            hint=f"Get it with: forty data get {name}",
        )
    if as_json:
        streams.print_json(row)
    else:
        typer.echo(row["path"])


app.command("look")(data_look.look)
app.command("add")(data_versions.add)
app.command("versions")(data_versions.list_versions)
app.command("diff")(data_versions.diff)
app.command("checkout")(data_versions.checkout)
app.command("push")(data_versions.push)
app.command("pull")(data_versions.pull)


def _row(name: str, settings: Settings) -> dict[str, Any]:
    """What is known of a dataset by its name. Raises UsageError where there is none of that name."""
    from fortydays.data import library
    from fortydays.data.photographs import PhotographsSpec
    from fortydays.data.texts import TextsSpec

    spec, (path, cached) = library.pinned(name), library.place(name, settings)
    # The splits of photographs are made when they are first used.
    sizes = None if isinstance(spec, PhotographsSpec) else spec.sizes
    return {
        "name": spec.name,
        "title": spec.title,
        "version": spec.version,
        "digest": spec.digest,
        "input": {**spec.input.summary(), **({"words": spec.words} if isinstance(spec, TextsSpec) else {})},
        "shape": list(spec.input.arrays[0].shape),
        "classes": list(spec.classes),
        "splits": {split: getattr(sizes, split, None) for split in ("train", "validation", "test")},
        "split_version": spec.split_version,
        "licence": spec.licence,
        "citation": spec.citation,
        **({"photographs": spec.photographs} if isinstance(spec, PhotographsSpec) else {}),
        "download_bytes": spec.download_bytes,
        "sources": list(spec.source_titles),
        "cached": cached,
        "path": str(path),
    }

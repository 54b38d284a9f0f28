"""The part of ``forty data`` that is about a reader's own folders: add, versions, diff, checkout, push, pull."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import DataError
from fortydays.base.settings import read_settings
from fortydays.base.text import counted, printable, size_in_words, without_credentials
from fortydays.cli import streams

if TYPE_CHECKING:
    import rich.console

    from fortydays.base.progress import Progress
    from fortydays.data.version_documents import DataVersion
    from fortydays.data.versions import Difference

_FIRST_FILES = 5
_FIRST_CLASSES = 40

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Own = Annotated[str, typer.Argument(metavar="NAME", help="Your own data, as `forty data versions` names it.")]
_Remote = Annotated[str, typer.Argument(metavar="REMOTE", help="A folder, or any address that DVC knows.")]


def add(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that holds your data.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it.")],
    message: Annotated[str, typer.Option("--message", metavar="TEXT", help="What to say of this version.")] = "",
    as_json: _Json = False,
) -> None:
    """Keep your own folder as it is now, as a version. Its first folder level names the classes."""
    from fortydays.data.versions import add_version

    with _progress() as progress:
        version, made = add_version(folder, name, read_settings(), message=message, progress=progress)
    if as_json:
        _print_json({"made": made, "version": _document(version)})
    elif made:
        typer.echo(f"{_named(version)}: {_amounts(version)}.")
    else:
        typer.echo(f"{name}: nothing has changed since {version.label}.")


def list_versions(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Your own data; all of it if left out.")] = "",
    as_json: _Json = False,
) -> None:
    """Show the versions of your own data, oldest first."""
    from fortydays.data.version_documents import names
    from fortydays.data.versions import readable_versions

    settings = read_settings()
    read = {each: readable_versions(each, settings) for each in ([name] if name else names(settings))}
    found = {each: own for each, (own, _) in read.items()}
    problems = {each: wrong for each, (_, wrong) in read.items() if wrong}
    if as_json:
        data = [
            {"name": each, "versions": [_document(version) for version in own], "problems": problems.get(each, [])}
            for each, own in found.items()
        ]
        _print_json({"data": data})
    elif not found:
        typer.echo("There is no data of your own yet. Begin with: forty data add FOLDER --name NAME")
    elif name:
        _print_versions(found[name])
    else:
        _print_names(found)
    if problems:
        first = next(iter(problems))
        count = sum(map(len, problems.values()))
        raise DataError(
            f"{problems[first][0]}{f', and {count - 1:,} more' if count > 1 else ''}.",
            hint=f"See all that is wrong with: forty data verify {first}. Where it was pushed, mend it with: "
            f"forty data pull {first} REMOTE",
        )


def diff(
    name: _Own,
    before: Annotated[str, typer.Argument(metavar="V1", help="A version, such as v1.")],
    after: Annotated[str, typer.Argument(metavar="V2", help="Another version.")],
    as_json: _Json = False,
) -> None:
    """Show which files two versions of your own data do not share, and their classes before and after."""
    from fortydays.data.version_documents import parse_number
    from fortydays.data.versions import difference

    found = difference(name, parse_number(before), parse_number(after), read_settings())
    if as_json:
        _print_json(
            {
                "name": name,
                "before": _document(found.before),
                "after": _document(found.after),
                "counts": {kind: len(paths) for kind, paths in _kinds(found)},
                **{kind: list(paths) for kind, paths in _kinds(found)},
                "classes": {
                    each: {"before": found.before.classes.get(each, 0), "after": found.after.classes.get(each, 0)}
                    for each in _classes(found)
                },
            }
        )
    else:
        _print_difference(found)


def checkout(
    name: _Own,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="A new or an empty folder.")],
    version: Annotated[str, typer.Argument(metavar="[VERSION]", help="Such as v1; the newest if left out.")] = "",
    as_json: _Json = False,
) -> None:
    """Bring a version of your own data back into a folder, byte for byte; all of it or nothing."""
    from fortydays.data.version_documents import parse_number
    from fortydays.data.versions import check_out

    with _progress() as progress:
        number = parse_number(version) if version else None
        found = check_out(name, number, to, read_settings(), progress=progress)
    if as_json:
        _print_json({"folder": str(to.absolute()), "version": _document(found)})
    else:
        typer.echo(f"{_named(found)} is in {printable(str(to))}: {_amounts(found)}.")


def push(name: _Own, remote: _Remote, as_json: _Json = False) -> None:
    """Copy the versions of your own data to a remote: a folder, or any address that DVC knows."""
    from fortydays.data.versions import push as push_versions

    with _progress() as progress:
        new = push_versions(name, remote, read_settings(), progress=progress)
    _print_exchange(name, remote, new, f"New in {printable(without_credentials(remote))}", as_json=as_json)


def pull(name: _Own, remote: _Remote, as_json: _Json = False) -> None:
    """Bring versions of data from a remote, and mend what is missing or altered of those that are here."""
    from fortydays.data.versions import pull as pull_versions

    with _progress() as progress:
        new = pull_versions(name, remote, read_settings(), progress=progress)
    _print_exchange(name, remote, new, "New here", as_json=as_json)


# ---------------------------------------------------------------------------------------------------------- printing


@contextmanager
def _progress() -> "Iterator[Progress]":

    from fortydays.cli.progress import console_progress

    with console_progress(streams.console(stderr=True)) as progress:
        yield progress


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps({"schema_version": 1, **content}, ensure_ascii=False))


def _document(version: "DataVersion") -> dict[str, Any]:
    from fortydays.data.version_documents import to_document

    document = to_document(version)
    del document["schema_version"]  # of the file; that of what is printed stands at its top
    return document


def _named(version: "DataVersion") -> str:
    return f"{version.name} {version.label}"


def _amounts(version: "DataVersion") -> str:
    count = counted(version.files, "file")
    in_classes = _count_classes(version)
    return f"{count} in {in_classes} class{'es' if in_classes != 1 else ''}, {_size(version)}"


def _count_classes(version: "DataVersion") -> int:
    from fortydays.data.version_documents import TOP_LEVEL

    return len(version.classes.keys() - {TOP_LEVEL})


def _size(version: "DataVersion") -> str:
    return size_in_words(version.bytes)


def _print_exchange(name: str, remote: str, new: "Sequence[DataVersion]", what: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(
            {"name": name, "remote": without_credentials(remote), "new": [_document(version) for version in new]}
        )
    elif new:
        typer.echo(f"{what}: {', '.join(_named(version) for version in new)}.")
    else:
        typer.echo(f"{name}: nothing new; every version was there.")


def _console() -> "rich.console.Console":

    return streams.console()


def _print_names(found: "dict[str, list[DataVersion]]") -> None:
    from rich.table import Column

    from fortydays.report.tables import Table

    table = Table(
        Column("data", overflow="fold"),
        Column("versions", justify="right"),
        Column("files", justify="right"),
        Column("classes", justify="right"),
        Column("size", justify="right"),
        Column("newest", no_wrap=True),
        box=None,
        pad_edge=False,
    )
    for name, own in found.items():
        if not own:
            continue
        newest = own[-1]
        amounts = (f"{len(own):,}", f"{newest.files:,}", f"{_count_classes(newest):,}", _size(newest))
        table.add_row(name, *amounts, _moment(newest))
    _console().print(table)


def _print_versions(own: "list[DataVersion]") -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table

    table = Table(
        Column("version", no_wrap=True),
        Column("made", no_wrap=True),
        Column("files", justify="right", no_wrap=True),
        Column("classes", justify="right", no_wrap=True),
        Column("size", justify="right", no_wrap=True),
        Column("message", overflow="fold"),
        box=None,
        pad_edge=False,
    )
    for version in own:
        amounts = (f"{version.files:,}", f"{_count_classes(version):,}", _size(version))
        table.add_row(version.label, _moment(version), *amounts, Text(version.message))
    _console().print(table)


def _moment(version: "DataVersion") -> str:
    return version.created[:16].replace("T", " ")


def _kinds(found: "Difference") -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("added", found.added), ("removed", found.removed), ("changed", found.changed))


def _classes(found: "Difference") -> list[str]:
    return sorted(found.before.classes.keys() | found.after.classes.keys())


def _print_difference(found: "Difference") -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table

    console, before, after = _console(), found.before, found.after
    counts = ", ".join(f"{len(paths):,} {kind}" for kind, paths in _kinds(found))
    console.print(Text(f"{before.name} {before.label} to {after.label}: {counts}."))
    for kind, paths in _kinds(found):
        for path in paths[:_FIRST_FILES]:
            console.print(Text(f"  {kind:7}  {printable(path)}", overflow="fold"))
        if len(paths) > _FIRST_FILES:
            console.print(Text(f"  {kind:7}  and {len(paths) - _FIRST_FILES:,} more"))
    table = Table(
        Column("class", overflow="fold"),
        Column(before.label, justify="right", no_wrap=True),
        Column(after.label, justify="right", no_wrap=True),
        box=None,
        pad_edge=False,
    )
    # Those that changed come first, because only so many are shown.
    classes = sorted(_classes(found), key=lambda each: before.classes.get(each) == after.classes.get(each))
    for each in classes[:_FIRST_CLASSES]:
        name = "(in no folder)" if each == _top_level() else printable(each)
        table.add_row(Text(name), f"{before.classes.get(each, 0):,}", f"{after.classes.get(each, 0):,}")
    console.print()
    console.print(table)
    if len(classes) > _FIRST_CLASSES:
        console.print(Text(f"And {len(classes) - _FIRST_CLASSES:,} classes more; --json has all of them."))


def _top_level() -> str:
    from fortydays.data.version_documents import TOP_LEVEL

    return TOP_LEVEL

"""The part of ``forty data`` that is about a reader's own folders: add, versions, diff, checkout, push, pull."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.settings import read_settings
from fortydays.base.text import counted, printable, size_in_words, without_credentials
from fortydays.cli import streams

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.data.version_documents import DataVersion

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
        typer.echo(f"{version}: {_amounts(version)}.")
        typer.echo(f"Learn from it: forty fit {version}")
    else:
        typer.echo(f"{name}: nothing has changed since {version.label}.")


def list_versions(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Your own data; all of it if left out.")] = "",
    as_json: _Json = False,
) -> None:
    """Show the versions of your own data, oldest first."""
    from fortydays.data import version_documents as documents

    settings = read_settings()
    found = {
        each: [documents.read(each, number, settings) for number in documents.known_numbers(each, settings)]
        for each in ([name] if name else documents.names(settings))
    }
    if as_json:
        data = [{"name": each, "versions": [_document(version) for version in own]} for each, own in found.items()]
        _print_json({"data": data})
    elif not found:
        typer.echo("There is no data of your own yet. Begin with: forty data add FOLDER --name NAME")
    else:
        rows = [
            (
                str(version),
                version.created[:16].replace("T", " "),
                f"{version.files:,}",
                f"{_count_classes(version):,}",
                size_in_words(version.bytes),
                version.message,
            )
            for own in found.values()
            for version in own
        ]
        _print_table(("version", "made", "files", "classes", "size", "message"), rows, fold=(0, 5))


def diff(
    name: _Own,
    before: Annotated[str, typer.Argument(metavar="V1", help="A version, such as v1.")],
    after: Annotated[str, typer.Argument(metavar="V2", help="Another version.")],
    as_json: _Json = False,
) -> None:
    """Show which files two versions of your own data do not share, and their classes before and after."""
    from rich.text import Text

    from fortydays.data.version_documents import TOP_LEVEL, parse_number
    from fortydays.data.versions import difference

    found = difference(name, parse_number(before), parse_number(after), read_settings())
    kinds = {"added": found.added, "removed": found.removed, "changed": found.changed}
    was, now = found.before.classes, found.after.classes
    if as_json:
        _print_json(
            {
                "name": name,
                "before": _document(found.before),
                "after": _document(found.after),
                "counts": {kind: len(paths) for kind, paths in kinds.items()},
                **{kind: list(paths) for kind, paths in kinds.items()},
                "classes": {
                    each: {"before": was.get(each, 0), "after": now.get(each, 0)} for each in sorted({*was, *now})
                },
            }
        )
        return
    counts = ", ".join(f"{len(paths):,} {kind}" for kind, paths in kinds.items())
    lines = [f"{name} {found.before.label} to {found.after.label}: {counts}."]
    for kind, paths in kinds.items():
        lines += [f"  {kind:7}  {printable(path)}" for path in paths[:_FIRST_FILES]]
        if len(paths) > _FIRST_FILES:
            lines.append(f"  {kind:7}  and {len(paths) - _FIRST_FILES:,} more")
    for line in lines:
        streams.console().print(Text(line, overflow="fold"))
    # Those that changed come first, because only so many are shown.
    classes = sorted({*was, *now}, key=lambda each: (was.get(each) == now.get(each), each))
    rows = [
        ("(in no folder)" if each == TOP_LEVEL else printable(each), f"{was.get(each, 0):,}", f"{now.get(each, 0):,}")
        for each in classes[:_FIRST_CLASSES]
    ]
    typer.echo()
    _print_table(("class", found.before.label, found.after.label), rows, fold=(0,))
    if len(classes) > _FIRST_CLASSES:
        typer.echo(f"And {len(classes) - _FIRST_CLASSES:,} classes more; --json has all of them.")


def checkout(
    name: _Own,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="A new or an empty folder.")],
    version: Annotated[str, typer.Argument(metavar="[VERSION]", help="Such as v1; the newest if left out.")] = "",
    as_json: _Json = False,
) -> None:
    """Bring a version of your own data back into a folder, byte for byte."""
    from fortydays.data.version_documents import parse_number
    from fortydays.data.versions import check_out

    with _progress() as progress:
        number = parse_number(version) if version else None
        found = check_out(name, number, to, read_settings(), progress=progress)
    if as_json:
        _print_json({"folder": str(to.absolute()), "version": _document(found)})
    else:
        typer.echo(f"{found} is in {printable(str(to))}: {_amounts(found)}.")


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


def _amounts(version: "DataVersion") -> str:
    in_classes = _count_classes(version)
    classes = f"{in_classes:,} class{'es' if in_classes != 1 else ''}"
    return f"{counted(version.files, 'file')} in {classes}, {size_in_words(version.bytes)}"


def _count_classes(version: "DataVersion") -> int:
    from fortydays.data.version_documents import TOP_LEVEL

    return len(version.classes.keys() - {TOP_LEVEL})


def _print_exchange(name: str, remote: str, new: "Sequence[DataVersion]", what: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(
            {"name": name, "remote": without_credentials(remote), "new": [_document(version) for version in new]}
        )
    elif new:
        typer.echo(f"{what}: {', '.join(map(str, new))}.")
    else:
        typer.echo(f"{name}: nothing new; every version was there.")


def _print_table(heads: "Sequence[str]", rows: "Sequence[Sequence[str]]", *, fold: tuple[int, ...]) -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table

    columns = [
        Column(head, overflow="fold") if place in fold else Column(head, justify="right", no_wrap=True)
        for place, head in enumerate(heads)
    ]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    streams.console().print(table)

"""The part of ``forty data`` that is about a reader's own folders: add, versions, diff, checkout, push, pull."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.settings import read_settings
from fortydays.base.text import counted, printable, size_in_words, without_credentials
from fortydays.cli import streams
from fortydays.cli.progress import console_progress
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.data.version_documents import DataVersion

_FIRST_FILES = 5
_FIRST_CLASSES = 40

_Own = Annotated[str, typer.Argument(metavar="NAME", help="Your own data, as `forty data versions` names it.")]
_Remote = Annotated[str, typer.Argument(metavar="REMOTE", help="A folder, or any address that DVC knows.")]


def add(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that holds your data.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it.")],
    message: Annotated[str, typer.Option("--message", metavar="TEXT", help="What to say of this version.")] = "",
    as_json: AsJson = False,
) -> None:
    """Keep your own folder as it is now, as a version. Its first folder level names the classes."""
    from fortydays.data.versions import add_version

    with console_progress(streams.console(stderr=True)) as progress:
        version, made = add_version(folder, name, read_settings(), message=message, progress=progress)
    if as_json:
        streams.print_json({"made": made, "version": _document(version)})
    elif made:
        typer.echo(f"{version}: {_amounts(version)}.")
        typer.echo(f"Learn from it: forty fit {version}")
    else:
        typer.echo(f"{name}: nothing has changed since {version.label}.")


def list_versions(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Your own data; all of it if left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the versions of your own data, oldest first."""
    from fortydays.data import version_documents as documents

    settings = read_settings()
    found = {each: documents.versions(each, settings) for each in ([name] if name else documents.names(settings))}
    if as_json:
        data = [{"name": each, "versions": list(map(_document, own))} for each, own in found.items()]
        streams.print_json({"data": data})
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
    as_json: AsJson = False,
) -> None:
    """Show which files two versions of your own data do not share, and their classes before and after."""
    from rich.text import Text

    from fortydays.data.version_documents import TOP_LEVEL, find, parse_number
    from fortydays.data.versions import difference

    settings, numbers = read_settings(), [parse_number(text) for text in (before, after)]
    old, new = (find(name, number, settings) for number in numbers)
    kinds, was, now = difference(old, new, settings), old.classes, new.classes
    if as_json:
        streams.print_json(
            {
                "name": name,
                "before": _document(old),
                "after": _document(new),
                "counts": {kind: len(paths) for kind, paths in kinds.items()},
                **kinds,
                "classes": {
                    each: {"before": was.get(each, 0), "after": now.get(each, 0)} for each in sorted({*was, *now})
                },
            }
        )
        return
    counts = ", ".join(f"{len(paths):,} {kind}" for kind, paths in kinds.items())
    lines = [f"{name} {old.label} to {new.label}: {counts}."]
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
    _print_table(("class", old.label, new.label), rows, fold=(0,))
    if len(classes) > _FIRST_CLASSES:
        typer.echo(f"And {len(classes) - _FIRST_CLASSES:,} classes more; --json has all of them.")


def checkout(
    name: _Own,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="A new or an empty folder.")],
    version: Annotated[str, typer.Argument(metavar="[VERSION]", help="Such as v1; the newest if left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Bring a version of your own data back into a folder, byte for byte."""
    from fortydays.data.version_documents import find, parse_number
    from fortydays.data.versions import check_out

    settings = read_settings()
    found = find(name, parse_number(version) if version else None, settings)
    with console_progress(streams.console(stderr=True)) as progress:
        check_out(found, to, settings, progress=progress)
    if as_json:
        streams.print_json({"folder": str(to.absolute()), "version": _document(found)})
    else:
        typer.echo(f"{found} is in {printable(str(to))}: {_amounts(found)}.")


def push(name: _Own, remote: _Remote, as_json: AsJson = False) -> None:
    """Copy the versions of your own data to a remote: a folder, or any address that DVC knows."""
    from fortydays.data.versions import push as push_versions

    with console_progress(streams.console(stderr=True)) as progress:
        new = push_versions(name, remote, read_settings(), progress=progress)
    _print_exchange(name, remote, new, f"New in {printable(without_credentials(remote))}", as_json=as_json)


def pull(name: _Own, remote: _Remote, as_json: AsJson = False) -> None:
    """Bring versions of data from a remote, and mend what is missing or altered of those that are here."""
    from fortydays.data.versions import pull as pull_versions

    with console_progress(streams.console(stderr=True)) as progress:
        new = pull_versions(name, remote, read_settings(), progress=progress)
    _print_exchange(name, remote, new, "New here", as_json=as_json)


def _document(version: "DataVersion") -> dict[str, Any]:
    # The schema version is of the file; that of what is printed stands at its top.
    return version.model_dump(exclude={"schema_version"})


def _amounts(version: "DataVersion") -> str:
    in_classes = _count_classes(version)
    classes = f"{in_classes:,} class{'es' if in_classes != 1 else ''}"
    return f"{counted(version.files, 'file')} in {classes}, {size_in_words(version.bytes)}"


def _count_classes(version: "DataVersion") -> int:
    from fortydays.data.version_documents import TOP_LEVEL

    return len(version.classes.keys() - {TOP_LEVEL})


def _print_exchange(name: str, remote: str, new: "Sequence[DataVersion]", what: str, *, as_json: bool) -> None:
    if as_json:
        streams.print_json({"name": name, "remote": without_credentials(remote), "new": list(map(_document, new))})
    elif new:
        typer.echo(f"{what}: {', '.join(map(str, new))}.")
    else:
        typer.echo(f"{name}: nothing new; every version was there.")


def _print_table(heads: "Sequence[str]", rows: "Sequence[Sequence[str]]", *, fold: tuple[int, ...]) -> None:
    from rich.table import Column

    from fortydays.report.tables import Table, number

    table = Table(*(Column(h, overflow="fold") if place in fold else number(h) for place, h in enumerate(heads)))
    for row in rows:
        table.add_row(*row)
    streams.console().print(table)

"""``forty data``: which datasets there are, getting them, and checking what is kept; and a reader's own data."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import DataError
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import size_in_words
from fortydays.cli import data_look, data_versions, streams

if TYPE_CHECKING:
    from fortydays.data.photographs import PhotographsSpec
    from fortydays.data.spec import DatasetSpec
    from fortydays.data.store import Verification
    from fortydays.inputs.input import Input

app = typer.Typer(no_args_is_help=True, help="List, get and check the datasets; keep versions of your own data.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset, as `forty data list` names it.")]


@app.command("list")
def list_datasets(as_json: _Json = False) -> None:
    """Show every dataset: its size, its splits, and whether it is in the cache."""
    from fortydays.data.catalog import DATASETS
    from fortydays.data.photographs import PHOTOGRAPHS

    settings = read_settings()
    rows = [_row(name, settings) for name in (*DATASETS, *PHOTOGRAPHS)]
    if as_json:
        _print_json({"datasets": rows})
        return
    from fortydays.report.tables import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("dataset")
    table.add_column("shape")
    for heading in ("classes", "train", "validation", "test", "download"):
        table.add_column(heading, justify="right")
    table.add_column("cached")
    for row in rows:
        splits, download = row["splits"], row["download_bytes"]
        table.add_row(
            row["name"],
            "x".join(map(str, row["shape"])),
            str(len(row["classes"])),
            *("" if splits[split] is None else f"{splits[split]:,}" for split in ("train", "validation", "test")),
            size_in_words(download) if download else "none",
            "yes" if row["cached"] else "no",
        )
    streams.console().print(table)


@app.command("get")
def get_dataset(name: _Name, as_json: _Json = False) -> None:
    """Make sure that a dataset is in the cache and right, and print where.

    A damaged copy is set aside and fetched again.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.data import catalog, photographs, store

    settings = read_settings()
    with console_progress(streams.console(stderr=True)) as progress:
        if name in photographs.PHOTOGRAPHS:
            folder = photographs.get(photographs.PHOTOGRAPHS[name], settings, progress, thorough=True)
        else:
            folder = store.get(catalog.find(name), settings, progress)
    if as_json:
        _print_json(_row(name, settings))
    else:
        typer.echo(folder)


@app.command("verify")
def verify_datasets(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A dataset or data of your own; all that is here if left out.")
    ] = "",
    as_json: _Json = False,
) -> None:
    """Read every byte of what is kept and compare with what it should be; change nothing."""
    from fortydays.data import photographs, store
    from fortydays.data.catalog import DATASETS
    from fortydays.data.photographs import PHOTOGRAPHS
    from fortydays.data.version_documents import names as own_names

    settings = read_settings()
    own = own_names(settings)
    public = (known for known, spec in PHOTOGRAPHS.items() if photographs.cached(spec, settings))
    names = [name] if name else [*(known for known in DATASETS if store.cached(known, settings)), *public, *own]
    found = [each for known in dict.fromkeys(names) for each in _verifications(known, own, settings)]
    if as_json:
        checks = [
            {"name": each.name, "path": str(each.path), "right": each.right, "problems": list(each.problems)}
            for each in found
        ]
        _print_json({"schema_version": 1, "datasets": checks})
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
    # A reader's name may be older than the dataset of that name; then both are looked at, as far as they are there.
    from fortydays.base.errors import unknown_name
    from fortydays.data import photographs, store
    from fortydays.data.catalog import DATASETS
    from fortydays.data.photographs import PHOTOGRAPHS

    found = []
    if name in DATASETS and (name not in own or store.cached(DATASETS[name], settings)):
        found.append(store.verify(name, settings))
    if name in PHOTOGRAPHS:
        found.append(photographs.verify(PHOTOGRAPHS[name], settings))
    if name in own:
        from fortydays.data.versions import verify_versions

        found.append(verify_versions(name, settings))
    if not found:
        raise unknown_name("dataset", name, [*DATASETS, *PHOTOGRAPHS, *own])
    return found


@app.command("path")
def path_of_dataset(name: _Name, as_json: _Json = False) -> None:
    """Print the folder in which a dataset is cached."""
    settings = read_settings()
    row = _row(name, settings)
    if not row["cached"]:
        raise DataError(
            f"The dataset {name!r} is not in the cache {settings.datasets}.",
            hint=f"Get it with: forty data get {name}",
        )
    if as_json:
        _print_json(row)
    else:
        typer.echo(row["path"])


app.command("look")(data_look.look)
app.command("add")(data_versions.add)
app.command("versions")(data_versions.list_versions)
app.command("diff")(data_versions.diff)
app.command("checkout")(data_versions.checkout)
app.command("push")(data_versions.push)
app.command("pull")(data_versions.pull)


def _description(spec: "DatasetSpec", settings: Settings) -> dict[str, Any]:
    from fortydays.data import store

    return {
        "name": spec.name,
        "title": spec.title,
        "version": spec.version,
        "digest": spec.digest,
        **_shown(spec.input),
        "classes": list(spec.classes),
        "splits": {"train": spec.sizes.train, "validation": spec.sizes.validation, "test": spec.sizes.test},
        "split_version": spec.split_version,
        "licence": spec.licence,
        "citation": spec.citation,
        "download_bytes": spec.download_bytes,
        "sources": list(dict.fromkeys(each.title for source in spec.sources for each in source.places)),
        "cached": store.cached(spec, settings),
        "path": str(store.path(spec, settings)),
    }


def _shown(input: "Input") -> dict[str, Any]:
    """What examples are, and the shape of the first array of one."""
    return {"input": input.summary(), "shape": list(input.arrays[0].shape)}


def _row(name: str, settings: Settings) -> dict[str, Any]:
    """What is known of a dataset by its name. Raises UsageError where there is none of that name."""
    from fortydays.base.errors import unknown_name
    from fortydays.data.catalog import DATASETS
    from fortydays.data.photographs import PHOTOGRAPHS

    if name in PHOTOGRAPHS:
        return _photographs(PHOTOGRAPHS[name], settings)
    if name not in DATASETS:
        raise unknown_name("dataset", name, (*DATASETS, *PHOTOGRAPHS))
    return _description(DATASETS[name], settings)


def _photographs(spec: "PhotographsSpec", settings: Settings) -> dict[str, Any]:
    """What is known of a public collection of photographs; its splits are made when it is first used."""
    from fortydays.data import photographs
    from fortydays.inputs.images import Images

    return {
        "name": spec.name,
        "title": spec.title,
        "version": spec.version,
        "digest": spec.digest,
        **_shown(Images(shape=(photographs.SIDE, photographs.SIDE, 3))),
        "classes": list(spec.classes),
        "splits": {"train": None, "validation": None, "test": None},
        "split_version": spec.split_version,
        "licence": spec.licence,
        "citation": spec.citation,
        "photographs": spec.photographs,
        "download_bytes": spec.archives[0].file.max_bytes,
        "sources": [archive.file.name for archive in spec.archives],
        "cached": photographs.cached(spec, settings),
        "path": str(photographs.folder(spec, settings)),
    }


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))

"""``forty data``: which datasets there are, getting them, and checking what is in the cache."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import DataError
from fortydays.base.settings import Settings, read_settings

if TYPE_CHECKING:
    from fortydays.data.spec import DatasetSpec

app = typer.Typer(no_args_is_help=True, help="List, get and check the datasets.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A dataset, as `forty data list` names it.")]


@app.command("list")
def list_datasets(as_json: _Json = False) -> None:
    """Show every dataset: its size, its splits, and whether it is in the cache."""
    from fortydays.data.catalog import DATASETS

    settings = read_settings()
    rows = [_description(spec, settings) for spec in DATASETS.values()]
    if as_json:
        _print_json({"datasets": rows})
        return
    import rich.console
    import rich.table

    table = rich.table.Table(box=None, pad_edge=False)
    table.add_column("dataset")
    table.add_column("image")
    for heading in ("classes", "train", "validation", "test", "download"):
        table.add_column(heading, justify="right")
    table.add_column("cached")
    for row in rows:
        splits, download = row["splits"], row["download_bytes"]
        table.add_row(
            row["name"],
            "x".join(str(size) for size in row["image_shape"]),
            str(len(row["classes"])),
            *(f"{splits[split]:,}" for split in ("train", "validation", "test")),
            f"{download / 1e6:,.0f} MB" if download else "none",
            "yes" if row["cached"] else "no",
        )
    rich.console.Console().print(table)


@app.command("get")
def get_dataset(name: _Name, as_json: _Json = False) -> None:
    """Make sure that a dataset is in the cache and right, and print where.

    A damaged copy is set aside and fetched again.
    """
    import rich.console

    from fortydays.cli.progress import console_progress
    from fortydays.data import catalog, store

    settings, spec = read_settings(), catalog.find(name)
    with console_progress(rich.console.Console(stderr=True)) as progress:
        folder = store.get(spec, settings, progress)
    if as_json:
        _print_json(_description(spec, settings))
    else:
        typer.echo(folder)


@app.command("verify")
def verify_datasets(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One dataset; all in the cache if left out.")] = "",
    as_json: _Json = False,
) -> None:
    """Read every byte of the cached datasets and compare with what is published; change nothing."""
    from fortydays.data import store
    from fortydays.data.catalog import DATASETS

    settings = read_settings()
    names = [name] if name else [known for known in DATASETS if store.cached(known, settings)]
    found = [store.verify(each, settings) for each in names]
    if as_json:
        checks = [
            {"name": each.name, "path": str(each.path), "right": each.right, "problems": list(each.problems)}
            for each in found
        ]
        _print_json({"datasets": checks})
    elif not found:
        typer.echo(f"No dataset is in the cache {settings.datasets}.")
    else:
        for each in found:
            typer.echo(f"{each.name}: {'right' if each.right else 'damaged'}")
            for problem in each.problems:
                typer.echo(f"  {problem}")
    wrong = [each.name for each in found if not each.right]
    if wrong:
        commands = ", ".join(f"forty data get {each}" for each in wrong)
        raise DataError(
            f"Damaged in the cache: {', '.join(wrong)}.", hint=f"Set aside and fetch again with: {commands}"
        )


@app.command("path")
def path_of_dataset(name: _Name, as_json: _Json = False) -> None:
    """Print the folder in which a dataset is cached."""
    from fortydays.data import catalog, store

    settings, spec = read_settings(), catalog.find(name)
    if not store.cached(spec, settings):
        raise DataError(
            f"The dataset {name!r} is not in the cache {settings.datasets}.",
            hint=f"Get it with: forty data get {name}",
        )
    if as_json:
        _print_json(_description(spec, settings))
    else:
        typer.echo(store.path(spec, settings))


def _description(spec: "DatasetSpec", settings: Settings) -> dict[str, Any]:
    from fortydays.data import store

    return {
        "name": spec.name,
        "title": spec.title,
        "version": spec.version,
        "digest": spec.digest,
        "image_shape": list(spec.image_shape),
        "classes": list(spec.classes),
        "splits": {"train": spec.sizes.train, "validation": spec.sizes.validation, "test": spec.sizes.test},
        "split_version": spec.split_version,
        "licence": spec.licence,
        "citation": spec.citation,
        "download_bytes": spec.download_bytes,
        "sources": [source.title for source in spec.sources],
        "cached": store.cached(spec, settings),
        "path": str(store.path(spec, settings)),
    }


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))

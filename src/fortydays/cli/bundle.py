"""``forty bundle``: what a service needs of a model version, as a folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.errors import UsageError
from fortydays.base.settings import read_settings
from fortydays.cli.registry import opened

if TYPE_CHECKING:
    from fortydays.registry.package import Manifest


def bundle(
    model: Annotated[str, typer.Argument(metavar="[NAME[@VERSION|@ALIAS]]", help="A version of a model.")] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Where to write.")] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FOLDER", help="Check every byte of a bundle instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write the bundle of a version into a new folder, or check one: model, labels, card, lineage, digests."""
    if verify is not None:
        if model or output:
            raise UsageError("--verify takes the folder of a bundle and nothing else.")
        from fortydays.registry.contents import open_bundle

        manifest, folder = open_bundle(verify, threads=1).manifest, verify
    elif not model or output is None:
        raise UsageError("Name a model and a folder: forty bundle NAME -o FOLDER", hint="Or: --verify FOLDER")
    else:
        from fortydays.registry.bundle import make_bundle
        from fortydays.registry.names import parse_reference

        settings = read_settings()
        reference = parse_reference(model)
        manifest, folder = make_bundle(reference, output, opened(settings), settings), output
    if as_json:
        typer.echo(json.dumps(_document(manifest, folder), ensure_ascii=False))
        return
    name = f"{manifest.facts['name']}@{manifest.facts['version']}"
    total = sum(size for _, size in manifest.files.values())
    what = "is whole" if verify is not None else "is written"
    typer.echo(f"The bundle of {name} in {folder} {what}: {len(manifest.files)} files, {total / 1e6:.2f} MB.")
    typer.echo(f"Its digest is {manifest.digest}")


def _document(manifest: "Manifest", folder: Path) -> dict[str, object]:
    return {
        "schema_version": 1,
        "folder": str(folder),
        "facts": dict(manifest.facts),
        "digest": manifest.digest,
        "files": {name: {"sha256": digest, "bytes": size} for name, (digest, size) in manifest.files.items()},
    }

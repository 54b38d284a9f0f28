"""The commands about models: ``forty models``, ``register`` and ``bundle``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted, printable
from fortydays.cli import streams
from fortydays.cli.listing import Commands
from fortydays.cli.progress import plain_lines, working
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.registry.registry import Registry, Version

app = typer.Typer(invoke_without_command=True, help="List the registered models; show one; free a lock.", cls=Commands)

_SHOWN = 20


def opened(settings: Settings, progress: "Progress | None" = None) -> "Registry":
    """The registry that the settings name.

    Progress, or else standard error, is told what the reader should know.

    Raises:
        TrackingError: it cannot be reached.
    """
    from fortydays.registry.registry import open_registry

    return open_registry(settings, progress or plain_lines())


def has_registry(settings: Settings) -> bool:
    """Whether there can be a registered model. To make a registry only to find it empty takes seconds."""
    from fortydays.track.store import destination

    database = destination(settings).database
    return database is None or files.exists(database)


@app.callback()
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the registered models: how many versions each has, and which one is in use."""
    if context.invoked_subcommand is not None:
        return
    settings = read_settings()
    registry = opened(settings) if has_registry(settings) else None
    found = {name: registry.versions(name) for name in registry.names()} if registry else {}
    if as_json:
        models = [{"name": name, "versions": [v.as_dict() for v in versions]} for name, versions in found.items()]
        streams.print_json({"models": models})
        return
    from fortydays.report.tables import Table, number

    console = streams.console()
    if not found:
        console.print("No model is registered yet. Register one with: forty register DAY")
        return
    table = Table("model", *map(number, ("versions", "champion", "challenger")), "newest")
    for name, versions in found.items():
        pointing = {alias: str(v.version) for v in versions for alias in v.aliases}
        aliases = (pointing.get(alias, "") for alias in ("champion", "challenger"))
        table.add_row(name, f"{len(versions):,}", *aliases, printable(_described(versions[-1])) if versions else "")
    console.print(table)


@app.command("list")
def list_again(context: typer.Context, as_json: AsJson = False) -> None:
    """The same as `forty models`."""
    context.invoked_subcommand = None
    list_models(context, as_json)


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION|@ALIAS]", help="A model, or one version of it.")],
    everything: Annotated[bool, typer.Option("--all", help="Every version, not the newest alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a model's versions and how its aliases moved, or the card of one version."""
    from fortydays.registry.card import read_card
    from fortydays.registry.names import parse_reference

    settings, reference = read_settings(), parse_reference(name)
    registry = opened(settings)
    if reference.version is not None or reference.alias is not None:
        version = registry.find(reference)
        card = read_card(version, registry, settings)
        if as_json:
            streams.print_json({"version": version.as_dict(), "card": card})
        else:
            typer.echo("\n".join(map(printable, card.splitlines())))
        return
    versions, moves = registry.versions(reference.name), registry.moves(reference.name)
    if as_json:
        told = {"versions": [v.as_dict() for v in versions], "moves": [move.as_dict() for move in moves]}
        streams.print_json({"name": reference.name, **told})
        return
    kept = [v for v in versions if everything or v.aliases or v.version > versions[-1].version - _SHOWN]
    _print_versions(kept)
    if len(kept) < len(versions):
        typer.echo(f"{len(versions) - len(kept):,} older versions are left out; --all shows them.")
    console = streams.console()
    for move in moves[-_SHOWN:]:
        was = f" (was {move.before})" if move.before else ""
        forced = f", by force against {', '.join(move.forced)}" if move.forced else ""
        reason = f": {move.reason}" if move.reason else ""
        said = f"{_minute(move.time)}  {move.kind}: {move.alias} is {move.version}{was}{forced}{reason}"
        console.print(printable(said), markup=False)


def _print_versions(versions: "list[Version]") -> None:
    from rich.table import Column

    from fortydays.report.tables import Table, number

    table = Table(number("version"), "alias", number("validation"), "registered", Column("made of", overflow="fold"))
    for v in versions:
        day, facts = v.facts.get("day", ""), v.facts
        study = f"day {day}" if day else facts.get("study", "not registered by this program")
        seed = f", seed {facts['seed']}" if "seed" in facts else ""
        made_of = f"{study}, {facts.get('variant', '?')}{seed}{', int8' if facts.get('precision') == 'int8' else ''}"
        alias = ", ".join(v.aliases) or ("retired" if v.retired else "")
        table.add_row(str(v.version), alias, _accuracy(v), _minute(v.created), printable(made_of))
    streams.console().print(table)


@app.command("unlock")
def unlock_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, as `forty models` names it.")],
    force: Annotated[bool, typer.Option("--force", help="Also where its holder may still be at work.")] = False,
) -> None:
    """Remove the lock that a process left on a model when it died."""
    removed = opened(read_settings()).locks.remove(name, force=force)
    typer.echo(f"The lock of {name} is removed." if removed else f"{name} was not locked.")


def _described(version: "Version") -> str:
    return ", ".join(filter(None, [version.facts.get("variant", "?"), _accuracy(version)]))


def _accuracy(version: "Version") -> str:
    """On the validation split; "" where others wrote no number into the registry."""
    try:
        return f"{100 * float(version.facts.get('validation_accuracy', '')):.2f}%"
    except ValueError:
        return ""


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


# ------------------------------------------------------------------------------------------------ registering, bundles


def register(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day, or the path of a study file, that has been run.")],
    variant: Annotated[str, typer.Option("--variant", help="Choose among the trials of this variant only.")] = "",
    name: Annotated[str, typer.Option("--name", help="What to call the model; its dataset's name if left out.")] = "",
    run: Annotated[str, typer.Option("--run", help="A run's id or its beginning; the newest if left out.")] = "",
    int8: Annotated[bool, typer.Option("--int8", help="Compute in whole numbers of 8 bits: smaller, faster.")] = False,
    as_json: AsJson = False,
) -> None:
    """Register the model of the trial that is best on the validation split.

    It is exported to ONNX, measured on validation images, and kept with its card and all that it is made of.
    """
    from fortydays.registry.registration import register as make

    settings = read_settings()
    with working("Stopped. See which versions there are: forty models") as progress:
        registry = opened(settings, progress)
        made = make(day, registry, settings, progress=progress, variant=variant, name=name, run_id=run, int8=int8)
    version, evaluation, lineage = made.version, made.evaluation, made.lineage
    if as_json:
        document = {"version": version.as_dict(), "evaluation": dict(evaluation), "lineage": dict(lineage)}
        streams.print_json(document)
        return
    typer.echo(
        f"{version}: {lineage['study']['variant']}, seed {lineage['trial']['seed']}, "
        f"{100 * evaluation['accuracy']:.2f}% of {counted(evaluation['images'], f'validation {made.noun}')}."
    )
    typer.echo(f"Next: forty promote {version} --to champion")


def bundle(
    model: Annotated[str, typer.Argument(metavar="[NAME[@VERSION|@ALIAS]]", help="A version of a model.")] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="Where to write.")] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FOLDER", help="Check every byte of a bundle instead.")
    ] = None,
    as_json: AsJson = False,
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

        settings, reference = read_settings(), parse_reference(model)
        manifest, folder = make_bundle(reference, output, opened(settings), settings), output
    facts, kept = manifest.facts, manifest.files
    if as_json:
        files = {name: {"sha256": digest, "bytes": size} for name, (digest, size) in kept.items()}
        streams.print_json({"folder": str(folder), "facts": dict(facts), "digest": manifest.digest, "files": files})
        return
    what = "is whole" if verify is not None else "is written"
    size = sum(size for _, size in kept.values()) / 1e6
    said = f"The bundle of {facts['name']}@{facts['version']} in {folder} {what}: {len(kept)} files, {size:.2f} MB."
    typer.echo(f"{said}\nIts digest is {manifest.digest}")

"""``forty register``: the best model of a finished run becomes a version in the registry."""

import json
from typing import Annotated

import typer

from fortydays.base.settings import read_settings
from fortydays.cli import streams
from fortydays.cli.registry import opened
from fortydays.cli.stopping import stopping_in_time


def register(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day, or the path of a study file, that has been run.")],
    variant: Annotated[str, typer.Option("--variant", help="Choose among the trials of this variant only.")] = "",
    name: Annotated[str, typer.Option("--name", help="What to call the model; its dataset's name if left out.")] = "",
    run: Annotated[str, typer.Option("--run", help="A run's id or its beginning; the newest if left out.")] = "",
    int8: Annotated[bool, typer.Option("--int8", help="Compute in whole numbers of 8 bits: smaller, faster.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Register the model of the trial that is best on the validation split.

    It is exported to ONNX, measured on validation images, and kept with its card and all that it is made of.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.registry.registration import register as make

    settings = read_settings()
    with (
        console_progress(streams.console(stderr=True)) as progress,
        stopping_in_time(lambda: "Stopped. See which versions there are: forty models"),
    ):
        made = make(
            day,
            opened(settings, progress),
            settings,
            progress=progress,
            variant=variant,
            name=name,
            run_id=run,
            int8=int8,
        )
    version = made.version
    if as_json:
        document = {
            "schema_version": 1,
            "version": version.as_dict(),
            "evaluation": dict(made.evaluation),
            "lineage": dict(made.lineage),
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    study, trial = made.lineage["study"], made.lineage["trial"]
    typer.echo(
        f"{version}: {study['variant']}, seed {trial['seed']}, "
        f"{100 * made.evaluation['accuracy']:.2f}% of {made.evaluation['images']:,} validation images."
    )
    typer.echo(f"Next: forty promote {version} --to champion")

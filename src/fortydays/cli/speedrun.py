"""``forty speedrun``: how many seconds a network takes to an accuracy."""

from typing import Annotated, Any

import typer

from fortydays.base.errors import ExitCode
from fortydays.base.settings import read_settings
from fortydays.base.text import counted
from fortydays.cli import streams
from fortydays.cli.progress import working
from fortydays.cli.streams import AsJson


def speedrun(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that has presets: cifar10.")],
    to: Annotated[float, typer.Option("--to", metavar="ACCURACY", help="The mean accuracy to reach, such as 0.94.")],
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Networks to train.")] = 3,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="Train on the training split only, and evaluate the validation split."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Train fast networks and say how many seconds they take to a mean test accuracy.

    The clock runs from the start of a seed's training to the end of its evaluation; compiling is told
    apart. FORTYDAYS_THREADS says how many threads compute, KERAS_BACKEND=jax takes a GPU. Exit code 3 where the mean
    accuracy is below the one asked for.
    """
    from fortydays.study.speedrun import find_preset

    settings = read_settings()
    preset = find_preset(dataset, to)
    with working("Stopped.") as progress:
        from fortydays.data import library
        from fortydays.study.speedrun import run_speedrun

        loaded = library.load(dataset, settings, progress)
        found = run_speedrun(
            loaded,
            preset,
            target=to,
            seeds=seeds,
            threads=settings.threads,
            validate=validate,
            progress=progress,
            workspace=settings.workspace,
        )
    if as_json:
        streams.print_json(found)
    else:
        _print_speedrun(found)
    return int(ExitCode.DONE if found["reached"] else ExitCode.NOT_MET)


def _print_speedrun(found: dict[str, Any]) -> None:
    """A table of seeds, then what was not timed, then the verdict."""
    from fortydays.report.numbers import mean_and_spread
    from fortydays.report.tables import Table, number
    from fortydays.study.statistics import Interval

    console = streams.console()

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, width=min(console.width, 80))

    def percent(share: float) -> str:
        return f"{100 * share:.2f}%"

    recipe = found["recipe"]
    say(f"Speedrun · {found['dataset']['name']} to {percent(found['target'])}", "bold")
    say(
        f"blocks of {'-'.join(map(str, found['network']['widths']))} filters, {found['parameters']:,} parameters; "
        f"{counted(recipe['epochs'], 'epoch')} of {found['trained_on']:,} images in batches of "
        f"{recipe['batch_size']:,}",
        "dim",
    )
    threads = counted(found["threads"], "thread")
    say(f"{found['device']} · {threads} · {found['backend']} · {found['precision']}", "dim")
    console.print()
    table = Table("seed", number(f"{found['split']} accuracy"), number("seconds"))
    for each in found["seeds"]:
        table.add_row(str(each["seed"]), percent(each["accuracy"]), f"{each['seconds']:,.2f}")
    accuracy, seconds = Interval(**found["accuracy"]), Interval(**found["seconds"])
    means = mean_and_spread(accuracy, "share", digits=2), mean_and_spread(seconds, "", digits=2)
    table.add_row("mean", *means, style="bold")
    console.print(table)
    console.print()
    say(f"Not in these seconds: building and compiling, {found['compile_seconds']:.1f} s.")
    if found["split"] == "validation":
        say("Trained on the training split alone, with seeds for tuning; the test split was not opened.")
    said, style = ("Reached", "green") if found["reached"] else ("Not reached", "yellow")
    many = counted(len(found["seeds"]), "seed")
    say(f"{said}: {percent(accuracy.mean)} on average over {many}, {percent(found['target'])} asked for.", style)

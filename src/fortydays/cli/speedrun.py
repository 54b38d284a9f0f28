"""``forty speedrun``: how many seconds of training until a network is that good."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base import clock
from fortydays.base.errors import ExitCode
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted
from fortydays.cli import streams
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    import rich.console

    from fortydays.base.progress import Progress
    from fortydays.study.speedrun import Preset, Speedrun
    from fortydays.study.statistics import Interval

_WIDTH = 80


def speedrun(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset that has presets: cifar10.")],
    to: Annotated[float, typer.Option("--to", metavar="ACCURACY", help="The mean accuracy to reach, such as 0.94.")],
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Networks to train.")] = 3,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="Train on the training split only, and evaluate the validation split."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; all else to stderr.")] = False,
) -> int:
    """Train fast networks and say how many seconds they take to a mean test accuracy.

    The clock runs from the start of a seed's training to the end of its evaluation; loading and compiling are told
    apart. FORTYDAYS_THREADS says how many threads compute, KERAS_BACKEND=jax takes a GPU. Exit code 3 where the mean
    accuracy is below the one asked for.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.study.speedrun import find_preset

    settings = read_settings()
    preset = find_preset(dataset, to)
    with console_progress(streams.console(stderr=True)) as progress, stopping_in_time(lambda: _STOPPED):
        found = _run(dataset, preset, settings, progress, target=to, seeds=seeds, validate=validate)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), ensure_ascii=False, allow_nan=False))
    else:
        print_speedrun(found, streams.console())
    return int(ExitCode.DONE if found.reached else ExitCode.NOT_MET)


_STOPPED = "Stopped. A speedrun keeps nothing; the seeds that were done are above."


def _run(
    dataset: str,
    preset: "Preset",
    settings: Settings,
    progress: "Progress",
    *,
    target: float,
    seeds: int,
    validate: bool,
) -> "Speedrun":
    from fortydays.data import store
    from fortydays.study.runner import StudyInterruptedError
    from fortydays.study.speedrun import run_speedrun

    try:
        began = clock.seconds()
        loaded = store.load(dataset, settings, progress)
        return run_speedrun(
            loaded,
            preset,
            target=target,
            seeds=seeds,
            threads=settings.threads,
            validate=validate,
            loading_seconds=clock.seconds() - began,
            progress=progress,
        )
    except KeyboardInterrupt as interrupt:
        raise StudyInterruptedError(_STOPPED) from interrupt


def print_speedrun(found: "Speedrun", console: "rich.console.Console") -> None:
    """Print a speedrun as a table, with the verdict last."""
    from fortydays.report.tables import Table

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, width=min(console.width, _WIDTH))

    preset = found.preset
    recipe = preset.recipe
    title = found.dataset
    say(f"Speedrun · {title} to {_percent(found.target)}", "bold")
    epochs = counted(recipe.epochs, "epoch")
    say(
        f"whitening, blocks of {'-'.join(map(str, preset.widths))} filters, {found.parameters:,} parameters; {epochs} "
        f"of {found.trained_on:,} images in batches of {recipe.batch_size:,}",
        "dim",
    )
    threads = counted(found.threads, "thread")
    say(f"{found.device} · {threads} · {_backend()} · {found.precision}", "dim")
    console.print()
    table = Table(box=None, pad_edge=False)
    table.add_column("seed")
    for name in (f"{found.split} accuracy", "training", "evaluation", "seconds"):
        table.add_column(name, justify="right")
    for r in found.results:
        times = (r.training_seconds, r.evaluation_seconds, r.seconds)
        table.add_row(str(r.seed), _percent(r.accuracy), *(f"{t:,.2f}" for t in times))
    for name, accuracy, seconds in _summary(found.accuracy, found.seconds):
        table.add_row(name, accuracy, "", "", seconds, style="bold" if name == "mean" else "")
    console.print(table)
    console.print()
    loading = found.loading_seconds
    say(
        f"Not in these seconds: loading Keras {loading['keras']:.1f} s and the data {loading['data']:.1f} s, "
        f"building and compiling {found.compile_seconds:.1f} s."
    )
    say(f"Cold, from the start of the process to the end of the first seed: {found.cold_seconds:.1f} s.")
    if found.split == "validation":
        say("Trained on the training split alone, with seeds for tuning; the test split was not opened.")
    many = counted(len(found.results), "seed")
    reached = "Reached" if found.reached else "Not reached"
    said = f"{reached}: {_percent(found.accuracy.mean)} on average over {many}, {_percent(found.target)} asked for."
    say(said, "green" if found.reached else "yellow")


def _summary(accuracy: "Interval", seconds: "Interval") -> list[tuple[str, str, str]]:
    """The rows below the seeds: mean, standard deviation and interval of accuracy and seconds."""
    rows = [("mean", _percent(accuracy.mean), f"{seconds.mean:,.2f}")]
    if accuracy.std is None or seconds.std is None:
        return rows
    assert accuracy.low is not None and accuracy.high is not None and seconds.low is not None
    rows.append(("std", f"{100 * accuracy.std:.2f}%", f"{seconds.std:,.2f}"))
    between = f"{100 * accuracy.low:.2f} to {100 * accuracy.high:.2f}%"
    rows.append(("95% interval", between, f"{seconds.low:,.2f} to {seconds.high:,.2f}"))
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _backend() -> str:
    from fortydays.train import backends

    return {"tensorflow": "TensorFlow", "jax": "JAX"}.get(backends.wanted(), backends.wanted())

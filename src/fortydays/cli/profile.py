"""``forty profile``: which operations take a training step's time."""

from typing import Annotated

import typer

from fortydays.base.errors import ExitCode, UsageError
from fortydays.base.settings import read_settings
from fortydays.cli import streams
from fortydays.cli.stopping import stopping_in_time

_SHOWN = 12


def profile(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (6, day6, its name) or a study file (.py).")],
    only: Annotated[str | None, typer.Option("--only", metavar="VARIANT", help="This variant [the first].")] = None,
) -> int:
    """Train some steps of a day's variant and print which operations took their time.

    Nothing is kept. For the TensorFlow backend. A net of dense layers is one XLA program, and so one operation.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.days.loading import find_study, load_study
    from fortydays.train import backends

    settings = read_settings()
    if backends.wanted() != "tensorflow":
        raise UsageError(
            f"A profile is for the backend 'tensorflow'; KERAS_BACKEND is {backends.wanted()!r}.",
            hint="Unset KERAS_BACKEND. XLA, by which other backends compute, fuses a step into one program.",
        )
    file = find_study(day)
    with console_progress(streams.console(stderr=True)) as progress, stopping_in_time(lambda: "Stopped."):
        from fortydays.data import store
        from fortydays.study.profile import profile_variant

        study = load_study(file, threads=settings.threads).study
        variants, _ = study.select((only,) if only else ())
        if not variants or study.dataset is None:
            raise UsageError(f"{only or study.title!r} is of drills, which train nothing that could be profiled.")
        variant = variants[0]
        if variant.features is not None:
            raise UsageError(
                f"{variant.name!r} learns from features, and a profile is of networks that learn from pixels.",
                hint="Name another variant: --only VARIANT.",
            )
        data = store.load(study.dataset, settings, progress).training
        progress.say(f"Training steps of {variant.name}")
        found = profile_variant(variant, data)
    from fortydays.report.tables import Table

    console = streams.console()
    title = f"{study.title} · {found.variant} · {found.precision} · batches of {found.batch_size:,}"
    console.print(title, style="bold", markup=False, highlight=False)
    console.print()
    table, total = Table(box=None, pad_edge=False), sum(found.operations.values())
    for name in ("operation", "share", "ms a step"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for kind, value in list(found.operations.items())[:_SHOWN]:
        table.add_row(kind, f"{100 * value / total:.1f}%", f"{value:,.2f}")
    console.print(table)
    console.print()
    speed = found.batch_size / found.milliseconds * 1000
    console.print(f"{found.milliseconds:,.2f} ms a step without the profiler, {speed:,.0f} images a second.")
    return int(ExitCode.DONE)

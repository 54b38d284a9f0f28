"""``forty profile``: where a training step's time goes."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base.errors import ExitCode, UsageError
from fortydays.base.settings import read_settings
from fortydays.base.text import counted
from fortydays.cli import streams
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import rich.console

    from fortydays.study.design import Study
    from fortydays.study.profile import Profile, Share

_WIDTH = 80
_BAR = 30


def profile(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (6, day6, its name) or a study file (.py).")],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="VARIANT", help="This variant or group; repeat for more [the first]."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="ENGINE",
            help="compiled, plain (without substituted layers), or fit (Keras's own loop).",
        ),
    ] = "compiled",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; all else to stderr.")] = False,
) -> int:
    """Train some steps of a day's variant and print where their time went, and what keeping results costs.

    Nothing is kept. For the TensorFlow backend, on which nets with convolutions can be told apart by layer; nets of
    dense layers run as one XLA program, of which the whole step is timed.
    """
    from fortydays.cli.progress import console_progress
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.profile import check_profiled

    settings = read_settings()
    check_profiled(engine=engine)
    file = find_study(day)
    with console_progress(streams.console(stderr=True)) as progress, stopping_in_time(lambda: "Stopped."):
        from fortydays.data import store
        from fortydays.study.profile import document, profile_study

        progress.say("Loading Keras")
        source = load_study(file, threads=settings.threads)
        _check_pixels(source.study, tuple(only or ()))
        dataset = store.load(source.study.dataset, settings, progress)
        found = profile_study(
            source.study, dataset, settings, only=tuple(only or ()), engine=engine, progress=progress
        )
    if as_json:
        content = document(found, day=source.day, title=source.study.title, threads=settings.threads)
        typer.echo(json.dumps(content, ensure_ascii=False, allow_nan=False))
    else:
        title = f"Day {source.day} · {source.study.title}" if source.day is not None else source.study.title
        print_profiles(found, streams.console(), title=title, threads=settings.threads)
    return int(ExitCode.DONE)


def _check_pixels(study: "Study", only: tuple[str, ...]) -> None:
    """Raise UsageError where a variant learns from features: what there is to tell of such a step is one product."""
    chosen = study.select(only) if only else study.variants[:1]
    found = [variant.name for variant in chosen if variant.features is not None]
    if found:
        others = [variant.name for variant in study.variants if variant.features is None]
        raise UsageError(
            f"{found[0]!r} learns from features, and a profile is of networks that learn from pixels.",
            hint=f"Name others: --only {' --only '.join(map(repr, others))}" if others else "Profile another day.",
        )


def print_profiles(found: "Sequence[Profile]", console: "rich.console.Console", *, title: str, threads: int) -> None:
    """Print profiles, one after the other."""

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, width=min(console.width, _WIDTH))

    for profile in found:
        say(f"{title} · {profile.variant}", "bold")
        say(
            f"engine {profile.engine} · {profile.precision} · batches of {profile.batch_size:,} · "
            f"{counted(threads, 'thread')}",
            "dim",
        )
        console.print()
        if profile.fused:
            say("XLA compiles the whole step of this net into one program and fuses its operations across layers.")
            say("So only the step as a whole can be told. --engine fit shows parts, as Keras's own loop runs them.")
        else:
            console.print(_table("part", profile.parts, ascii_only=console.options.ascii_only))
            console.print()
            console.print(_table("slowest layers", profile.layers, ascii_only=console.options.ascii_only))
        console.print()
        say(
            f"{profile.milliseconds:,.2f} ms a step, {profile.images_a_second:,.0f} images a second "
            f"({counted(profile.steps, 'step')}, without the profiler).",
            "bold",
        )
        for line in _on_keeping(profile):
            say(line)
        if not profile.fused:
            say(
                "Shares are of the time that operations ran; of two at once, both count. An activation that is fused "
                "into a convolution or a dense layer counts as that.",
                "dim",
            )
        console.print()


def _table(title: str, found: "Sequence[Share]", *, ascii_only: bool) -> "rich.console.RenderableType":
    from fortydays.report.tables import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(title, min_width=22, overflow="ellipsis", no_wrap=True)
    table.add_column("share", justify="right")
    table.add_column("ms a step", justify="right")
    table.add_column("")
    most = max(part.share for part in found)
    for part in found:
        bar = ("#" if ascii_only else "█") * round(_BAR * part.share / most)
        table.add_row(part.name, f"{100 * part.share:.1f}%", f"{part.milliseconds:,.2f}", bar)
    return table


def _on_keeping(profile: "Profile") -> list[str]:
    keeping = profile.keeping
    written = f"{keeping.results_milliseconds:,.0f} ms for weights, predictions and result"
    if keeping.checkpoints:
        many = counted(keeping.checkpoints, "checkpoint")
        written = f"{many} of {keeping.checkpoint_milliseconds:,.0f} ms and {written}"
    return [
        f"The run's folder adds {100 * keeping.share_of_trial:.1f}% to a trial of all epochs: {written}, measured by "
        "writing such files here. The tracker reads them from a process of its own, at the lowest priority, and adds "
        "nothing to a step; `make bench` measures a study with and without it."
    ]

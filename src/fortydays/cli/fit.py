"""``forty fit``: from your own photographs or texts to a model that can be served."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import ExitCode, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.cli import streams
from fortydays.cli.cluster import On, checked_place, executor_on
from fortydays.cli.data_look import FIXED_CAMERA, GROUP, LABEL, OUTPUT, TEXT
from fortydays.cli.models import opened
from fortydays.cli.progress import plain_lines, working
from fortydays.cli.stopping import typed_again
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.cluster.place import Place
    from fortydays.fit.fitting import Fitted
    from fortydays.fit.request import FitRequest
    from fortydays.study.runs import RunFolder

_TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def fit(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|TABLE",
            help="One folder for each class, of photographs or .txt; a CSV or JSONL table of files, or of texts (also "
            "Parquet), with labels; NAME@v2; or tf_flowers.",
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What to call the model [the folder's name].")
    ] = "",
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone", metavar="NAME", help="Of photographs: the pretrained network [the best that can be had]."
        ),
    ] = "auto",
    time: Annotated[
        str, typer.Option("--time", metavar="TIME", help="To plan for, such as 90s, 5m or 1h [as it takes].")
    ] = "",
    target: Annotated[
        float | None,
        typer.Option(
            "--target",
            metavar="SHARE",
            help="Of test photographs or texts to be right, over all seeds; exit code 3 if that is not supported.",
        ),
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Also train the network's last block further: minutes.")
    ] = False,
    fixed_camera: Annotated[bool, FIXED_CAMERA] = False,
    text: Annotated[str, TEXT] = "",
    label: Annotated[str, LABEL] = "",
    group: Annotated[str, GROUP] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Learn anew, even where nothing has changed.")] = False,
    output: Annotated[Path | None, OUTPUT] = None,
    no_track: Annotated[bool, typer.Option("--no-track", help="Do not record the run in MLflow.")] = False,
    on: On = None,
    as_json: AsJson = False,
) -> int:
    """Learn to tell your photographs or texts apart: look, divide, learn, show, and keep the model.

    Your folder or table is only read. Given again, the command goes on where it was stopped, and is over at once
    where nothing has changed. Exit code 3 where the target is missed or the model does not pass a gate.
    """
    from fortydays.fit.request import FitRequest, name_of
    from fortydays.report.fitted import write_page

    settings = read_settings()
    place = checked_place(on, settings)
    request = FitRequest(
        source=folder,
        name=name_of(folder, name, settings),
        backbone=backbone,
        seconds=seconds_of(time) if time else None,
        target=target,
        fine_tune=fine_tune,
        fixed_camera=fixed_camera,
        fresh=fresh,
        text=text,
        label=label,
        group=group,
    )
    done, trouble = _fitted(request, settings, track=not no_track, place=place)
    page = write_page(done, output, settings)
    (_print_json if as_json else _print)(done, page)
    for line in trouble:
        plain_lines().say(line)
    # The target is a claim of the study, and that its claims are supported is a gate.
    return int(ExitCode.DONE if done.findings.alias else ExitCode.NOT_MET)


def _fitted(
    request: "FitRequest", settings: Settings, *, track: bool, place: "Place | None"
) -> "tuple[Fitted, list[str]]":
    """What came out of the fit, and what went wrong with the tracker."""
    from fortydays.fit import fitting
    from fortydays.report.photographs import tell
    from fortydays.study.runner import StudyInterruptedError

    trouble: list[str] = []
    stopped, hint = "Stopped. What was done is kept.", f"Continue with: {typed_again(sys.argv[1:])}"
    with working(f"{stopped}\n{hint}") as progress:

        def run_study(study: Path, fresh: bool) -> "tuple[RunFolder, dict[str, Any]]":
            run, evidence, told = _trained(study, settings, progress, fresh=fresh, track=track, place=place)
            trouble.extend(told)
            return run, evidence

        try:
            done = fitting.fit(
                request,
                settings,
                progress=progress,
                run_study=run_study,
                registry=lambda: opened(settings, progress),
                looked=lambda found, content: tell(
                    found, content, name=request.name, place=request.source, settings=settings, progress=progress
                ),
            )
        except (KeyboardInterrupt, StudyInterruptedError) as interrupt:
            raise StudyInterruptedError(stopped, hint=hint) from interrupt
    return done, trouble


def _trained(
    study: Path, settings: Settings, progress: "Progress", *, fresh: bool, track: bool, place: "Place | None"
) -> "tuple[RunFolder, dict[str, Any], list[str]]":
    from fortydays.days.loading import find_study
    from fortydays.study.plan import Request
    from fortydays.track.follower import TrackingListener
    from fortydays.track.tracked import carry_out

    listener, request = TrackingListener(settings, enabled=track), Request(command=typed_again(sys.argv[1:]))
    file = find_study(str(study))
    run, evidence = carry_out(
        file,
        request,
        settings,
        listener,
        progress=progress,
        fresh=fresh,
        renew=True,
        executor=executor_on(place, settings, progress),
    )
    return run, evidence, listener.trouble()


def _print_json(done: "Fitted", page: Path) -> None:
    document = {"page": str(page), "run": done.run.run_id, "study": str(done.study), "reused": done.reused}
    streams.print_json(document | {"notes": list(done.notes), "findings": done.findings.as_dict()})


def _print(done: "Fitted", page: Path) -> None:
    from fortydays.report.fitted import print_findings

    console = streams.console()
    if done.reused:
        console.print(f"Nothing has changed since {done.findings.created[:10]}; --fresh learns anew.", markup=False)
    for note in done.notes:
        console.print(note, markup=False)
    print_findings(done.findings, console)
    typer.echo(f"\nThe page with {'examples' if done.findings.noun == 'text' else 'pictures'}: {page}")
    model, _, version = done.findings.model.partition("@")
    if done.findings.alias:
        typer.echo(f"Serve it: forty serve {model}")
        what = "new.csv" if done.findings.noun == "text" else "FILE"
        typer.echo(f"Ask it: forty predict {model} {what}")
        return
    closed = "; ".join(str(gate["gate"]) for gate in done.findings.gates if not gate["passed"])
    why = f" Not passed: {closed}." if closed else ""
    typer.echo(f"{model}@{version} is registered, and not the champion.{why}")
    typer.echo(f'To use it all the same: forty promote {model}@{version} --to champion --force --reason "..."')


def seconds_of(text: str) -> float:
    """How many seconds a time like ``90s``, ``5m`` or ``1h30m`` is; a number alone is seconds.

    Raises:
        UsageError: it is no time.
    """
    found = _TIME.fullmatch(text.strip().lower())
    if not text.strip() or not found or not any(found.groups()):
        raise UsageError(f"--time is {text[:40]!r}; expected a time such as 90s, 5m or 1h30m.")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds

"""``forty verify``: is the published evidence still true of today's code and data?"""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import ExitCode, FortydaysError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted, shown
from fortydays.cli import streams
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    from fortydays.days.journey import Day
    from fortydays.study.runner import StudySource


def verify(
    days: Annotated[
        list[str] | None, typer.Argument(metavar="DAY", help="Days to verify; every published one if none.")
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Train again and compare.")] = False,
    renew: Annotated[
        bool,
        typer.Option(
            "--renew",
            help="Where only the engine has changed, train one seed again: the same bits renew it. "
            "Where only claims have changed, judge them from the trials; nothing is trained.",
        ),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="With --renew, on any machine: today's engine and the one of this Git revision have to train alike.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="With --against, after how many a trial is stopped; 1 unless given."),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(min=1_000, help="With --against, how many training images the trials see; all unless given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Say which published evidence is stale, and with --rerun whether a fresh run agrees with it.

    Evidence is stale where the day's study, the engine, the dataset or the splits are not those it was made with.
    Its verdicts are judged again from its trials. Exit code 3 where anything is stale or does not agree, 1 where a
    file is damaged.
    """
    settings = read_settings()
    other = _other_engine(against, epochs, examples, renew=renew)
    if renew:
        for day in _chosen(days or []):
            _renew(day, settings, other)
    findings = [_verify(day, settings, rerun=rerun) for day in _chosen(days or [])]
    if as_json:
        typer.echo(json.dumps({"days": findings}, ensure_ascii=False))
    else:
        _print(findings)
    if any(f["state"] == "damaged" for f in findings):
        return int(ExitCode.FAILED)
    good = all(f["state"] == "current" and f.get("agrees", True) for f in findings)
    return int(ExitCode.DONE if good else ExitCode.NOT_MET)


def _chosen(names: list[str]) -> "list[Day]":
    from fortydays.days.journey import JOURNEY, find_day
    from fortydays.study.evidence import published

    if names:
        return [find_day(name) for name in names]
    shipped = published()
    return [day for day in JOURNEY if shipped.path(day.number).exists()]


def _verify(day: "Day", settings: Settings, *, rerun: bool) -> dict[str, Any]:
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.evidence import published
    from fortydays.study.verification import agreement, stale_parts

    found: dict[str, Any] = {"day": day.number, "title": day.title}
    try:
        evidence = published().read(day.number)
    except FortydaysError as error:
        return {**found, "state": "damaged", "reasons": [error.message]}
    if evidence is None:
        return {**found, "state": "missing", "reasons": ["no evidence is published"]}
    source = load_study(find_study(str(day.number)), threads=settings.threads)
    try:
        reasons = stale_parts(evidence, source.path, source.study)
    except (KeyError, TypeError) as error:
        path = published().path(day.number)
        return {**found, "state": "damaged", "reasons": [f"{path} is damaged: it has no {error}."]}
    found |= {"state": "stale" if reasons else "current", "reasons": reasons, "created": evidence["created"]}
    if rerun:
        found |= agreement(evidence, _run_again(source, settings))
    return found


def _other_engine(
    against: str | None, epochs: int | None, examples: int | None, *, renew: bool
) -> tuple[str, int, int | None] | None:
    """The commit whose engine today's is to be compared with, in how many epochs of how many images; None for none."""
    if against is None:
        if examples is not None:
            raise UsageError(
                f"--examples {examples} is for --against only.",
                hint="forty verify --renew --against REVISION --examples 5000",
            )
        if epochs is not None:
            raise UsageError(
                f"--epochs {epochs} is for --against only.", hint="forty verify --renew --against REVISION --epochs 2"
            )
        return None
    if not renew:
        raise UsageError(
            f"--against {shown(against)} is for --renew only.", hint=f"forty verify --renew --against {against}"
        )
    from fortydays.base.revision import find_commit

    return find_commit(against), epochs or 1, examples


def _renew(day: "Day", settings: Settings, other: tuple[str, int, int | None] | None) -> None:

    from fortydays.cli.progress import console_progress
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.evidence import check_publishable, judgements, publish, published
    from fortydays.study.renewal import renewed, renewed_against
    from fortydays.study.verification import ENGINE_CHANGED, OF_CLAIMS, stale_parts

    evidence = published().read(day.number)
    if evidence is None:
        return
    source = load_study(find_study(str(day.number)), threads=settings.threads)
    reasons = set(stale_parts(evidence, source.path, source.study))
    if not reasons or reasons - {ENGINE_CHANGED, *OF_CLAIMS}:
        return  # current, or stale for more than can be renewed: what is printed afterwards says so
    check_publishable(day.number)
    evidence |= judgements(source.study, evidence["trials"])  # the trials are as they were, so nothing is trained
    if ENGINE_CHANGED not in reasons:
        publish(evidence)
        return
    with (
        console_progress(streams.console(stderr=True)) as progress,
        stopping_in_time(lambda: "Stopped. The published evidence is as it was."),
    ):
        if other is None:
            progress.say(f"Day {source.day}: training one seed of each variant again")
            publish(renewed(evidence, source, settings, progress=progress))
            return
        commit, epochs, examples = other
        said = "the first epoch" if epochs == 1 else counted(epochs, "epoch")
        few = "" if examples is None else f", {examples:,} images each"
        progress.say(f"Day {source.day}: training {said} of one seed of each variant{few}, with both engines")
        publish(
            renewed_against(
                evidence, source, settings, commit=commit, epochs=epochs, examples=examples, progress=progress
            )
        )


def _run_again(source: "StudySource", settings: Settings) -> dict[str, Any]:

    from fortydays.cli.progress import console_progress
    from fortydays.study.runner import Request, run_study

    with (
        console_progress(streams.console(stderr=True)) as progress,
        stopping_in_time(lambda: "Stopped. The published evidence is as it was."),
    ):
        progress.say(f"Day {source.day}: running again")
        # Always anew: what is verified is that today's program gives these numbers from the first step.
        return run_study(source, Request(), settings, progress=progress, fresh=True)[1]


def _print(findings: list[dict[str, Any]]) -> None:
    from fortydays.report.tables import Table
    from fortydays.study.verification import OF_CLAIMS

    console = streams.console()
    if not findings:
        console.print("No evidence is published yet.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("day", justify="right")
    table.add_column("title")
    table.add_column("evidence")
    table.add_column("what", overflow="fold")
    for f in findings:
        said = list(f["reasons"])
        if "agrees" in f:
            said.insert(0, f["agreement"])
        style = "green" if f["state"] == "current" and f.get("agrees", True) else "yellow"
        table.add_row(str(f["day"]), f["title"], f"[{style}]{f['state']}[/]", "\n".join(said))
    console.print(table)
    stale = [f for f in findings if f["state"] != "current"]
    judged = " ".join(str(f["day"]) for f in stale if f["reasons"] and {*f["reasons"]} <= {*OF_CLAIMS})
    if judged:
        console.print(f"Judge the claims anew, without training: forty verify {judged} --renew")
    elif stale:
        console.print("Renew with: forty run DAY --publish")

"""``forty verify``: is the published evidence still true of today's code and data?"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base.errors import DataError, ExitCode, FortydaysError, StorageError, UsageError
from fortydays.base.process import end_with_parent
from fortydays.base.progress import SILENT
from fortydays.base.settings import Settings, available_cores, read_settings
from fortydays.cli import streams
from fortydays.cli.cluster import On, checked_place, executor_on
from fortydays.cli.progress import working
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.cluster.place import Place
    from fortydays.days.journey import Day


def verify(
    days: Annotated[
        list[str] | None, typer.Argument(metavar="DAY", help="Days to verify; every published one if none.")
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Train again and compare.")] = False,
    judge: Annotated[
        bool,
        typer.Option(
            "--judge", help="Where claims or overviews alone have changed, make them anew; seal what is not sealed."
        ),
    ] = False,
    on: On = None,
    as_json: AsJson = False,
) -> int:
    """Say which published evidence is stale, and with --rerun whether a fresh run agrees with it.

    Evidence is stale where the program would compute something else than it did: other programs, initial weights,
    order, draws, learning rates, splits or measures. That is found without training. Its verdicts are judged again
    from its trials, and each part of it must be as its seal says. Exit code 3 where anything is stale, cannot be
    compared here or does not agree, 1 where a file is damaged.
    """
    if on is not None and not rerun:
        raise UsageError("--on says where to train again, and without --rerun nothing is.", hint="Add --rerun.")
    settings = read_settings()
    place = checked_place(on, settings)
    chosen = _chosen(days or [])
    if judge:
        for day in chosen:
            _judge(day, settings)
    with working("Stopped. The published evidence is as it was.") as progress:
        findings = _found(chosen, settings, progress)
        if rerun:
            findings = [
                found
                if found["state"] in ("damaged", "missing")
                else found | _run_again(day, settings, progress, place)
                for day, found in zip(chosen, findings, strict=True)
            ]
    if as_json:
        streams.print_json({"days": findings})
    else:
        _print(findings)
    if any(f["state"] == "damaged" for f in findings):
        return int(ExitCode.FAILED)
    good = all(f["state"] == "current" and f.get("agrees", True) for f in findings)
    return int(ExitCode.DONE if good else ExitCode.NOT_MET)


def _found(days: "list[Day]", settings: Settings, progress: "Progress") -> list[dict[str, Any]]:
    """What is found of each day; of several days, at the same time in as many processes as there are cores."""
    workers = min(len(days), available_cores())
    if workers < 2:
        return [_verify(day, settings, progress) for day in days]
    task = f"What {len(days)} days compute"
    progress.start(task, total=float(len(days)), unit="days")
    # A process that has traced one study is let go: frameworks give back little of what they took.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1, initializer=end_with_parent) as pool:
        # The later days have the larger networks: begun first, they are not waited for in the end.
        work = {day.number: pool.submit(_verify, day, settings) for day in reversed(days)}
        for number, _ in enumerate(as_completed(work.values())):
            progress.advance(task, done=number + 1.0)
        progress.finish(task)
        return [work[day.number].result() for day in days]


def _chosen(names: list[str]) -> "list[Day]":
    from fortydays.days.journey import JOURNEY, find_day
    from fortydays.study.evidence import published

    if names:
        return [find_day(name) for name in names]
    shipped = published()
    return [day for day in JOURNEY if shipped.path(day.number).exists()]


def _verify(day: "Day", settings: Settings, progress: "Progress" = SILENT) -> dict[str, Any]:
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.evidence import published
    from fortydays.study.identity import NotComparableError, changes
    from fortydays.study.verification import damage_named, stale_parts, unfinished

    found: dict[str, Any] = {"day": day.number, "title": day.title}
    try:
        evidence = published().read(day.number)
    except FortydaysError as error:
        return {**found, "state": "damaged", "reasons": [error.message]}
    if evidence is None:
        return {**found, "state": "missing", "reasons": ["no evidence is published"]}
    study = load_study(find_study(str(day.number)), threads=settings.threads).study
    try:
        with damage_named(published().path(day.number)):
            created, reasons, lacking = evidence["created"], stale_parts(evidence, study), unfinished(evidence)
    except StorageError as error:
        return {**found, "state": "damaged", "reasons": [error.message]}
    state = ""
    try:
        if not reasons:
            progress.say(f"Day {day.number}: looking at what is computed; nothing is trained")
            reasons = changes(evidence, study, settings, progress=progress)
    except (NotComparableError, DataError) as error:
        reasons, state = [f"{error.message} {error.hint}".strip()], "unknown"
    except (KeyError, TypeError) as error:
        path = published().path(day.number)
        return {**found, "state": "damaged", "reasons": [f"{path} is damaged: it has no {error}."]}
    state = state or ("stale" if reasons else "current")
    if study.drills and not reasons:
        reasons = ["its drills are compared by running them: --rerun"]
    if state == "current" and lacking:
        reasons = [*reasons, *lacking, f"forty verify {day.number} --judge adds it"]
    return {**found, "state": state, "reasons": reasons, "created": created}


def _judge(day: "Day", settings: Settings) -> None:
    """Publish the verdicts and the overviews that the study makes of the published trials, where all else is the same.

    Evidence of an older program gets what it lacks.
    """
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.evidence import check_publishable, publish, published, with_changes, with_overviews
    from fortydays.study.verification import OF_CLAIMS, damage_named, stale_parts, unfinished

    evidence = published().read(day.number)
    if evidence is None:
        return
    study = load_study(find_study(str(day.number)), threads=settings.threads).study
    try:
        with damage_named(published().path(day.number)):
            reasons, lacking = stale_parts(evidence, study), unfinished(evidence)
    except StorageError:
        return  # what is printed afterwards says what is wrong, here and where more than claims has changed
    if (reasons or lacking) and {*reasons} <= {*OF_CLAIMS}:
        check_publishable(day.number)
        publish(with_changes(study, with_overviews(study, evidence)))


def _run_again(day: "Day", settings: Settings, progress: "Progress", place: "Place | None") -> dict[str, Any]:
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.evidence import published
    from fortydays.study.plan import Request
    from fortydays.study.runner import run_study
    from fortydays.study.verification import agreement

    evidence = published().read(day.number)
    assert evidence is not None
    source = load_study(find_study(str(day.number)), threads=settings.threads)
    progress.say(f"Day {day.number}: running again")
    # Always anew: what is verified is that today's program gives these numbers from the first step.
    executor = executor_on(place, settings, progress)
    _, found = run_study(source, Request(), settings, progress=progress, fresh=True, executor=executor)
    return agreement(evidence, found)


def _print(findings: list[dict[str, Any]]) -> None:
    from rich.table import Column
    from rich.text import Text

    from fortydays.report.tables import Table, number
    from fortydays.study.seal import EDITED
    from fortydays.study.verification import OF_CLAIMS

    console = streams.console()
    if not findings:
        console.print("No evidence is published yet.")
        return
    table = Table(number("day"), "title", "evidence", Column("what", overflow="fold"))
    for f in findings:
        said = [f["agreement"], *f["reasons"]] if "agrees" in f else f["reasons"]
        style = "green" if f["state"] == "current" and f.get("agrees", True) else "yellow"
        table.add_row(str(f["day"]), f["title"], Text(f["state"], style), "\n".join(said))
    console.print(table)
    stale = [f for f in findings if f["state"] != "current"]
    judged = " ".join(str(f["day"]) for f in stale if f["reasons"] and {*f["reasons"]} <= {*OF_CLAIMS})
    if judged:
        console.print(f"Judge and draw anew, without training: forty verify {judged} --judge")
    elif any(reason.startswith(EDITED) for f in stale for reason in f["reasons"]):
        console.print(
            "Get the edited file again: git restore evidence. Or train and publish it: forty run DAY --publish"
        )
    elif any(f["state"] == "stale" for f in stale):
        console.print("Train and publish it again: forty run DAY --publish")

"""``forty run``: train a day's trials, check its claims, and show what came out."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, UsageError, unknown_name
from fortydays.base.settings import Settings, read_settings
from fortydays.base.text import counted
from fortydays.cli import drafts, streams
from fortydays.cli.cluster import On, checked_place, executor_on
from fortydays.cli.progress import console_progress, plain_lines
from fortydays.cli.stopping import stopping_in_time, typed_again
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.cluster.place import Place
    from fortydays.study.plan import Request
    from fortydays.study.runs import RunFolder


def run(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (1, day1, first-network) or a study file (.py).")],
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds", metavar="N", help="Trials of each variant and drill [as many as the study has]; or seeds: 5-28."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="VARIANT", help="This variant, drill or group; repeat for more."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A recipe field for every variant; repeat for more."),
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="ENGINE", help="compiled, or plain (without substituted layers).")
    ] = "compiled",
    examples: Annotated[
        str | None,
        typer.Option("--examples", metavar="N", help="Only a try: at most N examples of each split, no verdicts."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 unless every claim is supported.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, even where an interrupted run could go on.")
    ] = False,
    no_track: Annotated[bool, typer.Option("--no-track", help="Do not record the run in MLflow.")] = False,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Write the evidence into the source checkout as the published one; with --only, beside the others.",
        ),
    ] = False,
    on: On = None,
    as_json: AsJson = False,
) -> int:
    """Run a day's study: train every variant and carry out every drill with every seed, check the claims.

    A run that was stopped or killed goes on where it stopped when the same command is given again.
    """
    from fortydays.study.plan import Request

    asked, variants = tuple(settings or ()), tuple(only or ())
    command = typed_again(sys.argv[1:])
    request = Request(
        seeds=_seeds(seeds),
        only=variants,
        settings=asked,
        engine=engine,
        examples=_examples(examples),
        command=command,
        publish=publish,
    )
    if strict and request.examples is not None:
        raise UsageError("--strict asks for verdicts, and a try with --examples has none.", hint="Leave one away.")
    _check_settings(request.settings)
    _check_only(day, request.only)
    environment, console = read_settings(), streams.console(stderr=True)
    place = checked_place(on, environment)
    drafts.tell_named(day)
    before: dict[str, Any] = {}
    if publish:
        with console_progress(console) as progress:
            before = _published_beside(day, request, environment, progress)
    with console_progress(console) as progress:
        folder, evidence, tracking = _run(
            day, request, environment, progress, fresh=fresh, no_track=no_track, place=place
        )
    if as_json:
        from fortydays.study.evidence import outline

        typer.echo(json.dumps(outline(evidence), ensure_ascii=False, allow_nan=False))
    else:
        from fortydays.report.terminal import print_evidence

        print_evidence(evidence, streams.console(), source=f"your run {folder.run_id}")
    for line in tracking:
        plain_lines().say(line)
    if publish:
        with console_progress(console) as progress:
            _publish(day, evidence, before, environment, progress)
    if any(t["error"] for t in evidence["trials"]):
        return int(ExitCode.FAILED)
    missed = strict and any(c["verdict"] != "supported" for c in evidence["claims"])
    return int(ExitCode.NOT_MET if missed else ExitCode.DONE)


def _run(
    day: str,
    request: "Request",
    settings: Settings,
    progress: "Progress",
    *,
    fresh: bool,
    no_track: bool,
    place: "Place | None",
) -> "tuple[RunFolder, dict[str, Any], list[str]]":
    from fortydays.days.loading import find_study
    from fortydays.study.runner import StudyInterruptedError
    from fortydays.track.follower import TrackingListener
    from fortydays.track.tracked import carry_out

    files.make_folder(settings.workspace)
    again = f"Continue with: {request.command}"
    listener = TrackingListener(settings, enabled=not no_track)
    with stopping_in_time(lambda: f"Stopped. {_kept(listener.run)}\n{again}"):
        try:
            folder, evidence = carry_out(
                find_study(day),
                request,
                settings,
                listener,
                progress=progress,
                fresh=fresh,
                executor=executor_on(place, settings, progress),
            )
        except StudyInterruptedError as error:
            raise StudyInterruptedError(error.message, hint=again) from error.__cause__
        except KeyboardInterrupt as interrupt:
            raise StudyInterruptedError(f"Stopped. {_kept(listener.run)}", hint=again) from interrupt
    return folder, evidence, listener.trouble()


def _kept(run: "RunFolder | None") -> str:
    """What a reader who stops now keeps."""
    done = sum(t.result.exists() for t in run.trials()) if run else 0
    return f"{counted(done, 'trial')} {'is' if done == 1 else 'are'} done and kept."


def _seeds(text: str | None) -> int | range | None:
    """How many seeds, or from which one to which. Raises UsageError."""
    if text is None:
        return None
    first, dash, last = text.strip().partition("-")
    numbers = [int(each) for each in (first, last) if each.isdecimal() and len(each) <= 10]
    if not dash and len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 2 and numbers[0] <= numbers[1] < 2**32:
        return range(numbers[0], numbers[1] + 1)
    raise UsageError(
        f"--seeds is {text!r}; expected a whole number from 1 to 1000, or a range such as 5-28.",
    )


def _examples(text: str | None) -> int | None:
    """How many examples each split of a try has at most. Raises UsageError."""
    if text is None or (text.strip().isdecimal() and len(text.strip()) <= 10):
        return None if text is None else int(text)
    raise UsageError(f"--examples is {text!r}; expected a whole number, such as 500.")


def _check_settings(settings: tuple[str, ...]) -> None:
    """Refuse a mistyped ``--set`` before Keras is loaded. Raises UsageError."""
    from fortydays.train.recipe import OPTIMIZERS, Recipe

    options = [each for each in settings if each.startswith("optimizer_options.")]
    others = [each for each in settings if each not in options]
    for setting in others:
        Recipe(epochs=1).with_settings([setting])
    named = [value.strip() for field, _, value in (each.partition("=") for each in others) if field == "optimizer"]
    # Where none is named, the study names one for each variant, and says which does not have the option.
    candidates = named or list(OPTIMIZERS)
    for setting in options:
        option = setting.partition("=")[0].removeprefix("optimizer_options.").strip()
        fitting = [optimizer for optimizer in candidates if option in OPTIMIZERS[optimizer]]
        if not fitting:
            known = sorted({known for optimizer in candidates for known in OPTIMIZERS[optimizer]})
            raise unknown_name("option", option, known, of=f"the optimizer {named[0]!r}" if named else "any optimizer")
        Recipe(epochs=1, optimizer=fitting[0]).with_settings([setting])


def _check_only(day: str, only: tuple[str, ...]) -> None:
    """Refuse a mistyped ``--only`` of a day before Keras is loaded: the published evidence knows the variants.

    Raises:
        UsageError: neither the evidence nor the study file knows such a variant or group.
        StorageError: the evidence is damaged.
    """
    from fortydays.days.loading import find_study
    from fortydays.study.evidence import published

    file = find_study(day) if only else None
    evidence = published().read(file.day) if file is not None and file.day is not None else None
    if file is None or evidence is None:
        return
    details = evidence["details"]
    known = dict.fromkeys([*details, *(group for each in details.values() if (group := each.get("group")))])
    source = file.path.read_text("utf-8")
    for name in only:
        if name not in known and name not in source:
            raise unknown_name("variant", name, known)


def _published_beside(day: str, request: "Request", settings: Settings, progress: "Progress") -> dict[str, Any]:
    """The published evidence that a run of some variants will be joined to; {} where it will stand alone.

    A request whose evidence could not be published is refused before anything is trained.

    Raises:
        UsageError: it is of a study of one's own, of other recipes or of fewer seeds, or of some variants beside which
            the published trials of the others cannot stay; or the published evidence is not that of a source checkout.
    """
    from fortydays.days.journey import find_day, is_draft
    from fortydays.days.loading import find_study, is_study_file, load_study
    from fortydays.study.evidence import check_publishable, published

    if is_study_file(day) or request.settings or request.seeds or request.engine != "compiled":
        raise UsageError(
            "Only what a day's study says is published: no --set, --seeds or --engine.",
            hint="Leave --publish away to run what you asked for.",
        )
    found = find_day(day)
    number, unfinished = found.number, is_draft(found)
    check_publishable(number)
    if request.only:
        from fortydays.study.joining import check_joinable, with_probes

        source = load_study(find_study(day), threads=settings.threads)
        study = source.study
        variants, drills = study.select(request.only)
        trained = [variant.name for variant in variants] + [drill.name for drill in drills]
        before = published().read(number)
        check_joinable(study, before, trained, settings, unfinished=unfinished, progress=progress)
        if before is not None:
            return with_probes(source, before, trained, settings, progress)
    return {}


def _publish(
    day: str, evidence: dict[str, Any], before: dict[str, Any], settings: Settings, progress: "Progress"
) -> None:
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.evidence import publish
    from fortydays.study.identity import identity_of_study

    if any(t["error"] for t in evidence["trials"]):
        raise FortydaysError("Evidence with failed trials is not published.", hint="The run is kept: forty runs")
    study = load_study(find_study(day), threads=settings.threads).study
    if evidence["request"]["only"]:
        from fortydays.study.joining import joined

        evidence = joined(study, before, evidence)
    details = evidence["details"]  # a draft may have only some of the variants
    identity = identity_of_study(
        study, details, seed=evidence["seeds"][0], settings=settings, only=details, progress=progress
    )
    publish(evidence | {"identity": identity})

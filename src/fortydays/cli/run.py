"""``forty run``: train a day's trials, check its claims, and show what came out."""

import json
import sys
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fortydays.base import files
from fortydays.base.errors import ExitCode, FortydaysError, UsageError
from fortydays.base.settings import Settings, read_settings
from fortydays.cli.stopping import stopping_in_time

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.study.runner import Request, StudySource
    from fortydays.study.runs import RunFolder
    from fortydays.track.tracker import Tracker

SECONDS_BEFORE_TRACKING = 30.0
"""The tracker starts after so long, or when the run has ended: starting takes seconds and would slow a short run."""

SECONDS_TO_WAIT_FOR_STORE = 0.2
"""How long the end of a run waits for the tracker, which otherwise goes on in the background."""

SECONDS_TO_WAIT_FOR_SERVER = 3.0
"""The same where it sends to a server, which may turn out to be out of reach; the reader is to hear of that."""

SECONDS_TO_WAIT_WHEN_STOPPED = 0.1
"""The same where the reader has stopped the run and wants the prompt back."""


def run(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (1, day1, first-network) or a study file (.py).")],
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Trials of each variant [the study's own: 5].")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="VARIANT", help="This variant or group; repeat for more.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A recipe field for every variant; repeat for more."),
    ] = None,
    engine: Annotated[
        str, typer.Option("--engine", metavar="ENGINE", help="compiled, or fit (Keras's own loop, the reference).")
    ] = "compiled",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 unless every claim is supported.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, even where an interrupted run could go on.")
    ] = False,
    no_track: Annotated[bool, typer.Option("--no-track", help="Do not record the run in MLflow.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Write the evidence into the source checkout as the published one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document; all else to stderr.")] = False,
) -> int:
    """Run a day's study: train every variant with every seed, check the claims, show the result.

    A run that was stopped or killed goes on where it stopped when the same command is given again.
    """
    import rich.console

    from fortydays.cli.progress import console_progress
    from fortydays.study.runner import Request

    console = rich.console.Console(stderr=True)
    environment = read_settings()
    request = Request(seeds=seeds, only=tuple(only or ()), settings=tuple(settings or ()), engine=engine)
    if publish:
        _check_publishable(day, request)
    with console_progress(console) as progress:
        folder, evidence, tracking = _run(
            day, request, environment, progress, fresh=fresh, no_track=no_track, command=_again(sys.argv[1:])
        )
    if as_json:
        from fortydays.study.evidence import outline

        typer.echo(json.dumps(outline(evidence), ensure_ascii=False, allow_nan=False))
    else:
        from fortydays.report.terminal import print_evidence

        print_evidence(evidence, rich.console.Console(), source=f"your run {folder.run_id}")
    for line in tracking:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if publish:
        _publish(evidence)
    if any(t["status"] == "failed" for t in evidence["trials"]):
        return int(ExitCode.FAILED)
    if strict and any(c["verdict"] != "supported" for c in evidence["claims"]):
        return int(ExitCode.NOT_MET)
    return int(ExitCode.DONE)


def _run(
    day: str,
    request: "Request",
    settings: Settings,
    progress: "Progress",
    *,
    fresh: bool,
    no_track: bool,
    command: str,
) -> "tuple[RunFolder, dict[str, Any], list[str]]":
    from fortydays.study.runner import StudyInterruptedError, run_study

    files.make_folder(settings.workspace)
    again = f"Continue with: forty {command}"
    listener = _ListeningCommand(settings, tracked=not no_track)
    with stopping_in_time(lambda: f"Stopped. {listener.kept()}\n{again}"):
        seconds_to_wait = SECONDS_TO_WAIT_FOR_SERVER if settings.tracking_uri else SECONDS_TO_WAIT_FOR_STORE
        try:
            source = _load(day, settings, progress)
            folder, evidence = run_study(source, request, settings, progress=progress, listener=listener, fresh=fresh)
        except StudyInterruptedError as error:
            seconds_to_wait = SECONDS_TO_WAIT_WHEN_STOPPED
            raise StudyInterruptedError(error.message, hint=again) from error.__cause__
        except KeyboardInterrupt as interrupt:
            seconds_to_wait = SECONDS_TO_WAIT_WHEN_STOPPED
            raise StudyInterruptedError(f"Stopped. {listener.kept()}", hint=again) from interrupt
        finally:
            notes = listener.close(seconds_to_wait)
    return folder, evidence, notes


def _load(day: str, settings: Settings, progress: "Progress") -> "StudySource":
    from fortydays.days.loading import find_study, load_study

    file = find_study(day)
    progress.say("Loading Keras")
    return load_study(file, threads=settings.threads)


class _ListeningCommand:
    """The command's part while the study runs: it starts the tracker and tells it of trials."""

    def __init__(self, settings: Settings, *, tracked: bool) -> None:
        self._settings, self._tracked = settings, tracked
        self._tracker: Tracker | None = None
        self._run: RunFolder | None = None
        self._starting = threading.Lock()
        self._later = threading.Timer(SECONDS_BEFORE_TRACKING, self._start)
        self._later.daemon = True

    def started(self, run: "RunFolder") -> None:
        self._run = run
        if self._tracked and self._settings.tracking_uri:
            self._start()  # at once, so that a server out of reach is known when the run ends
        elif self._tracked:
            self._later.start()

    def trial_ended(self, run: "RunFolder") -> None:  # noqa: ARG002
        with self._starting:
            if self._tracker:
                self._tracker.poke()

    def ended(self, run: "RunFolder") -> None:
        """Nothing: the tracker is closed when the command ends, whatever the reason."""

    def _start(self) -> None:
        """Start the tracker, once; called by the timer, or when the command ends."""
        from fortydays.track.tracker import start

        with self._starting:
            if self._tracker is None and self._run is not None:
                self._tracker = start(self._run, self._settings)

    def kept(self) -> str:
        """What a reader who stops now keeps."""
        done = sum(t.result.exists() for t in self._run.trials()) if self._run else 0
        return f"{done} trials are done and kept."

    def close(self, seconds_to_wait: float) -> list[str]:
        """End the tracker; lines for the reader where there is something to say."""
        self._later.cancel()
        if self._tracked:
            self._start()
        if self._tracker is None:
            return []
        outcome = self._tracker.close(seconds_to_wait)
        if outcome.state == "sending" and self._settings.tracking_uri and not outcome.message:
            return ["The tracking server has not taken everything yet. To see that it does: forty sync"]
        return [outcome.message] if outcome.message else []


def _again(arguments: list[str]) -> str:
    """The command line as it would be given again."""
    import shlex

    return shlex.join([a for a in arguments if a != "--fresh"])


def _check_publishable(day: str, request: "Request") -> None:
    """Refuse, before anything is trained, a request whose evidence would not be a day's whole study.

    Raises:
        UsageError: it is of a study of one's own, of some variants, of other recipes or of fewer seeds.
    """
    from fortydays.days.loading import is_study_file

    if is_study_file(day) or request.only or request.settings or request.seeds or request.engine != "compiled":
        raise UsageError(
            "Only a day's whole study is published: no --only, --set, --seeds or --engine.",
            hint="Leave --publish away to run what you asked for.",
        )


def _publish(evidence: dict[str, Any]) -> None:
    from fortydays.study.evidence import published

    if any(t["status"] == "failed" for t in evidence["trials"]):
        raise FortydaysError("Evidence with failed trials is not published.", hint="The run is kept: forty runs")
    text = json.dumps(evidence, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    files.write_text(published().path(evidence["day"]), text + "\n")

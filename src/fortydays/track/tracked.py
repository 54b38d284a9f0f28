"""A study carried out while the tracker is told of it: what every way to run a study has in common."""

import functools
from typing import Any

from fortydays.base.errors import StudyChangedError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings
from fortydays.days.loading import StudyFile
from fortydays.study.executor import Executor
from fortydays.study.plan import Request
from fortydays.study.runs import RunFolder
from fortydays.track.follower import TrackingListener


def carry_out(
    file: StudyFile,
    request: Request,
    settings: Settings,
    listener: TrackingListener,
    *,
    progress: Progress,
    fresh: bool,
    renew: bool = False,
    executor: Executor | None = None,
) -> tuple[RunFolder, dict[str, Any]]:
    """Run the study of a file, from the start or from where an interrupted run stopped.

    Args:
        file: with the study.
        request: what is asked of it.
        settings: where state lives, and threads.
        listener: has the run followed.
        progress: told of the work.
        fresh: begin anew, even where an interrupted run could go on.
        renew: begin anew where an interrupted run cannot go on; otherwise that is an error.
        executor: trains the trials; None for this process.

    Returns:
        The run's folder and its evidence.

    Raises:
        FortydaysError: as :func:`~fortydays.days.loading.load_study` and :func:`~fortydays.study.runner.run_study`.
    """
    from fortydays.days.loading import load_study
    from fortydays.study.runner import run_study

    progress.say("Loading Keras")
    source = load_study(file, threads=settings.threads)
    run = functools.partial(
        run_study, source, request, settings, progress=progress, started=listener.started, executor=executor
    )
    try:
        return run(fresh=fresh)
    except StudyChangedError as error:
        if not renew:
            raise
        progress.say(f"{error.message} It begins anew.")
        return run(fresh=True)

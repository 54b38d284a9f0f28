"""``forty tune``: search the recipe of a variant, on the validation split."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fortydays.base import files
from fortydays.base.settings import Settings, read_settings
from fortydays.cli import drafts, streams
from fortydays.cli.cluster import On, checked_place, executor_on
from fortydays.cli.progress import working
from fortydays.cli.stopping import typed_again
from fortydays.cli.streams import AsJson

if TYPE_CHECKING:
    from fortydays.cluster.place import Place
    from fortydays.tune.request import TuneRequest
    from fortydays.tune.searching import Tuned

_FILE = "tuned.py"


def tune(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (1, day1, first-network) or a study file (.py).")],
    only: Annotated[
        str, typer.Option("--only", metavar="VARIANT", help="Whose recipe [the study's, where it has one variant].")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=...",
            help="What to vary: LOW..HIGH, LOW..HIGH:log or A,B,C; repeat for more fields.",
        ),
    ] = None,
    candidates: Annotated[
        int, typer.Option("--trials", metavar="N", help="How many candidates are tried; with more, a search goes on.")
    ] = 24,
    width: Annotated[
        int, typer.Option("--batch", metavar="N", help="How many of them are asked for at once; part of the search.")
    ] = 8,
    no_halving: Annotated[
        bool, typer.Option("--no-halving", help="Stop none early: train every candidate for all its epochs.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the sampler that proposes candidates.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help=f"Where to write the study [{_FILE}; of a file, beside it]."
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even where the search could go on.")] = False,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """Search the recipe of a variant on the validation split, and write a study with what was chosen.

    A search that was stopped or killed goes on where it stopped when the same command is given again. No test example
    is seen, and the seeds of the tries are never reported.
    """
    from fortydays.report.tuned import print_found, write_page
    from fortydays.tune.request import TuneRequest
    from fortydays.tune.space import Space

    request = TuneRequest(
        variant=only,
        settings=tuple(settings or ()),
        candidates=candidates,
        width=width,
        halving=not no_halving,
        sampler_seed=seed,
        command=typed_again(sys.argv[1:]),
    )
    Space.parse(request.settings)  # a slip is told before Keras is loaded
    environment = read_settings()
    place = checked_place(on, environment)
    drafts.tell_named(day)
    done, study = _tuned(day, request, environment, output, fresh=fresh, place=place)
    page = write_page(done.found, name=f"search-{done.folder.path.name}", study=str(study), settings=environment)
    if as_json:
        streams.print_json(
            {"page": str(page), "study": str(study), "reused": not done.trained, "found": done.found.as_dict()}
        )
        return
    if not done.trained:
        typer.echo(f"Nothing has changed since {done.found.created[:10]}; --fresh searches anew.")
    print_found(done.found, streams.console())
    typer.echo(f"\nThe page with pictures: {page}")
    typer.echo(f"The study: {study}")
    typer.echo(f"Run it: forty run {shlex.quote(str(study))}")


def _tuned(
    day: str,
    request: "TuneRequest",
    settings: Settings,
    output: Path | None,
    *,
    fresh: bool,
    place: "Place | None",
) -> "tuple[Tuned, Path]":
    """What was found, and where the study is that came of it."""
    from fortydays.days.loading import find_study, load_study
    from fortydays.study.runner import StudyInterruptedError
    from fortydays.tune.searching import tune as search
    from fortydays.tune.study_file import check_free, check_place, module_of, study_text, write_study

    file = find_study(day)
    path = output or (Path(_FILE) if file.day is not None else Path(day).with_name(_FILE))
    check_place(path, None if file.day is not None else file.path)
    module = module_of(file.path, day_module=file.module if file.day is not None else None)
    if fresh:
        check_free(path)
    again = f"Continue with: {request.command}"
    files.make_folder(settings.workspace)
    with working(f"Stopped. What was tried is kept.\n{again}") as progress:
        try:
            source = load_study(file, threads=settings.threads)
            done = search(
                source,
                request,
                settings,
                progress=progress,
                fresh=fresh,
                executor=executor_on(place, settings, progress),
                starting=lambda: check_free(path),
            )
        except StudyInterruptedError as error:
            raise StudyInterruptedError(error.message, hint=again) from error.__cause__
        except KeyboardInterrupt as interrupt:
            raise StudyInterruptedError("Stopped. What was tried is kept.", hint=again) from interrupt
    write_study(path, study_text(done.found, source, module=module))
    return done, path

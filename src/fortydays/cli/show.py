"""``forty show``: what a day's trials gave, and the verdicts on its claims."""

import json
from typing import Annotated

import typer

from fortydays.base.errors import StorageError
from fortydays.base.settings import read_settings
from fortydays.cli import streams


def show(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day (1, day1, first-network) or a study file (.py).")],
    published: Annotated[
        bool, typer.Option("--published", help="The published evidence, even where you have a run of your own.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show a day's results: your own latest run, or else the published evidence."""
    from fortydays.report.lookup import find_subject, need_evidence
    from fortydays.report.results import read_results
    from fortydays.study import evidence

    subject = find_subject(day)
    found = need_evidence(subject, read_settings(), evidence.published(), only_published=published)
    if as_json:
        read_results(found.evidence)  # so that what other programs are given is whole
        try:
            typer.echo(json.dumps(evidence.outline(found.evidence), allow_nan=False))
        except ValueError as error:
            raise StorageError(f"The evidence is damaged: {error}.", hint="Make it anew with `forty run`.") from error
        return

    from fortydays.report.terminal import print_evidence

    print_evidence(found.evidence, streams.console(), source=found.source)

"""What the commands about model versions share: opening the registry."""

from typing import TYPE_CHECKING

import typer

from fortydays.base.settings import Settings

if TYPE_CHECKING:
    from fortydays.base.progress import Progress
    from fortydays.registry.catalog import Catalog


def opened(settings: Settings, progress: "Progress | None" = None) -> "Catalog":
    """The registry that the settings name.

    Args:
        settings: where runs and versions are kept.
        progress: warned of what the reader should know; standard error if there is none.

    Raises:
        TrackingError: it cannot be reached.
    """
    from fortydays.registry.catalog import Catalog
    from fortydays.track.store import destination, open_store

    hint = "See what there is with `forty models`. Without MLFLOW_TRACKING_URI, the workspace has the registry."
    waiting = progress.say if progress is not None else lambda line: typer.echo(line, err=True)
    # A damaged store holds more than runs could fill again; a reader decides what becomes of it.
    store = open_store(destination(settings), hint=hint, set_aside=False, waiting=waiting)
    for note in store.notes:
        if progress is not None:
            progress.warn(note)
        else:
            typer.echo(f"Warning: {note}", err=True)
    return Catalog(store)

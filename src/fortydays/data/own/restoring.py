"""A reader's photographs, made again in the workspace from a version of their folder."""

import contextlib

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import INDEX, folder_of, opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.splitting import SPLITS
from fortydays.data.photographs import SIDE
from fortydays.data.version_documents import DataVersion
from fortydays.data.versions import content_of


def restore(name: str, version: DataVersion, settings: Settings, *, progress: Progress) -> None:
    """Make the photographs that a study names again, with the splits that they had as far as these are known.

    Args:
        name: ``own:NAME@DIGEST``.
        version: that they were taken from.
        settings: where the workspace is.
        progress: told of the work.

    Raises:
        DataError: the version's files are not all there, or what is made of them now is not what the study names.
        StorageError: the workspace cannot be written.
    """
    collection_name = own.collection_of(name)
    listing = list_photographs(content_of(version, settings, progress=progress))
    folder = folder_of(collection_name, settings)
    splits = _splits_written_down(collection_name, settings)
    anew = not _has_pixels(collection_name, settings)
    if anew:  # each photograph gets another row, so what was written down by rows is of others
        for pattern in (f"{INDEX}*", "*.pixels", "*.features"):
            for path in folder.glob(pattern):
                files.remove(path)
    with opened(collection_name, settings, side=SIDE) as collection:
        collection.keep_splits(splits)
        for path in own.documents_of(folder) if anew else ():
            files.remove(path)
        for fixed_camera in (False, True):
            found = inspect(
                listing, collection, workers=available_cores(), progress=progress, fixed_camera=fixed_camera
            )
            if own.keep(found, collection, name=collection_name, data_version=version).name == name:
                return
    raise DataError(
        f"The photographs of {version} do not become {name} again: other ones are used, or held out.",
        hint=f"Which ones were held out was written down in {folder}. Put that folder back, if you have a copy.",
    )


def _splits_written_down(collection: str, settings: Settings) -> dict[str, str]:
    splits: dict[str, str] = {}
    for path in own.documents_of(folder_of(collection, settings)):
        with contextlib.suppress(DataError, StorageError):
            kept = own.read(f"{own.PREFIX}{collection}@{path.stem}", settings)
            splits |= {sha256: SPLITS[split] for sha256, split in zip(kept.contents, kept.splits, strict=True)}
    return splits


def _has_pixels(collection: str, settings: Settings) -> bool:
    try:
        with opened(collection, settings, side=SIDE) as kept:
            kept.pixels()
            return not kept.is_empty()
    except StorageError:
        return False

"""A reader's photographs or texts, made again in the workspace from a version of their folder."""

from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError, UsageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.pixels import folder_of
from fortydays.data.own.texts.columns import Wanted
from fortydays.data.own.texts.kept import opened as texts_opened
from fortydays.data.own.texts.listing import list_texts
from fortydays.data.own.texts.looking import inspect_texts
from fortydays.data.own.texts.recognising import are_texts, texts_in
from fortydays.data.photographs import SIDE
from fortydays.data.version_documents import DataVersion
from fortydays.data.versions import content_of


def restore(name: str, version: DataVersion, settings: Settings, *, progress: Progress) -> None:
    """Make the photographs or texts again that a study names, with the splits that they had as far as these are known.

    Raises:
        UsageError: the columns of a table of texts do not say which is which, so the reader had named them.
        DataError: the version's files are not all there, or what is made of them now is not what the study names.
        StorageError: the workspace cannot be written.
    """
    place = texts_in(content_of(version, settings, progress=progress))
    if are_texts(place):
        made, noun = _texts_again(name, place, version, settings, progress), "texts"
    else:
        made, noun = _photographs_again(name, place, version, settings, progress), "photographs"
    if not made:
        folder = folder_of(own.collection_of(name), settings)
        raise DataError(
            f"The {noun} of {version} do not become {name} again: other ones are used, or held out.",
            hint=f"Which ones were held out was written down in {folder}. Put that folder back, if you have a copy.",
        )


def _photographs_again(name: str, place: Path, version: DataVersion, settings: Settings, progress: Progress) -> bool:
    """Keep the photographs of a folder; whether they are those that are named."""
    collection_name = own.collection_of(name)
    listing = list_photographs(place)
    folder = folder_of(collection_name, settings)
    try:
        with opened(collection_name, settings, side=SIDE) as collection:
            collection.pixels()
    except StorageError:  # where pixels are lost, the index is made anew; the documents know the splits
        for path in (*folder.glob("*.index"), *folder.glob("*.pixels")):
            files.remove(path)
    with opened(collection_name, settings, side=SIDE) as collection:
        for fixed_camera in (False, True):
            found = inspect(
                listing, collection, workers=available_cores(), progress=progress, fixed_camera=fixed_camera
            )
            if own.keep(found, collection, name=collection_name, data_version=version).name == name:
                return True
    return False


def _texts_again(name: str, place: Path, version: DataVersion, settings: Settings, progress: Progress) -> bool:
    """Keep the texts of a folder or table; whether they are those that are named."""
    collection_name = own.collection_of(name)
    try:
        listing = list_texts(place, Wanted())
    except UsageError as error:
        raise UsageError(
            error.message,
            hint=f"Make them again as they were made: forty fit {version} "
            f"--name {collection_name} --text COLUMN --label COLUMN",
        ) from error
    with texts_opened(collection_name, settings) as collection:
        collection.forget_damaged()
        found = inspect_texts(listing, collection, progress=progress)
        return own.keep(found, collection, name=collection_name, data_version=version).name == name

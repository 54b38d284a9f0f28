"""A reader's photographs, made again in the workspace from a version of their folder."""

from fortydays.base import files
from fortydays.base.errors import DataError, StorageError
from fortydays.base.progress import Progress
from fortydays.base.settings import Settings, available_cores
from fortydays.data.own import dataset as own
from fortydays.data.own.collection import opened
from fortydays.data.own.inspection import inspect
from fortydays.data.own.listing import list_photographs
from fortydays.data.own.pixels import folder_of
from fortydays.data.photographs import SIDE
from fortydays.data.version_documents import DataVersion
from fortydays.data.versions import content_of


def restore(name: str, version: DataVersion, settings: Settings, *, progress: Progress) -> None:
    """Make the photographs again that a study names, with the splits that they had as far as these are known.

    Raises:
        DataError: the version's files are not all there, or what is made of them now is not what the study names.
        StorageError: the workspace cannot be written.
    """
    collection_name = own.collection_of(name)
    listing = list_photographs(content_of(version, settings, progress=progress))
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
                return
    raise DataError(
        f"The photographs of {version} do not become {name} again: other ones are used, or held out.",
        hint=f"Which ones were held out was written down in {folder}. Put that folder back, if you have a copy.",
    )

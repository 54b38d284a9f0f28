"""A bundle: what a service needs of a model version and nothing else, in one folder that can be carried anywhere."""

from contextlib import nullcontext
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.privacy import shared
from fortydays.base.settings import Settings
from fortydays.registry import package
from fortydays.registry.card import with_version
from fortydays.registry.contents import CARD_FILE, NEEDED, WHERE_THERE
from fortydays.registry.names import CHAMPION, Reference
from fortydays.registry.package import Manifest
from fortydays.registry.registry import Registry
from fortydays.registry.scratch import scratch


def make_bundle(reference: Reference, folder: Path, registry: Registry, settings: Settings) -> Manifest:
    """Write the bundle of a version, or of a model's champion, into a new or empty folder, whole or not at all.

    The same version always gives the same bytes.

    Raises:
        UsageError: there is no such version, or something is in the folder's place.
        NotWholeError: the version's files are missing or altered.
        StorageError: the folder cannot be written.
    """
    with files.storage_errors("read", folder):
        is_taken = files.exists(folder) and (not files.is_folder(folder) or any(folder.iterdir()))
    if is_taken:
        raise UsageError(f"{folder} is there already.", hint="Name a new folder, or remove that one first.")
    if reference.version is None and reference.alias is None:
        reference = Reference(name=reference.name, alias=CHAMPION)
    version = registry.find(reference)
    if version.retired:
        raise UsageError(f"{version} was retired ({version.retired}) and is not to be used.")
    folder = folder.absolute()
    is_for_others = not folder.is_relative_to(settings.workspace)  # for whoever serves it
    with scratch(settings) as place:
        manifest = registry.fetch(version, place / "version")
        with shared(folder) if is_for_others else nullcontext(), files.folder_built_whole(folder) as building:
            for name in (*NEEDED, *WHERE_THERE):
                if name in NEEDED or name in manifest.files:
                    with files.storage_errors("read", place / "version" / name):
                        content = (place / "version" / name).read_bytes()
                    files.write_bytes(building / name, content)
            files.write_text(building / CARD_FILE, with_version(place / "version", version))
            facts = {"name": version.name, "version": version.version, "registered": version.digest}
            return package.seal(building, kind="bundle", facts=facts)

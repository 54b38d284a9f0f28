"""A bundle: what a service needs of a model version and nothing else, in one folder that can be carried anywhere."""

from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.registry import package
from fortydays.registry.card import CARD_FILE, PICTURE_FILE
from fortydays.registry.catalog import Catalog
from fortydays.registry.export import ONNX_FILE
from fortydays.registry.inference import load_model
from fortydays.registry.names import Reference
from fortydays.registry.package import DamagedPackageError, Manifest
from fortydays.registry.registration import (
    GOLDEN_FILE,
    LABELS_FILE,
    LINEAGE_FILE,
    PREPROCESSING_FILE,
    SIGNATURE_FILE,
)

NEEDED = (ONNX_FILE, LABELS_FILE, SIGNATURE_FILE, PREPROCESSING_FILE, GOLDEN_FILE, CARD_FILE, LINEAGE_FILE)
"""The files of every bundle, besides its manifest."""

_WHERE_THERE = (PICTURE_FILE,)


def make_bundle(reference: Reference, folder: Path, catalog: Catalog, settings: Settings) -> Manifest:
    """Write the bundle of a version into a new folder, whole or not at all.

    The same version always gives the same bytes.

    Args:
        reference: which version.
        folder: where to; it must not exist, or be empty.
        catalog: the registry.
        settings: the workspace.

    Raises:
        UsageError: there is no such version, or something is in the folder's place.
        NotWholeError: the version's files are missing or altered.
        StorageError: the folder cannot be written.
    """
    if files.exists(folder) and (not files.is_folder(folder) or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already.", hint="Name a new folder, or remove that one first.")
    version = catalog.find(reference)
    with files.temporary_folder(settings.workspace / "registry", version.name) as scratch:
        manifest = catalog.fetch(version, scratch / "version")
        with files.folder_built_whole(folder.absolute()) as building:
            for name in (*NEEDED, *_WHERE_THERE):
                if name in NEEDED or name in manifest.files:
                    with files.storage_errors("read", scratch / "version" / name):
                        content = (scratch / "version" / name).read_bytes()
                    files.write_bytes(building / name, content)
            facts = {"name": version.name, "version": version.version, "registered": version.digest}
            return package.seal(building, kind="bundle", facts=facts)


def check_bundle(folder: Path) -> Manifest:
    """Read every byte of a bundle, and its model as a service would.

    Raises:
        StorageError: there is none, or it cannot be read.
        DamagedPackageError: something was changed, is missing, or was added.
        UnsafeModelError: its model is not one to run.
    """
    manifest = package.check(folder)
    missing = [name for name in NEEDED if name not in manifest.files]
    if manifest.kind != "bundle" or missing:
        what = f"it has no {', '.join(missing)}" if manifest.kind == "bundle" else f"it is a {manifest.kind!r}"
        raise DamagedPackageError(f"{folder} is no bundle: {what}.", hint="Make one with: forty bundle NAME -o FOLDER")
    load_model(folder / ONNX_FILE, threads=1)
    return manifest

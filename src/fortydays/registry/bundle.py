"""A bundle: what a service needs of a model version and nothing else, in one folder that can be carried anywhere."""

from pathlib import Path

import numpy as np

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.registry import package
from fortydays.registry.card import CARD_FILE, PICTURE_FILE, with_version
from fortydays.registry.catalog import Catalog
from fortydays.registry.export import ONNX_FILE
from fortydays.registry.inference import OnnxModel, load_model
from fortydays.registry.names import CHAMPION, Reference, check_name
from fortydays.registry.package import DamagedPackageError, Manifest
from fortydays.registry.registration import (
    GOLDEN_FILE,
    LABELS_FILE,
    LINEAGE_FILE,
    PREPROCESSING_FILE,
    SIGNATURE_FILE,
)
from fortydays.registry.scratch import scratch
from fortydays.study.runner import load_arrays

NEEDED = (ONNX_FILE, LABELS_FILE, SIGNATURE_FILE, PREPROCESSING_FILE, GOLDEN_FILE, CARD_FILE, LINEAGE_FILE)
"""The files of every bundle, besides its manifest."""

GOLDEN_TOLERANCE = 1e-3
"""By how much a probability may differ on another processor."""

_WHERE_THERE = (PICTURE_FILE,)


def make_bundle(reference: Reference, folder: Path, catalog: Catalog, settings: Settings) -> Manifest:
    """Write the bundle of a version into a new folder, whole or not at all.

    The same version always gives the same bytes.

    Args:
        reference: which version; the champion, where it names the model alone.
        folder: where to; it must not exist, or be empty.
        catalog: the registry.
        settings: the workspace.

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
    version = catalog.find(reference)
    if version.retired:
        raise UsageError(f"{version} was retired ({version.retired}) and is not to be used.")
    with scratch(settings) as place:
        manifest = catalog.fetch(version, place / "version")
        with files.folder_built_whole(folder.absolute()) as building:
            for name in (*NEEDED, *_WHERE_THERE):
                if name in NEEDED or name in manifest.files:
                    with files.storage_errors("read", place / "version" / name):
                        content = (place / "version" / name).read_bytes()
                    files.write_bytes(building / name, content)
            files.write_text(building / CARD_FILE, with_version(place / "version", version))
            facts = {"name": version.name, "version": version.version, "registered": version.digest}
            return package.seal(building, kind="bundle", facts=facts)


def check_bundle(folder: Path) -> Manifest:
    """Read every byte of a bundle, load its model as a service would, and ask it about the golden images.

    This tells whether the bundle is whole, not who made it: for that, compare its digest with the one that its maker
    tells.

    Raises:
        StorageError: there is none, or it cannot be read.
        DamagedPackageError: something was changed, is missing, or was added, or its parts do not fit together.
        UnsafeModelError: its model is not one to run.
    """
    manifest = package.check(folder)
    missing = [name for name in NEEDED if name not in manifest.files]
    if manifest.kind != "bundle" or missing:
        what = f"it has no {', '.join(missing)}" if manifest.kind == "bundle" else f"it is a {manifest.kind!r}"
        raise DamagedPackageError(f"{folder} is no bundle: {what}.", hint="Make one with: forty bundle NAME -o FOLDER")
    model = load_model(folder / ONNX_FILE, threads=1)
    problem = _problem(manifest, folder, model)
    if problem:
        raise DamagedPackageError(
            f"{folder} is no bundle: {problem}.", hint="Make one with: forty bundle NAME -o FOLDER"
        )
    return manifest


def _problem(manifest: Manifest, folder: Path, model: OnnxModel) -> str:
    """What does not fit together in a bundle of which every byte is as its manifest says; "" if all does."""
    try:
        check_name(str(manifest.facts.get("name")))
    except UsageError:
        return "its manifest does not name a model"
    if not isinstance(manifest.facts.get("version"), int):
        return "its manifest does not say which version it is"
    if files.read_json(folder / SIGNATURE_FILE) != model.signature.as_dict():
        return f"{SIGNATURE_FILE} is not the model's"
    labels = files.read_json(folder / LABELS_FILE).get("classes")
    if not isinstance(labels, list) or len(labels) != model.signature.classes:
        return f"{LABELS_FILE} does not name {model.signature.classes} classes"
    arrays = load_arrays(folder / GOLDEN_FILE)
    if len(arrays) != 2 or arrays[0].dtype != np.uint8 or arrays[0].shape[1:] != model.signature.image:
        return f"{GOLDEN_FILE} has no images for the model"
    answers = model.predict(arrays[0])
    if arrays[1].shape != answers.shape or not np.allclose(arrays[1], answers, atol=GOLDEN_TOLERANCE):
        return "the model does not answer as it did where it was registered"
    return ""

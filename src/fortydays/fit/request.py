"""What is asked of a fit."""

from dataclasses import dataclass
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import UsageError
from fortydays.base.settings import Settings
from fortydays.data import version_documents
from fortydays.data.catalog import DATASETS
from fortydays.data.own.naming import suggested_name
from fortydays.data.own.pixels import names_kept
from fortydays.data.photographs import PHOTOGRAPHS
from fortydays.data.texts import TEXTS
from fortydays.fit.choice import AUTOMATIC
from fortydays.models.backbones import find_backbone
from fortydays.registry.names import check_name


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What is asked for.

    Attributes:
        source: a folder with one folder for each class, a table of files or texts with labels, a version of a
            reader's data such as ``flowers@v2``, or the name of a public collection of photographs.
        name: what to call photographs, or texts, and model.
        seconds: for all of it, or None for as long as it takes.
        target: the share of test photographs that must be right, or None.
        fine_tune: whether the backbone's last block is trained further too.
        fixed_camera: whether all photographs show one scene: :func:`~fortydays.data.own.inspection.inspect`.
        fresh: whether to begin anew where nothing has changed.
        text: the column of a table that has texts; "" to find it, as for those that follow.
        label: the column that has the labels.
        group: the column whose equal cells stay on one side of the split; "" for none.
    """

    source: str
    name: str
    backbone: str = AUTOMATIC
    seconds: float | None = None
    target: float | None = None
    fine_tune: bool = False
    fixed_camera: bool = False
    fresh: bool = False
    text: str = ""
    label: str = ""
    group: str = ""

    @property
    def columns(self) -> bool:
        """Whether columns of texts are named."""
        return bool(self.text or self.label or self.group)

    def __post_init__(self) -> None:
        if self.backbone != AUTOMATIC:
            find_backbone(self.backbone)
        if self.target is not None and not 0 < self.target <= 1:
            raise UsageError(
                f"--target is {self.target:g}; expected a share of test photographs or texts, above 0 and up to 1.",
                hint="For 95%: --target 0.95",
            )
        if self.seconds is not None and not 1 <= self.seconds <= 1e6:
            raise UsageError(f"--time is {self.seconds:g} s; expected from 1 s to 1,000,000 s.")


def name_of(folder: str, name: str, settings: Settings) -> str:
    """What the photographs or texts are called: as the reader says, or like their source. Raises UsageError."""
    there = files.exists(Path(folder))
    if folder in PHOTOGRAPHS and not there and name in ("", folder):
        return folder  # a public collection has its own name
    version = None if there else version_documents.parse_reference(folder)
    called = name or (version[0] if version else suggested_name(Path(folder)))
    return version_documents.check_name(called, settings)


def model_name(name: str, settings: Settings) -> str:
    """The model's name: that of its photographs, with hyphens for the underscores that no name in the registry has.

    Raises:
        UsageError: the registry allows no such name, or other photographs have a model of that name.
        StorageError: the workspace cannot be read.
    """
    model = check_name(name.replace("_", "-"))
    kept = names_kept(settings)
    others = [
        each for each in (*kept, *DATASETS, *PHOTOGRAPHS, *TEXTS) if each != name and each.replace("_", "-") == model
    ]
    if others:
        whose, same = f"the dataset {others[0]}", ""
        if others[0] in kept:
            whose = f"the photographs {others[0]} in this workspace"
            same = f", or, if they are the same: --name {others[0]}"
        raise UsageError(
            f"The model would be called {model}, as that of {whose} is.",
            hint=f"Call these by another name: --name NAME{same}",
        )
    return model

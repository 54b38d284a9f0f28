"""A pretrained network, or all of it but its last block, as an ONNX file from pixels, or pieces of words, to features.

``python -m fortydays.study.frozen REQUEST.json`` builds it, in a process of its own and always on TensorFlow, which
alone exports every layer to a graph that ONNX Runtime takes. The file is kept: features are computed by it, and the
exported model of a study begins with it, so that a service sees the numbers that were learned from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.progress import SILENT, Progress
from fortydays.base.settings import Settings, keep_onnx_runtime_silent
from fortydays.data import weights as published
from fortydays.study.code import code_of, digest_of
from fortydays.study.evidence import installed
from fortydays.study.features import AT_ONCE, AnyFeatures, TextFeatures, features_from, runtime
from fortydays.study.graphs import OPSET, answer, export_elsewhere, to_graph

if TYPE_CHECKING:
    import keras

OUTPUT = "features"
_SCHEMA = 1
_MADE_BY = ("tensorflow-cpu", "tensorflow", "keras", "tf2onnx", "onnx")


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A network that is not trained any more.

    Attributes:
        key: SHA-256 of all that it is made of.
        path: of the ONNX file: one input, that of ``features.takes``, and one output "features", float32.
        features: what was asked for.
        shape: of the features of one example.
        parameters: numbers that it has learned, or was given at random.
        multiply_adds: that it does for one example.
        weights: SHA-256 of the file that its weights are from, or "" where they are random.
    """

    key: str
    path: Path
    features: AnyFeatures
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    weights: str

    @property
    def kept_as(self) -> str:
        """Part of the name of files of its features, so that what evidence says of them holds for all their rows."""
        return files.sha256_of_json({"network": self.key, "onnxruntime": runtime()})[:16]

    @property
    def title(self) -> str:
        """The network's name in text."""
        return self.features.title if self.features.pretrained else f"{self.features.title} with random weights"

    def as_dict(self) -> dict[str, Any]:
        """What evidence says of it, as JSON values."""
        return {
            **self.features.as_dict(),
            "shape": list(self.shape),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "weights": self.weights,
            "onnxruntime": runtime(),
        }

    def session(self, *, threads: int) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """What computes features: from the array of examples, shape (n, ...), to float32, shape (n, *shape)."""
        keep_onnx_runtime_silent()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with files.storage_errors("read", self.path):
            content = self.path.read_bytes()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        takes = session.get_inputs()[0].name

        def compute(images: NDArray[Any]) -> NDArray[np.float32]:
            found = np.zeros((len(images), *self.shape), np.float32)
            for start in range(0, len(images), AT_ONCE):
                some = np.asarray(images[start : start + AT_ONCE])
                count = len(some)
                if count < AT_ONCE:
                    some = np.concatenate([some, np.zeros((AT_ONCE - count, *some.shape[1:]), some.dtype)])
                (answer,) = session.run([OUTPUT], {takes: some})
                found[start : start + count] = answer[:count]
            return found

        return compute


def frozen_network(
    features: AnyFeatures, shape: tuple[int, ...], settings: Settings, progress: Progress = SILENT
) -> Frozen:
    """The network that makes some features of examples of one shape; built where it is not kept.

    Args:
        features: what is asked for.
        shape: of the array of one example: (height, width) or (height, width, channels) of images, (length,) of texts.
        settings: where weights are looked for, and the workspace.
        progress: told of the work.

    Raises:
        DataError: its weights cannot be had; tells each place that was tried.
        ExportFailedError: it cannot be exported.
        StorageError: the workspace cannot be written.
    """
    obtained = published.obtain(features.backbone, settings, progress) if features.pretrained else None
    weights = obtained.sha256 if obtained else ""
    request = {
        "features": features.as_dict(),
        "shape": list(shape),
        "weights": weights,
        "form": obtained.form if obtained else "",
    }
    key = files.sha256_of_json({**request, "opset": OPSET, "code": _code(), "packages": installed(_MADE_BY)})
    folder = files.make_folder(settings.workspace / "backbones")
    path = folder / f"{key[:16]}.onnx"
    with files.locked(folder / f".{key[:16]}.lock"):
        if not files.is_file(path.with_suffix(".json")):
            progress.say(f"Preparing {features.title}")
            with files.temporary_folder(folder, "export") as scratch:
                built = scratch / path.name
                paths = {"path": str(obtained.path) if obtained else "", "onnx": str(built)}
                export_elsewhere("fortydays.study.frozen", {**request, **paths}, scratch, title=features.title)
                with files.storage_errors("write", path):
                    for each in (built, built.with_suffix(".json")):  # what the facts tell of is there before them
                        each.replace(folder / each.name)
                    files.sync_folder(folder)
    facts = files.read_json(path.with_suffix(".json"))
    if facts.get("sha256") != files.sha256_of_file(path):
        for each in (path, path.with_suffix(".json")):
            files.remove(each)
        raise StorageError(f"{path} was damaged, and is removed.", hint="Run the command again; it is made anew.")
    return Frozen(
        key=key,
        path=path,
        features=features,
        shape=features.shape,
        parameters=int(facts["parameters"]),
        multiply_adds=int(facts["multiply_adds"]),
        weights=weights,
    )


def pretrained_model(features: AnyFeatures, settings: Settings, progress: Progress = SILENT) -> "keras.Model":
    """The whole network with its weights, in this process.

    Raises:
        DataError: its weights cannot be had.
    """
    model = _network(features)
    if features.pretrained:
        obtained = published.obtain(features.backbone, settings, progress)
        load_weights(model, obtained.path, obtained.form)
    return model


def _network(features: AnyFeatures) -> "keras.Model":
    """The network with random weights, the same ones for the same seed."""
    import keras

    if not features.pretrained:
        keras.utils.set_random_seed(features.seed)
    return features.build()


def load_weights(model: "keras.Model", path: Path, form: str) -> None:
    """Give a network the weights of a published file of the form "keras", "torch" or "safetensors".

    Raises:
        FortydaysError: the file does not fit the network.
    """
    from fortydays.data.safetensors import read_safetensors
    from fortydays.data.torch_files import read_checkpoint
    from fortydays.models.backbones import fill_from_checkpoint, pretrained_part
    from fortydays.models.encoders import fill_encoder

    try:
        if form == "safetensors":
            fill_encoder(model, read_safetensors(_content(path)))
        elif form == "torch":
            fill_from_checkpoint(pretrained_part(model), read_checkpoint(_content(path)))
        else:
            pretrained_part(model).load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        said = " ".join(str(error).split())[:300]
        raise FortydaysError(f"The weights in {path} do not fit the network: {said}") from error


def _content(path: Path) -> bytes:
    with files.storage_errors("read", path):
        return path.read_bytes()


def whole_model(
    features: AnyFeatures, shape: tuple[int, ...], backbone: "keras.Model", head: "keras.Model"
) -> "keras.Model":
    """A backbone from :func:`pretrained_model` and a head that was trained on its features, as one Keras model.

    It takes examples whose array has a shape: images from 0 to 1, or the pieces of texts.
    """
    import keras

    frozen = features.frozen_part(shape, backbone)
    return keras.Model(frozen.input, head(frozen.output))


# --------------------------------------------------------------------------------------------- in a process of its own


def _work(request: dict[str, Any]) -> None:
    from fortydays.train.cost import multiply_adds
    from fortydays.train.framework import load_keras

    load_keras(threads=1)
    features, shape = features_from(request["features"]), tuple(request["shape"])
    model = _network(features)
    if request["path"]:
        load_weights(model, Path(request["path"]), request["form"])
    frozen, takes = features.frozen_part(shape, model), features.takes(shape)
    features_of = features.from_array(frozen)
    graph = to_graph(
        lambda inputs: features_of(inputs[takes.name]),
        [takes],
        output=OUTPUT,
        layers_of=frozen,
        weights_apart=isinstance(features, TextFeatures),
    )
    content: bytes = graph.SerializeToString(deterministic=True)
    path = Path(request["onnx"])
    files.write_bytes(path, content)
    facts = {
        "schema_version": _SCHEMA,
        "sha256": files.sha256_of_bytes(content),
        "parameters": int(sum(np.prod(v.shape) for v in frozen.variables)),
        "multiply_adds": multiply_adds(frozen),
    }
    files.write_json(path.with_suffix(".json"), facts)


def _code() -> str:
    here = Path(__file__)
    models = here.parent.parent / "models"
    made_by = [
        *(here.with_name(name) for name in ("features.py", "frozen.py", "graphs.py")),
        *(models / name for name in ("backbones.py", "encoders.py")),
    ]
    return digest_of([(path.name, code_of(path)) for path in made_by])


if __name__ == "__main__":
    answer(_work)

"""A pretrained network, or all of it but its last block, as an ONNX file from pixels to features.

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
from fortydays.base.settings import Settings
from fortydays.data import weights as published
from fortydays.inputs.images import IMAGE, Images
from fortydays.models.backbones import find_backbone
from fortydays.study.code import code_of, digest_of
from fortydays.study.evidence import installed
from fortydays.study.features import AT_ONCE, Features, runtime
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
        path: of the ONNX file: one input "image", uint8 pixels, and one output "features", float32.
        features: what was asked for.
        shape: of the features of one image.
        parameters: numbers that it has learned, or was given at random.
        multiply_adds: that it does for one image.
        weights: SHA-256 of the file that its weights are from, or "" where they are random.
    """

    key: str
    path: Path
    features: Features
    shape: tuple[int, int, int]
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
        name = find_backbone(self.features.backbone).title
        return name if self.features.pretrained else f"{name} with random weights"

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

    def session(self, *, threads: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        """What computes features: from uint8 images, shape (n, ...), to float32, shape (n, *shape)."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with files.storage_errors("read", self.path):
            content = self.path.read_bytes()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        def compute(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = np.zeros((len(images), *self.shape), np.float32)
            for start in range(0, len(images), AT_ONCE):
                some = np.asarray(images[start : start + AT_ONCE])
                count = len(some)
                if count < AT_ONCE:
                    some = np.concatenate([some, np.zeros((AT_ONCE - count, *some.shape[1:]), np.uint8)])
                (answer,) = session.run([OUTPUT], {IMAGE: some})
                found[start : start + count] = answer[:count]
            return found

        return compute


def frozen_network(
    features: Features, image_shape: tuple[int, ...], settings: Settings, progress: Progress = SILENT
) -> Frozen:
    """The network that makes some features of images of one shape; built where it is not kept.

    Args:
        features: what is asked for.
        image_shape: (height, width) or (height, width, channels) of the images.
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
        "image_shape": list(image_shape),
        "weights": weights,
        "form": obtained.form if obtained else "",
    }
    key = files.sha256_of_json({**request, "opset": OPSET, "code": _code(), "packages": installed(_MADE_BY)})
    folder = files.make_folder(settings.workspace / "backbones")
    path = folder / f"{key[:16]}.onnx"
    with files.locked(folder / f".{key[:16]}.lock"):
        if not files.is_file(path.with_suffix(".json")):
            title = find_backbone(features.backbone).title
            progress.say(f"Preparing {title}")
            with files.temporary_folder(folder, "export") as scratch:
                built = scratch / path.name
                paths = {"path": str(obtained.path) if obtained else "", "onnx": str(built)}
                export_elsewhere("fortydays.study.frozen", {**request, **paths}, scratch, title=title)
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


def pretrained_model(features: Features, settings: Settings, progress: Progress = SILENT) -> "keras.Model":
    """The whole backbone with its weights, in this process.

    Raises:
        DataError: its weights cannot be had.
    """
    model = _network(features)
    if features.pretrained:
        obtained = published.obtain(features.backbone, settings, progress)
        load_weights(model, obtained.path, obtained.form)
    return model


def _network(features: Features) -> "keras.Model":
    """The backbone with random weights, the same ones for the same seed."""
    import keras

    if not features.pretrained:
        keras.utils.set_random_seed(features.seed)
    return find_backbone(features.backbone).build(features.side)


def load_weights(model: "keras.Model", path: Path, form: str) -> None:
    """Give a backbone the weights of a published file of the form "keras" or "torch".

    Raises:
        FortydaysError: the file does not fit the network.
    """
    from fortydays.data.torch_files import read_checkpoint
    from fortydays.models.backbones import fill_from_checkpoint, pretrained_part

    network = pretrained_part(model)
    try:
        if form == "torch":
            with files.storage_errors("read", path):
                content = path.read_bytes()
            fill_from_checkpoint(network, read_checkpoint(content))
        else:
            network.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        said = " ".join(str(error).split())[:300]
        raise FortydaysError(f"The weights in {path} do not fit the network: {said}") from error


def whole_model(
    features: Features, image_shape: tuple[int, ...], backbone: "keras.Model", head: "keras.Model"
) -> "keras.Model":
    """A backbone from :func:`pretrained_model` and a head that was trained on its features, as one Keras model.

    It takes images of ``image_shape``, from 0 to 1.
    """
    import keras

    frozen = frozen_part(features, image_shape, backbone)
    return keras.Model(frozen.input, head(frozen.output))


def frozen_part(features: Features, image_shape: tuple[int, ...], model: "keras.Model") -> "keras.Model":
    """From images of any size, from 0 to 1, to features."""
    import keras
    from keras import layers

    from fortydays.models.backbones import in_two

    images = keras.Input(image_shape, name="images")
    x = images
    if len(image_shape) == 2:
        x = layers.Reshape((*image_shape, 1))(x)
    if x.shape[-1] == 1:
        x = layers.Concatenate()([x, x, x])
    if tuple(x.shape[1:3]) != (features.side, features.side):
        x = layers.Resizing(features.side, features.side, interpolation="bilinear")(x)
    if features.before_last_block:
        first, _ = in_two(model, find_backbone(features.backbone))
        x = first(x)
    else:
        x = layers.GlobalAveragePooling2D(keepdims=True)(model(x))
    return keras.Model(images, x, name="frozen")


def features_of_pixels(frozen: "keras.Model") -> Callable[[Any], Any]:
    """From uint8 pixels to features, as a function of tensors. ``frozen`` is from :func:`frozen_part`."""
    import keras

    return lambda images: frozen(keras.ops.cast(images, "float32") / 255.0, training=False)


# --------------------------------------------------------------------------------------------- in a process of its own


def _work(request: dict[str, Any]) -> None:
    from fortydays.train.cost import multiply_adds
    from fortydays.train.framework import load_keras

    load_keras(threads=1)
    features = Features(**request["features"])
    model = _network(features)
    if request["path"]:
        load_weights(model, Path(request["path"]), request["form"])
    frozen = frozen_part(features, tuple(request["image_shape"]), model)
    features_of = features_of_pixels(frozen)
    graph = to_graph(
        lambda inputs: features_of(inputs[IMAGE]),
        Images(shape=frozen.input_shape[1:]).arrays,
        output=OUTPUT,
        layers_of=frozen,
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
    made_by = [here, here.with_name("graphs.py"), here.parent.parent / "models" / "backbones.py"]
    return digest_of([(path.name, code_of(path)) for path in made_by])


if __name__ == "__main__":
    answer(_work)

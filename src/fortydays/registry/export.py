"""From a trained trial to an ONNX file, in a process of its own.

``python -m fortydays.registry.export REQUEST.json`` builds the variant's model from the study, gives it the trial's
weights and writes it down, on TensorFlow in float32. A process of its own keeps the caller free of training
frameworks, and on the backend that it has.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.privacy import private_umask
from fortydays.base.settings import read_settings
from fortydays.inputs.input import Arrays, ArraySpec, Input, count_of
from fortydays.inputs.kinds import read_input
from fortydays.registry.candidate import Candidate
from fortydays.registry.contents import ONNX_FILE
from fortydays.registry.inference import OUTPUT, read_signature
from fortydays.study.frozen import frozen_network, pretrained_model, whole_model
from fortydays.study.graphs import ExportFailedError, answer, export_elsewhere, joined, to_graph

if TYPE_CHECKING:
    import keras

KERAS_FILE = "model.keras"
_EXAMPLES, _ANSWERS, _CLAIMS = "examples.npz", "answers.npz", "claims.json"


def export(
    candidate: Candidate, examples: Arrays, folder: Path, *, threads: int
) -> tuple[NDArray[np.float32], list[Mapping[str, Any]]]:
    """Write a trial's model as ``model.onnx`` and ``model.keras`` into a folder.

    Returns:
        What Keras answers to the examples, float32, shape (n, classes), and the study's claims, each with the variants
        it is about.

    Raises:
        ExportFailedError: it cannot be built, or not be exported; the message says why.
        StorageError: the folder cannot be written.
    """
    variant, input = candidate.trial["variant"], candidate.dataset.training.input
    with files.temporary_folder(folder.parent, "export") as scratch:
        save_arrays(scratch / _EXAMPLES, [examples[spec.name] for spec in input.arrays])
        request = {
            "study": candidate.study,
            "variant": variant,
            "seed": candidate.trial["seed"],
            # The views whose answers the recipe averages become part of the graph.
            "test_views": candidate.evidence["details"][variant]["recipe"]["test_views"],
            "weights": str(candidate.weights),
            "input": input.as_dict(),
            "folder": str(folder),
            "scratch": str(scratch),
            "threads": threads,
        }
        export_elsewhere("fortydays.registry.export", request, scratch, title=variant)
        (answers,) = load_arrays(scratch / _ANSWERS)
        return answers, files.read_json(scratch / _CLAIMS)["claims"]


def to_onnx(model: "keras.Model", input: Input, *, test_views: str = "none") -> bytes:
    """A Keras model of float32, on TensorFlow, as an ONNX file that takes the arrays of an input.

    Scaling, and the averaging over the views that a recipe names, are part of the graph, so that whoever runs it has
    to know nothing but the arrays. Raises ExportFailedError.
    """
    import tensorflow as tf

    from fortydays.train.augmentation import views

    def averaged(inputs: Any) -> Any:
        weighted = [weight * model(view, training=False) for view, weight in views(input, inputs, test_views)]
        return tf.add_n(weighted) if len(weighted) > 1 else weighted[0]

    return _checked(to_graph(averaged, input.arrays, output=OUTPUT, layers_of=model))


def head_to_onnx(head: "keras.Model", frozen: bytes) -> bytes:
    """What was trained on features, behind the ONNX file that made them, as one that takes what that file does.

    Raises ExportFailedError.
    """
    import onnx

    border = ArraySpec(name="learned_from", dtype="float32", shape=head.input_shape[1:])

    def of_head(inputs: Any) -> Any:
        return head(inputs[border.name], training=False)

    graph = to_graph(of_head, [border], output=OUTPUT, layers_of=head)
    return _checked(joined(onnx.load_model_from_string(frozen), graph))


def _checked(graph: Any) -> bytes:
    import onnx

    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        # The exporter leaves what it does not know in the graph as it is.
        raise ExportFailedError(" ".join(str(error).split())[:300]) from error
    content: bytes = graph.SerializeToString(deterministic=True)
    read_signature(content)
    return content


def _work(request: Mapping[str, Any]) -> None:
    from fortydays.days.loading import find_study, load_study
    from fortydays.train.framework import build_model, set_variables

    source = load_study(find_study(request["study"]), threads=request["threads"])
    variant = next(v for v in source.study.variants if v.name == request["variant"])
    head = model = build_model(variant.model, seed=request["seed"], precision="float32")
    try:
        set_variables(model, load_arrays(Path(request["weights"])))
    except ValueError as error:
        raise ExportFailedError(
            "the trial's weights do not fit the model that the study builds today.", hint="Run the study again."
        ) from error
    folder, scratch = Path(request["folder"]), Path(request["scratch"])
    input, test_views = read_input(request["input"]), request["test_views"]
    examples = dict(zip([spec.name for spec in input.arrays], load_arrays(scratch / _EXAMPLES), strict=True))
    features = variant.features_of(request["seed"])
    if features is not None and not features.computed:
        features = None  # the whole network was trained
    if features is not None:
        # The network that made the features is built again by Keras: what it answers is compared with the ONNX file.
        settings, (taken,) = read_settings(), input.arrays
        frozen = frozen_network(features, taken.shape, settings)
        backbone = pretrained_model(features, settings)
        model = whole_model(features, taken.shape, backbone, head)
    save_arrays(scratch / _ANSWERS, [_answers(model, input, examples, test_views)])
    with files.storage_errors("write", folder / KERAS_FILE), private_umask():
        model.save(folder / KERAS_FILE)
    if features is None:
        content = to_onnx(model, input, test_views=test_views)
    else:
        with files.storage_errors("read", frozen.path):
            content = head_to_onnx(head, frozen.path.read_bytes())
    files.write_bytes(folder / ONNX_FILE, content)
    # A claim that sets others against a variant is about those others; one about the best of some, about that one.
    about = [
        {"claim": claim.sentence, "about": [claim.variant] if hasattr(claim, "variant") else list(claim.variants)}
        for claim in source.study.standing
    ]
    files.write_json(scratch / _CLAIMS, {"claims": about})


def _answers(model: "keras.Model", input: Input, examples: Arrays, test_views: str) -> Any:
    from keras import ops

    from fortydays.train.augmentation import views

    answers = []
    for start in range(0, count_of(examples), 250):
        some = {name: ops.convert_to_tensor(array[start : start + 250]) for name, array in examples.items()}
        weighted = [
            weight * ops.convert_to_numpy(model(view, training=False))
            for view, weight in views(input, some, test_views)
        ]
        answers.append(sum(weighted))
    return np.concatenate(answers).astype(np.float32)


if __name__ == "__main__":
    answer(_work)

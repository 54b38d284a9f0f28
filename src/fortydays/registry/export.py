"""From a trained trial to an ONNX file, in a process of its own.

``python -m fortydays.registry.export REQUEST.json`` builds the variant's model from the study, gives it the trial's
weights and writes it down. It always computes on TensorFlow in float32, whatever the trial was trained on: of Keras's
backends, TensorFlow alone exports every layer of this journey to a graph that ONNX Runtime takes. A process of its own
keeps the caller free of training frameworks, and on the backend that it has.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fortydays.base import files
from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.errors import FortydaysError, StorageError
from fortydays.base.privacy import private_umask
from fortydays.base.process import child_environment, end_with_parent
from fortydays.base.settings import read_settings
from fortydays.inputs.input import Arrays, ArraySpec, Input, count_of
from fortydays.inputs.kinds import read_input
from fortydays.registry.contents import ONNX_FILE
from fortydays.registry.inference import OUTPUT, read_signature
from fortydays.study.frozen import frozen_network, pretrained_model, whole_model
from fortydays.study.graphs import ExportFailedError, joined, to_graph

if TYPE_CHECKING:
    import keras

KERAS_FILE = "model.keras"
ANSWERS_FILE, CLAIMS_FILE = "keras_answers.npz", "claims.json"
_LONGEST_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export.

    Attributes:
        study: a day's number, or the path of a study file.
        variant: the variant's name.
        seed: the trial's seed.
        test_views: the views whose answers the recipe averages; they become part of the graph.
        weights: file of the trial's variables.
        input: what the model takes, as :meth:`~fortydays.inputs.input.Input.as_dict` writes it.
        examples: ``.npz`` file of its arrays, in their order, that Keras is to answer too, for comparison.
        folder: where to write.
        threads: to compute with.
    """

    study: str
    variant: str
    seed: int
    test_views: str
    weights: str
    input: dict[str, Any]
    examples: str
    folder: str
    threads: int


def export(request: ExportRequest) -> None:
    """Write a trial's model as ``model.onnx`` and ``model.keras`` into a folder.

    Beside them: Keras's answers, and the study's claims, each with the variants it is about.

    Raises:
        ExportFailedError: it cannot be built, or not be exported; the message says why.
        StorageError: the folder cannot be written.
    """
    folder = Path(request.folder)
    files.make_folder(folder)
    with files.temporary_folder(folder, "export") as scratch:
        files.write_json(scratch / "request.json", asdict(request))
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "fortydays.registry.export", str(scratch / "request.json")],
                env=child_environment(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3"),
                capture_output=True,
                text=True,
                timeout=_LONGEST_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise ExportFailedError(
                f"The export of {request.variant!r} took more than {_LONGEST_SECONDS} s."
            ) from None
        if done.returncode == 0:
            return
        try:
            said = files.read_json(scratch / "failure.json")
        except StorageError:
            last = " ".join(done.stderr.split())[-300:]
            raise ExportFailedError(
                f"The process that exports {request.variant!r} ended with status {done.returncode}: {last}"
            ) from None
        raise ExportFailedError(
            f"{request.variant!r} cannot be exported to ONNX: {said['message']}", hint=str(said["hint"])
        )


def to_onnx(model: "keras.Model", input: Input, *, test_views: str = "none") -> bytes:
    """A Keras model of float32, on TensorFlow, as an ONNX file that takes the arrays of an input.

    Scaling, and the averaging over views where there are any, are part of the graph, so that whoever runs it has to
    know nothing but the arrays.

    Args:
        model: gives probabilities.
        input: what it takes.
        test_views: the views, as a recipe names them.

    Raises:
        ExportFailedError: the graph has a part that ONNX does not know.
    """
    import tensorflow as tf

    from fortydays.train.augmentation import views

    def answer(inputs: Any) -> Any:
        weighted = [weight * model(view, training=False) for view, weight in views(input, inputs, test_views)]
        return tf.add_n(weighted) if len(weighted) > 1 else weighted[0]

    return _checked(to_graph(answer, input.arrays, output=OUTPUT, layers_of=model))


def head_to_onnx(head: "keras.Model", frozen: bytes) -> bytes:
    """What was trained on features, behind the network that made them, as an ONNX file that takes uint8 pixels.

    Args:
        head: takes float32 features and gives probabilities.
        frozen: the ONNX file that made them.

    Raises:
        ExportFailedError: the graph has a part that ONNX does not know.
    """
    import onnx

    border = ArraySpec(name=_BORDER, dtype="float32", shape=head.input_shape[1:])

    def answer(inputs: Any) -> Any:
        return head(inputs[_BORDER], training=False)

    graph = to_graph(answer, [border], output=OUTPUT, layers_of=head)
    return _checked(joined(onnx.load_model_from_string(frozen), graph))


_BORDER = "learned_from"


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


def _work(request: ExportRequest) -> None:
    from fortydays.days.loading import find_study, load_study
    from fortydays.train.framework import build_model, set_variables

    source = load_study(find_study(request.study), threads=request.threads)
    variant = next(v for v in source.study.variants if v.name == request.variant)
    head = model = build_model(variant.model, seed=request.seed, precision="float32")
    try:
        set_variables(model, load_arrays(Path(request.weights)))
    except ValueError as error:
        raise ExportFailedError(
            "the trial's weights do not fit the model that the study builds today.", hint="Run the study again."
        ) from error
    folder, input = Path(request.folder), read_input(request.input)
    examples = dict(zip([spec.name for spec in input.arrays], load_arrays(Path(request.examples)), strict=True))
    if variant.features is not None:
        # The network that made the features is built again by Keras: what it answers is compared with the ONNX file.
        settings, (image,) = read_settings(), input.arrays
        frozen = frozen_network(variant.features, image.shape, settings)
        backbone = pretrained_model(variant.features, settings)
        model = whole_model(variant.features, image.shape, backbone, head)
    answers = _answers(model, input, examples, request.test_views)
    with files.storage_errors("write", folder / KERAS_FILE), private_umask():
        model.save(folder / KERAS_FILE)
    if variant.features is None:
        content = to_onnx(model, input, test_views=request.test_views)
    else:
        with files.storage_errors("read", frozen.path):
            content = head_to_onnx(head, frozen.path.read_bytes())
    files.write_bytes(folder / ONNX_FILE, content)
    save_arrays(folder / ANSWERS_FILE, [answers])
    # A claim that sets others against a variant is about those others; one about the best of some, about that one.
    about = [{"claim": c.sentence, "about": list(_subjects(c))} for c in source.study.standing]
    files.write_json(folder / CLAIMS_FILE, {"claims": about})


def _subjects(claim: Any) -> tuple[str, ...]:
    return (claim.variant,) if hasattr(claim, "variant") else tuple(claim.variants)


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


def main(arguments: list[str]) -> int:
    """Export what the file ``arguments[0]`` asks for. Returns the exit status; failures are told beside that file."""
    (path,) = map(Path, arguments)
    try:
        _work(ExportRequest(**json.loads(path.read_text("utf-8"))))
    except FortydaysError as error:
        files.write_json(path.with_name("failure.json"), {"message": error.message, "hint": error.hint})
        return 1
    return 0


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(sys.argv[1:]))

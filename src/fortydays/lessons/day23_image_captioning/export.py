"""Day 23's decoder as two ONNX graphs, one that begins and one that makes a step, and captions by ONNX Runtime.

``python -m fortydays.lessons.day23_image_captioning.export REQUEST.json`` exports, in a process on TensorFlow.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fortydays.base import files
from fortydays.base.arrays import load_arrays, save_arrays
from fortydays.base.settings import keep_onnx_runtime_silent
from fortydays.inputs.input import ArraySpec
from fortydays.lessons.day23_image_captioning.decoder import WIDTH, Decoder, build
from fortydays.lessons.day23_image_captioning.writing import Begin, State, Step
from fortydays.study.graphs import answer, export_elsewhere, to_graph

BEGIN, STEP = "begin.onnx", "step.onnx"
_STATE = tuple(ArraySpec(name=name, dtype="float32", shape=(WIDTH,)) for name in ("h", "c"))
_TOKEN = ArraySpec(name="token", dtype="int32", shape=())
_BEGIN_GIVES = ("begin_h", "begin_c")
_STEP_GIVES = ("probabilities", "next_h", "next_c")


def export(decoder: Decoder, folder: Path) -> None:
    """Write the two graphs of a trained decoder into an empty folder, as :data:`BEGIN` and :data:`STEP`.

    Raises:
        ExportFailedError: it cannot be exported.
        StorageError: the folder cannot be written.
    """
    save_arrays(folder / "weights", decoder.whole.get_weights())
    request = {
        "features": int(decoder.begin.input_shape[-1]),
        "tokens": int(decoder.whole.output_shape[-1]),
        "folder": str(folder),
    }
    export_elsewhere("fortydays.lessons.day23_image_captioning.export", request, folder, title="the decoder")


def by_onnx(folder: Path, *, threads: int = 1) -> tuple[Begin, Step]:
    """What begins and what makes a step, by ONNX Runtime from the graphs in a folder."""
    keep_onnx_runtime_silent()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3

    def session(name: str) -> Any:
        with files.storage_errors("read", folder / name):
            content = (folder / name).read_bytes()
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    begins, steps = session(BEGIN), session(STEP)

    def begin(features: NDArray[np.float32]) -> State:
        return tuple(begins.run(_BEGIN_GIVES, {"features": features}))

    def step(tokens: NDArray[np.int32], state: State) -> tuple[NDArray[np.float32], State]:
        given = {"token": tokens, **{spec.name: each for spec, each in zip(_STATE, state, strict=True)}}
        probabilities, *after = steps.run(_STEP_GIVES, given)
        return probabilities, tuple(after)

    return begin, step


# --------------------------------------------------------------------------------------------- in a process of its own


def _work(request: dict[str, Any]) -> None:
    from fortydays.train.framework import load_keras

    load_keras(threads=1)
    folder = Path(request["folder"])
    decoder = build(features=request["features"], tokens=request["tokens"])
    decoder.whole.set_weights(load_arrays(folder / "weights"))
    features = ArraySpec(name="features", dtype="float32", shape=(request["features"],))

    def write(name: str, inputs: Sequence[ArraySpec], gives: tuple[str, ...], model: Any) -> None:
        graph = to_graph(
            lambda given: model([given[spec.name] for spec in inputs] if len(inputs) > 1 else given[inputs[0].name]),
            inputs,
            output=gives,
            layers_of=model,
        )
        files.write_bytes(folder / name, graph.SerializeToString(deterministic=True))

    write(BEGIN, (features,), _BEGIN_GIVES, decoder.begin)
    write(STEP, (_TOKEN, *_STATE), _STEP_GIVES, decoder.step)


if __name__ == "__main__":
    answer(_work)

"""A model in whole numbers of 8 bits: a quarter of the size, and faster where a processor has instructions for it."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fortydays.base import files
from fortydays.inputs.input import Arrays, count_of, rows_of
from fortydays.registry.evaluation import evenly
from fortydays.study.graphs import ExportFailedError

CALIBRATED_WITH = 500
"""Training examples that the ranges of the numbers inside the network are taken from."""


def to_int8(content: bytes, inputs: Arrays, folder: Path) -> bytes:
    """An ONNX model, with the same input and output, whose weights and products are int8.

    This is static quantization (Jacob et al., 2018); the ranges are those of some training examples. The folder is for
    what is needed on the way.

    Raises:
        ExportFailedError: it has a part that cannot be quantized.
        StorageError: the folder cannot be written.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    rows = evenly(count_of(inputs), CALIBRATED_WITH)
    waiting = iter(np.array_split(rows, max(1, len(rows) // 50)))

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Any] | None:
            some = next(waiting, None)
            return None if some is None else rows_of(inputs, some)

    source, prepared, made = (folder / f"{name}.onnx" for name in ("source", "prepared", "made"))
    files.write_bytes(source, content)
    # The library tells its advice to the root logger, as if it were the program itself.
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                made,
                Reader(),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                # The scaling of the inputs and the probabilities at the end stay as they are.
                op_types_to_quantize=["Conv", "MatMul", "Gemm", "Add", "MaxPool", "Relu"],
            )
        except OSError as error:
            raise files.storage_error("write", made, error) from error
        except Exception as error:  # the library raises whatever it stumbles on
            said = " ".join(str(error).split())[:300]
            raise ExportFailedError(f"The model cannot be turned into int8: {said}") from error
        finally:
            logger.setLevel(level)
    with files.storage_errors("read", made):
        model = onnx.load_model_from_string(made.read_bytes())
    # It names every set of operators that it knows, used or not.
    used = {node.domain for node in model.graph.node}
    kept = [each for each in model.opset_import if each.domain in used or not each.domain]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return bytes(model.SerializeToString(deterministic=True))

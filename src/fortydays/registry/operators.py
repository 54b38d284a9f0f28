"""Which ONNX operators a model may be made of: those that come to an end, in memory that its inputs' shapes bound.

To allow more, add them here: a new domain, or an operator of one.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

STANDARD = ("", "ai.onnx")
"""Two names of the same domain."""

_OF_STANDARD = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Conv
    ConvInteger ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear
    Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Hardmax Identity
    InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg
    Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize RotaryEmbedding Round ScatterElements ScatterND Selu Shape Shrink
    Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan
    Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
"""
ALLOWED = {"": frozenset(_OF_STANDARD.split())}
"""The operators by domain. Not among them: loops and branches, whose end an example can decide; random numbers, with
which an answer is not the same twice; sequences and text."""

_SIZED_BY = {
    "ConstantOfShape": (0,), "Expand": (1,), "OneHot": (1,), "Pad": (1,), "Range": (0, 1, 2), "Resize": (1, 2, 3),
    "Tile": (1,), "Upsample": (1,),
}  # fmt: skip
"""Inputs that make a result larger than what it is made of. They may depend on an example's shape and on
constants, never on its numbers."""

_SHAPES = ("Shape", "Size")


def problem_of(nodes: Iterable["onnx.NodeProto"], *, inputs: Iterable[str]) -> str:
    """Why a graph of these nodes, in their order, is not one to run, in a sentence; "" where it is one."""
    of_inputs = set(inputs)
    for node in nodes:
        domain = "" if node.domain in STANDARD else node.domain
        if node.op_type not in ALLOWED.get(domain, ()):
            return f"The ONNX model uses the operator {node.op_type[:60]!r} of {node.domain[:60]!r}, which is refused."
        if _is_sized_by(node, of_inputs):
            return (
                f"The ONNX model lets an example decide how large the result of {node.op_type!r} is, which is refused."
            )
        if not of_inputs.isdisjoint(node.input) and node.op_type not in _SHAPES:
            of_inputs.update(name for name in node.output if name)
    return ""


def counts_examples(nodes: Iterable["onnx.NodeProto"]) -> bool:
    """Whether the number of examples, or another shape, may decide how large some result is; of nodes in their order.

    Of such a graph, one number of examples tells nothing of another.
    """
    of_shapes: set[str] = set()
    for node in nodes:
        if _is_sized_by(node, of_shapes):
            return True
        if not of_shapes.isdisjoint(node.input) or node.op_type in _SHAPES:
            of_shapes.update(name for name in node.output if name)
    return False


def _is_sized_by(node: "onnx.NodeProto", names: set[str]) -> bool:
    return any(node.input[place] in names for place in _SIZED_BY.get(node.op_type, ()) if place < len(node.input))

"""Networks and nothing else: tensors in, tensors out."""

from dreamgen.nn.absent import AbsentEncoder
from dreamgen.nn.columns import ColumnsEncoder
from dreamgen.nn.mlp import ACTIVATIONS, DECODERS, ENCODERS, MLPDecoder

__all__ = ["ACTIVATIONS", "DECODERS", "ENCODERS", "AbsentEncoder", "ColumnsEncoder", "MLPDecoder"]

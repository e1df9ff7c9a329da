"""Networks and nothing else: tensors in, tensors out."""

from dreamgen.nn.absent import AbsentEncoder
from dreamgen.nn.columns import ColumnsEncoder
from dreamgen.nn.convolution import ConvDecoder, ConvEncoder
from dreamgen.nn.mlp import ACTIVATIONS, DECODERS, ENCODERS, MLPDecoder
from dreamgen.nn.recurrent import RecurrentEncoder
from dreamgen.nn.residual import ResidualDecoder, ResidualEncoder

__all__ = [
    "ACTIVATIONS",
    "DECODERS",
    "ENCODERS",
    "AbsentEncoder",
    "ColumnsEncoder",
    "ConvDecoder",
    "ConvEncoder",
    "MLPDecoder",
    "RecurrentEncoder",
    "ResidualDecoder",
    "ResidualEncoder",
]

"""Networks and nothing else: tensors in, tensors out."""

from dreamgen.nn.mlp import DECODERS, ENCODERS

__all__ = ["DECODERS", "ENCODERS"]

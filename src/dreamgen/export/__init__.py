"""A model to hand over: its decoder alone, a graph that other programs run, a page that dreams by itself."""

from dreamgen.export.decoder import Exported, export_decoder
from dreamgen.export.graph import PARTS, export_onnx
from dreamgen.export.page import export_page
from dreamgen.export.whitelist import MAY_LEAVE, Handover, hand_over

__all__ = ["MAY_LEAVE", "PARTS", "Exported", "Handover", "export_decoder", "export_onnx", "export_page", "hand_over"]

"""Evaluation: what a model's bound, latents and dreams are worth. It never sees beta."""

from dreamgen.evaluation.likelihood import Scores, binarise_rows, blocks, encode_rows, explain_rows, score_rows
from dreamgen.evaluation.report import evaluate

__all__ = ["Scores", "binarise_rows", "blocks", "encode_rows", "evaluate", "explain_rows", "score_rows"]

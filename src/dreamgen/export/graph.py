"""A part of a model as an ONNX graph: numbers in, numbers out, for any program that runs them.

    decoder    z (batch, D)       to mean (batch, *event), as `inverse_transform` gives it
    encoder    x (batch, *event)  to loc and scale (batch, D), as `encode` gives them

The format: Open Neural Network Exchange, https://onnx.ai/onnx/repo-docs/IR.html.
"""

import contextlib
import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamgen.errors import DreamgenError, SettingsError
from dreamgen.export.decoder import Exported
from dreamgen.export.parts import DecoderMean, EncoderMoments, ExportedPart, examples, largest, prior_codes
from dreamgen.export.whitelist import divide
from dreamgen.files import make_folder, write_bytes
from dreamgen.generator import DreamGenerator
from dreamgen.io import SavedModel
from dreamgen.registry import nearest

PARTS: dict[str, tuple[Callable[[SavedModel], ExportedPart], Callable[[SavedModel, int], Tensor]]] = {
    "decoder": (DecoderMean, prior_codes),
    "encoder": (EncoderMoments, examples),
}
"""The halves of a model by name, each with what it is tried on."""

_TOLERANCE = 1e-5
_BATCHES = (1, 2, 7, 64)  # a graph with a fixed batch size gives itself away


def export_onnx(generator: DreamGenerator, out: str | Path, part: str = "decoder") -> Exported:
    """Write one part of a model as an ONNX file with a free batch size.

    Where onnxruntime is installed, the file's bytes are run before they are written, and their figures compared with
    the model's own for several batch sizes.

    Args:
        generator: fitted or loaded.
        out: the file.
        part: "decoder" or "encoder".

    Raises:
        SettingsError: no such part, the model has no encoder, the part cannot be written as ONNX, or the packages of
            `pip install 'dreamgen[onnx]'` are missing.
        DreamgenError: onnxruntime's figures differ by more than 1e-5.
        OutputError: the file cannot be written.
    """
    if part not in PARTS:
        raise SettingsError(f"unknown part {part!r}: {nearest(part, PARTS)}")
    saved, path = generator.fitted(), Path(out)
    kind, tried_on = PARTS[part]
    network = copy.deepcopy(kind(saved)).cpu().eval()
    inputs = tried_on(saved, max(_BATCHES))
    content = _to_onnx(network, inputs)
    difference = _compare(content, network, inputs)
    if difference is not None and difference > _TOLERANCE:
        raise DreamgenError(f"nothing written: onnxruntime's figures differ from the model's by {difference:.2g}")
    make_folder(path.parent)
    write_bytes(path, content)
    left = {*(f"weights.{name}" for name in network.state_dict()), "event_shape"}
    if part == "decoder":
        left.add("unit_range")
    return Exported(path, len(content), *divide(saved, left), difference)


def _to_onnx(network: ExportedPart, inputs: Tensor) -> bytes:
    with torch.no_grad():
        network(inputs)  # what the model itself refuses, it says best itself
    try:
        for package in ("onnx", "onnxscript"):
            import_module(package)
    except ImportError as error:
        raise SettingsError("to write ONNX, more packages are needed: pip install 'dreamgen[onnx]'") from error
    try:
        with _quiet():
            program = torch.onnx.export(
                network,
                (inputs[:2],),
                input_names=network.inputs,
                output_names=network.outputs,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = (str(error.__cause__ or error).splitlines() or ["no reason given"])[0]
        raise SettingsError(f"this model cannot be written as ONNX: {reason}") from error
    assert program is not None
    model = program.model_proto
    _drop_remarks(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about itself: deprecations inside torch, packages that it could have used."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _drop_remarks(message: Any) -> None:
    """Remove stack traces, with the paths of this machine, and other notes from a graph and all below it."""
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type:
            for below in [value] if hasattr(value, "ListFields") else value:
                _drop_remarks(below)


def _compare(content: bytes, network: ExportedPart, inputs: Tensor) -> float | None:
    """The largest difference between onnxruntime's figures and torch's; None where onnxruntime is not installed."""
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        return None
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    differences = []
    for rows in _BATCHES:
        batch = inputs[:rows]
        with torch.no_grad():
            expected = network(batch)
        found = session.run(None, {network.inputs[0]: batch.numpy()})
        for a, b in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            if a.shape != tuple(b.shape):
                raise DreamgenError(f"nothing written: onnxruntime gives shape {a.shape}, the model {tuple(b.shape)}")
            differences.append(largest(torch.from_numpy(a), b))
    return max(differences)

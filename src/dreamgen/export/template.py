"""The page's own files, filled: one document with its style, script, model and weights inside."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from dreamgen import __version__

_SCRIPTS = ("decoder.js", "code.js", "dreams.js", "map.js", "sliders.js", "start.js")
_PIXELS = {"sigmoid": "each is shown as its chance of being white", "identity": "each is shown as its mean"}


def fill(title: str, model: Mapping[str, Any], weights: bytes, card: Mapping[str, Any]) -> bytes:
    """The document.

    Args:
        title: any text.
        model: what the script is told of the model; plain values of the library's own, no text from outside.
        weights: little-endian floats, each layer's matrix and bias in order.
        card: figures to show beside them.
    """
    script = "".join(map(_read, _SCRIPTS))
    style = _read("page.css")
    height, width, _ = model["shape"]
    values = {
        "TITLE": html.escape(title),
        "ABOUT": f"{model['latents']} numbers become a picture of {width} × {height} pixels, here in your browser.",
        "CARD": "\n".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in _rows(model, len(weights), card)),
        "MODEL": json.dumps(model, separators=(",", ":")),
        "WEIGHTS": base64.b64encode(weights).decode(),
        "STYLE": style,
        "STYLE_HASH": _hash(style),
        "SCRIPT": script,
        "SCRIPT_HASH": _hash(script),
    }
    # One pass: what is filled in is never looked at again.
    return re.sub("@([A-Z_]+)@", lambda place: values[place[1]], _read("page.html")).encode()


def _read(name: str) -> str:
    return files("dreamgen.export").joinpath("web", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _rows(model: Mapping[str, Any], size: int, card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the page says of itself, name and text."""
    (height, width, channels), layers = model["shape"], model["layers"]
    active, figures = card.get("active_units"), _figures(card)
    chain = "".join(f" → {outputs} ({function})" for _, outputs, function in layers)
    number = sum((inputs + 1) * outputs for inputs, outputs, _ in layers)
    return [
        ("Pictures", f"{width} × {height} pixels, {'in colour' if channels == 3 else 'grey'}"),
        ("Pixels", _PIXELS[layers[-1][2]]),
        ("Latents", str(model["latents"]) + ("" if active is None else f", {active} of them active")),
        ("Decoder", f"{model['latents']}{chain}, {number:,} weights"),
        ("Stored as", f"{model['weights']}, {size / 1000:,.0f} kB"),
        *([("Measured", figures)] if figures else []),
        ("Dreams", "codes from the prior, a standard normal in every latent, decoded"),
        ("Left behind", "the encoder, and of the training data everything but what the decoder learned from it"),
        ("Library", f"dreamgen {__version__}"),
    ]


def _figures(card: Mapping[str, Any]) -> str:
    measured = (("test loss", card.get("test_loss")), ("−log p(x)", card.get("evaluation", {}).get("nll")))
    known = [f"{name} {value:.2f}" for name, value in measured if isinstance(value, int | float)]
    return f"{', '.join(known)}, in nats a picture" if known else ""

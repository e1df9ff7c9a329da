"""Everything in dreamgen that reads what somebody else wrote: each takes bytes, and reads them or refuses them.

Refusing is raising a DreamgenError; anything else that comes out is a bug. Hypothesis (`tests/test_breaking.py`) and
atheris (`breaking.fuzz`) feed the same parsers, from the same good examples.
"""

import gzip
import io
import json
import re
import struct
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from breaking.models import copy_folder, small_model, small_run
from dreamgen import DreamGenerator, Settings, build_model, config, recipes
from dreamgen.cli import common, examples, main
from dreamgen.data.arrays import as_examples, pick_array, read_arrays
from dreamgen.data.files import load_path
from dreamgen.data.images import read_image
from dreamgen.data.named import read_idx
from dreamgen.errors import DreamgenError
from dreamgen.files import dump_json, sha256
from dreamgen.io import SavedModel, load_model, save_model
from dreamgen.objectives import build_objective
from dreamgen.plots import save_map
from dreamgen.training import Checkpoints, Run, checkpoint, train
from dreamgen.training.update import UPDATES, check_learning_rate

Parse = Callable[["Bench", bytes], object]
PARSERS: dict[str, Parse] = {}
EXAMPLES: dict[str, Callable[["Bench"], list[bytes]]] = {}


@dataclass(frozen=True)
class Bench:
    """A folder to work in, with a good model and a good run to spoil."""

    folder: Path

    @cached_property
    def model(self) -> Path:
        """A saved model."""
        small_model(self.folder / "model")
        return self.folder / "model"

    @cached_property
    def generator(self) -> DreamGenerator:
        """That model, loaded."""
        return DreamGenerator.load(self.model)

    @cached_property
    def run(self) -> Path:
        """A run of three epochs, with its checkpoints."""
        list(train(small_run(), Checkpoints(self.folder / "run")))
        return self.folder / "run"

    @cached_property
    def spoilt(self) -> Path:
        """A copy of the model, to spoil."""
        return copy_folder(self.model, self.folder / "spoilt")

    def load_with(self, name: str, content: bytes) -> SavedModel:
        """Load the model with one file changed, and the manifest made to agree."""
        manifest = json.loads((self.model / "manifest.json").read_text())
        manifest["files"][name] = {"sha256": sha256(content), "bytes": len(content)}
        (self.spoilt / name).write_bytes(content)
        (self.spoilt / "manifest.json").write_bytes(dump_json(manifest))
        try:
            return load_model(self.spoilt)
        finally:
            for kept in (name, "manifest.json"):
                (self.spoilt / kept).write_bytes((self.model / kept).read_bytes())

    def write(self, name: str, content: bytes) -> Path:
        """A file, in the place of the one before."""
        path = self.folder / name
        path.write_bytes(content)
        return path


def holds(parse: Parse, bench: Bench, content: bytes) -> bool:
    """Whether the bytes were read; False if they were refused. Lets every other error through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parse(bench, content)
        except DreamgenError as error:
            if not str(error).strip():
                raise AssertionError("a refusal without a reason") from error
            return False
    return True


def parser(name: str, examples: Callable[[Bench], list[bytes]]) -> Callable[[Parse], Parse]:
    """Register a parser, with a function that makes good examples of what it reads."""

    def add(parse: Parse) -> Parse:
        PARSERS[name], EXAMPLES[name] = parse, examples
        return parse

    return add


# Settings


def _use(settings: Settings) -> None:
    """Do with settings what training does with them, short of taking memory."""
    check_learning_rate(settings)
    objective = build_objective(settings)
    with torch.device("meta"):
        UPDATES.build(settings.update, model=build_model(settings, (4, 4)), settings=settings)
    for step in (0, 7, 99):
        objective.weight(step, 100)
    settings.resolve(100).to_toml()


def _recipes(_: Bench) -> list[bytes]:
    return [recipe.settings.to_toml().encode() for recipe in recipes.RECIPES.values()]


@parser("recipe", _recipes)
def parse_recipe(bench: Bench, content: bytes) -> object:
    return _use(recipes.find_settings(str(bench.write("recipe.toml", content))))


_OVERRIDES = [
    b"beta=4", b"hidden_dim=[500, 200]", b"encoder.activation=tanh", b"beta={kind='linear', steps=10}",
    b"epochs=auto\0batch_size=0x10", b"likelihood={kind='gaussian', scale=1e-3, learned=true}", b"free_bits=1_0.5",
    b"optimizer={kind='adamw', beta1=0.5}", b"objective={kind='iwae', samples=3}", b"learning_rate={kind='triangle'}",
]  # fmt: skip


@parser("override", lambda bench: _OVERRIDES)
def parse_override(bench: Bench, content: bytes) -> object:
    return _use(config.apply_overrides(Settings(), content.decode("utf-8", "replace").split("\0")))


# A model's files


def _part(name: str) -> Callable[[Bench], list[bytes]]:
    return lambda bench: [(bench.model / name).read_bytes()]


def _show(saved: SavedModel, bench: Bench) -> None:
    """Do with what a file says what the commands do with it."""
    facts = {"origin": saved.origin, "card": saved.card, "settings": saved.settings.to_dict()}
    json.dumps(facts, allow_nan=False)
    common.table(facts).encode()
    save_model(bench.folder / "again", saved)
    generator = DreamGenerator.from_settings(saved.settings, "cpu", saved.origin.get("seed"))
    generator.saved_ = saved
    generator.latent_order, generator.main_plane, generator.sees_binary  # noqa: B018


def _parse_json_part(name: str, bench: Bench, content: bytes) -> object:
    return _show(bench.load_with(name, content), bench)


for _name in ("config.json", "card.json", "history.json"):
    parser(_name, _part(_name))(partial(_parse_json_part, _name))


@parser("manifest.json", _part("manifest.json"))
def parse_manifest(bench: Bench, content: bytes) -> object:
    (bench.spoilt / "manifest.json").write_bytes(content)
    try:
        return load_model(bench.spoilt)
    finally:
        (bench.spoilt / "manifest.json").write_bytes((bench.model / "manifest.json").read_bytes())


@parser("weights", _part("model.safetensors"))
def parse_weights(bench: Bench, content: bytes) -> object:
    return bench.load_with("model.safetensors", content)


@parser("codes", _part("codes.safetensors"))
def parse_codes(bench: Bench, content: bytes) -> object:
    return _show(bench.load_with("codes.safetensors", content), bench)


# A run's files


def _checkpoint_file(bench: Bench) -> Path:
    return Checkpoints(bench.run).found()[0]


@parser("checkpoint", lambda bench: [_checkpoint_file(bench).read_bytes()])
def parse_checkpoint(bench: Bench, content: bytes) -> object:
    place = copy_folder(bench.run, bench.folder / "resumed")
    newest, before = Checkpoints(place).found()
    before.unlink()
    newest.write_bytes(content)
    Checkpoints(place).seed()
    return Checkpoints(place).restore(small_run())


@parser("sealed values", lambda bench: [dump_json(checkpoint._read(_checkpoint_file(bench))[1])])
def parse_sealed_values(bench: Bench, content: bytes) -> object:
    """What a checkpoint says, under a seal that is right."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    place = copy_folder(bench.run, bench.folder / "resumed")
    newest = Checkpoints(place).found()[0]
    try:
        checkpoint._write(newest, checkpoint._read(newest)[0], values)
    except (ValueError, RecursionError):  # half characters, and other things that dreamgen could not have written
        return None
    for path in Checkpoints(place).found()[1:]:
        path.unlink()
    Checkpoints(place).seed()
    resumed: Run = small_run()
    return Checkpoints(place).restore(resumed) and list(train(resumed))


# Data


def _npy(x: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x)
    return buffer.getvalue()


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


_ROWS = np.random.default_rng(0).integers(0, 256, (24, 4), dtype=np.uint8)


@parser("npy", lambda bench: [_npy(_ROWS), _npy(_ROWS[:3] / 7), _npy(np.asfortranarray(_ROWS[:5].astype(">i4")))])
def parse_npy(bench: Bench, content: bytes) -> object:
    return load_path(bench.write("x.npy", content)).sha256


@parser("npz", lambda bench: [_npz(x=_ROWS, labels=np.arange(24)), _npz(a=_ROWS[:3], y=np.array(list("abc")))])
def parse_npz(bench: Bench, content: bytes) -> object:
    return load_path(bench.write("x.npz", content)).sha256


@parser("code array", lambda bench: [_npz(loc=np.zeros((3, 4))), _npz(z=np.ones((2, 4), np.float32))])
def parse_code_array(bench: Bench, content: bytes) -> object:
    path = bench.write("z.npz", content)
    return bench.generator.inverse_transform(pick_array(path, read_arrays(path), ("loc", "z")))


_IDX = struct.pack(">HBBII", 0, 8, 2, *_ROWS.shape) + _ROWS.tobytes()


@parser("idx.gz", lambda bench: [gzip.compress(_IDX, mtime=0)])
def parse_gzipped_idx(bench: Bench, content: bytes) -> object:
    return read_idx(bench.write("x.gz", content))


@parser("idx", lambda bench: [_IDX])
def parse_idx(bench: Bench, content: bytes) -> object:
    return read_idx(bench.write("x.gz", gzip.compress(content, 1, mtime=0)))


def _picture(kind: str, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_ROWS[:8]).convert(mode).save(buffer, kind)
    return buffer.getvalue()


_PICTURES = [
    ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "1"), ("JPEG", "L"), ("JPEG", "CMYK"), ("BMP", "L"),
    ("GIF", "L"), ("WEBP", "RGB"), ("TIFF", "L"), ("TIFF", "F"), ("PPM", "L"), ("PPM", "RGB"), ("PNG", "I;16"),
]  # fmt: skip


@parser("picture", lambda bench: [_picture(*kind) for kind in _PICTURES])
def parse_picture(bench: Bench, content: bytes) -> object:
    return read_image(bench.write("x.png", content))


@parser("rows", lambda bench: [b"[[1, 2], [3, 4]]", b'[["a"], [null]]', b"[[1.5], [1e400]]", b"[[true]]", b"[[]]"])
def parse_rows(bench: Bench, content: bytes) -> object:
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return as_examples(rows)


# Words on the command line


@parser("example", lambda bench: [b"digits:7", b"dream:3", b"x.npz:0", b"a.png", b"mnist:0", "digits:٣".encode()])
def parse_example(bench: Bench, content: bytes) -> object:
    text = content.decode("utf-8", "replace")
    if text.startswith(("mnist:", "fashion_mnist:", "omniglot:")):
        text = "digits:" + text.partition(":")[2]  # no fuzzer is to load MNIST a thousand times, or to download it
    bench.write("x.npz", _npz(x=_ROWS))
    return examples.one_example(text.replace("x.npz", str(bench.folder / "x.npz")), bench.generator)


_OPTIONS = [
    b"dream\0-n\x003\0--seed\x001", b"map\0--size\x003\0--by\0quantile\0--span\x002.5", b"map\0--plane\x000,1",
    b"traverse\0--latents\x000,2\0--steps\x003\0--from\0dream:1", b"dream\0--device\0cuda:7", b"info",
    b"morph\0dream:1\0dream:2\0--path\0spherical\0--steps\x004", b"reconstruct\0digits\0-n\x003\0--split\0test",
    b"evaluate\0digits\0--limit\x004\0--samples\x002", b"encode\0digits\0--split\0all", b"decode\0codes.npz",
]  # fmt: skip
_LARGE = re.compile(r"\d{4,6}$|\d{7,}(?!\d{13})|\d[eE]\d")


@parser("options", lambda bench: _OPTIONS)
def parse_options(bench: Bench, content: bytes) -> object:
    """A verb and its options, apart by zero bytes, run on the good model."""
    verb, *rest = content.decode("utf-8", "replace").split("\0")
    if verb not in {option.split(b"\0")[0].decode() for option in _OPTIONS}:
        return None
    # What is asked for is done: a large number of pictures is no error, and takes as long as it takes.
    rest = [_LARGE.sub("3", word) for word in rest if word not in ("--out", "--debug") and not word.startswith("--o")]
    out = [] if verb == "info" else ["--out", str(bench.folder / "out.npz")]
    err = io.StringIO()
    with redirect_stderr(err), redirect_stdout(io.StringIO()):
        try:
            main([verb, str(bench.model), *rest, *out])
        except SystemExit as end:
            code = end.code
    if code not in (0, 2, 3, 4, 5) or "out of memory" in err.getvalue():
        raise AssertionError(f"exit code {code}: {err.getvalue()}")
    return None


@parser("map", lambda bench: [_labels(bench, [0, 1, 2]), _labels(bench, [-1, 5]), _labels(bench, [2**62, -(2**62)])])
def parse_map(bench: Bench, content: bytes) -> object:
    """Codes and labels out of a file, drawn."""
    saved = bench.load_with("codes.safetensors", content)
    codes = {name: tensor.numpy() for name, tensor in saved.codes.items()}
    grid = np.zeros((2, 2, 8, 8), np.float32)
    return save_map(
        grid,
        bench.folder / "map.png",
        plane=[0, 1],
        ticks=np.array([-1.0, 1.0]),
        codes=codes.get("loc"),
        labels=codes.get("labels"),
        classes=("zero", "one"),
    )


@parser("classes", lambda bench: [b"zero\0one", b"$a$\0_", "t-shirt\0日本".encode(), b"a\nb\0\\frac{1}{2}"])
def parse_classes(bench: Bench, content: bytes) -> object:
    """Names of classes, which are names of folders, drawn."""
    return save_map(
        np.zeros((2, 2, 8, 8), np.float32),
        bench.folder / "map.png",
        plane=[0, 1],
        ticks=np.array([-1.0, 1.0]),
        codes=np.zeros((2, 4), np.float32),
        labels=np.array([0, 1]),
        classes=content.decode("utf-8", "replace").split("\0"),
    )


def _labels(bench: Bench, labels: list[int]) -> bytes:
    from dreamgen.tensors import dump_tensors

    return dump_tensors({"loc": torch.zeros(len(labels), 4), "labels": torch.tensor(labels)})


# Damage


@cache
def _interesting() -> list[bytes]:
    numbers = [b"-1", b"0", b"1e999", b"NaN", b"9" * 400, b"9" * 5000, b"null", b"[]", b"{}", b'""', b"true", b"1.5"]
    return [
        *numbers,
        b"\0",
        b"\xff\xff\xff\xff",
        b"\x80",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"[" * 2000,
        b"\n",
        "٣".encode(),
    ]


def damaged(content: bytes, random: Random) -> bytes:
    """The bytes with a few changes: bits, numbers, pieces put in, taken out or doubled, the end cut off."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(changed) + 1)
        piece = changed[place : place + random.choice((1, 2, 8, 40))]
        match random.randrange(7):
            case 0 if place < len(changed):
                changed[place] ^= 1 << random.randrange(8)
            case 1:
                changed[place:place] = random.choice(_interesting())
            case 2:
                numbers = list(re.finditer(rb"-?\d+(\.\d+)?", bytes(changed)))
                if numbers:
                    start, stop = random.choice(numbers).span()
                    changed[start:stop] = random.choice(_interesting())
            case 3:
                del changed[place : place + len(piece)]
            case 4:
                changed[place:place] = piece
            case 5:
                del changed[place:]
            case 6:
                changed[place : place + 4] = random.randbytes(4)
    return bytes(changed)

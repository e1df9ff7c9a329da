"""Files that mean harm, each with the command that a person would hand it to.

A case is a function that fills an empty folder and returns the command's arguments. `outside` is a file that no
command was given: it is to be neither read nor written.
"""

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from dreamgen.files import dump_json, sha256

Case = Callable[["Place"], list[str]]
CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Place:
    """Where a case puts its files.

    Attributes:
        folder: empty, for the case.
        model: a good model, to copy and spoil.
        outside: the file that nobody is to touch.
    """

    folder: Path
    model: Path
    outside: Path

    def write(self, name: str, content: bytes) -> str:
        """A file of the case."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def model_with(self, name: str, content: bytes) -> list[str]:
        """A model in which one file is another, and the manifest agrees."""
        folder = self.copied_model()
        (folder / name).write_bytes(content)
        self.seal(folder, name, sha256(content), len(content))
        return ["info", str(folder)]

    def copied_model(self) -> Path:
        """A copy of the good model."""
        return Path(shutil.copytree(self.model, self.folder / "model"))

    def seal(self, folder: Path, name: str, digest: str, size: int) -> None:
        """Make a manifest say what a file is."""
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][name] = {"sha256": digest, "bytes": size}
        (folder / "manifest.json").write_bytes(dump_json(manifest))

    def model_with_config(self, change: Callable[[dict[str, Any]], object]) -> list[str]:
        """A model whose config is changed, and the manifest agrees."""
        config = json.loads((self.model / "config.json").read_text())
        change(config)
        return self.model_with("config.json", json.dumps(config).encode())

    def model_with_weights(self, change: Callable[[dict[str, torch.Tensor]], object]) -> list[str]:
        """A model whose weights are changed, and the manifest agrees."""
        weights = safetensors.torch.load((self.model / "model.safetensors").read_bytes())
        change(weights)
        return self.model_with("model.safetensors", safetensors.torch.save(weights))

    def recipe(self, content: str) -> list[str]:
        """A recipe to train with."""
        path = self.write("recipe.toml", content.encode())
        return ["train", "digits", "--recipe", path, "--epochs", "1", "--out", str(self.folder / "run")]

    def trained_from(self, checkpoint: bytes) -> list[str]:
        """A run to go on with."""
        self.write("run/checkpoints/step-00000003.safetensors", checkpoint)
        return ["train", "digits", "--out", str(self.folder / "run"), "--resume", "--epochs", "1"]


def case(function: Case) -> Case:
    """Register a case by its function's name."""
    CASES[function.__name__] = function
    return function


# Pickles in every coat


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, outside: Path) -> None:
        self.command = f"touch {outside.with_name('sprung')}"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (self.command,)


def trap(place: Place) -> bytes:
    return pickle.dumps(Trap(place.outside))


def npy(x: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x, allow_pickle=pickled)
    return buffer.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def object_npy(place: Place) -> bytes:
    return npy(np.array([[Trap(place.outside)] * 2] * 3, dtype=object), pickled=True)


def torch_file(place: Place) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weights": torch.zeros(3), "trap": Trap(place.outside)}, buffer)
    return buffer.getvalue()


@case
def pickle_as_npy(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npy", trap(place))]


@case
def pickle_as_npz(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npz", trap(place))]


@case
def objects_in_npy(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npy", object_npy(place))]


@case
def object_field_in_npy(place: Place) -> list[str]:
    rows = np.array([(1.0, Trap(place.outside))] * 3, dtype=[("a", "f8"), ("b", "O")])
    return ["data", "check", place.write("x.npy", npy(rows, pickled=True))]


@case
def objects_in_npz(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npz", zipped({"x.npy": object_npy(place)}))]


@case
def object_labels_in_npz(place: Place) -> list[str]:
    members = {"x.npy": npy(np.eye(3)), "labels.npy": object_npy(place)}
    return ["train", place.write("x.npz", zipped(members)), "--out", str(place.folder / "run")]


@case
def objects_as_codes(place: Place) -> list[str]:
    return ["decode", str(place.model), place.write("codes.npz", zipped({"loc.npy": object_npy(place)}))]


@case
def joblib_as_codes(place: Place) -> list[str]:
    import joblib

    joblib.dump({"loc": np.eye(4), "trap": Trap(place.outside)}, place.folder / "codes.npy")
    return ["decode", str(place.model), str(place.folder / "codes.npy")]


@case
def torch_file_as_npz(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npz", torch_file(place))]


@case
def torch_file_by_its_name(place: Place) -> list[str]:
    return ["data", "check", place.write("x.pt", torch_file(place))]


@case
def pickle_by_its_name(place: Place) -> list[str]:
    return ["data", "check", place.write("x.pkl", trap(place))]


@case
def pickle_as_csv(place: Place) -> list[str]:
    return ["data", "check", place.write("x.csv", trap(place))]


@case
def pickle_as_weights(place: Place) -> list[str]:
    return place.model_with("model.safetensors", trap(place))


@case
def torch_file_as_weights(place: Place) -> list[str]:
    return place.model_with("model.safetensors", torch_file(place))


@case
def pickle_as_config(place: Place) -> list[str]:
    return place.model_with("config.json", trap(place))


@case
def pickle_beside_the_weights(place: Place) -> list[str]:
    return place.model_with("model.pkl", trap(place))


@case
def pickle_as_checkpoint(place: Place) -> list[str]:
    return place.trained_from(trap(place))


@case
def torch_file_as_checkpoint(place: Place) -> list[str]:
    return place.trained_from(torch_file(place))


@case
def pickle_as_picture(place: Place) -> list[str]:
    return ["morph", str(place.model), place.write("a.png", trap(place)), "dream:1"]


@case
def pickle_as_recipe(place: Place) -> list[str]:
    return [
        "train",
        "digits",
        "--recipe",
        place.write("recipe.toml", trap(place)),
        "--out",
        str(place.folder / "run"),
    ]


# Zips


def zeros_deflated(mebibytes: int, crc: int = 0) -> tuple[bytes, int]:
    """A deflate stream of so many MiB of zeros, made of one piece repeated, and the CRC of what it holds."""
    piece = bytes(1 << 20)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = squeeze.compress(piece) + squeeze.flush(zlib.Z_FULL_FLUSH)
    again = squeeze.compress(piece) + squeeze.flush(zlib.Z_FULL_FLUSH)
    end = squeeze.flush()
    for _ in range(mebibytes):
        crc = zlib.crc32(piece, crc)
    return first + again * (mebibytes - 1) + end, crc


def npy_header(descr: str, shape: str) -> bytes:
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def bomb_npz(mebibytes: int, members: int = 1) -> bytes:
    """An archive whose members each unfold to so many MiB, all from the same few bytes."""
    header = npy_header("|u1", f"({mebibytes}, 1048576)")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = squeeze.compress(header) + squeeze.flush(zlib.Z_FULL_FLUSH)
    tail, crc = zeros_deflated(mebibytes, zlib.crc32(header))
    packed, size = start + tail, len(header) + (mebibytes << 20)
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, crc, len(packed), size, 5, 0) + b"x.npy"
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, crc, len(packed), size, 5, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"x.npy") * members
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, members, members, len(directory), len(local + packed), 0)
    return local + packed + directory + end


@case
def npz_that_unfolds_to_3_gigabytes(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npz", bomb_npz(3072))]


@case
def npz_whose_members_share_their_bytes(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npz", bomb_npz(64, members=500))]


@case
def npz_that_climbs_out_of_its_folder(place: Place) -> list[str]:
    members = {"../../outside.npy": npy(np.eye(3)), f"{place.outside}.npy": npy(np.eye(3))}
    return ["data", "check", place.write("x.npz", zipped(members))]


@case
def npz_with_a_link(place: Place) -> list[str]:
    link = zipfile.ZipInfo("x.npy")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, str(place.outside))
    return ["data", "check", place.write("x.npz", buffer.getvalue())]


@case
def gzip_that_unfolds_to_2_gigabytes(place: Place) -> list[str]:
    packed, _ = zeros_deflated(2048)
    bomb = gzip.compress(b"")[:10] + packed + bytes(8)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        place.write(f"mnist/{name}-ubyte.gz", bomb)
    return ["DREAMGEN_DATA=" + str(place.folder), "data", "show", "mnist", "--out", str(place.folder / "sheet.png")]


@case
def idx_that_promises_4_gigabytes_and_holds_1(place: Place) -> list[str]:
    head = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = head.compress(struct.pack(">HBBI", 0, 8, 1, (1 << 32) - 1)) + head.flush(zlib.Z_FULL_FLUSH)
    bomb = gzip.compress(b"")[:10] + start + zeros_deflated(1024)[0] + bytes(8)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        place.write(f"mnist/{name}-ubyte.gz", bomb)
    return ["DREAMGEN_DATA=" + str(place.folder), "data", "show", "mnist", "--out", str(place.folder / "sheet.png")]


# Arrays


@case
def npy_of_80_bytes_that_asks_for_32_gigabytes(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npy", npy_header("<f8", "(2000000000, 2)").ljust(80, b"\0")[:80])]


@case
def npy_whose_shape_overflows(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npy", npy_header("<f8", "(4294967296, 4294967296)") + bytes(80))]


@case
def npy_with_a_negative_shape(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npy", npy_header("<f8", "(-1, -10)") + bytes(80))]


@case
def npy_with_a_header_of_4_gigabytes(place: Place) -> list[str]:
    return [
        "data",
        "check",
        place.write("x.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", (1 << 32) - 1) + b"{" * 99),
    ]


@case
def npy_that_is_a_program(place: Place) -> list[str]:
    header = f"__import__('os').system('touch {place.outside.with_name('sprung')}')\n".encode()
    return ["data", "check", place.write("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)]


@case
def npy_of_nan(place: Place) -> list[str]:
    return ["data", "check", place.write("x.npy", npy(np.full((30, 4), np.nan)))]


@case
def codes_of_infinity(place: Place) -> list[str]:
    return ["decode", str(place.model), place.write("z.npy", npy(np.full((3, 4), np.inf)))]


# Weights


def safetensors_file(header: str | bytes, content: bytes = bytes(64), length: int | None = None) -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header) if length is None else length) + header + content


@case
def header_of_an_exabyte(place: Place) -> list[str]:
    return place.model_with("model.safetensors", safetensors_file("{}", length=1 << 60))


@case
def header_of_negative_length(place: Place) -> list[str]:
    return place.model_with("model.safetensors", safetensors_file("{}", length=(1 << 64) - 1))


@case
def overlapping_tensors(place: Place) -> list[str]:
    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return place.model_with("model.safetensors", safetensors_file(json.dumps({"a": one, "b": one}), bytes(16)))


@case
def tensor_with_a_negative_offset(place: Place) -> list[str]:
    header = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]}}
    return place.model_with("model.safetensors", safetensors_file(json.dumps(header)))


@case
def tensor_beyond_the_end(place: Place) -> list[str]:
    header = {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    return place.model_with("model.safetensors", safetensors_file(json.dumps(header)))


@case
def tensor_of_nothing_and_everything(place: Place) -> list[str]:
    header = {"a": {"dtype": "F32", "shape": [0, 1 << 62, 1 << 62], "data_offsets": [0, 0]}}
    return place.model_with("model.safetensors", safetensors_file(json.dumps(header), b""))


@case
def deep_header(place: Place) -> list[str]:
    return place.model_with("model.safetensors", safetensors_file('{"a":' * 100_000))


@case
def weights_of_nan(place: Place) -> list[str]:
    return place.model_with_weights(lambda weights: next(iter(weights.values())).fill_(torch.nan))


@case
def weights_of_infinity(place: Place) -> list[str]:
    return place.model_with_weights(lambda weights: next(iter(weights.values())).fill_(-torch.inf))


@case
def codes_of_other_labels(place: Place) -> list[str]:
    codes = {"loc": torch.zeros(3, 4), "labels": torch.full((3,), torch.nan)}
    return place.model_with("codes.safetensors", safetensors.torch.save(codes))


@case
def weights_of_a_sparse_terabyte(place: Place) -> list[str]:
    folder = place.copied_model()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(safetensors_file("{}", b""))
        file.truncate(1 << 40)
    place.seal(folder, "model.safetensors", "0" * 64, 1 << 40)
    return ["info", str(folder)]


# Settings


@case
def class_path_as_part(place: Place) -> list[str]:
    return place.model_with_config(lambda config: config["settings"].update(encoder="os.system"))


@case
def class_path_with_arguments(place: Place) -> list[str]:
    spec = {"kind": "os.system", "command": f"touch {place.outside.with_name('sprung')}"}
    return place.model_with_config(lambda config: config["settings"].update(decoder=spec))


@case
def target_as_hydra_writes_it(place: Place) -> list[str]:
    spec = {"kind": "mlp", "_target_": "os.system", "__reduce__": ["os.system", "ls"]}
    return place.model_with_config(lambda config: config["settings"].update(encoder=spec))


@case
def layers_of_a_million(place: Place) -> list[str]:
    return place.model_with_config(lambda config: config["settings"].update(hidden_dim=[1 << 20] * 100))


@case
def a_latent_of_a_million(place: Place) -> list[str]:
    return place.model_with_config(lambda config: config["settings"].update(latent_dim=1 << 20))


@case
def an_event_of_a_terabyte(place: Place) -> list[str]:
    return place.model_with_config(lambda config: config.update(event_shape=[1 << 20, 1 << 20]))


@case
def settings_of_huge_numbers(place: Place) -> list[str]:
    return place.model_with_config(lambda config: config["settings"].update(beta=10**400, free_bits=10**400))


@case
def config_of_100_000_brackets(place: Place) -> list[str]:
    return place.model_with("config.json", b"[" * 100_000)


@case
def config_of_a_million_digits(place: Place) -> list[str]:
    return place.model_with("config.json", b"9" * 1_000_000)


@case
def card_of_infinity(place: Place) -> list[str]:
    return [*place.model_with("card.json", b'{"test_loss": 1e999}'), "--json"]


@case
def card_that_no_terminal_can_write(place: Place) -> list[str]:
    return place.model_with("card.json", b'{"name": "\\ud800"}')


@case
def manifest_that_climbs_out(place: Place) -> list[str]:
    folder = place.copied_model()
    place.seal(folder, "../../../outside.json", sha256(place.outside.read_bytes()), place.outside.stat().st_size)
    return ["info", str(folder)]


@case
def manifest_with_an_absolute_path(place: Place) -> list[str]:
    folder = place.copied_model()
    place.seal(folder, str(place.outside), sha256(place.outside.read_bytes()), place.outside.stat().st_size)
    return ["info", str(folder)]


@case
def manifest_of_a_newer_format(place: Place) -> list[str]:
    folder = place.copied_model()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_bytes(dump_json({**manifest, "format": 10**30}))
    return ["info", str(folder)]


# Things that are no files


def _linked(place: Place, name: str, target: Path) -> list[str]:
    folder = place.copied_model()
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    return ["info", str(folder)]


@case
def weights_that_are_a_link(place: Place) -> list[str]:
    return _linked(place, "model.safetensors", place.model / "model.safetensors")


@case
def config_that_is_a_link_to_secrets(place: Place) -> list[str]:
    return _linked(place, "config.json", place.outside)


@case
def manifest_that_is_a_link(place: Place) -> list[str]:
    return _linked(place, "manifest.json", place.model / "manifest.json")


@case
def card_that_never_ends(place: Place) -> list[str]:
    return _linked(place, "card.json", Path("/dev/zero"))


@case
def weights_that_are_a_pipe(place: Place) -> list[str]:
    folder = place.copied_model()
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    return ["info", str(folder)]


@case
def config_that_is_a_folder(place: Place) -> list[str]:
    folder = place.copied_model()
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    return ["info", str(folder)]


@case
def manifest_that_is_a_pipe(place: Place) -> list[str]:
    folder = place.copied_model()
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    return ["info", str(folder)]


@case
def data_that_is_a_pipe(place: Place) -> list[str]:
    os.mkfifo(place.folder / "x.npy")
    return ["data", "check", str(place.folder / "x.npy")]


@case
def codes_that_are_a_pipe(place: Place) -> list[str]:
    os.mkfifo(place.folder / "z.npz")
    return ["decode", str(place.model), str(place.folder / "z.npz")]


@case
def data_that_never_ends(place: Place) -> list[str]:
    (place.folder / "x.npy").symlink_to("/dev/zero")
    return ["data", "check", str(place.folder / "x.npy")]


@case
def recipe_that_never_ends(place: Place) -> list[str]:
    command = place.recipe("")
    (place.folder / "recipe.toml").unlink()
    (place.folder / "recipe.toml").symlink_to("/dev/zero")
    return command


@case
def recipe_that_is_a_pipe(place: Place) -> list[str]:
    command = place.recipe("")
    (place.folder / "recipe.toml").unlink()
    os.mkfifo(place.folder / "recipe.toml")
    return command


@case
def checkpoint_that_is_a_pipe(place: Place) -> list[str]:
    command = place.trained_from(b"")
    (place.folder / "run/checkpoints/step-00000003.safetensors").unlink()
    os.mkfifo(place.folder / "run/checkpoints/step-00000003.safetensors")
    return command


@case
def lock_that_is_a_link(place: Place) -> list[str]:
    (place.folder / "run").mkdir()
    (place.folder / "run" / ".lock").symlink_to(place.outside)
    return ["train", "digits", "--out", str(place.folder / "run"), "--epochs", "1"]


# Pictures


def png_of(width: int, height: int) -> bytes:
    """A grey picture that is smaller on disk than in memory by a factor of a thousand."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress(bytes((width + 1) * min(height, 8000)), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@case
def picture_of_3_600_000_000_pixels(place: Place) -> list[str]:
    return ["morph", str(place.model), place.write("a.png", png_of(60_000, 60_000)[:5000]), "dream:1"]


@case
def folder_of_400_large_pictures(place: Place) -> list[str]:
    picture = png_of(4000, 4000)
    for number in range(400):
        place.write(f"pictures/{number}.png", picture)
    return ["data", "check", str(place.folder / "pictures")]


@case
def postscript_as_picture(place: Place) -> list[str]:
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    return ["morph", str(place.model), place.write("a.png", program), "dream:1"]


@case
def entities_as_picture(place: Place) -> list[str]:
    laughs = b'<!DOCTYPE a [<!ENTITY b "lol"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><svg>&c;</svg>'
    return ["morph", str(place.model), place.write("a.png", laughs), "dream:1"]


@case
def picture_with_a_comment_that_unfolds(place: Place) -> list[str]:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    content = b"Comment\0\0" + zlib.compress(bytes(80 << 20), 9)
    chunk = struct.pack(">I", len(content)) + b"zTXt" + content + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    whole = buffer.getvalue()
    return ["morph", str(place.model), place.write("a.png", whole[:33] + chunk + whole[33:]), "dream:1"]


@case
def folder_of_pipes(place: Place) -> list[str]:
    (place.folder / "pictures").mkdir()
    os.mkfifo(place.folder / "pictures" / "a.png")
    return ["data", "check", str(place.folder / "pictures")]


# Recipes


@case
def recipe_with_a_class_path(place: Place) -> list[str]:
    return place.recipe('encoder = {kind = "subprocess.Popen", args = "ls"}')


@case
def recipe_for_a_terabyte_of_weights(place: Place) -> list[str]:
    return place.recipe("hidden_dim = [1048576, 1048576]")


@case
def recipe_for_6_gigabytes_of_weights(place: Place) -> list[str]:
    return place.recipe("hidden_dim = 1048576\nlatent_dim = 700")


@case
def recipe_of_100_000_brackets(place: Place) -> list[str]:
    return place.recipe("latent_dim = " + "[" * 100_000)


@case
def recipe_of_huge_numbers(place: Place) -> list[str]:
    return place.recipe(f"beta = {10**400}\nlatent_dim = 0x{'f' * 1000}")


@case
def recipe_of_huge_schedules(place: Place) -> list[str]:
    return place.recipe(f'beta = {{kind = "cyclical", cycles = {10**400}}}')


# Checkpoints


def checkpoint(tensors: dict[str, torch.Tensor], values: Any) -> bytes:
    """A checkpoint whose seal is right, whatever it says."""
    digests = {name: sha256(t.contiguous().numpy().tobytes()) for name, t in tensors.items()}
    seal = sha256(dump_json({"tensors": digests, "values": values}))
    return safetensors.torch.save(tensors, {"values": dump_json(values).decode(), "sha256": seal})


@case
def checkpoint_of_foreign_parts(place: Place) -> list[str]:
    return place.trained_from(checkpoint({"os.system": torch.zeros(2)}, {"seed": 0, "step": 3}))


@case
def checkpoint_without_values(place: Place) -> list[str]:
    return place.trained_from(checkpoint({"model.a": torch.zeros(2)}, {}))


@case
def checkpoint_with_a_header_of_an_exabyte(place: Place) -> list[str]:
    return place.trained_from(safetensors_file("{}", length=1 << 60))

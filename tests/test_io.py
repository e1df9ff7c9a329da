"""A model folder: rebuilt to the byte, changed by no interruption, refused when anything is off."""

import copy
import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_tensors

from dreamgen import DreamGenerator, files
from dreamgen.data import Dataset
from dreamgen.errors import ModelFileError, OutputError, SettingsError
from dreamgen.files import FORMAT, sha256, write_bytes, write_folder
from dreamgen.io import load_model, save_model
from dreamgen.tensors import parse_tensors


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of a saved model, to spoil."""
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Change a file together with its entry in the manifest, as somebody who means harm would."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": sha256(content), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_json(folder: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads((folder / name).read_text())
    change(values)
    rewrite(folder, name, json.dumps(values).encode())


def refused(folder: Path, text: str) -> None:
    with pytest.raises(ModelFileError, match=text):
        DreamGenerator.load(folder)


def test_saving_twice_gives_the_same_bytes(trained: DreamGenerator, folder: Path, tmp_path: Path) -> None:
    trained.save(tmp_path / "again")
    DreamGenerator.load(folder).save(tmp_path / "reloaded")
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
        assert (tmp_path / "reloaded" / path.name).read_bytes() == path.read_bytes()


def test_half_precision_is_half_the_size_and_nearly_the_same(trained: DreamGenerator, tmp_path: Path) -> None:
    trained.save(tmp_path / "half", half=True)
    trained.save(tmp_path / "full")
    sizes = {name: (tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "full")}
    assert sizes["half"] < 0.55 * sizes["full"]
    again = DreamGenerator.load(tmp_path / "half")
    assert next(again.saved_.model.parameters()).dtype == torch.float32
    np.testing.assert_allclose(again.dream(9, seed=0), trained.dream(9, seed=0), atol=0.02)


def test_every_changed_byte_is_refused(folder: Path) -> None:
    random = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for position in random.integers(0, len(content), 12):
            spoilt = bytearray(content)
            spoilt[position] ^= 1 << random.integers(8)
            path.write_bytes(spoilt)
            try:
                load_model(folder)
            except ModelFileError:
                continue
            # The manifest has bytes that say nothing: white space may become other white space.
            assert path.name == "manifest.json"
            assert json.loads(spoilt) == json.loads(content)
        path.write_bytes(content)
    load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "card.json", "manifest.json"])
def test_a_missing_empty_or_cut_file_is_refused(name: str, folder: Path) -> None:
    content = (folder / name).read_bytes()
    for spoilt in (b"", content[: len(content) // 2]):
        (folder / name).write_bytes(spoilt)
        with pytest.raises(ModelFileError):
            load_model(folder)
    (folder / name).unlink()
    refused(folder, name)


def test_a_newer_format_says_so(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["format"] = FORMAT + 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused(folder, f"format {FORMAT + 1}, newer than this dreamgen reads")


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd", "sub/file.json", "model.pkl", "model.pt", ".hidden"]
)
def test_only_plain_names_are_read(name: str, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused(folder, "not a name that a model file can have")


def test_links_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(tmp_path / "elsewhere")
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    refused(folder, "is a link")


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        ("encoder", "os.system", "unknown encoder 'os.system'"),
        ("encoder", {"kind": "torch.nn.Linear"}, "unknown encoder"),
        ("decoder", {"kind": "mlp", "__class__": "os"}, "no argument '__class__'"),
        ("likelihood", "bernouli", "did you mean 'bernoulli'"),
        ("latent_dim", 0, "latent_dim"),
        ("latent_dim", 10**30, "latent_dim: expected at most"),
        ("latent_dim", 1 << 20, "expected shape"),
        ("hidden_dim", 10**9, "hidden_dim: expected widths"),
        ("hidden_dim", [1 << 20, 1 << 20], "expected shape"),
        ("hidden_dim", [2] * 5000, "expected up to 100 widths"),
        ("encoder", {"kind": "mlp", "hidden": [-1]}, "hidden: expected up to"),
        ("surprise", 1, "unknown setting 'surprise'"),
    ],
)
def test_settings_that_name_what_does_not_exist_are_refused(part: str, value: Any, text: str, folder: Path) -> None:
    change_json(folder, "config.json", lambda config: config["settings"].update({part: value}))
    refused(folder, text)


@pytest.mark.parametrize("shape", [[], [0, 8], [-8, 8], [8.5], "8x8", None, [1 << 40], [8] * 9, [True, 8]])
def test_a_shape_that_is_none_is_refused(shape: Any, folder: Path) -> None:
    change_json(folder, "config.json", lambda config: config.update(event_shape=shape))
    refused(folder, "event_shape")


def test_deep_json_does_not_exhaust_the_stack(folder: Path) -> None:
    rewrite(folder, "config.json", b"[" * 200_000)
    refused(folder, r"config\.json")


def test_weights_that_are_not_finite_or_do_not_fit_are_refused(folder: Path) -> None:
    weights = parse_tensors((folder / "model.safetensors").read_bytes(), "weights")
    name = "encoder.posterior.loc.weight"
    for spoilt, text in (
        ({**weights, name: torch.full_like(weights[name], torch.nan)}, "NaN or infinity"),
        ({**weights, name: torch.full_like(weights[name], 1e300, dtype=torch.float64)}, "finite 32-bit floats"),
        ({**weights, name: weights[name].to(torch.complex64)}, "which no weights have"),
        ({**weights, name: weights[name].to(torch.float8_e4m3fn)}, "which no weights have"),
        ({**weights, name: weights[name].long()}, "finite 32-bit floats"),
        ({**weights, name: weights[name][:1]}, "expected shape"),
        ({**weights, "extra": torch.zeros(1)}, "extra: expected shape None"),
        ({k: v for k, v in weights.items() if k != name}, r"got None"),
    ):
        rewrite(folder, "model.safetensors", save_tensors({k: v.contiguous() for k, v in spoilt.items()}))
        refused(folder, text)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04\x95",  # a pickle
        (1 << 62).to_bytes(8, "little") + b"{}",  # a header of four exabytes
        (50).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}',
    ],
)
def test_what_is_no_safetensors_file_is_refused(content: bytes, folder: Path) -> None:
    rewrite(folder, "model.safetensors", content)
    refused(folder, "not a valid safetensors file")


def test_a_folder_without_a_model_and_an_unknown_name_are_different_errors(tmp_path: Path) -> None:
    refused(tmp_path, "no manifest.json")
    with pytest.raises(SettingsError, match="no model folder and no shipped model"):
        DreamGenerator.load(tmp_path / "nowhere")


class Power:
    """Fails before or after one numbered call of the operations a save is made of: the plug is pulled there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.calls, self.at, self.after = 0, at, after
        for name in ("_write_flushed", "_rename", "_flush_folder"):
            self._count(monkeypatch, name)

    def _count(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(files, name)

        def counted(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls >= self.at:
                if self.after and self.calls == self.at:
                    real(*arguments)
                raise KeyboardInterrupt
            return real(*arguments)

        monkeypatch.setattr(files, name, counted)


@pytest.mark.parametrize("after", [False, True])
def test_a_save_cut_off_anywhere_leaves_the_old_or_the_new(
    after: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = ({"config.json": f'{{"v": {v}}}'.encode(), "card.json": f"[{v}]".encode()} for v in (1, 2))
    outcomes = []
    for at in range(1, 30):
        folder = tmp_path / str(at)
        write_folder(folder, old)
        with monkeypatch.context() as patch:
            power = Power(patch, at, after)
            try:
                write_folder(folder, new)
            except KeyboardInterrupt:
                pass
            else:
                break
        found = files.read_folder(folder)
        assert found in (old, new), at
        outcomes.append(found == new)
        write_folder(folder, new)
        assert files.read_folder(folder) == new
    assert power.calls == at - 1  # every operation was cut off once
    assert outcomes == sorted(outcomes)  # old, old, ..., new, new
    assert True in outcomes
    assert False in outcomes


def test_where_nothing_can_be_written_one_error_says_where_and_why(
    trained: DreamGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        trained.save(tmp_path / "file" / "model")
    with pytest.raises(OutputError, match=r"cannot write /proc/model"):
        trained.save("/proc/model")
    target = tmp_path / "kept.json"
    write_bytes(target, b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("kept")] == ["kept.json"]
    folder = tmp_path / "model"
    with pytest.raises(OutputError, match="No space left on device"):
        save_model(folder, trained.saved_)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("card.json", {"rate_per_unit": ["a"] * 6}, "rate_per_unit"),
        ("card.json", {"rate_per_unit": [1.0]}, "rate_per_unit"),
        ("card.json", {"privacy": {"x": 1}}, "privacy"),
        ("card.json", {"privacy": {"epsilon": float(0), "delta": 1e-5}}, "privacy"),
        ("card.json", {"rate_per_unit": [10**400] * 6}, "rate_per_unit"),
        ("config.json", {"origin": {"data": []}}, "expected a table"),
        ("config.json", {"origin": {"seed": "now"}}, "seed"),
        ("config.json", {"origin": {"data": {"classes": [1]}}}, "classes"),
        ("card.json", {"test_loss": float("nan")}, "not JSON"),
    ],
)
def test_facts_that_the_verbs_read_are_checked(name: str, change: dict[str, Any], text: str, folder: Path) -> None:
    change_json(folder, name, lambda values: values.update(change))
    refused(folder, text)


def test_a_folder_called_like_a_shipped_model_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    assert DreamGenerator.load("mnist").dream(1, seed=0).shape == (1, 28, 28)


def test_what_the_system_refuses_to_read_is_one_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def refuses(self: Path, **options: bool) -> Any:
        if self.name == "card.json":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", refuses)
    refused(folder, r"cannot read .*card\.json: Permission denied")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str, folder: Path) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelFileError):
        load_model(folder)


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b + b" ", lambda b: b.replace(b'"format": 1', b'"format": 0')]
)
def test_a_manifest_that_says_the_same_in_other_bytes_is_refused(
    change: Callable[[bytes], bytes], folder: Path
) -> None:
    content = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(change(content))
    refused(folder, "changed or cut short|expected a format number")


@pytest.mark.parametrize(
    "content", [b'{"a": 1e999}', b'{"a": -1e999}', b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}']
)
def test_json_that_cannot_be_written_again_is_refused(content: bytes, folder: Path) -> None:
    rewrite(folder, "card.json", content)
    refused(folder, r"card\.json: not JSON")


def test_weights_of_a_terabyte_of_holes_are_refused_unread(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(1 << 40)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.safetensors"] = {"sha256": "0" * 64, "bytes": 1 << 40}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    refused(folder, "too many for such a file")


def test_a_save_writes_through_no_link(trained: DreamGenerator, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "manifest.json"):
        (folder / f"{name}.next").symlink_to(tmp_path / "mine")
    os.mkfifo(folder / "card.json.next")
    trained.save(folder)
    assert (tmp_path / "mine").read_text() == "mine"
    load_model(folder)


def test_a_name_that_no_folder_can_have_is_no_model() -> None:
    with pytest.raises(SettingsError, match="no model folder and no shipped model"):
        DreamGenerator.load("a" * 5000)


@pytest.mark.parametrize(
    "codes",
    [
        {"loc": torch.full((2, 6), 1e20)},
        {"loc": torch.zeros(2, 6, dtype=torch.int64)},
        {"loc": torch.zeros(2, 6, dtype=torch.bfloat16)},
        {"loc": torch.zeros(2, 6), "labels": torch.tensor([0.5, 1.5])},
        {"loc": torch.zeros(2, 6), "labels": torch.tensor([1])},
        {"loc": torch.zeros(2, 5)},
        {"loc": torch.zeros(0, 6)},
    ],
)
def test_codes_that_no_map_can_be_drawn_of_are_refused(codes: dict[str, torch.Tensor], folder: Path) -> None:
    rewrite(folder, "codes.safetensors", save_tensors(codes))
    refused(folder, r"codes\.safetensors: expected")


def test_what_could_not_be_loaded_again_is_not_saved(trained: DreamGenerator, tmp_path: Path) -> None:
    again = DreamGenerator.from_settings(trained.saved_.settings)
    again.saved_ = dataclasses.replace(trained.saved_, model=copy.deepcopy(trained.saved_.model))
    bias = again.saved_.model.decoder.network.out.bias
    with torch.no_grad():
        bias[0] = 1e5
    again.save(tmp_path / "full")
    with pytest.raises(ModelFileError, match="not finite in 16 bits"):
        again.save(tmp_path / "half", half=True)
    with torch.no_grad():
        bias[0] = torch.nan
    with pytest.raises(ModelFileError, match=r"out\.bias is not finite"):
        again.save(tmp_path / "bad")
    assert not (tmp_path / "half").exists()
    assert not (tmp_path / "bad").exists()


def test_codes_far_out_are_saved_and_loaded(digits: Dataset, tmp_path: Path) -> None:
    generator = DreamGenerator(
        latent_dim=2, hidden_dim=8, batch_size=50, epochs=1, posterior="point", beta=0.0, likelihood="gaussian"
    )
    generator.fit(digits.train.x[:100] * 1e9).save(tmp_path / "model")
    assert np.abs(generator.transform(digits.train.x[:100] * 1e9)).max() > 1e6
    assert DreamGenerator.load(tmp_path / "model").saved_.codes["loc"].abs().max() == 65504


def test_a_figure_that_is_not_finite_is_saved_as_none(trained: DreamGenerator, tmp_path: Path) -> None:
    card = {**trained.saved_.card, "test_loss": float("inf"), "more": [float("nan")]}
    save_model(tmp_path / "model", dataclasses.replace(trained.saved_, card=card))
    again = load_model(tmp_path / "model").card
    assert again["test_loss"] is None
    assert again["more"] == [None]

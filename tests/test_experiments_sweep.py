"""The sweep: how values are read, what is trained and what is not, and a kill in the middle."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dreamgen import DreamGenerator, Settings, load_data
from dreamgen.cli import main
from dreamgen.data import Dataset, Examples
from dreamgen.errors import DataError, DivergedError, Interrupted, SettingsError
from dreamgen.evaluation.sharpness import edge_energy
from dreamgen.experiments.grid import points, read_axes, split_values
from dreamgen.experiments.runs import Observer
from dreamgen.experiments.sweep import base_settings, sweep

SMALL = Settings(hidden_dim=16, latent_dim=3, batch_size=100, epochs=2, binarise="dynamic")
OPTIONS = ("-o", "hidden_dim=16", "-o", "batch_size=100", "--epochs", "2", "--samples", "3")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2", ["1", "2"]),
        (" 1 , 0.5,linear ", ["1", "0.5", "linear"]),
        ("[512,256]", ["[512,256]"]),
        ("[512,256],[400]", ["[512,256]", "[400]"]),
        ('{kind="linear", steps=10},1', ['{kind="linear", steps=10}', "1"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ("1,,2", ["1", "", "2"]),
    ],
)
def test_commas_within_brackets_belong_to_a_value(text: str, values: list[str]) -> None:
    assert split_values(text) == values


def test_one_value_changes_the_base_and_several_are_swept() -> None:
    base, axes = read_axes(SMALL, ["hidden_dim=[32,16]", "beta=0,1", "encoder.activation=tanh,relu"])
    assert base == SMALL.replace(hidden_dim=[32, 16])
    assert axes == {"beta": ["0", "1"], "encoder.activation": ["tanh", "relu"]}
    alone = points(base, axes)
    assert [p.label for p in alone] == ["beta=0", "beta=1", "encoder.activation=tanh", "encoder.activation=relu"]
    assert [p.settings for p in alone[:2]] == [base.replace(beta=0), base]
    assert alone[2].settings.encoder == {"kind": "mlp", "activation": "tanh"}
    crossed = points(base, axes, cross=True)
    assert len(crossed) == 4
    assert crossed[0].settings == base.replace(beta=0, encoder={"kind": "mlp", "activation": "tanh"})


def test_names_of_runs_are_folders_and_tell_runs_apart() -> None:
    base, axes = read_axes(SMALL, ["latent_dim=2,3,4", "beta=1,4", 'learning_rate={kind="cosine"},{kind="constant"}'])
    runs = points(base, axes)
    assert [p.name for p in runs[:5]] == ["latent_dim=2", "base", "latent_dim=4", "base", "beta=4"]
    assert len({p.name for p in runs}) == 6
    assert all(p.name == Path(p.name).name and p.name.isascii() for p in runs)
    assert [p.name for p in points(base, {"latent_dim": ["2", "3"], "beta": ["1", "4"]}, cross=True)] == [
        "latent_dim=2",
        "latent_dim=2,beta=4",
        "base",
        "beta=4",
    ]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["beta"], "expected name=value"),
        (["beta=1,,2"], "expected name=value"),
        (["beta=1"], "nothing to sweep"),
        (["beta=1,2", "beta=3,4"], "twice"),
        (["beta=1,1"], "twice"),
        (["betta=1,2"], "beta"),
        (["latent_dim=2,few"], "latent_dim"),
    ],
)
def test_what_cannot_be_swept_is_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        points(*read_axes(SMALL, assignments))


def test_a_point_that_cannot_be_built_is_found_before_anything_is_trained(digits: Dataset, tmp_path: Path) -> None:
    for name, values, message in (
        ("encoder", ["mlp", "transformer"], "unknown encoder"),
        ("optimizer", ["adam", "sgd"], "unknown optimizer"),
        ("learning_rate", ["0.1", "0"], "learning_rate"),
        ("objective", ["elbo", "{kind='iwae', samples=0}"], "1 or more"),
    ):
        with pytest.raises(SettingsError, match=message):
            sweep(digits, SMALL, points(SMALL, {name: values}), tmp_path)
    read = SMALL.replace(properties=["label"])
    with pytest.raises(SettingsError, match="unknown reader"):
        sweep(digits, read, points(read, {"reader": ["mlp", "oracle"]}), tmp_path)
    assert not list(tmp_path.iterdir())
    lines = Dataset("names", Examples(np.array(["anna", "otto"])), np.array([False, True]))
    with pytest.raises(DataError, match="lines of text: expected pictures"):
        sweep(lines, SMALL, points(SMALL, {"beta": ["1", "4"]}), tmp_path)
    told = SMALL.replace(context="labels", prior="conditional", epochs=1)
    assert len(sweep(digits, told, points(told, {"beta": ["1", "4"]}), tmp_path / "told", samples=2)) == 2


def test_without_a_recipe_there_is_a_likelihood() -> None:
    assert base_settings(None, "mnist").binarise == "dynamic"
    assert base_settings("mnist", "mnist").binarise == "none"


def test_edge_energy_is_the_sum_of_squared_steps() -> None:
    x = torch.zeros(2, 4, 4)
    x[0, 1:3, 1:3] = 1.0  # a square of 2 by 2: eight steps of one
    assert edge_energy(x) == pytest.approx(4.0)
    assert edge_energy(x * 0.5) == pytest.approx(1.0)
    assert edge_energy((x * 255).byte()) == pytest.approx(4.0)


def files(folder: Path) -> dict[str, bytes]:
    """All that a sweep leaves but times and locks, by name."""
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
    content = {name: path.read_bytes() for name, path in found.items() if not name.endswith("row.json")}
    rows = {name: json.loads(path.read_text()) for name, path in found.items() if name.endswith("row.json")}
    return content | {name: repr({**row, "seconds": 0}).encode() for name, row in rows.items()}


class Stopper:
    """Asks to stop once the watch has been told a number of times."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("after", [5, 60])
def test_a_sweep_that_was_stopped_goes_on_to_the_same_bytes(digits: Dataset, tmp_path: Path, after: int) -> None:
    runs = points(SMALL, {"latent_dim": ["2", "4"]})
    sweep(digits, SMALL, runs, tmp_path / "whole", samples=2, seed=1)
    with pytest.raises(Interrupted):
        sweep(digits, SMALL, runs, tmp_path / "cut", samples=2, seed=1, watch=Observer(stop=Stopper(after)))
    assert list((tmp_path / "cut").rglob("step-*.safetensors"))
    rows = sweep(digits, SMALL, runs, tmp_path / "cut", samples=2, seed=1)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    assert [row["seconds"] is None for row in rows] == [after == 5, after == 60]
    assert not list((tmp_path / "cut").rglob("checkpoints"))


def test_a_run_that_diverges_is_a_row(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = DreamGenerator.fit

    def diverges(self: DreamGenerator, *arguments: Any, **named: Any) -> DreamGenerator:
        if self.beta == 8:
            raise DivergedError("training diverged at step 3")
        return fit(self, *arguments, **named)

    monkeypatch.setattr(DreamGenerator, "fit", diverges)
    rows = sweep(digits, SMALL, points(SMALL, {"beta": ["8", "2"]}), tmp_path, samples=2)
    assert rows[0]["reason"] == "training diverged at step 3"
    assert rows[0]["nll"] is None
    assert rows[1]["reason"] is None
    assert rows[1]["nll"] > 0
    assert sweep(digits, SMALL, points(SMALL, {"beta": ["8", "2"]}), tmp_path, samples=2) == rows


class Command:
    """`dreamgen sweep` on the embedded digits, in process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.capsys, self.folder = capsys, folder

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["sweep", "digits", *OPTIONS, "--out", str(self.folder), *arguments])
        return int(end.value.code or 0), *self.capsys.readouterr()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    return Command(capsys, tmp_path / "sweep")


def test_the_verb_writes_tables_and_pictures_and_trains_nothing_twice(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("-o", "latent_dim=2,20", "-o", "beta=0,1,4")
    code, out, err = command(*asked, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert [row["run"] for row in result["rows"]] == ["latent_dim=2", "latent_dim=20", "beta=0", "beta=1", "beta=4"]
    assert {p.name for p in (command.folder / "runs").iterdir()} == {"base", "latent_dim=2", "beta=0", "beta=4"}
    by_run = {row["run"]: row for row in result["rows"]}
    assert {**by_run["latent_dim=20"], "run": 0, "latent_dim": 0} == {
        **{k: v for k, v in by_run["beta=1"].items() if k != "beta"},
        "run": 0,
        "latent_dim": 0,
    }
    assert by_run["beta=0"]["rate"] > by_run["beta=4"]["rate"]
    with (command.folder / "table.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(row["nll"]) for row in table] == [row["nll"] for row in result["rows"]]
    assert json.loads((command.folder / "table.json").read_text())[0]["beta"] is None
    assert (command.folder / "table.md").read_text().count("\n") == 7
    for picture in result["pictures"].values():
        assert Path(picture).stat().st_size > 1000

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(DreamGenerator, "fit", never)
        code, out, err = command(*asked)
        assert code == 0, err
        assert "latent_dim=20" in out
    monkeypatch.setattr(DreamGenerator, "evaluate", never)
    code, _, err = command("-o", "latent_dim=2,20", "--samples", "4")
    assert (code, "samples = 3, now 4" in err, len(err.splitlines())) == (2, True, 1)
    code, _, err = command("-o", "beta=0,4", "-o", "batch_size=50")
    assert (code, "batch_size = 100, now 50" in err, len(err.splitlines())) == (2, True, 1)


def test_every_combination(command: Command) -> None:
    code, out, err = command("-o", "latent_dim=2,3", "-o", "beta=1,4", "--cross", "--json")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert [(row["latent_dim"], row["beta"]) for row in rows] == [("2", "1"), ("2", "4"), ("3", "1"), ("3", "4")]
    assert len({row["nll"] for row in rows}) == 4
    settings = DreamGenerator.load(command.folder / "runs" / "latent_dim=3,beta=4").get_params()
    assert (settings["latent_dim"], settings["beta"]) == (3, 4)


def test_an_autoencoder_among_them_has_no_likelihood_and_says_why(command: Command) -> None:
    code, out, err = command("-o", "posterior=gaussian,point", "--json", "-o", "binarise=none")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert [row["nll"] for row in rows] == [None, None]
    assert "grey" in rows[0]["reason"]
    assert "point" in rows[1]["reason"]
    assert rows[1]["rate"] is None
    assert math.isfinite(rows[1]["distortion"])


def test_ctrl_c_says_how_to_go_on(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    evaluate = DreamGenerator.evaluate

    def interrupted(self: DreamGenerator, *arguments: Any, **named: Any) -> dict[str, Any]:
        signal.raise_signal(signal.SIGINT)
        return evaluate(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(DreamGenerator, "evaluate", interrupted)
        code, _, err = command("-o", "beta=1,4")
    assert code == 130
    assert "the same command goes on from there" in err
    code, _, err = command("-o", "beta=1,4")
    assert code == 0, err


def test_on_real_mnist_a_heavier_rate_carries_fewer_nats(mnist: Dataset, tmp_path: Path) -> None:
    data = load_data("mnist")
    few = Dataset("mnist", data.rows[:2000], data.is_test[:2000], data.classes)
    base = SMALL.replace(epochs=3, hidden_dim=64)
    rows = sweep(few, base, points(base, {"beta": ["0.25", "4"]}), tmp_path, samples=5)
    assert rows[0]["rate"] > 2 * rows[1]["rate"]
    assert rows[0]["distortion"] < rows[1]["distortion"]


def test_models_that_are_told_and_models_without_a_mean_are_swept(digits: Dataset, tmp_path: Path) -> None:
    told = SMALL.replace(context="labels", epochs=1)
    _, axes = read_axes(told, ["latent_dim=2,3"])
    rows = sweep(digits, told, points(told, axes), tmp_path / "told", samples=2, seed=0, device="cpu")
    assert all(row["nll"] and row["sharpness_dreams"] for row in rows)
    drawn = SMALL.replace(likelihood="autoregressive", epochs=1)
    rows = sweep(
        digits, drawn, points(drawn, {"latent_dim": ["2"]}), tmp_path / "drawn", samples=2, seed=0, device="cpu"
    )
    assert all(row["nll"] and row["sharpness_reconstructions"] for row in rows)

"""The command, in process: every verb, every way to ask wrongly, and what is printed where."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from commands import Run, ok
from dreamgen import DreamGenerator, load_data
from dreamgen.data.dataset import split_by_content
from dreamgen.data.named import NAMED_SETS

TRAIN = (
    "train",
    "digits",
    "-o",
    "batch_size=64",
    "--epochs",
    2,
    "-o",
    "hidden_dim=16",
    "-o",
    "latent_dim=3",
    "--seed",
    1,
)


def test_train_and_every_verb_on_the_run(run: Run, tmp_path: Path) -> None:
    trained = ok(run(*TRAIN, "--out", "RUN", "--json"))
    assert {"seconds", "epochs", "test_loss", "test_distortion", "test_rate"} <= trained.keys()
    assert trained["epochs"] == 2
    assert trained["test_loss"] == pytest.approx(trained["test_distortion"] + trained["test_rate"], rel=1e-6)
    assert (tmp_path / "RUN" / "model.safetensors").is_file()

    assert ok(run("dream", "RUN", "-n", 10, "--seed", 3, "--out", "d.npz", "--json"))["seed"] == 3
    dreams = np.load("d.npz", allow_pickle=False)["x"]
    assert dreams.shape == (10, 8, 8)
    assert dreams.dtype == np.float32
    assert 0 <= dreams.min() <= dreams.max() <= 1
    np.testing.assert_array_equal(dreams, DreamGenerator.load("RUN").dream(10, seed=3))
    ok(run("dream", "RUN", "-n", 5, "--sample", "--seed", 3, "--out", "s.npz", "--json"))
    assert set(np.unique(np.load("s.npz")["x"])) <= {0.0, 1.0}

    assert ok(run("reconstruct", "RUN", "digits", "-n", 12, "--out", "r.png", "--json"))["n"] == 12
    assert ok(run("morph", "RUN", "digits:0", "digits:1", "--out", "m.png", "--json"))["largest_step_over_mean"] <= 2
    ok(run("morph", "RUN", "dream:1", "dream:2", "--path", "spherical", "--steps", 6, "--out", "m.npz", "--json"))
    assert np.load("m.npz")["x"].shape == (6, 8, 8)
    plane = ok(run("map", "RUN", "--size", 4, "--out", "map.png", "--json"))["plane"]
    assert len(plane) == 2
    chosen = ok(run("map", "RUN", "--plane", "2,0", "--by", "quantile", "--size", 4, "--out", "map.npz", "--json"))
    assert chosen["plane"] == [2, 0]
    assert np.load("map.npz")["x"].shape == (16, 8, 8)
    order = ok(run("traverse", "RUN", "--out", "t.png", "--json"))
    assert order["rates"] == sorted(order["rates"], reverse=True)
    assert ok(run("encode", "RUN", "digits", "--out", "c.npz", "--json"))["n"] == 1797
    codes = np.load("c.npz", allow_pickle=False)
    assert codes["loc"].shape == codes["scale"].shape == (1797, 3)
    assert codes["labels"].shape == (1797,)
    assert ok(run("decode", "RUN", "c.npz", "--out", "x.npz", "--json"))["n"] == 1797
    assert np.load("x.npz")["x"].shape == (1797, 8, 8)
    report = ok(run("evaluate", "RUN", "digits", "--samples", 3, "--json", "--out", "report.json"))
    assert report["nll"] is None
    assert json.loads(Path("report.json").read_text()) == report
    assert ok(run("evaluate", "RUN", "digits", "--samples", 3, "--binarise", "--json"))["nll"] > 0
    assert ok(run("info", "RUN", "--json"))["settings"]["latent_dim"] == 3
    for picture in ("r.png", "m.png", "map.png", "t.png"):
        with Image.open(picture) as image:
            assert len(np.unique(np.asarray(image))) > 10, picture


def test_evaluation_says_what_each_number_is(run: Run, model_folder: Path) -> None:
    report = ok(run("evaluate", model_folder, "digits", "--samples", 7, "--binarise", "--seed", 2, "--json"))
    assert report["samples"] == 7
    assert report["binarisation"] == "drawn once, seed 2"
    assert report["split"] == "test"
    assert report["unit"] == "nats per example"
    assert report["nll_stderr"] > 0
    for name in ("elbo", "rate", "distortion", "nll", "bits_per_dim", "mutual_information", "memorisation"):
        assert isinstance(report[name], float), name
    assert isinstance(report["active_units"], int)


def test_dreaming_again_with_the_printed_seed_gives_the_same_bytes(run: Run, model_folder: Path) -> None:
    seed = ok(run("dream", model_folder, "--out", "a.npz", "--json"))["seed"]
    ok(run("dream", model_folder, "--out", "b.npz", "--json", "--seed", seed))
    assert ok(run("dream", model_folder, "--out", "c.npz", "--json"))["seed"] != seed
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes() != Path("c.npz").read_bytes()


def test_people_get_lines_and_pipes_get_no_progress(run: Run) -> None:
    code, out, err = run(*TRAIN, "--out", "RUN")
    assert code == 0
    assert "test loss" in out
    assert "dreamgen dream RUN" in out
    assert err == ""


def test_lists(run: Run) -> None:
    assert set(ok(run("data", "list", "--json"))["sets"]) == {*NAMED_SETS}
    assert "mnist-2d" in ok(run("recipes", "--json"))["recipes"]
    assert ok(run("data", "check", "digits", "--json"))["shape"] == [8, 8]
    assert ok(run("data", "show", "digits", "-n", 9, "--out", "d.png", "--json"))["n"] == 9
    code, out, _ = run("recipes", "mnist")
    assert code == 0
    Path("mine.toml").write_text(out)
    ok(run("train", "digits", "--recipe", "mine.toml", "--epochs", 1, "-o", "batch_size=64", "--out", "R", "--json"))


def test_a_users_own_pictures(run: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            picture = Image.fromarray(random.integers(0, 255, (6, 5, 3), dtype=np.uint8))
            picture.save(tmp_path / "photos" / name / f"{number}.png")
    ok(run("train", "photos", "--epochs", 1, "-o", "batch_size=8", "--out", "RUN", "--json"))
    assert ok(run("info", "RUN", "--json"))["origin"]["data"]["classes"] == ["cats", "dogs"]
    ok(run("dream", "RUN", "-n", 3, "--out", "d.npz", "--json"))
    assert np.load("d.npz")["x"].shape == (3, 6, 5, 3)
    ok(run("morph", "RUN", "photos/cats/1.png", "photos:3", "--out", "m.png", "--json"))
    ok(run("morph", "RUN", "photos/cats/1.png", "dream:3", "--out", "m.png", "--json"))


def test_one_picture_trains_and_says_so(run: Run) -> None:
    np.save("one.npy", np.zeros((1, 4, 4), np.uint8))
    code, out, err = run("train", "one.npy", "--epochs", 1, "--out", "RUN", "--json")
    assert code == 0
    assert json.loads(out)["test_loss"] is None
    assert "fewer rows (1) than a batch (256)" in err


def test_a_second_train_in_a_folder_asks_for_resume_and_resume_starts_afresh_in_an_empty_one(run: Run) -> None:
    first = ok(run(*TRAIN, "--out", "RUN", "--resume", "--json"))
    weights = Path("RUN/model.safetensors").read_bytes()
    code, _, err = run(*TRAIN, "--out", "RUN")
    assert code == 2
    assert "--resume" in err
    again = ok(run(*TRAIN, "--out", "RUN", "--resume", "--json"))
    assert again["test_loss"] == first["test_loss"]
    assert Path("RUN/model.safetensors").read_bytes() == weights


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    arguments = ["train", "digits", "--epochs", "12", "-o", "batch_size=8", "--seed", "1"]
    command = [sys.executable, "-m", "dreamgen", *arguments]
    process = subprocess.Popen([*command, "--out", "RUN"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("RUN/checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume goes on" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "RUN" / "model.safetensors").exists()
    unfinished = subprocess.run([*command[:3], "info", "RUN"], cwd=tmp_path, capture_output=True, text=True)
    assert unfinished.returncode == 5
    assert "not finished" in unfinished.stderr
    subprocess.run([*command, "--out", "RUN", "--resume"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([*command, "--out", "WHOLE"], cwd=tmp_path, check=True, capture_output=True)
    resumed, whole = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("RUN", "WHOLE"))
    assert resumed == whole


BAD = [
    # usage and settings: 2
    (("dreem", "mnist"), 2, "unknown verb 'dreem': did you mean 'dream'"),
    (("train", "digits", "--recipe", "mnst"), 2, "did you mean 'mnist'"),
    (("train", "digits", "-o", "latent_dims=3"), 2, "did you mean 'latent_dim'"),
    (("train", "digits", "-o", "latent_dim=0"), 2, "latent_dim: expected 1 or more, got 0"),
    (("train", "digits", "-o", "likelihood=bernouli"), 2, "did you mean 'bernoulli'"),
    (("train", "digits", "-o", "latent_dim"), 2, "expected name=value"),
    (("train", "digits", "--epochs", "0"), 2, "--epochs"),
    (("train", "digits", "--device", "abacus"), 2, "device 'abacus'"),
    (("train", "digits", "--recipe", "none.toml"), 2, "none.toml"),
    (("train", "digits", "-o", "objective=iwae", "-o", "beta=2"), 2, "takes no weights"),
    (("train", "digits", "--out", "/proc/run"), 2, "cannot write /proc/run"),
    (("dream", "nobody"), 2, "no model folder and no shipped model is called 'nobody'"),
    (("dream", "MODEL", "--out", "dreams.docx"), 2, "expected a name that ends in .npz"),
    (("dream", "MODEL", "--out", "/proc/d.png"), 2, "cannot write /proc/d.png"),
    (("dream", "MODEL", "-n", "0"), 2, "-n"),
    (("morph", "MODEL", "digits:0", "digits"), 2, "expected an image, DATA:ROW"),
    (("map", "MODEL", "--plane", "0,99"), 2, "latent 99: expected 0 to 5"),
    (("map", "MODEL", "--by", "size"), 2, "quantile"),
    # data: 3
    (("train", "digitz"), 3, "did you mean 'digits'"),
    (("train", "empty.npy"), 3, "empty.npy"),
    (("train", "folder"), 3, "holds no images"),
    (("train", "bright.npy"), 3, "expected values in [0, 1], got [0, 300]"),
    (("train", "nan.npy"), 3, "NaN or infinity in 1 of 30 rows, the first is row 7"),
    (("train", "text.doc"), 3, "expected .npy, .npz, .txt, .smi, .csv with a column smiles, or a folder"),
    (("train", "pickled.npz"), 3, "pickled objects"),
    (("reconstruct", "MODEL", "bytes.npy"), 3, "expected rows of shape (8, 8), got (4, 4)"),
    (("morph", "MODEL", "digits:0", "digits:99999"), 3, "expected a row from 0 to"),
    (("decode", "MODEL", "bytes.npy"), 3, "expected codes of shape (n, 6)"),
    (("decode", "MODEL", "nowhere.npz"), 3, "nowhere.npz"),
    # diverged: 4
    (("train", "digits", "-o", "learning_rate=1e30", "--out", "D"), 4, "diverged"),
    # unsafe or damaged: 5
    (("dream", "folder"), 5, "not a saved model"),
    (("info", "folder"), 5, "not a saved model"),
    # too long for a number or a file's name
    (("morph", "MODEL", "digits:" + "9" * 5000, "dream:1"), 2, "expected an image, DATA:ROW"),
    (("morph", "MODEL", "dream:" + "9" * 5000, "dream:1"), 2, "expected an image, DATA:ROW"),
    (("morph", "MODEL", "a" * 5000 + ".png", "dream:1"), 3, "no such image"),
    (("morph", "MODEL", "a" * 5000 + ":1", "dream:1"), 3, "is no data set and no file"),
    (("map", "MODEL", "--plane", "9" * 5000 + ",1"), 2, "expected 2 numbers"),
    (("dream", "MODEL", "--out", "a" * 5000 + ".png"), 2, "cannot write"),
    (("dream", "a" * 5000), 2, "no model folder"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "text"), BAD, ids=[" ".join(arguments)[:60] for arguments, _, _ in BAD]
)
def test_bad_input_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...], code: int, text: str, run: Run, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.doc").write_text("hello")
    bright = np.zeros((30, 4, 4))
    bright[0, 0, 0] = 300
    np.save(tmp_path / "bright.npy", bright)
    bright[0, 0, 0] = 0
    bright[7, 0, 0] = np.nan
    np.save(tmp_path / "nan.npy", bright)
    np.save(tmp_path / "bytes.npy", np.zeros((30, 4, 4), np.uint8))
    np.savez(tmp_path / "pickled.npz", x=np.array([{"a": 1}], dtype=object))
    before = sorted(tmp_path.rglob("*"))
    found, out, err = run(*(str(model_folder) if argument == "MODEL" else argument for argument in arguments))
    assert found == code, err
    assert text in err
    assert out == ""
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    written = [path for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert not [path for path in written if path.suffix in (".png", ".npz", ".next") or path.name == "manifest.json"]


def test_the_same_verbs_on_real_mnist(run: Run, mnist: Any) -> None:
    result = ok(run("train", "mnist", "--epochs", 1, "--seed", 1, "--out", "RUN", "--json"))
    assert result["test_loss"] < 200
    ok(run("reconstruct", "RUN", "mnist", "--out", "r.png", "--json"))
    film = ok(run("morph", "RUN", "mnist:0", "mnist:1", "--out", "m.npz", "--json"))
    assert film["largest_step_over_mean"] <= 2
    assert load_data("mnist").official_split


def test_a_test_row_beyond_all_measure_is_no_number_in_json(run: Run, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((200, 4, 4), dtype=np.float32)
    row = int(np.flatnonzero(split_by_content("x", x, None).is_test)[0])
    for far in range(1, 1000):  # the row's own bytes say which part it is in
        x[row] = far * 1e25
        if split_by_content("x", x, None).is_test[row]:
            break
    np.save(tmp_path / "x.npy", x)
    options = ("--out", "run", "-o", "likelihood=gaussian", "-o", "batch_size=64", "--epochs", 1, "--json")
    assert ok(run("train", "x.npy", *options))["test_loss"] is None
    assert ok(run("info", "run", "--json"))["card"]["test_loss"] is None
    assert ok(run("evaluate", "run", "x.npy", "--samples", 2, "--json"))["rows"] > 0

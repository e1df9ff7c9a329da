"""What is handed over: the same dreams, on the list and nothing else, in a form that others can run."""

import copy
import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from commands import Run
from dreamgen import RECIPES, DreamGenerator
from dreamgen.config import Settings
from dreamgen.distributions import LIKELIHOODS, PRIORS
from dreamgen.distributions.priors import StandardNormal
from dreamgen.errors import DreamgenError, OutputError, SettingsError
from dreamgen.export import MAY_LEAVE, Exported, export_decoder, export_onnx, export_page, graph
from dreamgen.export.parts import DecoderMean, prior_codes, with_weights
from dreamgen.io import load_model
from dreamgen.nn import ACTIVATIONS, DECODERS
from told import PICTURES, fit_arguments, given_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


SECRET = "planted"
NUMBER = 31415926  # a number that must not leave


def small(shape: tuple[int, ...] = (6, 5), **settings: Any) -> DreamGenerator:
    """A generator that has seen one batch of noise."""
    settings = {"latent_dim": 3, "hidden_dim": [9, 7], "epochs": 1, "batch_size": 30, "random_state": 1} | settings
    x = np.random.default_rng(0).random((30, *shape), dtype=np.float32)
    return DreamGenerator(**settings).fit(x, np.arange(30) % 3)


def planted(generator: DreamGenerator) -> DreamGenerator:
    """A copy with something private in every place that has room for it."""
    generator = copy.deepcopy(generator)
    saved = generator.saved_
    saved.origin = {name: f"{SECRET} {name}" for name in ("host", "device", "threads")} | {
        "seed": NUMBER,
        "data": {"name": SECRET, "sha256": SECRET, "rows": NUMBER, "classes": [SECRET]},
        "versions": {"dreamgen": SECRET, "python": SECRET},
    }
    listed = [name.removeprefix("card.") for name in MAY_LEAVE if name.startswith("card.")]
    card: dict[str, Any] = {"limits": SECRET, "name": SECRET, "epochs": NUMBER, "evaluation": {"seed": NUMBER}}
    card["privacy"] = {"charges": [SECRET]}
    for name in listed:  # text where a figure is expected
        parent, _, last = name.rpartition(".")
        (card[parent] if parent else card)[last] = SECRET
    saved.card = card | {"rate_per_unit": [1.23456789, 0.5, SECRET]}
    saved.history = [{"epoch": 1, "loss": NUMBER, "note": SECRET}]
    saved.codes = {"loc": torch.full((4, 3), 0.1234), "labels": torch.full((4,), NUMBER)}
    saved.settings = saved.settings.replace(epochs=NUMBER, encoder={"kind": "mlp", "hidden": [9, 7]})
    with torch.no_grad():
        for weights in saved.model.encoder.parameters():
            weights.fill_(0.5678)
    return generator


def content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b"".join(file.read_bytes() for file in sorted(path.iterdir()))


EXPORTS = {
    "decoder": lambda generator, folder: export_decoder(generator, folder / "decoder"),
    "graph": lambda generator, folder: export_onnx(generator, folder / "decoder.onnx"),
    "page": lambda generator, folder: export_page(generator, folder / "page.html"),
}


@pytest.mark.parametrize("kind", EXPORTS)
def test_nothing_leaves_but_what_the_list_names(kind: str, tmp_path: Path) -> None:
    if kind == "graph":
        pytest.importorskip("onnxscript")
    generator = planted(small())
    done: Exported = EXPORTS[kind](generator, tmp_path)
    bytes_ = content(done.out)
    assert done.size == len(bytes_)
    forbidden = [
        SECRET.encode(),
        str(NUMBER).encode(),
        str(tmp_path).encode(),
        str(Path(__file__).parents[1]).encode(),
    ]
    for number, kinds in ((0.5678, "fe"), (0.1234, "fe")):
        forbidden += [np.full(2, number, f"<{'f4' if kind == 'f' else 'f2'}").tobytes() for kind in kinds]
    forbidden += [np.int64(NUMBER).tobytes(), np.float32(NUMBER).tobytes()]
    for private in forbidden:
        assert private not in bytes_
    entries = tuple(MAY_LEAVE)
    assert all(name in entries or name.startswith(tuple(e for e in entries if e.endswith("."))) for name in done.left)
    assert not set(done.left) & set(done.stayed)
    assert {"history", "codes.loc", "codes.labels", "origin.data.rows", "card.limits", "settings.epochs"} <= set(
        done.stayed
    )
    assert not any("encoder" in name for name in done.left)
    # A second model that differs only in what stays gives the same bytes: nothing of it is in them, however written.
    other = copy.deepcopy(generator)
    other.saved_.origin, other.saved_.history, other.saved_.codes = {}, [], {}
    other.saved_.card, other.saved_.settings = {}, other.saved_.settings.replace(epochs=2, encoder="mlp")
    (tmp_path / "other").mkdir()
    assert content(EXPORTS[kind](other, tmp_path / "other").out) == bytes_


def test_figures_leave_rounded_and_text_does_not(tmp_path: Path) -> None:
    generator = small()
    generator.saved_.card = {"test_loss": 1.23456789, "active_units": 2, "rate_per_unit": [0.11119, 0.2, 0.3]}
    export_decoder(generator, tmp_path / "d")
    card = load_model(tmp_path / "d").card
    assert card == {"test_loss": 1.235, "active_units": 2, "rate_per_unit": [0.111, 0.2, 0.3]}


def test_a_network_that_was_looked_through_is_neither_named_nor_read_again(tmp_path: Path) -> None:
    generator = small()
    features = {"kind": "model", "model": f"/home/{SECRET}/network"}  # which is not there to be loaded
    objective = {"kind": "perceptual", "features": features, "weight": 2.0}
    generator.saved_.settings = generator.saved_.settings.replace(objective=objective)
    generator.saved_.card["looked_through"] = "ab" * 32
    done = export_decoder(generator, tmp_path / "d")
    assert SECRET.encode() not in content(done.out)
    found = load_model(tmp_path / "d")
    assert found.settings.objective == "perceptual"
    assert found.card["looked_through"] == "ab" * 32
    generator.saved_.card["looked_through"] = SECRET
    assert SECRET.encode() not in content(export_decoder(generator, tmp_path / "e").out)


def test_a_model_whose_dreams_come_from_kept_codes_leaves_only_where_that_is_asked_for(tmp_path: Path) -> None:
    generator = small(mixture=2)
    for export in (export_decoder, export_page):
        with pytest.raises(SettingsError, match="2 Gaussians fitted to codes of training rows, which stay"):
            export(generator, tmp_path / "no")  # type: ignore[operator]
    export_decoder(generator, tmp_path / "d", from_prior=True)
    again = DreamGenerator.load(tmp_path / "d")
    np.testing.assert_array_equal(again.dream(3, seed=1), generator.dream(3, seed=1, mixture=0))
    export_page(generator, tmp_path / "page.html", from_prior=True)


def test_every_entry_of_the_list_says_why_and_names_something(tmp_path: Path) -> None:
    assert all(len(reason) > 5 for reason in MAY_LEAVE.values())
    learned = small(likelihood={"kind": "gaussian", "learned": True})
    learned.saved_.card["looked_through"] = "ab" * 32
    learned.saved_.card["privacy"] = {"epsilon": 2.0, "delta": 1e-5}
    told = DreamGenerator(2, 8, context="labels", prior="conditional", epochs=1, batch_size=16, random_state=0)
    told.fit(np.random.default_rng(0).random((32, 4, 4)), np.arange(32) % 3)
    models = {
        "shipped": DreamGenerator.load("mnist"),
        "learned": learned,
        "told": told,
        "blurred": small(blur="levels"),
    }
    left = {name for key, model in models.items() for name in export_decoder(model, tmp_path / key).left}
    for entry in MAY_LEAVE:
        assert any(name == entry or (entry.endswith(".") and name.startswith(entry)) for name in left), entry


def test_each_setting_was_decided_on() -> None:
    listed = {name.removeprefix("settings.") for name in MAY_LEAVE if name.startswith("settings.")}
    stay = {"encoder", "posterior", "epochs", "mixture", "picked", "search", "reader", "properties", "language"}
    assert listed | stay == set(Settings.names())


def test_a_setting_that_is_none_does_not_carry_text_out(tmp_path: Path) -> None:
    for setting in ("objective", "beta", "optimizer", "update", "learning_rate", "decoder", "prior", "likelihood"):
        generator = small()
        kind = {"objective": "elbo", "optimizer": "adam", "update": "plain", "prior": "normal"}.get(setting, "mlp")
        generator.saved_.settings = generator.saved_.settings.replace(**{setting: {"kind": kind, "note": SECRET}})
        with pytest.raises(SettingsError):
            export_decoder(generator, tmp_path / setting)
        assert not (tmp_path / setting).exists()


def test_weights_that_nobody_put_on_the_list_do_not_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Remembering(StandardNormal):
        def __init__(self, latent_dim: int) -> None:
            super().__init__(latent_dim)
            self.rows = torch.nn.Parameter(torch.zeros(4, latent_dim))

    monkeypatch.setitem(PRIORS._parts, "remembering", Remembering)
    with pytest.raises(SettingsError, match=r"prior\.rows is not on the list"):
        export_decoder(small(prior="remembering"), tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("likelihood", ["bernoulli", {"kind": "gaussian", "learned": True}])
def test_a_decoder_alone_dreams_the_same_bit_for_bit(likelihood: Any, tmp_path: Path) -> None:
    generator = small(likelihood=likelihood)
    export_decoder(generator, tmp_path / "d")
    alone = DreamGenerator.load(tmp_path / "d")
    z = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    for found, expected in (
        (alone.dream(20, seed=4), generator.dream(20, seed=4)),
        (alone.dream(20, seed=4, sample=True), generator.dream(20, seed=4, sample=True)),
        (alone.inverse_transform(z), generator.inverse_transform(z)),
        (alone.map(4, plane=[0, 1]), generator.map(4, plane=[0, 1])),
        (alone.traverse(latents=[2]), generator.traverse(latents=[2])),
    ):
        np.testing.assert_array_equal(found, expected)
    assert [name for name in alone.saved_.model.state_dict() if "encoder" in name] == []
    export_decoder(alone, tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "d")


@pytest.mark.parametrize("recipe", PICTURES)
def test_the_decoder_of_every_recipe_is_handed_over(recipe: str, tmp_path: Path) -> None:
    changes = {"latent_dim": 3, "hidden_dim": 8, "batch_size": 30, "epochs": 1}
    settings = RECIPES[recipe].settings.replace(**changes)
    generator = DreamGenerator.from_settings(settings, random_state=0)
    generator.fit(np.random.default_rng(0).random((40, 6, 5)), **fit_arguments(settings, 40))
    export_decoder(generator, tmp_path / "d", from_prior=True)
    alone, sample = DreamGenerator.load(tmp_path / "d"), not generator.saved_.model.decoder.likelihood.has_mean
    dreams = {"seed": 1, "sample": sample, "mixture": 0, "given": given_of(settings, 9)}
    np.testing.assert_array_equal(alone.dream(9, **dreams), generator.dream(9, **dreams))


def test_the_shipped_model_is_handed_over_in_16_bits(tmp_path: Path) -> None:
    shipped = DreamGenerator.load("mnist")
    assert export_decoder(shipped, tmp_path / "d").size < 700_000
    alone = DreamGenerator.load(tmp_path / "d")
    np.testing.assert_array_equal(alone.dream(64, seed=1), shipped.dream(64, seed=1))
    assert alone.latent_order[:2] == shipped.latent_order[:2]


def test_without_an_encoder_nothing_is_read(tmp_path: Path) -> None:
    export_decoder(small(), tmp_path / "d")
    alone, x = DreamGenerator.load(tmp_path / "d"), np.zeros((300, 6, 5))
    for verb in (alone.encode, alone.transform, alone.reconstruct, alone.score, alone.log_likelihood, alone.fit):
        with pytest.raises(SettingsError, match="no encoder"):
            verb(x)
    with pytest.raises(SettingsError, match="no encoder"):
        alone.evaluate(x)
    for walk in (lambda: alone.morph(x[0], x[1]), lambda: alone.traverse(x[0])):
        with pytest.raises(SettingsError, match="no encoder"):
            walk()
    with pytest.raises(SettingsError, match="no posterior"):
        DreamGenerator(posterior="absent", epochs=1).fit(x)


def test_an_export_goes_into_a_new_folder(tmp_path: Path) -> None:
    generator = small()
    generator.save(tmp_path / "model")
    (tmp_path / "file").touch()
    for place in ("model", "file"):
        before = content(tmp_path / place)
        with pytest.raises(OutputError, match="not an empty folder"):
            export_decoder(generator, tmp_path / place)
        assert content(tmp_path / place) == before
    (tmp_path / "empty").mkdir()
    export_decoder(generator, tmp_path / "empty")


# ONNX

SHAPES = [(6, 5), (4, 4, 3), (10,)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("part", ["decoder", "encoder"])
def test_a_graph_gives_the_models_figures_for_any_batch(part: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    generator = small(shape, decoder={"kind": "mlp", "activation": "gelu"})
    done = export_onnx(generator, tmp_path / "part.onnx", part)
    assert done.difference is not None
    assert done.difference <= 1e-5
    session = runtime.InferenceSession(done.out, providers=["CPUExecutionProvider"])
    for n in (1, 3, 200):
        if part == "decoder":
            z = np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32)
            (mean,) = session.run(["mean"], {"z": z})
            np.testing.assert_allclose(mean, generator.inverse_transform(z), atol=1e-5)
        else:
            x = np.random.default_rng(n).random((n, *shape), dtype=np.float32)
            loc, scale = session.run(["loc", "scale"], {"x": x})
            q = generator.encode(x)
            np.testing.assert_allclose(loc, q.mean, atol=1e-5)
            np.testing.assert_allclose(scale, q.stddev, atol=1e-5)


def test_a_graph_is_written_unchecked_where_nothing_can_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = export_onnx(small(posterior="point"), tmp_path / "e.onnx", "encoder")
    assert done.difference is None
    assert done.size == len(content(done.out))


def test_a_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    real = graph._to_onnx

    def wrong(half: DecoderMean, inputs: torch.Tensor) -> bytes:
        half = copy.deepcopy(half)
        with torch.no_grad():
            half.decoder.network.out.bias += 1e-3
        return real(half, inputs)

    monkeypatch.setattr(graph, "_to_onnx", wrong)
    with pytest.raises(DreamgenError, match="nothing written: onnxruntime's figures differ"):
        export_onnx(small(), tmp_path / "d.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_a_graph_needs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SettingsError, match=r"pip install 'dreamgen\[onnx\]'"):
        export_onnx(small(), tmp_path / "d.onnx")
    with pytest.raises(SettingsError, match="did you mean 'encoder'"):
        export_onnx(small(), tmp_path / "d.onnx", "encodr")


# The command

BAD = [
    ((), "expected one of --decoder-only, --onnx and --html"),
    (("--html", "--onnx"), "expected one of --decoder-only, --onnx and --html"),
    (("--html", "--part", "encoder"), "--part goes with --onnx"),
    (("--onnx", "--title", "x"), "--title goes with --html"),
    (("--html", "--out", "page.png"), "expected a name that ends in .html"),
    (("--onnx", "--out", "."), "is a folder"),
    (("--decoder-only", "--out", "/proc/d"), "cannot write /proc/d"),
]


@pytest.mark.parametrize(("arguments", "text"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_the_command_refuses_in_one_line(arguments: tuple[str, ...], text: str, run: Run) -> None:
    code, out, err = run("export", "mnist", *arguments)
    assert (code, out) == (2, "")
    assert text in err
    assert len(err.splitlines()) == 1
    assert list(Path().iterdir()) == []


def test_the_command_hands_over_and_the_verbs_take_it(run: Run, model_folder: Path) -> None:
    code, out, _ = run("export", model_folder, "--decoder-only", "--out", "d", "--json")
    values = json.loads(out)
    assert code == 0
    assert values.keys() == {"out", "bytes", "left", "stayed", "difference"}
    assert values["bytes"] == len(content(Path("d")))
    np.save("codes.npy", np.zeros((2, 6), np.float32))
    for verb in (("dream",), ("map", "--size", 3), ("traverse",), ("info",)):
        assert run(verb[0], "d", *verb[1:])[0] == 0
    assert run("decode", "d", "codes.npy")[0] == 0
    for rest in (
        ("encode", "d", "digits"),
        ("reconstruct", "d", "digits"),
        ("evaluate", "d", "digits"),
        ("morph", "d", "digits:0", "digits:1"),
        ("export", "d", "--onnx", "--part", "encoder"),
    ):
        code, out, err = run(*rest)
        assert (code, out) == (2, "")
        assert err == "dreamgen: this model has no encoder: it can dream and decode, and read no examples\n"
    code, out, _ = run("export", model_folder, "--html")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == ["left", "stayed"]
    assert "weights.encoder (6)" in out.splitlines()[2]
    assert Path("dreams.html").is_file()
    if find_spec("onnxscript"):
        code, out, err = run("export", model_folder, "--onnx", "--part", "encoder", "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["out"] == "encoder.onnx"
        assert Path("encoder.onnx").is_file()


# The page

PAGES: dict[str, dict[str, Any]] = {
    "two latents": {"shape": (8, 8), "latent_dim": 2},
    "one latent": {"shape": (8, 8), "latent_dim": 1},
    "colour": {"shape": (6, 5, 3), "likelihood": {"kind": "gaussian", "learned": True}},
    "one channel, linear": {"shape": (7, 9, 1), "hidden_dim": []},
    "flat": {"shape": (16,), "latent_dim": 12},
    **{name: {"decoder": {"kind": "mlp", "activation": name}, "hidden_dim": [30, 20, 10]} for name in ACTIVATIONS},
}


@pytest.fixture(scope="module")
def context(chromium: "Browser") -> Iterator["BrowserContext"]:
    with chromium.new_context(viewport={"width": 1200, "height": 900}) as context:
        yield context


@pytest.fixture
def page(context: "BrowserContext") -> Iterator["Page"]:
    with context.new_page() as page:
        yield page


def complaints(page: "Page") -> list[str]:
    """What the page said, and the errors that nobody caught."""
    return [message.text for message in page.console_messages()] + [str(error) for error in page.page_errors()]


def pixels(page: "Page", selector: str) -> str:
    return page.locator(selector).evaluate("canvas => canvas.toDataURL()")


def corner(page: "Page", selector: str) -> np.ndarray:
    """The colours of the first 28 by 28 pixels of a canvas."""
    read = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, 28, 28).data)"
    return np.reshape(page.locator(selector).evaluate(read), (28, 28, 4))


def place(page: "Page", selector: str, right: float, down: float) -> tuple[float, float]:
    """Where a share of an element's width and height is in the window, scrolled into sight."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + right * box["width"], box["y"] + down * box["height"]


def as_the_page_has_it(generator: DreamGenerator, page: Path) -> DecoderMean:
    """The decoder with weights rounded as in the file."""
    mean = copy.deepcopy(DecoderMean(generator.saved_))
    half = '"weights":"float16"' in page.read_text()
    return with_weights(mean, torch.float16 if half else torch.float32)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_computes_what_the_decoder_does(name: str, page: "Page", tmp_path: Path) -> None:
    generator = small(**PAGES[name])
    with torch.no_grad():
        for weights in generator.saved_.model.decoder.parameters():
            weights.mul_(3)  # so that activations leave their middles
    path = export_page(generator, tmp_path / "page.html").out
    page.goto(path.as_uri())
    z = prior_codes(generator.saved_, 40) * 2
    found = np.array(page.evaluate("codes => codes.map(code => Array.from(decode(code)))", z.tolist()))
    with torch.no_grad():
        expected = as_the_page_has_it(generator, path)(z).flatten(1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, generator.inverse_transform(z.numpy()).reshape(40, -1), atol=1e-3)
    assert found.std() > 0.01
    assert complaints(page) == []
    assert [request.url for request in page.requests()] == [path.as_uri()]


# Not `wait_for_function`: it evaluates again and again, which the page's policy forbids.
DRAWN = """new Promise((done, fail) => {
  setTimeout(() => fail(new Error("the map is not drawn")), 10000);
  (function look() { stale ? requestAnimationFrame(look) : done(); })();
})"""


def test_the_page_is_alive_and_alone(page: "Page", tmp_path: Path) -> None:
    generator = DreamGenerator.load("mnist")
    path = export_page(generator, tmp_path / "page.html", title="</title><script>alert(1)</script> & 'more'").out
    page.goto(path.as_uri())
    assert page.title() == "</title><script>alert(1)</script> & 'more'"
    assert page.evaluate("here.length") == 20

    first = pixels(page, "#dreams")
    page.get_by_role("button", name="New dreams").click()
    assert pixels(page, "#dreams") != first
    page.get_by_label("How many").select_option("4")
    assert page.evaluate("dreams.codes.length") == 4

    # Down at one place of the map, along to another: the picture follows and is what the decoder makes of the place.
    page.evaluate(DRAWN)
    pictures = [pixels(page, "#picture")]
    x, y = place(page, "#map", 0.15, 0.15)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in (1, 2, 3):
        page.mouse.move(x + 25 * step, y + 20 * step)
        pictures.append(pixels(page, "#picture"))
    page.mouse.up()
    assert len(set(pictures)) == 4
    z = np.float32(page.evaluate("Array.from(here)"))
    across, up = generator.main_plane
    assert -3 < z[across] < 0 < z[up] < 3
    assert np.count_nonzero(z) == 2
    picture = corner(page, "#picture")
    expected = generator.inverse_transform(z[None])[0]
    np.testing.assert_allclose(picture[..., 0] / 255, expected, atol=0.5 / 255 + 1e-3)
    assert (picture[..., 3] == 255).all()

    # A cell of the map is the decoder's picture of its place.
    z = np.zeros((1, 20), np.float32)
    z[0, [across, up]] = -3, 3
    cell = corner(page, "#map")[..., 1] / 255
    np.testing.assert_allclose(cell, generator.inverse_transform(z)[0], atol=0.5 / 255 + 1e-3)

    # A slider moves the picture and the map; a dream that is chosen moves everything.
    before = pixels(page, "#map")
    latent = generator.latent_order[2]
    for _ in range(10):
        page.locator(f"#latent-{latent}").press("ArrowRight")
    assert page.evaluate(f"here[{latent}]") == pytest.approx(1)
    page.evaluate(DRAWN)
    assert pixels(page, "#map") != before
    page.mouse.click(*place(page, "#dreams", 0.25, 0.75))
    assert page.evaluate("here.every((value, latent) => value === dreams.codes[2][latent])")

    assert complaints(page) == []
    assert [request.url for request in page.requests()] == [path.as_uri()]


def test_the_page_is_reached_by_keyboard_and_every_control_has_a_name(
    context: "BrowserContext", tmp_path: Path
) -> None:
    path = export_page(small((8, 8), latent_dim=3), tmp_path / "page.html").out
    with context.browser.new_page(viewport={"width": 390, "height": 800}, is_mobile=True) as page:
        page.goto(path.as_uri())
        seen = []
        for _ in range(10):
            page.keyboard.press("Tab")
            seen.append(page.evaluate("document.activeElement.id"))
        assert seen[:6] == ["count", "dream", "dreams", "across", "up", "map"]
        assert {"latent-0", "latent-1", "centre"} <= set(seen)
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
            page.locator("#dreams").press(key)
        assert page.evaluate("dreams.chosen") == 9
        assert page.evaluate("here[0] === dreams.codes[9][0]")
        page.evaluate("move(new Float32Array(3))")
        for key in ("ArrowRight", "ArrowUp", "ArrowUp"):
            page.locator("#map").press(key)
        assert page.evaluate("[here[plane[0]].toFixed(1), here[plane[1]].toFixed(1)].join()") == "0.1,0.2"
        nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        roles = {"button", "combobox", "slider", "application", "image", "canvas"}
        controls = [node for node in nodes if node.get("role", {}).get("value") in roles]
        assert len(controls) >= 8, nodes
        for control in controls:
            assert control["name"]["value"], control
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert complaints(page) == []


def test_the_policy_holds(page: "Page", tmp_path: Path) -> None:
    path = export_page(small(), tmp_path / "page.html").out
    spoilt = tmp_path / "spoilt.html"
    extra = "<script>document.title = 'run'</script><img src='http://127.0.0.1:9/x.png'></body>"
    spoilt.write_text(path.read_text().replace("</body>", extra))
    page.goto(spoilt.as_uri())
    assert page.title() == "Dream Generator"
    said = complaints(page)
    assert len(said) == 2
    assert all("Content Security Policy" in complaint for complaint in said)


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    done = export_page(small(), tmp_path / "page.html", seed=3)
    text = done.out.read_text()
    assert not re.search(
        r"https?:|//[a-z]|src=|@[A-Z_]+@|eval\(|innerHTML|fetch|XMLHttp|import\(", re.sub("// .*", "", text)
    )
    assert '"seed":3' in text
    assert content(export_page(small(), tmp_path / "again.html", seed=3).out) == content(done.out)


def test_weights_that_16_bits_do_not_hold_take_32(tmp_path: Path) -> None:
    generator = small()
    fine = export_page(generator, tmp_path / "fine.html")
    assert 0 < fine.difference <= 1e-3
    with torch.no_grad():
        generator.saved_.model.decoder.network.out.bias[0] = 1e5
    large = export_page(generator, tmp_path / "large.html")
    assert large.difference == 0
    assert '"weights":"float32"' in large.out.read_text()
    assert large.size > fine.size


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"shape": (10,)}, "examples have shape (10,)"),
        ({"decoder": "other"}, "a page cannot run the decoder 'other': it knows mlp"),
        (
            {"likelihood": {"kind": "other"}},
            "a page cannot run the likelihood 'other': it knows bernoulli and gaussian",
        ),
        ({"prior": "other"}, "a page cannot run the prior 'other': it knows normal"),
    ],
)
def test_a_page_says_what_it_cannot_run(
    settings: dict[str, Any], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for registry, name in ((DECODERS, "mlp"), (LIKELIHOODS, "bernoulli"), (PRIORS, "normal")):
        monkeypatch.setitem(registry._parts, "other", registry[name])
    with pytest.raises(SettingsError, match=re.escape(text)):
        export_page(small(**settings), tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", [export_decoder, export_onnx, export_page])
def test_what_is_not_fitted_has_nothing_to_hand_over(export: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        export(DreamGenerator(), tmp_path / "out")

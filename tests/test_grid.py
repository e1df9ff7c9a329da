"""Every verb of every kind of model: a result, or one error of this library's own, never another exception."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dreamgen import DreamGenerator
from dreamgen.errors import DreamgenError
from dreamgen.export import export_decoder

X = np.random.default_rng(0).random((48, 6, 5)).astype(np.float32)
Y = np.arange(48) % 3
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "conditional": {"context": "labels", "prior": "conditional"},
    "mixture": {"context": "labels", "mixture": 2},
    "classifier": {"model": "classifier", "context": "labels"},
    "absent encoder": {},
    "point": {"posterior": "point", "beta": 0.0},
    "gan": {"encoder": "absent", "posterior": "absent", "update": "adversarial", "validation": 0.0},
}
TOLD = ("conditional", "mixture")
READS, DREAMS = ("plain", "point", *TOLD), ("plain", "point", "absent encoder", "gan", *TOLD)

Verb = Callable[[DreamGenerator, Any], Any]
VERBS: dict[
    str, tuple[Verb, tuple[str, ...]]
] = {  # and which kinds have a result, when told what they are to be told
    "dream": (lambda model, told: model.dream(3, given=told, seed=0), DREAMS),
    "decode": (lambda model, told: model.decode(np.zeros((3, 2)), told).mean.numpy(), DREAMS),
    "inverse_transform": (lambda model, told: model.inverse_transform(np.zeros((3, 2)), told), DREAMS),
    "map": (lambda model, told: model.map(3, given=told), DREAMS),
    "traverse": (lambda model, told: model.traverse(steps=3, given=told), DREAMS),
    "traverse from": (lambda model, told: model.traverse(X[0], steps=3, given=told), READS),
    "morph": (lambda model, told: model.morph(X[0], X[1], 3, given=told), READS),
    "encode": (lambda model, told: model.encode(X, told).mean.numpy(), READS),
    "transform": (lambda model, told: model.transform(X, told), READS),
    "reconstruct": (lambda model, told: model.reconstruct(X, given=told), READS),
    "fill": (lambda model, told: model.fill(X[:4], X[:4] > 0.5, given=told, samples=3), READS),
    "fill thrice": (lambda model, told: model.fill(X[:4], X[:4] > 0.5, 3, given=told, samples=3), READS),
    "log_likelihood": (
        lambda model, told: model.log_likelihood(X.round(), 3, given=told),
        ("plain", *TOLD),
    ),
    "score_samples": (lambda model, told: model.score_samples(X, told), READS),
    "score": (lambda model, told: model.score(X, Y), READS),
    "evaluate": (
        lambda model, told: model.evaluate(X, given=told, samples=3, train=X)["rows"],
        (*READS, "classifier"),
    ),
    "styles": (lambda model, told: model.styles(2, seed=0), TOLD),
    "prepare": (lambda model, told: model.prepare(X).numpy(), tuple(KINDS)),
}


def fitted(kind: str) -> DreamGenerator:
    small = {"latent_dim": 2, "hidden_dim": 8, "batch_size": 16, "epochs": 1, "random_state": 0}
    return DreamGenerator(**small | KINDS[kind]).fit(X, Y)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DreamGenerator]:
    found = {kind: fitted(kind) for kind in KINDS}
    folder = tmp_path_factory.mktemp("grid") / "decoder"
    export_decoder(found["plain"], folder)
    return found | {"absent encoder": DreamGenerator.load(folder)}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:grey pixels")
def test_a_result_or_an_error_of_our_own(kind: str, verb: str, models: dict[str, DreamGenerator]) -> None:
    call, able = VERBS[verb]
    if kind not in able:
        for told in (None, {"label": 1}):
            with pytest.raises(DreamgenError):
                call(models[kind], told)
        return
    if models[kind].saved_.context:
        assert np.isfinite(call(models[kind], {"label": 1})).all()
        if verb in ("dream", "score", "styles", "prepare"):  # these need not be told, or know how to tell
            return
    else:
        with_nothing = call(models[kind], None)
        assert np.isfinite(with_nothing).all()
        return
    with pytest.raises(DreamgenError, match="label"):
        call(models[kind], None)


def test_what_is_shown_is_what_the_model_is_told(models: dict[str, DreamGenerator]) -> None:
    model = models["conditional"]
    ends = [model.reconstruct(X[i : i + 1], given={"label": label})[0] for i, label in ((0, "2"), (1, "0"))]
    film = model.morph(X[0], X[1], 4, given={"label": ["2", "0"]})
    np.testing.assert_allclose(film[[0, -1]], ends, atol=1e-5)
    z, told = np.zeros((1, 2)), {"label": 1}
    middle = model.inverse_transform(z, told)[0]
    np.testing.assert_allclose(model.map(3, given=told)[1, 1], middle, atol=1e-6)
    np.testing.assert_allclose(model.traverse(steps=3, given=told)[:, 1], [middle] * 2, atol=1e-6)
    assert np.abs(middle - model.inverse_transform(z, {"label": 2})[0]).max() > 1e-4
    one, other = (model.fill(X[:2], X[:2] > 2, given={"label": label}, samples=50) for label in (0, 2))
    assert np.abs(one - other).max() > 1e-4


def test_labels_beside_rows_are_what_the_model_is_told(models: dict[str, DreamGenerator]) -> None:
    model = models["conditional"]
    assert model.score(X, Y) == pytest.approx(model.score_samples(X, {"label": Y}).mean())
    again = fitted("conditional")
    np.testing.assert_array_equal(again.fit_transform(X, Y), again.transform(X, {"label": Y}))
    plain = fitted("plain")
    np.testing.assert_array_equal(plain.fit_transform(X, Y), plain.transform(X))


def test_memorisation_is_asked_of_the_dreams_that_the_model_dreams(tmp_path: Path) -> None:
    from dreamgen.evaluation.samples import memorisation
    from dreamgen.inputs import to_tensor

    model = DreamGenerator(2, 8, mixture=3, batch_size=16, epochs=1, random_state=0).fit(X[:24])
    dreams, prior = (model.dream(1000, seed=4, mixture=k) for k in (None, 0))
    expected, other = (memorisation(*map(to_tensor, (d, X[24:], X[:24]))) for d in (dreams, prior))
    found = model.evaluate(X[24:], train=X[:24], samples=1, seed=4)["memorisation"]
    assert found == pytest.approx(expected)
    assert np.abs(dreams - prior).max() > 1e-4
    assert (found == other) == (expected == other)

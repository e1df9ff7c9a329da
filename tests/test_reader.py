"""Properties read off codes, and dreams of which one is wanted."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from dreamgen import DreamGenerator
from dreamgen.data.context import Context, Field
from dreamgen.errors import SettingsError
from dreamgen.models.reader import Reader

READ = Context(
    (Field("kind", "class", ("a", "b", "c")), Field("flat", "flag"), Field("size", "number", (), 5.0, 2.0))
)


@pytest.fixture(scope="module")
def generator() -> DreamGenerator:
    """Small pictures whose brightness is read off their codes."""
    noise = np.random.default_rng(0)
    light = noise.random(600)
    x = np.clip(light[:, None] + 0.05 * noise.standard_normal((600, 9)), 0, 1).reshape(-1, 3, 3)
    settings = {
        "latent_dim": 2,
        "hidden_dim": 32,
        "epochs": 60,
        "batch_size": 25,
        "learning_rate": 1e-2,
        "random_state": 0,
    }
    made = DreamGenerator(**settings, likelihood={"kind": "gaussian", "scale": 0.1}, properties=["light"])
    return made.fit(x, attributes={"light": 100 * light})


def test_the_log_probability_is_that_of_torchs_distributions() -> None:
    torch.manual_seed(0)
    reader = Reader(2, READ, [7]).double()
    z = torch.randn(4, 5, 2, dtype=torch.float64)
    told = READ.encode({"kind": [0, 1, 2, 0, 1], "flat": [0, 1, 0, 1, 1], "size": [1, 2, 3, 4, 5]}, 5).double()
    h, scales = reader(z)
    expected = torch.distributions.Categorical(logits=h[..., :3]).log_prob(torch.tensor([0, 1, 2, 0, 1]))
    expected = expected + torch.distributions.Bernoulli(logits=h[..., 3]).log_prob((told[:, 3] + 1) / 2)
    expected = expected + Normal(h[..., 4], scales[..., 2]).log_prob(told[:, 4])
    torch.testing.assert_close(reader.log_prob(z, told), expected)


def test_what_is_read_is_in_the_units_that_were_told(generator: DreamGenerator) -> None:
    x = np.stack([np.full((3, 3), light, np.float32) for light in (0.2, 0.5, 0.8)])
    found = generator.read(x)["light"]
    np.testing.assert_allclose(found, [20, 50, 80], atol=6)
    np.testing.assert_array_equal(found, generator.read_codes(generator.transform(x))["light"])


def test_dreams_have_what_is_wanted(generator: DreamGenerator) -> None:
    for wanted in (25, 75):
        dreams = generator.dream(50, given={"light": wanted}, seed=1)
        assert 100 * dreams.mean() == pytest.approx(wanted, abs=4)
    first = generator.dream(3, given={"light": [20, 50, 80]}, seed=2)
    np.testing.assert_array_equal(first[:2], generator.dream(2, given={"light": [20, 50]}, seed=2))
    assert np.all(np.diff(first.mean((1, 2))) > 0)


def test_dreams_from_blurred_codes_have_what_is_wanted_too() -> None:
    """A code at level .9 hardly says how bright a picture is: what was written has to be read."""
    noise = np.random.default_rng(0)
    light = noise.random(600)
    x = np.clip(light[:, None] + 0.05 * noise.standard_normal((600, 9)), 0, 1).reshape(-1, 3, 3)
    blur = {"kind": "levels", "dream": 0.9}
    parts = {"likelihood": {"kind": "gaussian", "scale": 0.1}, "properties": ["light"], "blur": blur}
    made = DreamGenerator(2, 32, epochs=40, batch_size=25, learning_rate=1e-2, random_state=0, **parts)
    made.fit(x, attributes={"light": 100 * light})
    for wanted in (30, 70):
        dreams = made.dream(60, given={"light": wanted}, seed=1, sample=True)
        read = made.read(dreams)["light"]
        assert read.mean() == pytest.approx(wanted, abs=6)
        np.testing.assert_array_equal(made.dream(5, given={"light": wanted}, seed=1, sample=True), dreams[:5])


def test_the_reader_is_saved_with_the_model(generator: DreamGenerator, tmp_path: object) -> None:
    generator.save(f"{tmp_path}/model")
    again = DreamGenerator.load(f"{tmp_path}/model")
    assert again.saved_.properties == generator.saved_.properties
    z = np.zeros((2, 2), np.float32)
    np.testing.assert_array_equal(again.read_codes(z)["light"], generator.read_codes(z)["light"])


def test_the_bound_explains_properties_too(generator: DreamGenerator) -> None:
    from dreamgen.data import Batch
    from dreamgen.distributions import StepNoise

    model, x = generator.saved_.model, torch.full((4, 3, 3), 0.5)
    told = generator.saved_.properties.encode({"light": 50.0}, 4)
    with torch.no_grad():
        bare = model.infer(Batch(x), StepNoise(0))
        both = model.infer(Batch(x, properties=told), StepNoise(0))
    torch.testing.assert_close(both.elbo, bare.elbo + both.read.mean(0))


def test_a_model_without_a_reader_says_so() -> None:
    plain = DreamGenerator(latent_dim=2, hidden_dim=8, epochs=1, batch_size=8, random_state=0).fit(
        np.zeros((9, 3, 3))
    )
    with pytest.raises(SettingsError, match="no properties"):
        plain.read(np.zeros((1, 3, 3)))

"""From settings to a model: one of a few shapes, each of which puts named parts together."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dreamgen.config import Settings
from dreamgen.data.batch import Batch, as_float
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import LIKELIHOODS, POSTERIORS, PRIORS, Likelihood, derive_seed
from dreamgen.errors import SettingsError
from dreamgen.models.blur import BLURS
from dreamgen.models.classifier import Classifier
from dreamgen.models.reader import READERS
from dreamgen.models.vae import VAE, Decoder, Encoder, LevelsDecoder
from dreamgen.nn import DECODERS, ENCODERS
from dreamgen.registry import Registry

MODELS: Registry[nn.Module] = Registry("model")


def build_model(
    settings: Settings,
    meaning: Meaning | Sequence[int],
    seed: int | None = None,
) -> Any:
    """Make a new model.

    Args:
        settings: names its parts.
        meaning: of an example and of what stands beside it, or the shape of one where it is plain numbers.
        seed: the initial weights are a function of it; torch's global generator is left as it was. None: from
            the global generator.

    Returns:
        What `settings.model` names: a VAE, a Classifier.

    Raises:
        SettingsError: a part or argument that does not exist.
    """
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            # The CPU's generator alone, which the fork restores; torch.manual_seed would reseed the devices' too.
            torch.default_generator.manual_seed(derive_seed(seed, "weights"))
        meaning = meaning if isinstance(meaning, Meaning) else Meaning(tuple(meaning))
        sizes = {**meaning.sizes(), "latent_dim": settings.latent_dim, "hidden": settings.hidden}
        return MODELS.build(settings.model, settings=settings, sizes=sizes)


def check_writes(likelihood: Likelihood, symbols: int) -> None:
    """Raise SettingsError where lines of tokens are to be explained by a likelihood of numbers."""
    if symbols and not likelihood.writes_tokens:
        raise SettingsError("language: expected a likelihood that writes tokens, such as 'recurrent'")


@MODELS.register("vae")
def _vae(settings: Settings, sizes: Mapping[str, Any]) -> VAE:
    network = ENCODERS.build(settings.encoder, **sizes)
    posterior = POSTERIORS.build(settings.posterior, **sizes, features=network.features)
    prior = PRIORS.build(settings.prior, **sizes)
    likelihood = LIKELIHOODS.build(settings.likelihood, **sizes)
    check_writes(likelihood, sizes["symbols"])
    blur = BLURS.build(settings.blur)
    decoder = Decoder(_decoding_network(settings, sizes, likelihood), likelihood)
    if blur is not None:
        loose = LIKELIHOODS.build(blur.likelihood or settings.likelihood, **sizes)
        check_writes(loose, sizes["symbols"])
        told = {**sizes, "context_dim": sizes["context_dim"] + 1}
        blurred = Decoder(_decoding_network(settings, told, loose), loose)
        decoder = LevelsDecoder(decoder.network, likelihood, blurred)
    reader = None
    if sizes["properties"]:
        reader = READERS.build(settings.reader, **{**sizes, "hidden": [128]}, told_level=blur is not None)
    return VAE(Encoder(network, posterior), prior, decoder, reader, blur)


def _decoding_network(settings: Settings, sizes: Mapping[str, Any], likelihood: Likelihood) -> nn.Module:
    shape = likelihood.parameters_shape(sizes["event_shape"])
    network: nn.Module = DECODERS.build(settings.decoder, **sizes, parameters_shape=shape)
    return network


@MODELS.register("classifier")
def _classifier(settings: Settings, sizes: Mapping[str, Any], dropout: float = 0.0) -> Classifier:
    context = sizes["context"]
    if context is None:
        raise SettingsError("model 'classifier': expected a context to read off examples, such as context = 'labels'")
    return Classifier(ENCODERS.build(settings.encoder, **{**sizes, "context_dim": 0}), context, dropout)


@torch.no_grad()
def start_at_mean(model: VAE, rows: Batch) -> None:
    """Set the decoder's last bias so that an untrained model answers with the marginals of some rows.

    The first steps of training would be spent on nothing else. Raises SettingsError where the likelihood or the
    decoder has no such bias.
    """
    decoders = [model.decoder] + ([model.decoder.blurred] if isinstance(model.decoder, LevelsDecoder) else [])
    for decoder in decoders:
        raw = decoder.likelihood.start(as_float(rows.x), rows.mask)
        bias = getattr(decoder.network, "output_bias", None)
        if not isinstance(bias, nn.Parameter) or bias.numel() != raw.numel():
            raise SettingsError("start 'mean': expected a decoder with a bias for each element; use start 'random'")
        bias.copy_(raw.view_as(bias))

"""The variational autoencoder: three parts, each of which returns a torch Distribution.

    encoder(batch)      -> q(z|x)      "the Magic Press"
    prior(context)      -> p(z)
    decoder(z, context) -> p(x|z)      "the Dream Projector"

Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114.
"""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from dreamgen.data.batch import Batch
from dreamgen.distributions import Likelihood, Noise, Rows, draw
from dreamgen.models.blur import Blur, blurred, sharpened
from dreamgen.models.reader import Reader
from dreamgen.models.trace import Latent, Trace
from dreamgen.nn import AbsentEncoder


class Encoder(nn.Module):
    """A network that reads a batch, and a head that turns its features into q(z|x)."""

    def __init__(self, network: nn.Module, posterior: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.posterior = posterior

    def forward(self, batch: Batch) -> Distribution:
        """B examples to q(z|x), batch shape (B, D)."""
        q: Distribution = self.posterior(self.network(batch))
        return q


class Decoder(nn.Module):
    """A network that reads latents, and a head that turns its output into p(x|z)."""

    def __init__(self, network: nn.Module, likelihood: Likelihood) -> None:
        super().__init__()
        self.network = network
        self.likelihood = likelihood

    def forward(self, z: Tensor, context: Tensor | None = None, level: Tensor | None = None) -> Distribution:
        """z (K, B, D) to p(x|z), batch shape (K, B, *event); `level` is for a decoder of blurred codes."""
        p: Distribution = self.likelihood(self.network(z, context))
        return p

    def likelihood_at(self, level: float) -> Likelihood:
        """The likelihood of examples whose codes are blurred to a level."""
        return self.likelihood


class LevelsDecoder(Decoder):
    """A decoder of codes as they are, and a second one of blurred codes, which write what the code does not say.

    To copy a code out and to make up what is missing are two skills; the second decoder may be smaller, and have a
    likelihood of its own. It takes the level as one more number of context, and the code as it is best guessed to
    have been.
    """

    def __init__(self, network: nn.Module, likelihood: Likelihood, blurred: Decoder) -> None:
        super().__init__(network, likelihood)
        self.blurred = blurred

    def forward(self, z: Tensor, context: Tensor | None = None, level: Tensor | None = None) -> Distribution:
        """z (K, B, D), rows blurred to their `level` (B, 1), 0 by default, to p(x|z), batch shape (K, B, *event)."""
        if level is None or not (among := level[:, 0] > 0).any():
            return super().forward(z, context)
        if among.all():
            return self.of_blurred(z, context, level)
        told = (None, None) if context is None else (context[~among], context[among])
        sharp = super().forward(z[:, ~among], told[0])
        return Rows(sharp, self.of_blurred(z[:, among], told[1], level[among]), among)

    def likelihood_at(self, level: float) -> Likelihood:
        return self.blurred.likelihood if level else self.likelihood

    def of_blurred(self, z: Tensor, context: Tensor | None, level: Tensor) -> Distribution:
        """As `forward`, where no row's level is 0."""
        told = level if context is None else torch.cat([context, level], dim=-1)
        p: Distribution = self.blurred(sharpened(z, level), told)
        return p


class VAE(nn.Module):
    """An encoder, a prior and a decoder; a reader, where properties are read off the codes; levels of blur."""

    def __init__(
        self,
        encoder: Encoder,
        prior: nn.Module,
        decoder: Decoder,
        reader: Reader | None = None,
        blur: Blur | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.prior = prior
        self.decoder = decoder
        self.reader = reader
        self.blur = blur

    @property
    def reads(self) -> bool:
        """Whether it has an encoder; a decoder that was handed over, or learned from a critic alone, has none."""
        return not isinstance(self.encoder.network, AbsentEncoder)

    def infer(self, batch: Batch, noise: Noise, samples: int = 1) -> Trace:
        """Explain a batch: encode it, draw K = `samples` latents for each row, and decode them."""
        return self.explain(batch, self.encoder(batch), noise, samples)

    def explain(self, batch: Batch, q: Distribution, noise: Noise, samples: int) -> Trace:
        """The trace of a batch whose posterior is already known, so that many samples cost one encoding.

        In training codes are blurred, where levels of blur were asked for.
        """
        level = None
        if self.blur is not None and self.blur.training:
            level = self.blur.levels(len(batch), noise)
            q = blurred(q, level)
        z = draw(q, noise, samples)
        latent = Latent("z", z, q, self.prior(batch.context))
        read = None
        if self.reader is not None and batch.properties is not None:
            read = self.reader.log_prob(z, batch.properties, level)
        return Trace(batch, (latent,), self.decoder(z, batch.context, level), read)

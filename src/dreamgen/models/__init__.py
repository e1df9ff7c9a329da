"""Models: an encoder, a prior and a decoder that explain data together."""

from dreamgen.models.build import build_model, start_at_mean
from dreamgen.models.trace import Latent, Trace
from dreamgen.models.vae import VAE

__all__ = ["VAE", "Latent", "Trace", "build_model", "start_at_mean"]

"""Models: an encoder, a prior and a decoder that explain data together."""

from dreamgen.models.build import build_model
from dreamgen.models.trace import Latent, Trace
from dreamgen.models.vae import VAE

__all__ = ["VAE", "Latent", "Trace", "build_model"]

"""Models: an encoder, a prior and a decoder that explain data together."""

from dreamgen.models.build import MODELS, build_model, start_at_mean
from dreamgen.models.classifier import Classifier
from dreamgen.models.trace import Latent, Trace
from dreamgen.models.vae import VAE

__all__ = ["MODELS", "VAE", "Classifier", "Latent", "Trace", "build_model", "start_at_mean"]

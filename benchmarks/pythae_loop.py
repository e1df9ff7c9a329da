"""The same work by pythae 0.1.2, in an environment of its own that has no dreamgen.

    python benchmarks/pythae_loop.py ROWS.npz train EPOCHS      trains its MLP network: batches of 128, Adam at 1e-3
    python benchmarks/pythae_loop.py ROWS.npz nll IMAGES        times get_nll with 5,000 samples
    python benchmarks/pythae_loop.py ROWS.npz dreams EPOCHS     10,000 dreams of its default VAE, in pythae_dreams.npz

ROWS.npz holds `train` and `test`, bytes, (n, 28, 28). Prints one JSON object on the last line.
"""

import json
import sys
import tempfile
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.trainers import BaseTrainer, BaseTrainerConfig


def pictures(path: str, part: str) -> torch.Tensor:
    """(n, 1, 28, 28) floats in [0, 1]."""
    with np.load(path) as rows:
        return torch.from_numpy(rows[part]).unsqueeze(1).float().div(255)


def train(path: str, epochs: int) -> dict[str, float]:
    """Seconds of training, and the one-sample loss on the test part."""
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce"))
    seconds = fit(model, path, epochs)
    model.eval()
    with torch.no_grad():
        test = pictures(path, "test")
        loss = float(model(BaseDataset(test, torch.zeros(len(test)))[:]).loss)
    return {"seconds": seconds, "epochs": epochs, "test_loss": loss}


def dreams(path: str, epochs: int) -> dict[str, float]:
    """Seconds of training the VAE of its defaults (ten latents, squared error); its dreams are decoder means."""
    torch.manual_seed(0)
    model = VAE(VAEConfig(input_dim=(1, 28, 28)))
    seconds = fit(model, path, epochs)
    model.eval()
    with torch.no_grad():
        x = model.decoder(torch.randn(10_000, model.latent_dim)).reconstruction
    np.savez("pythae_dreams.npz", x=x.reshape(-1, 28, 28).numpy())
    return {"seconds": seconds, "epochs": epochs}


def fit(model: VAE, path: str, epochs: int) -> float:
    """Train by its own loop; seconds."""
    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(),
        num_epochs=epochs,
        per_device_train_batch_size=128,
        learning_rate=1e-3,
        optimizer_cls="Adam",
        train_dataloader_num_workers=0,
        no_cuda=True,
    )
    x = pictures(path, "train")
    trainer = BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=config)
    started = time.perf_counter()
    trainer.train()
    return time.perf_counter() - started


def nll(path: str, images: int) -> dict[str, float]:
    """Seconds for each image and sample of its importance-weighted likelihood."""
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce"))
    model.eval()
    x = (pictures(path, "test")[:images] > 0.5).float()
    model.get_nll(x[:1], n_samples=5000)
    started = time.perf_counter()
    model.get_nll(x, n_samples=5000)
    return {"seconds_per_image_and_sample": (time.perf_counter() - started) / images / 5000, "images": images}


if __name__ == "__main__":
    path, what, number = sys.argv[1:]
    print(json.dumps({"train": train, "nll": nll, "dreams": dreams}[what](path, int(number))))

"""The plain way to train the mission's network: a per-item Dataset, a DataLoader, Adam at 1e-3, batches of 128.

    python benchmarks/plain_loop.py [epochs]

This is the shape of PyTorch's own VAE example, written anew: each item becomes a Pillow image and then a tensor, as
torchvision's MNIST does it. Prints one JSON object with the seconds of training and the one-sample test loss.
"""

import json
import sys
import time

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from dreamgen import load_data


class Digits(Dataset[Tensor]):
    """One digit at a time, as a (1, 28, 28) tensor in [0, 1]."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> Tensor:
        picture = Image.fromarray(self.x[row])
        return torch.from_numpy(np.array(picture)).unsqueeze(0).float().div(255)


class Plain(nn.Module):
    """784-400-20 and back."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.log_variance = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.back, self.out = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.hidden(x.flatten(1)))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return torch.sigmoid(self.out(F.relu(self.back(z)))), mean, log_variance


def loss_of(model: Plain, x: Tensor) -> Tensor:
    """The mission's loss, summed over the batch."""
    picture, mean, log_variance = model(x)
    bce = F.binary_cross_entropy(picture, x.flatten(1), reduction="sum")
    return bce - 0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())


def main(epochs: int) -> None:
    """Train and report."""
    torch.manual_seed(1)
    data = load_data("mnist")
    model = Plain()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    started = time.perf_counter()
    for _ in range(epochs):
        for x in DataLoader(Digits(data.train.x), batch_size=128, shuffle=True):
            optimizer.zero_grad()
            loss = loss_of(model, x)
            loss.backward()
            loss.item()
            optimizer.step()
    seconds = time.perf_counter() - started
    with torch.no_grad():
        test = torch.from_numpy(data.test.x.copy()).float().div(255)
        print(
            json.dumps({"seconds": seconds, "epochs": epochs, "test_loss": loss_of(model, test).item() / len(test)})
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)

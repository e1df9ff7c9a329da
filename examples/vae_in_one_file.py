"""The Dream Generator in one file: a variational autoencoder for a reader in a hurry. Plain PyTorch.

    python examples/vae_in_one_file.py [epochs] [out.png]

It learns MNIST (or the small digits of scikit-learn where MNIST is not at hand), prints the loss of each epoch, and
draws 64 digits that nobody wrote. docs/mathematics.md derives every formula used here.

Letters: B pictures in a batch, N pixels in a picture, D numbers in a latent z.
"""

import argparse

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F


class DreamGenerator(nn.Module):
    """The Magic Press, x to a cloud of z, and the Dream Projector, z to a picture."""

    def __init__(self, input_dim: int = 784, hidden_dim: int = 400, latent_dim: int = 20) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_dim, hidden_dim)
        self.fc_mu = nn.Linear(hidden_dim, latent_dim)
        self.fc_logvar = nn.Linear(hidden_dim, latent_dim)
        self.fc3 = nn.Linear(latent_dim, hidden_dim)
        self.fc4 = nn.Linear(hidden_dim, input_dim)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.fc1(x))  # (B, N) -> (B, hidden)
        # log σ² may be any number, and exp makes a positive variance of it: nothing has to be forbidden.
        return self.fc_mu(h), self.fc_logvar(h)  # (B, D) each

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        # Drawing z ~ N(μ, σ²) directly would hide μ and σ from the gradient. Drawing ε, which depends on no weight,
        # and moving it by arithmetic gives the same cloud and lets the gradient through.
        if not self.training:
            return mu  # the middle of the cloud: a steady reconstruction, but its loss is no bound any more
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)  # (B, D)

    def decode(self, z: Tensor) -> Tensor:
        h = F.relu(self.fc3(z))  # (B, D) -> (B, hidden)
        return torch.sigmoid(self.fc4(h))  # (B, N), the probability of ink in each pixel

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x.flatten(1))  # x (B, height, width) -> (B, N) -> (B, D)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x: Tensor, x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """-ELBO in nats, summed over the batch: how badly the picture is redrawn, plus what its z costs."""
    # Sums over pixels and over latents: a mean over the N pixels would weigh the second term N times as much.
    # On grey pixels BCE is a score and not a likelihood, so this is comparable only with other grey scores.
    BCE = F.binary_cross_entropy(recon_x, x.flatten(1), reduction="sum")
    # KL(N(μ, σ²) ‖ N(0, 1)) in closed form. It pulls all clouds towards one place and one size; without it they would
    # shrink to points far apart, and a z drawn from N(0, 1) would fall between them and decode to noise.
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


@torch.no_grad()
def dream(model: DreamGenerator, shape: tuple[int, ...]) -> Image.Image:
    """A sheet of 64 dreams, 8 by 8. The encoder takes no part: z comes from the prior."""
    height, width = shape
    pictures = model.decode(torch.randn(64, model.fc3.in_features))  # (64, D) -> (64, N)
    # (row, column, height, width) -> (row, height, column, width): the pictures side by side.
    sheet = pictures.view(8, 8, height, width).transpose(1, 2).reshape(8 * height, 8 * width)
    return Image.fromarray((255 * sheet).round().byte().numpy())


def main(epochs: int = 10, out: str = "dreams.png") -> None:
    from dreamgen import DreamgenError, load_data

    try:
        data = load_data("mnist")
    except DreamgenError as error:
        print(f"{error}\nlearning scikit-learn's digits instead")
        data = load_data("digits")
    # The whole set stays in memory: indexing one tensor costs far less than a loader that fetches picture by picture.
    train, test = (torch.tensor(part.x) for part in (data.train, data.test))  # (n, height, width)
    if train.dtype == torch.uint8:
        train, test = train / 255, test / 255  # BCE reads a pixel as a probability

    torch.manual_seed(0)
    model = DreamGenerator(input_dim=train[0].numel())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for rows in torch.randperm(len(train)).split(128):  # the last, shorter batch counts too
            x = train[rows]  # (B, height, width)
            recon_x, mu, logvar = model(x)
            loss = loss_function(recon_x, x, mu, logvar)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        # Still in training mode, because the bound wants a drawn z and not the mean.
        with torch.no_grad():
            recon_x, mu, logvar = model(test)
            held_out = loss_function(recon_x, test, mu, logvar).item() / len(test)
        print(f"epoch {epoch}: {total / len(train):.2f} nats a picture, {held_out:.2f} on the test set")

    dream(model, tuple(train.shape[1:])).save(out)
    print(f"64 dreams in {out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a VAE on MNIST and draw 64 dreams.")
    parser.add_argument("epochs", type=int, nargs="?", default=10)
    parser.add_argument("out", nargs="?", default="dreams.png")
    main(**vars(parser.parse_args()))

"""What a training step costs beside the convolutions in it.

    python benchmarks/convolution.py                  the mission's network for faces, and the residual one
    python benchmarks/convolution.py --rows 32 --size 64

Of one process, in turn: a whole step of the loop (rows taken from bytes, both networks, the loss, all gradients,
Adam); and each of its convolutions alone, forward and backward on what it read in the step, channels last, in the
step's own precision, with weights of that precision. No time is asserted. Prints one JSON object for each network:
the median of the seconds of either, and of their ratios pair by pair.
"""

import argparse
import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from dreamgen import Batch, Settings, build_model
from dreamgen.devices import has_fast_bfloat16
from dreamgen.training.loop import take_step
from dreamgen.training.run import Run

NETWORKS = ("conv", "residual")


def run_of(network: str, likelihood: str, rows: int, size: int, precision: str) -> Run:
    """A run on noise in the shape of faces."""
    x = torch.randint(0, 256, (2 * rows, size, size, 3), dtype=torch.uint8)
    settings = Settings(
        latent_dim=128,
        encoder=network,
        decoder=network,
        likelihood=likelihood,
        batch_size=rows,
        epochs=1000,
        precision=precision,
    )
    return Run(build_model(settings, x.shape[1:], seed=0), settings, Batch(x), None, seed=0)


def convolutions(run: Run, rows: Tensor) -> list[Callable[[], Any]]:
    """Each convolution of a step as a call that runs it alone, forward and backward."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    calls: list[tuple[nn.Module, Tensor]] = []
    layers = [module for module in run.model.modules() if isinstance(module, kinds)]
    hooks = [layer.register_forward_hook(lambda m, read, _: calls.append((m, read[0]))) for layer in layers]
    take_step(run, rows)
    for hook in hooks:
        hook.remove()
    dtype = torch.bfloat16 if run.settings.precision == "bfloat16" else torch.float32
    return [alone(layer, read, dtype) for layer, read in calls]


def alone(layer: nn.Module, read: Tensor, dtype: torch.dtype) -> Callable[[], Any]:
    """One convolution, forward and backward; the first has no gradient to pass on."""
    weights = {name: value.detach().to(dtype).requires_grad_() for name, value in layer.named_parameters()}
    x = read.detach().to(dtype).requires_grad_(read.requires_grad)
    wanted = [*weights.values(), *([x] if read.requires_grad else [])]
    gave = torch.func.functional_call(layer, weights, (x,))
    gradient = torch.randn_like(gave)

    def both_ways() -> None:
        torch.autograd.grad(torch.func.functional_call(layer, weights, (x,)), wanted, gradient)

    return both_ways


def seconds(*calls: Callable[[], Any]) -> float:
    started = time.perf_counter()
    for call in calls:
        call()
    return time.perf_counter() - started


def measure(network: str, likelihood: str, rows: int, size: int, rounds: int) -> dict[str, Any]:
    """Figures of one network."""
    precision = "bfloat16" if has_fast_bfloat16(torch.device("cpu")) else "float32"
    run = run_of(network, likelihood, rows, size, precision)
    run.model.train()
    order = run.order(0)
    parts = convolutions(run, order[:rows])
    pairs = []
    for _ in range(rounds + 1):  # the first is a warm-up
        pairs.append((seconds(lambda: take_step(run, order[:rows])), seconds(*parts)))
    pairs = pairs[1:]
    return {
        "network": network,
        "likelihood": likelihood,
        "precision": precision,
        "rows": rows,
        "threads": torch.get_num_threads(),
        "weights": sum(p.numel() for p in run.model.parameters()),
        "step_seconds": round(median(step for step, _ in pairs), 4),
        "convolution_seconds": round(median(part for _, part in pairs), 4),
        "ratio": round(median(step / part for step, part in pairs), 3),
        "rows_per_second": round(rows / median(step for step, _ in pairs), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--likelihood", default="gaussian")
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    options = parser.parse_args()
    for network in options.networks:
        figures = measure(network, options.likelihood, options.rows, options.size, options.rounds)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()

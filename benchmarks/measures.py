"""What the bench measures inside one process; as a script, one epoch of a number of rows and its peak memory."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZES = ((784, 400), (400, 40), (20, 400), (400, 784))  # of the mission's network
ROWS = 60_000


def flops_per_epoch() -> float:
    """Operations of the matrix products of an epoch: forward, by the weights, and by all inputs but the first."""
    forward = sum(2 * a * b for a, b in SIZES) * ROWS
    return 3.0 * forward - 2 * SIZES[0][0] * SIZES[0][1] * ROWS


def _seconds(work: Callable[[], Any], at_least: float = 0.5) -> float:
    """Of one call, by the fastest of several stretches."""
    for _ in range(3):
        work()
    best = float("inf")
    for _ in range(3):
        calls, started = 0, time.perf_counter()
        while time.perf_counter() - started < at_least / 3:
            work()
            calls += 1
        best = min(best, (time.perf_counter() - started) / calls)
    return best


def matrix_rate(dtype: str = "bfloat16", device: str = "cpu") -> float:
    """Operations per second of the best of some matrix products."""
    import torch

    best = 0.0
    sizes = ((2048, 2048, 2048), (1000, 784, 400)) if device == "cpu" else ((8192, 8192, 8192),)
    for m, k, n in sizes:
        a = torch.randn(m, k, device=device).to(getattr(torch, dtype))
        b = torch.randn(k, n, device=device).to(getattr(torch, dtype))
        wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)

        def product(a: Any = a, b: Any = b, wait: Any = wait) -> None:
            a @ b
            wait()

        best = max(best, 2 * m * k * n / _seconds(product))
    return best


def dreams(n: int = 50_000) -> dict[str, float]:
    """Dreams per second, and how many the decoder's matrix products alone would allow."""
    from dreamgen import DreamGenerator

    generator = DreamGenerator.load("mnist", device="cpu")
    seconds = _seconds(lambda: generator.dream(n, seed=0))
    return {"dreams": n / seconds, "floor": matrix_rate("float32") / sum(2 * a * b for a, b in SIZES[2:])}


def nll(images: int, samples: int = 5000) -> dict[str, float]:
    """Seconds for each image and sample of log p(x), and of its matrix products alone."""
    from dreamgen import DreamGenerator, load_data

    generator = DreamGenerator.load("mnist", device="cpu")
    x = load_data("mnist").test.x[:images]
    x = (x > 127).astype(np.uint8) * np.uint8(255)
    generator.log_likelihood(x[:10], samples=samples)
    started = time.perf_counter()
    generator.log_likelihood(x, samples=samples)
    seconds = (time.perf_counter() - started) / images / samples
    return {"seconds": seconds, "floor": sum(2 * a * b for a, b in SIZES[2:]) / matrix_rate("float32")}


def whole_process(command: list[str]) -> float:
    """Seconds from start to end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def one_epoch(rows: int) -> dict[str, float]:
    """One epoch over digits that are tiled to a number of rows: seconds and peak memory of the process."""
    from dreamgen import DreamGenerator, load_data
    from dreamgen.recipes import RECIPES

    digits = load_data("mnist").train.x
    x = np.resize(digits, (rows, 28, 28)) if rows > len(digits) else digits[:rows].copy()
    del digits
    settings = RECIPES["mnist-fast"].settings.replace(epochs=1)
    generator = DreamGenerator.from_settings(settings, random_state=0)
    started = time.perf_counter()
    generator.fit(x)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"rows": rows, "seconds": seconds, "data_bytes": x.nbytes, "peak_bytes": peak}


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def gpu(epochs: int = 20) -> str:
    """Images per second of training on CUDA, and the share of the card's matrix rate that they use."""
    import torch

    from dreamgen import DreamGenerator, load_data
    from dreamgen.recipes import RECIPES

    x = load_data("mnist").train.x
    settings = RECIPES["mnist-fast"].settings.replace(batch_size=4000)
    seconds = {}
    for n in (1, epochs):  # the difference leaves out what is paid once
        torch.cuda.synchronize()
        started = time.perf_counter()
        DreamGenerator.from_settings(settings.replace(epochs=n), "cuda", 0).fit(x)
        torch.cuda.synchronize()
        seconds[n] = time.perf_counter() - started
    each = (seconds[epochs] - seconds[1]) / (epochs - 1)
    share = flops_per_epoch() / each / matrix_rate(device="cuda")
    return f"{ROWS / each:,.0f} images a second in training, {share:.1%} of the card's matrix rate in bfloat16."


if __name__ == "__main__":
    print(json.dumps(one_epoch(int(sys.argv[1]))))

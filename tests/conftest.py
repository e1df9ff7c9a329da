"""What the tests share: real digits, a small trained model, and no way out to the network."""

import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import Run
from dreamgen import DreamGenerator, MoleculeDreamer, load_data
from dreamgen.cli import main
from dreamgen.data import Dataset

_MNIST = Path(os.environ.get("DREAMGEN_DATA", "/nowhere")) / "mnist" / "train-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that would leave this machine fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise ConnectionRefusedError(f"tests do not reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """The real MNIST; what asks for it is skipped where DREAMGEN_DATA does not hold it."""
    if not _MNIST.is_file():
        pytest.skip("needs MNIST in DREAMGEN_DATA")
    return load_data("mnist")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The 1,797 real digits inside scikit-learn."""
    return load_data("digits")


@pytest.fixture(scope="session")
def trained(digits: Dataset) -> DreamGenerator:
    """A generator trained on the embedded digits in about a second."""
    generator = DreamGenerator(latent_dim=6, hidden_dim=64, batch_size=64, epochs=25, random_state=0)
    return generator.fit(digits.train.x, digits.train.labels)


@pytest.fixture(scope="session")
def model_folder(trained: DreamGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained generator, saved; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("models") / "digits"
    trained.save(folder)
    return folder


@pytest.fixture(scope="session")
def molecules() -> list[str]:
    """Small molecules, canonical: every head with every link and tail."""
    pytest.importorskip("rdkit", reason="needs RDKit")
    from dreamgen.chemistry.smiles import canonical

    heads = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCNCC1", "c1ccsc1", "c1ccoc1"]
    links = ["", "C", "CC", "C(=O)N", "OC", "NC(=O)", "S", "CO"]
    tails = ["C", "CC", "CO", "C(=O)O", "N", "F", "Cl", "C#N", "C(C)C", "C(F)(F)F"]
    written = (canonical("".join(parts)) for parts in itertools.product(heads, links, tails))
    return list(dict.fromkeys(smiles for smiles in written if smiles))


@pytest.fixture(scope="session")
def dreamer(molecules: list[str]) -> MoleculeDreamer:
    """A model of those, trained in a few seconds."""
    generator = DreamGenerator(
        language={"kind": "selfies", "pieces": 20},
        encoder={"kind": "recurrent", "units": 24},
        likelihood={"kind": "recurrent", "units": 48},
        hidden_dim=[],
        latent_dim=8,
        beta=0.05,
        mixture=3,
        batch_size=16,
        learning_rate=1e-2,
        epochs=10,
        random_state=0,
    )
    return MoleculeDreamer(generator).fit(molecules, ["logP", "QED"])


@pytest.fixture(scope="session")
def molecule_folder(dreamer: MoleculeDreamer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of molecules, saved; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("models") / "molecules"
    dreamer.save(folder)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for the pages of one file of tests; what asks for it is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver, driver.chromium.launch(executable_path=found) as browser:
        yield browser


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call

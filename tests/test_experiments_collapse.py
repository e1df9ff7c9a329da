"""Collapse: what is compared, and the verb."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dreamgen import RECIPES
from dreamgen.cli import main
from dreamgen.experiments.collapse import variants


def test_the_variants_differ_in_the_cure_alone() -> None:
    settings = RECIPES["autoregressive"].settings
    compared = variants(settings, total=600)
    changed = {
        name: {key for key, value in one.to_dict().items() if value != settings.to_dict()[key]}
        for name, one in compared.items()
    }
    assert changed == {
        "collapsing": set(),
        "annealed": {"beta"},
        "free bits": {"free_bits"},
        "both": {"beta", "free_bits"},
        "few latents": {"beta", "free_bits", "latent_dim"},
        "plain decoder": {"likelihood"},
    }
    assert compared["annealed"].beta == {"kind": "linear", "steps": 300}


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = RECIPES["autoregressive"]
    small = recipe.settings.replace(hidden_dim=[16, 16], likelihood={"kind": "autoregressive", "width": 20})
    monkeypatch.setitem(RECIPES, "autoregressive", replace(recipe, settings=small))
    command = ["collapse", "digits", "--epochs", "2", "--rows", "40", "--samples", "3", "--out", "OUT"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--json"])
    assert not end.value.code
    result = json.loads(capsys.readouterr().out)
    names = [row["run"] for row in result["rows"]]
    assert names == ["collapsing", "annealed", "free bits", "both", "few latents", "plain decoder"]
    for row in result["rows"]:
        assert row["nll"] <= row["distortion"] + row["rate"] + 1e-6
        assert row["seconds"] > 0
    for path in result["pictures"].values():
        with Image.open(path) as picture:
            assert picture.width > 300
    with pytest.raises(SystemExit) as end:
        main(command)
    assert not end.value.code
    assert f"{result['rows'][0]['nll']:.4g}" in capsys.readouterr().out

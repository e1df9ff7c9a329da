"""The house: imports point one way, public names exist, help starts without torch."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dreamgen

SOURCE = Path(dreamgen.__file__).parent

# A room may import from its own level and from those before it.
LEVELS: list[set[str]] = [
    {"errors"},
    {"registry", "files", "tensors", "extras", "workers"},
    {"config", "walks", "estimator", "devices", "privacy", "chemistry"},
    {"distributions", "nn", "data"},
    {"tables"},
    {"models", "inputs", "forms"},
    {"objectives"},
    {"recipes"},
    {"io", "zoo", "frozen"},
    {
        "evaluation",
        "dreaming",
        "filling",
        "plots",
        "plots_experiments",
        "plots_codes",
        "charts",
        "reports",
    },
    {"training", "verbs"},
    {"generator"},
    {"export", "experiments"},
    {"applications"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(LEVELS) for room in rooms}
MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno} is a relative import"
            modules = [
                f"{node.module}.{alias.name}" if node.module == "dreamgen" else node.module or ""
                for alias in node.names
            ]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            target = room_of(module)
            if module.split(".")[0] == "dreamgen" and target in RANK:
                assert RANK[target] <= RANK[room], f"{path.name}:{node.lineno}: {room} imports {target}"


def test_every_room_has_a_level() -> None:
    rooms = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert rooms == set(RANK)


@pytest.mark.parametrize("module", ["dreamgen", *(f"dreamgen.{room}" for room in RANK if room != "__main__")])
def test_public_names_exist(module: str) -> None:
    loaded = import_module(module)
    for name in getattr(loaded, "__all__", ()):
        assert getattr(loaded, name) is not None, name


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'DreamGenerater'"):
        dreamgen.DreamGenerater  # noqa: B018


@pytest.mark.parametrize("code", ["import dreamgen", "from dreamgen.cli import cli", "from dreamgen.cli import main"])
def test_torch_is_not_imported_until_it_is_needed(code: str) -> None:
    check = f"{code}; import sys; assert not {{'torch', 'numpy', 'sklearn', 'matplotlib'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys; from dreamgen.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_table_is_learned_without_loading_torchs_compiler() -> None:
    code = (
        "import sys; from dreamgen import Synthesizer\n"
        "rows = {'x': [i * 0.7 for i in range(60)], 'kind': list('abc') * 20}\n"
        "Synthesizer(settings={'epochs': 1}, random_state=0).fit(rows).sample(3)\n"
        "assert not {'torch._dynamo', 'sympy'} & set(sys.modules), 'loaded: seconds, and 75 MB'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("words", ["dreamgen ", "dreamgen tr", "dreamgen train --", "dreamgen dream mnist --"])
def test_completion_does_not_import_torch(words: str) -> None:
    code = (
        "import sys; from dreamgen.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'imported'"
    )
    bash = {"_DREAMGEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([sys.executable, "-c", code], env=bash, capture_output=True, text=True, check=True)
    assert "train" in done.stdout or "--out" in done.stdout


def test_the_spin_count_is_set_and_the_users_is_kept() -> None:
    code = "import dreamgen, os; print(os.environ['GOMP_SPINCOUNT'])"
    for given, expected in (({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")):
        found = subprocess.run(
            [sys.executable, "-c", code], env={"PATH": "", **given}, check=True, capture_output=True, text=True
        )
        assert found.stdout.strip() == expected


def test_nothing_in_the_source_can_run_a_file() -> None:
    forbidden = ("torch.load", "pickle.load", "allow_pickle=True", "eval(", "exec(", "yaml.load", "importlib.util")
    for path in MODULES:
        text = path.read_text()
        for word in forbidden:
            if word == "eval(":
                text = text.replace(".eval()", "")
            assert word not in text, f"{path.name} has {word}"

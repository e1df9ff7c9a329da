"""The documents are true: their code runs, their links lead somewhere, the command's page is its help."""

import re
import runpy
from pathlib import Path

import pytest

from dreamgen.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WITH_PYTHON = [page for page in PAGES if "```python" in page.read_text()]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_verbs_and_options_that_exist(page: Path) -> None:
    import click

    context = click.Context(cli)
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.splitlines():
            words = line.split("#")[0].split()
            if words[:1] != ["dreamgen"]:
                continue
            command = cli.get_command(context, words[1])
            assert command is not None, line
            if isinstance(command, click.Group):
                command = command.get_command(context, words[2])
                assert command is not None, line
            known = {name for option in command.params for name in option.opts}
            assert {word for word in words if word.startswith("--") or word in ("-n", "-o")} <= known, line


def test_the_commands_page_is_the_commands_help() -> None:
    reference = runpy.run_path(str(ROOT / "docs" / "command.py"))["reference"]
    assert (ROOT / "docs" / "command.md").read_text() == reference(), "run python docs/command.py"


def test_the_russian_readme_says_what_the_english_one_says() -> None:
    """The same commands, code, links and figures; only the words differ."""
    both = [(ROOT / name).read_text() for name in ("README.md", "README.ru.md")]

    def code(page: str) -> list[str]:
        lines = "\n".join(re.findall(r"```(?:console|python)\n(.*?)```", page, re.DOTALL)).splitlines()
        return [re.sub(r'"[^"]*"\)$', ")", re.split(r"\s+#", line)[0].rstrip()) for line in lines]

    def links(page: str) -> set[str]:
        return set(re.findall(r"\]\(([^)]+)\)", page)) - {"README.md", "README.ru.md"}

    def figures(page: str) -> list[str]:
        measured = page[page.index("[docs/results.md]") :]
        return re.findall(r"\d+(?:\.\d+)?", measured[: measured.index("\n## ")].replace(",", "."))

    assert code(both[0]) == code(both[1])
    assert links(both[0]) == links(both[1])
    assert figures(both[0]) == figures(both[1])

"""Write docs/command.md from the command's own help: `python docs/command.py`."""

from pathlib import Path

import click

from dreamgen.cli import cli

HEADER = """# The command `dreamgen`

Written by `python docs/command.py` from the command's own help; a test compares the two.
"""


def pages(command: click.Command, context: click.Context) -> list[str]:
    """The help of a command and of all below it, as Markdown sections."""
    title = f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if not isinstance(command, click.Group):
        return [title]
    below = []
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        below += pages(child, click.Context(child, parent=context, info_name=name, terminal_width=100))
    return [title, *below]


def reference() -> str:
    """The whole page."""
    root = click.Context(cli, info_name="dreamgen", terminal_width=100, **cli.context_settings)
    return "\n".join([HEADER, *pages(cli, root)])


if __name__ == "__main__":
    Path(__file__).with_name("command.md").write_text(reference(), encoding="utf-8")

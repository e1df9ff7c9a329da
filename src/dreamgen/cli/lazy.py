"""A click group that imports a verb's module only when the verb runs, so help and completion stay quick."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from dreamgen.errors import SettingsError
from dreamgen.registry import nearest


class LazyGroup(click.Group):
    """Verbs by the place they are defined in ("module:name"), with their help lines beside them."""

    def __init__(self, *args: Any, verbs: Mapping[str, str], verb_help: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._verbs = verbs
        self._verb_help = verb_help

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self._verbs:
            return None
        module, _, attribute = self._verbs[name].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        verbs = [CompletionItem(name, help=self._verb_help[name]) for name in self._verbs]
        options = click.Command.shell_complete(self, context, incomplete)
        return [item for item in verbs if item.value.startswith(incomplete)] + options

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._verb_help[name]) for name in self._verbs])

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._verbs and not args[0].startswith("-"):
            raise SettingsError(f"unknown verb {args[0]!r}: {nearest(args[0], self._verbs)}")
        return super().resolve_command(context, args)

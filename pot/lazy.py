"""A command group that knows its commands by name and help line alone, and imports one when it is called."""

import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from pot.options import shared_parameters


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: ``target`` is ``module:attribute`` of its Typer application."""

    name: str
    target: str
    help: str


class LazyGroup(TyperGroup):
    """Help and typing errors need only ``entries``; every loaded command gets the shared options."""

    def __init__(self, *, entries: tuple[Entry, ...], **settings: Any) -> None:
        super().__init__(**settings)
        self._entries = {entry.name: entry for entry in entries}
        for entry in entries:
            self.add_command(TyperCommand(name=entry.name, help=entry.help))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self._entries)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, placeholder if name is None else load(self._entries[name]), rest


def load(entry: Entry) -> Any:
    """Import a command; each of its leaves takes the shared options it does not define itself."""
    module, _, attribute = entry.target.partition(":")
    command = typer.main.get_command(getattr(import_module(module), attribute))
    command.name = entry.name
    _share(command)
    return command


def _share(command: Any) -> None:
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            _share(inner)
        return
    taken = {option for parameter in command.params for option in parameter.opts}
    command.params += [copy.copy(item) for item in shared_parameters() if not taken & set(item.opts)]

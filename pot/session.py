"""What one command line carries from its flags to its body: settings, client, and where progress goes."""

import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import typer

if TYPE_CHECKING:
    from pot.client import Client
    from pot.settings import Settings


@dataclass(kw_only=True)
class Session:
    """Made once per command line. ``flags`` are the settings given as flags; ``json``: stdout is one
    document."""

    json: bool
    flags: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def settings(self) -> "Settings":
        """Every setting, parsed once. Raises ConfigurationError."""
        from pot.settings import load_settings

        return load_settings(self.flags)

    def client(self, role: str) -> "Client":
        """The SDK for the account of ``role`` (poster, miner, validator)."""
        from pot.client import Client

        return Client(self.settings, role=role)

    def say(self, line: str) -> None:
        """One line of progress, on stderr."""
        print(line, file=sys.stderr, flush=True)


def session_of(ctx: typer.Context) -> Session:
    """The session of a running command."""
    return cast(Session, ctx.obj)

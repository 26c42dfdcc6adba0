"""The options that every command takes: ``--json``, and a flag for each setting that says where and who."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pot.session import Session

WHERE = "Where and who"
JSON_FLAG = "--json"
# Flags whose name is the setting's: they win over environment, .env, TOML and .pot/network.json.
_declaration = typer.Typer(add_completion=False)


@_declaration.command()
def _shared(
    json: Annotated[bool, typer.Option(JSON_FLAG, help="One JSON document on stdout.")] = False,
    chain_url: Annotated[
        str | None, typer.Option("--chain-url", help="JSON-RPC endpoint of the chain.", rich_help_panel=WHERE)
    ] = None,
    deployment: Annotated[
        Path | None,
        typer.Option(
            "--deployment", help="A deployments/<chain id>.json with the contracts.", rich_help_panel=WHERE
        ),
    ] = None,
    blob_url: Annotated[
        str | None,
        typer.Option(
            "--blob-url", help="Blob store: file://, s3://, or a gateway's http(s)://.", rich_help_panel=WHERE
        ),
    ] = None,
    api_url: Annotated[
        str | None, typer.Option("--api-url", help="The coordinator's HTTP API.", rich_help_panel=WHERE)
    ] = None,
    broker_url: Annotated[
        str | None, typer.Option("--broker-url", help="Celery broker (Redis).", rich_help_panel=WHERE)
    ] = None,
    keystore: Annotated[
        str | None,
        typer.Option(
            "--keystore", help="Keystore v3 file, or a name in .pot/network.json.", rich_help_panel=WHERE
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", help="File with the keystore's password.", rich_help_panel=WHERE),
    ] = None,
) -> None:
    """Declares; never called."""


def _record(ctx: Any, parameter: Any, value: Any) -> Any:
    if value is not None and isinstance(ctx.obj, Session):
        ctx.obj.flags[parameter.name] = value
    return value


def shared_parameters() -> list[Any]:
    """The options, each of which writes its value into the session instead of handing it to the command."""
    found = [item for item in typer.main.get_command(_declaration).params if item.name != "help"]
    for item in found:
        item.expose_value = False
        item.callback = None if item.name == "json" else _record
    return found

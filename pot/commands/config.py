"""``pot config show``: each setting, its value and where it comes from; never a secret."""

import typer

from pot.output import Reply, Table
from pot.session import session_of

app = typer.Typer(add_completion=False)


@app.callback()
def config() -> None:
    """Show each setting and where it comes from."""


@app.command()
def show(ctx: typer.Context) -> Reply:
    """Print each setting, its value and its source. Passwords in URLs are masked; keys are never read."""
    from pot.settings import Settings, origin, read_layers

    session = session_of(ctx)
    values = session.settings.model_dump(mode="json")
    layers = read_layers(session.flags)
    found = [(name, _masked(values[name]), origin(layers, name)) for name in Settings.model_fields]
    entries = {name: {"value": value, "source": source} for name, value, source in found}
    rows = [row for name, value, source in found for row in _rows(name, value, source)]
    return Reply(data=entries, text=[Table(columns=("setting", "value", "source"), rows=rows)])


def _rows(name: str, value: object, source: str) -> list[tuple[str, str, str]]:
    """One line for a plain setting, one for each entry of a map."""
    if isinstance(value, dict) and value:
        return [(f"{name}.{key}", str(entry), source) for key, entry in value.items()]
    return [(name, "" if value in (None, {}) else str(value), source)]


def _masked(value: object) -> object:
    """URLs without the password, or the key, that they may carry."""
    from urllib.parse import urlsplit, urlunsplit

    if not isinstance(value, str) or "://" not in value:
        return value
    parts = urlsplit(value)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"***@{host}" if "@" in parts.netloc else host
    query = "***" if parts.query else ""
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))

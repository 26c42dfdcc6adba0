"""Bring a database to the schema this code expects."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from coordinator.store.engine import WRITE
from protocol.errors import ServiceUnreachable

# Two processes that start together must not both create the tables.
_LOCK_KEY = 0x506F54


def migrate(engine: Engine, revision: str = "head") -> None:
    """Move the schema up to ``revision`` (``head``: the newest). Raises ServiceUnreachable."""
    _run(engine, revision, up=True)


def migrate_down(engine: Engine, revision: str = "base") -> None:
    """Move the schema down to ``revision`` (``base``: empty). Raises ServiceUnreachable."""
    _run(engine, revision, up=False)


def _run(engine: Engine, revision: str, *, up: bool) -> None:
    try:
        with engine.execution_options(**{WRITE: True}).begin() as connection:
            _lock(connection)
            config = Config()
            config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
            config.attributes["connection"] = connection
            (command.upgrade if up else command.downgrade)(config, revision)
    except DBAPIError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise ServiceUnreachable("the database", where, str(error.orig)[:200]) from error


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")

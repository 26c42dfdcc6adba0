"""Engines: SQLite in WAL mode with immediate write transactions, or any PostgreSQL URL."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from protocol.errors import ConfigurationError

BUSY_TIMEOUT_S = 10
POOL_SIZE = 8
POOL_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5
WRITE = "pot_write"


def open_engine(url: str) -> Engine:
    """The engine behind ``url``. Raises ConfigurationError for a URL that names no database we know.

    ``postgresql://`` means the psycopg driver.
    """
    try:
        parsed = make_url(url)
        match parsed.get_backend_name():
            case "sqlite":
                return _sqlite(url)
            case "postgresql":
                return create_engine(
                    parsed.set(drivername="postgresql+psycopg"),
                    pool_size=POOL_SIZE,
                    pool_timeout=POOL_TIMEOUT_S,
                    pool_pre_ping=True,
                    connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
                )
            case other:
                raise ConfigurationError(
                    f"POT_DATABASE_URL: {other} is not supported; use sqlite or postgresql."
                )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(f"POT_DATABASE_URL cannot be used: {error}.") from error


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, pool_size=POOL_SIZE, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # BEGIN is ours, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(
            "PRAGMA synchronous = NORMAL"
        )  # a power cut may lose the last transactions, not the file
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait for another writer: it would fail at
        # once.
        writes = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine

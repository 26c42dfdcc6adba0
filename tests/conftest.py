"""Fixtures that start real programs: a chain, a broker, a database server. Nothing here is a stand-in."""

from collections.abc import Iterator

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.redis import RedisProcess
from tests.support.postgres import PostgresServer, find_binaries


@pytest.fixture(scope="module")
def anvil_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnvilProcess]:
    """A local chain that mines per transaction; one per module, because Anvil slows down with its blocks."""
    log = tmp_path_factory.mktemp("anvil") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        yield chain


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisProcess]:
    """A running broker on a unix socket; one per module."""
    with RedisProcess() as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL server; skips only where PostgreSQL is not installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(
            "PostgreSQL is not installed: initdb and postgres are neither on PATH nor in Debian's place"
        )
    server = PostgresServer(*binaries)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)

"""A throw-away PostgreSQL server on a unix socket, for tests of what production uses."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg

from anvil.program import LocalProgram

INITDB_TIMEOUT_S: Final = 60.0
USER: Final = "pot"
UNPRIVILEGED_ACCOUNTS: Final = ("postgres", "nobody")
DEBIAN_BINARIES: Final = "/usr/lib/postgresql"


def find_binaries() -> tuple[Path, Path] | None:
    """``initdb`` and ``postgres``: from PATH, else where Debian puts them; None if there are none."""
    folders = sorted(Path(DEBIAN_BINARIES).glob("*/bin"), reverse=True)
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, folders)])
    initdb, postgres = shutil.which("initdb", path=search), shutil.which("postgres", path=search)
    return (Path(initdb), Path(postgres)) if initdb and postgres else None


def unprivileged_account() -> pwd.struct_passwd | None:
    """The account to switch to when we are root, as which PostgreSQL refuses to run; None if we are not."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED_ACCOUNTS:
        if name in names:
            return names[name]
    raise LookupError(f"none of the accounts {', '.join(UNPRIVILEGED_ACCOUNTS)} exists to run PostgreSQL as")


class PostgresServer:
    """One cluster in a private directory, trusting whoever may enter it; not durable, so it is fast."""

    def __init__(self, initdb: Path, postgres: Path) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pot-pg-"))
        self._initdb, self._postgres = initdb, postgres
        self._account = unprivileged_account()
        self._program: LocalProgram | None = None

    def start(self) -> None:
        """Create the cluster, start it, wait until it takes connections."""
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        data = self.directory / "data"
        user = self._account.pw_name if self._account else ""
        subprocess.run(
            [self._initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            cwd=self.directory,
            user=user or None,
            group=self._account.pw_gid if self._account else None,
            extra_groups=[] if self._account else None,
            capture_output=True,
            timeout=INITDB_TIMEOUT_S,
            check=True,
        )
        settings = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "listen_addresses="]
        command: list[str | Path] = [self._postgres, "-D", data, "-k", self.directory, *settings]
        log = self.directory / "postgres.log"
        self._program = LocalProgram("postgres", command, log=log, cwd=self.directory, user=user)
        self._program.start()
        self._program.wait_until(self._answers)

    def stop(self) -> None:
        """End it and remove everything it wrote."""
        if self._program is not None:
            self._program.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def create_database(self) -> str:
        """A fresh, empty database; returns its SQLAlchemy URL."""
        name = f"test_{uuid4().hex}"
        with self._connect() as connection:
            connection.execute(f'create database "{name}"'.encode())
        return f"postgresql+psycopg://{USER}@/{name}?host={self.directory}"

    def drop_database(self, url: str) -> None:
        """Remove a database of ``create_database`` with whoever is still connected to it."""
        name = url.split("@/", 1)[1].split("?", 1)[0]
        with self._connect() as connection:
            connection.execute(f'drop database if exists "{name}" with (force)'.encode())

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self.directory), user=USER, dbname="postgres", autocommit=True, connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

"""What this miner committed to in contests, on disk before the chain sees it: without the salt nothing can be
revealed, and a second model for the same contest would be worth nothing."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol.contest import Commitment
from protocol.errors import ConfigurationError
from protocol.ids import Address, Sha256

BUSY_TIMEOUT_S: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    contest_id INTEGER PRIMARY KEY,
    miner TEXT NOT NULL, model BLOB NOT NULL, trace BLOB NOT NULL, salt BLOB NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One commitment; ``done`` once there is nothing left to reveal."""

    commitment: Commitment
    done: bool


class ContestJournal:
    """A SQLite file owned by one account on one deployment; one connection for each thread that opens it.
    Raises ConfigurationError when the file cannot be opened."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"The contest journal {path} cannot be opened: {error}.") from error

    def find(self, contest_id: int) -> JournalEntry | None:
        """What was committed to in a contest, if anything."""
        return next((e for e in self._all("WHERE contest_id = ?", contest_id)), None)

    def record(self, commitment: Commitment) -> JournalEntry:
        """Store ``commitment`` durably unless the contest has an entry; returns the entry that stands."""
        self._db.execute(
            "INSERT OR IGNORE INTO entries (contest_id, miner, model, trace, salt) VALUES (?, ?, ?, ?, ?)",
            (commitment.contest_id, commitment.miner, commitment.model, commitment.trace, commitment.salt),
        )
        standing = self.find(commitment.contest_id)
        assert standing is not None, "an entry that was just written is there"
        return standing

    def finish(self, contest_id: int) -> None:
        """Nothing is left to reveal."""
        self._db.execute("UPDATE entries SET done = 1 WHERE contest_id = ?", (contest_id,))

    def unrevealed(self) -> list[JournalEntry]:
        """Entries whose contests are not over for this miner."""
        return self._all("WHERE done = 0")

    def close(self) -> None:
        self._db.close()

    def _all(self, where: str, *values: int) -> list[JournalEntry]:
        rows = self._db.execute(
            f"SELECT contest_id, miner, model, trace, salt, done FROM entries {where} ORDER BY contest_id",
            values,
        )
        return [
            JournalEntry(
                commitment=Commitment(
                    contest_id=row[0],
                    miner=Address(row[1]),
                    model=Sha256(row[2]),
                    trace=row[3],
                    salt=row[4],
                ),
                done=bool(row[5]),
            )
            for row in rows
        ]

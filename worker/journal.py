"""What this miner has signed, on disk before anybody sees it: one gradient per shard and parent model."""

import json
import sqlite3
from pathlib import Path
from typing import Final

from protocol.contribution import Contribution, SignedContribution
from protocol.errors import ConfigurationError
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId

MAX_ENTRIES: Final = 65_536
BUSY_TIMEOUT_S: Final = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS signed (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL, round INTEGER NOT NULL, shard INTEGER NOT NULL, parent_model TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (task_id, round, shard, parent_model)
)
"""


class SigningJournal:
    """A SQLite file owned by one account on one deployment.

    The oldest entries go when ``max_entries`` are kept: by then their rounds are certified or given up.
    Raises ConfigurationError when the file cannot be opened.
    """

    def __init__(self, path: Path, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"The signing journal {path} cannot be opened: {error}.") from error

    def find(
        self, task_id: TaskId, round_no: RoundNo, shard: ShardNo, parent: Sha256
    ) -> SignedContribution | None:
        """What was signed for this shard, if anything."""
        row = self._db.execute(
            "SELECT document FROM signed WHERE task_id = ? AND round = ? AND shard = ? AND parent_model = ?",
            (str(task_id), round_no, shard, parent.hex()),
        ).fetchone()
        return None if row is None else SignedContribution.from_json(json.loads(row[0]))

    def record(self, signed: SignedContribution) -> SignedContribution:
        """Store ``signed`` durably unless the shard has an entry; returns the entry that stands."""
        c = signed.contribution
        self._db.execute(
            "INSERT OR IGNORE INTO signed (task_id, round, shard, parent_model, document)"
            " VALUES (?, ?, ?, ?, ?)",
            (str(c.task_id), c.round, c.shard, c.parent_model.hex(), json.dumps(signed.to_json())),
        )
        self._db.execute(
            "DELETE FROM signed WHERE position <= (SELECT MAX(position) FROM signed) - ?",
            (self._max_entries,),
        )
        return self._standing(c)

    def _standing(self, c: Contribution) -> SignedContribution:
        standing = self.find(c.task_id, c.round, c.shard, c.parent_model)
        assert standing is not None, "an entry that was just written is there"
        return standing

    def close(self) -> None:
        self._db.close()

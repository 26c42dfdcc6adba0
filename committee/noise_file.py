"""What one replica remembers of its miners' noise, on disk: a SQLite file in the validator's state folder."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from protocol.errors import ConfigurationError
from protocol.ids import Address, TaskId, parse_address
from protocol.typed_data import Domain
from worker.training.bias import SKETCH, NoiseHistory, Suspicion, Tosses

BUSY_TIMEOUT_S: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS noise (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    task TEXT NOT NULL, miner TEXT NOT NULL, document TEXT NOT NULL,
    UNIQUE (task, miner)
)
"""

Place = tuple[TaskId, Address]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``last`` is the newest (round, shard) observed: a proposal that is judged again counts once; ``found``
    are the tests that ever rejected honesty."""

    history: NoiseHistory = field(default_factory=NoiseHistory)
    last: tuple[int, int] = (0, 0)
    found: tuple[Suspicion, ...] = ()


def file_name(domain: Domain, me: Address) -> str:
    """One file for each validator on each deployment."""
    return f"noise-{domain.chain_id}-{domain.market}-{me}.sqlite"


class NoiseFile:
    """Opened by one validator. Raises ConfigurationError when it cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        self._path = path

        def open_it() -> sqlite3.Connection:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Opened by the thread that starts the validator, used by the one that checks.
            db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(_SCHEMA)
            return db

        self._db = self._tried(open_it)

    def load(self) -> list[tuple[Place, Entry]]:
        """All entries, the one written last at the end."""
        return self._tried(lambda: list(_entries(self._db)))

    def put(self, where: Place, entry: Entry) -> None:
        """Write one entry, in place of what was there."""
        row = (str(where[0]), where[1], json.dumps(_to_json(entry)))
        self._tried(
            lambda: self._db.execute(
                "INSERT OR REPLACE INTO noise (task, miner, document) VALUES (?, ?, ?)", row
            )
        )

    def drop(self, where: Place) -> None:
        """Forget one entry."""
        row = (str(where[0]), where[1])
        self._tried(lambda: self._db.execute("DELETE FROM noise WHERE task = ? AND miner = ?", row))

    def close(self) -> None:
        self._db.close()

    def _tried(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"The noise file {self._path} cannot be used: {error}.") from error


def suspects(folder: Path, domain: Domain, task: TaskId) -> list[tuple[str, Address, Entry]]:
    """Whom the validators with a state in ``folder`` (or in its ``state/NAME``, as local networks have it)
    suspect in a task: (validator, miner, entry). Reads only. Raises ConfigurationError."""
    prefix = f"noise-{domain.chain_id}-{domain.market}-"
    paths = [*folder.glob(f"{prefix}*.sqlite"), *folder.glob(f"state/*/{prefix}*.sqlite")]
    return [
        (path.stem.removeprefix(prefix), miner, entry)
        for path in sorted(paths)
        for (number, miner), entry in _read(path)
        if number == task and entry.found
    ]


def _read(path: Path) -> list[tuple[Place, Entry]]:
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            return list(_entries(db))
    except sqlite3.Error as error:
        raise ConfigurationError(f"The noise file {path} cannot be read: {error}.") from error


def _entries(db: sqlite3.Connection) -> Iterator[tuple[Place, Entry]]:
    """Rows that cannot be understood are no memory and are left out."""
    for task, miner, document in db.execute("SELECT task, miner, document FROM noise ORDER BY position"):
        try:
            yield (TaskId(int(task)), parse_address(miner)), _from_json(json.loads(document))
        except (KeyError, TypeError, ValueError):
            continue


def _to_json(entry: Entry) -> dict[str, Any]:
    return {
        "history": asdict(entry.history),
        "last": list(entry.last),
        "found": [suspicion.name for suspicion in entry.found],
    }


def _from_json(value: dict[str, Any]) -> Entry:
    history = value["history"]
    drift = _integers(history["drift"], SKETCH)
    return Entry(
        history=NoiseHistory(
            checks=int(history["checks"]),
            doubtful=int(history["doubtful"]),
            along=Tosses(up=int(history["along"]["up"]), down=int(history["along"]["down"])),
            past=Tosses(up=int(history["past"]["up"]), down=int(history["past"]["down"])),
            drift=drift,
        ),
        last=tuple(_integers(value["last"], 2)),  # type: ignore[arg-type]
        found=tuple(Suspicion[name] for name in value["found"]),
    )


def _integers(values: Sequence[Any], count: int) -> tuple[int, ...]:
    if len(values) != count:
        raise ValueError(f"{len(values)} numbers, not {count}")
    return tuple(int(value) for value in values)

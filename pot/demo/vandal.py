"""Somebody who can write into the blob store and does: ``python -m pot.demo.vandal FOLDER``.

Overwrites blobs the moment they first appear, with other bytes of the same length: only the hash tells.
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

MAX_BLOBS: Final = 4
PAUSE_S: Final = 2.5
POLL_S: Final = 0.02
NAME_DIGITS: Final = 64
WRONG: Final = "WRONG"


def blobs(folder: Path) -> set[Path]:
    """Everything that is stored whole."""
    found: set[Path] = set()
    for shelf in os.scandir(folder):
        if shelf.is_dir():
            found.update(Path(item.path) for item in os.scandir(shelf.path) if len(item.name) == NAME_DIGITS)
    return found


def main(folder: Path) -> None:
    """Overwrite MAX_BLOBS blobs, one every PAUSE_S at most, then look on."""
    known, done, ready_at = blobs(folder), 0, 0.0
    while True:
        time.sleep(POLL_S)
        seen = blobs(folder)
        fresh, known = seen - known, seen | known
        if not fresh or done == MAX_BLOBS or time.monotonic() < ready_at:
            continue
        victim = min(fresh)
        victim.write_bytes(os.urandom(victim.stat().st_size))
        done, ready_at = done + 1, time.monotonic() + PAUSE_S
        print(f"{WRONG}: blob {victim.name} is overwritten", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

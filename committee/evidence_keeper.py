"""Evidence of a validator's own executions, on disk until its task is over: one file a certificate."""

import logging
from pathlib import Path
from typing import Final

from protocol.blobs import BlobStore
from protocol.ids import TaskId, sha256

log = logging.getLogger(__name__)

NAME: Final = "executions"
MAX_FILES: Final = 65_536
"""Per task; what comes beyond is not kept, and its attestation stays without evidence."""


class EvidenceKeeper:
    """``folder`` is the validator's state folder, ``blobs`` where evidence is shown in the end."""

    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        self._folder = folder / NAME
        self._blobs = blobs

    @property
    def tasks(self) -> set[TaskId]:
        """Those whose evidence is still to be shown."""
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return {TaskId(int(path.name)) for path in found if path.name.isdigit()}

    def keep(self, task: TaskId, blob: bytes) -> None:
        """Keep a blob until ``show``. A disk that fails costs the evidence, and stops no agreement."""
        folder = self._folder / str(task)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if sum(1 for _ in folder.iterdir()) >= MAX_FILES:
                log.error("task %s: %s files are kept, no more evidence is", task, MAX_FILES)
                return
            (folder / sha256(blob).hex()).write_bytes(blob)
        except OSError as error:
            log.error("task %s: its evidence is not kept: %s", task, error)

    def show(self, task: TaskId) -> None:
        """Store everything of a task where all can read it. Raises ServiceUnreachable, OSError; what is
        stored by then stays so."""
        folder = self._folder / str(task)
        for path in sorted(folder.iterdir()):
            self._blobs.put(path.read_bytes())
            path.unlink()
        folder.rmdir()

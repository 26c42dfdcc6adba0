"""Proof of work for comparison: real SHA-256 over the learning chain's headers, on several processes.

Each process holds the hash state of the header's constant part and varies the nonce alone, in its own
residue class, so no two of them try the same one.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final

from protocol.learning_block import HEADER_BYTES, Block

BATCH: Final = 20_000
"""Hashes between two looks at what the parent wants: about 20 ms."""


def search(block: Block, first: int, stride: int, count: int) -> int | None:
    """The first of the nonces ``first``, ``first + stride``, ... (``count`` of them) whose block meets its
    target; None when none does. The nonce of ``block`` does not matter."""
    prefix = hashlib.sha256(block.header[: HEADER_BYTES - 32])
    limit = block.target.to_bytes(32, "big")
    for nonce in range(first, first + stride * count, stride):
        state = prefix.copy()
        state.update(nonce.to_bytes(32, "big"))
        if state.digest() <= limit:
            return nonce
    return None


def solve(block: Block, first: int = 0) -> Block:
    """``block`` with a nonce that meets its target, found in this process."""
    while (found := search(block, first, 1, BATCH)) is None:
        first += BATCH
    return replace(block, nonce=found)


@dataclass(kw_only=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    hashes: int = 0


class HashMiner:
    """Processes that mine; one more or one fewer at any time. Use it in a ``with`` block."""

    def __init__(self) -> None:
        # A fresh interpreter: forking a process that has threads is not safe.
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._block: Block | None = None

    def __enter__(self) -> "HashMiner":
        return self

    def __exit__(self, *_: object) -> None:
        self.resize(0)

    @property
    def hashes(self) -> int:
        """Nonces tried by the processes that are running, as far as they have told."""
        return sum(worker.hashes for worker in self._workers)

    def resize(self, processes: int) -> None:
        """Miners join or leave; those who join work on the block of the last ``begin``."""
        while len(self._workers) > processes:
            worker = self._workers.pop()
            worker.process.terminate()
            worker.process.join(10)
            worker.pipe.close()
        while len(self._workers) < processes:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_mine, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process=process, pipe=ours))
            if self._block is not None:
                ours.send((self._block, int.from_bytes(os.urandom(8), "big")))

    def begin(self, block: Block) -> None:
        """Let everybody work on ``block``; what was not found before is dropped."""
        self._block = block
        for worker in self._workers:
            worker.pipe.send((block, int.from_bytes(os.urandom(8), "big")))

    def result(self, timeout_s: float) -> Block | None:
        """The block of the last ``begin``, solved; None when nobody finds it within ``timeout_s``."""
        for pipe in _ready(self._workers, timeout_s):
            worker = next(w for w in self._workers if w.pipe is pipe)
            try:
                parent, nonce, worker.hashes = worker.pipe.recv()
            except (EOFError, OSError):
                continue
            if self._block is None or nonce is None or parent != self._block.header[:-32]:
                continue
            solved = replace(self._block, nonce=nonce)
            if solved.meets_target:
                return solved
        return None


def _ready(workers: Sequence[_Worker], timeout_s: float) -> list[Connection]:
    found = wait([worker.pipe for worker in workers], timeout_s)
    return [pipe for pipe in found if isinstance(pipe, Connection)]


def _mine(pipe: Connection) -> None:
    """The body of a process: mines the newest block it was told of until it is told another."""
    hashes = 0
    try:
        block, nonce = pipe.recv()
        while True:
            found = search(block, nonce, 1, BATCH)
            hashes += BATCH if found is None else found - nonce + 1
            nonce += BATCH
            if found is not None:
                pipe.send((block.header[:-32], found, hashes))
            if found is not None or pipe.poll():
                block, nonce = pipe.recv()
    except (EOFError, OSError, KeyboardInterrupt):
        return

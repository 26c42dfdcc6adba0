"""Coroutines that run beside everything else."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Errands:
    """Holds a reference to each until it ends: the event loop alone would let it be collected."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[object]] = set()

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run ``work`` on the running loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

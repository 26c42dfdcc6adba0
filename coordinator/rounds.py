"""The loop that takes every task forward: woken by news that calls for it, otherwise at every poll."""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from coordinator.domain.lifecycle import TaskStatus
from coordinator.jobs.queue_watch import QueueWatch
from coordinator.jobs.sweeper import Sweeper
from coordinator.services.context import Context
from coordinator.services.drive_task import drive_task
from coordinator.services.index_blocks import CHAIN_MOVED
from coordinator.services.prepare_task import clear_trouble, note_trouble
from coordinator.services.send_jobs import send_again, send_jobs
from protocol.errors import PotError, ServiceUnreachable
from protocol.ids import TaskId
from protocol.pauses import Pauses

TROUBLE_PAUSE_S: Final = 2.0
CALLS: Final = (
    CHAIN_MOVED,
    "chain.reorganised",
    "contribution.accepted",
    "contribution.rejected",
    "fault.proven",
    "miner.live",
)
"""News that others bring and that may take a task forward. What this loop itself has done it goes on from at
once, and an answer of a validator counts only when a segment would be sent again."""
log = structlog.get_logger("coordinator.rounds")


class RoundsLoop:
    """Runs in one thread. One per database: it alone changes rounds."""

    def __init__(
        self, ctx: Context, poll_s: float, quiet_s: float, observe_turn: Callable[[float], None]
    ) -> None:
        """Without news tasks are looked at every ``quiet_s``, and every ``poll_s`` while one waits for its
        start. ``observe_turn`` is told the seconds of each turn in which something happened."""
        self._ctx = ctx
        self._poll_s = poll_s
        self._quiet_s = quiet_s
        self._starting = False
        self._observe_turn = observe_turn
        self._sweeper = Sweeper(ctx)
        self._queues = QueueWatch(ctx.jobs)
        self._paused: dict[TaskId, float] = {}
        self._bell = ctx.store.bell.about(CALLS)

    def run(self, stopping: threading.Event) -> None:
        """Until ``stopping``. The one policy: what is unreachable is tried again, a defect ends the
        process.
        """
        bell, everything = self._bell, self._ctx.store.bell
        pauses = Pauses(self._poll_s)
        while not stopping.is_set():
            heard, before, started = bell.rings, everything.rings, time.perf_counter()
            try:
                more = self.turn()
            except ServiceUnreachable as error:
                log.warning("rounds wait", why=str(error))
                stopping.wait(1.0)
                continue
            news = everything.rings != before
            if news:
                self._observe_turn(time.perf_counter() - started)
            pause_s = pauses.after(news=news)
            if not more:
                bell.wait(heard, pause_s if self._starting else max(pause_s, self._quiet_s))

    def turn(self) -> bool:
        """Every task once, then the outbox; True when there is more to do at once. Raises
        ServiceUnreachable.
        """
        ctx, now_s = self._ctx, self._ctx.now_s()
        with ctx.store.read() as tx:
            rows = tx.tasks.to_drive()
        tasks = {TaskId(task.task_id): task.note for task in rows}
        self._starting = any(task.status == TaskStatus.WAITING for task in rows)
        self._paused = {task: until for task, until in self._paused.items() if until > now_s}
        done = [self._drive(task, note) for task, note in tasks.items() if task not in self._paused]
        self._queues.look(now_s, lambda: send_again(ctx))
        send_jobs(ctx)
        self._sweeper.sweep(now_s)
        return not all(done)

    def _drive(self, task_id: TaskId, note: str) -> bool:
        try:
            done = drive_task(self._ctx, task_id)
        except ServiceUnreachable as error:
            self._pause(task_id, error)
            return True
        except PotError as error:
            self._pause(task_id, error)
            note_trouble(self._ctx, task_id, error)
            return True
        if note and done:
            clear_trouble(self._ctx, task_id)
        return done

    def _pause(self, task_id: TaskId, error: PotError) -> None:
        log.warning("task does not move", task=task_id, why=str(error))
        self._paused[task_id] = self._ctx.now_s() + TROUBLE_PAUSE_S

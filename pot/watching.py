"""Following a task by chain and blob store: progress on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pot.amounts import TOKEN_DECIMALS, TOKEN_SYMBOL, format_amount, format_duration, parse_duration_s
from pot.client import Client
from pot.dispatch import Dispatch, read_dispatch
from pot.output import Reply
from pot.session import Session
from pot.views import task_json
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.chain.records import read_record
from protocol.errors import PotError
from protocol.ids import TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A task at one moment. ``loss`` is the mean over the last certified round's shards before its update, in
    nats; ``accuracy`` of the certified model on the test split. None where the blobs do not tell."""

    task: OnchainTask
    loss: float | None
    accuracy: float | None
    miners: int
    dispatch: Dispatch | None = None

    def line(self) -> str:
        """One line for people."""
        parts = [f"task {self.task.task_id}: round {self.task.last_round}/{self.task.rounds}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.accuracy is not None:
            parts.append(f"accuracy {self.accuracy:.2%}")
        if self.miners:
            parts.append(f"{self.miners} miners")
        if self.dispatch is not None and self.dispatch.computed > self.task.last_round:
            parts.append(f"{self.dispatch.computed} computed")
        if self.dispatch is not None and self.dispatch.note:
            parts.append(self.dispatch.note)
        left = self.task.escrow - self.task.paid_total
        return ", ".join([*parts, f"{format_amount(left)} of escrow left"])

    def short(self) -> str:
        """What fits beside a bar on a terminal of 80 columns; amounts are cut to whole tokens."""
        parts = [f"{self.task.last_round}/{self.task.rounds}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.accuracy is not None:
            parts.append(f"acc {self.accuracy:.1%}")
        if self.miners:
            parts.append(f"{self.miners} miners")
        left = (self.task.escrow - self.task.paid_total) // 10**TOKEN_DECIMALS
        return "  ".join([*parts, f"{left:,} {TOKEN_SYMBOL} left"])


def watch_task(session: Session, number: int, timeout: str, *, with_accuracy: bool) -> Reply:
    """Follow a task until all its rounds are certified or it ended; ``ok`` only in the first case."""
    timeout_s = parse_duration_s(timeout, "--timeout")
    client = session.client("poster")
    task = client.task(TaskId(number))
    observe = Observer(client, with_accuracy=with_accuracy)
    with _display(task, session) as show:
        last = client.wait(
            task.task_id, timeout_s=timeout_s, on_change=lambda state: show(observe.progress(state))
        )
    ended = observe.progress(last)
    done = last.last_round == last.rounds and last.status is not TaskStatus.DISPUTED
    data = {**task_json(last), "loss": ended.loss, "accuracy": ended.accuracy, "miners": ended.miners}
    return Reply(data=data, text=[ended.line(), _ending(last, done=done)], ok=done)


def _ending(task: OnchainTask, *, done: bool) -> str:
    if done and task.challenge_window_s:
        number, window = task.task_id, format_duration(task.challenge_window_s)
        return (
            f"All rounds are certified; the last certificate can be challenged for {window}. Next: "
            f"`pot task fetch {number}`, and then `pot task close {number}`."
        )
    if done:
        number = task.task_id
        return f"All rounds are certified. Next: `pot task fetch {number}`, `pot task close {number}`."
    if task.status is TaskStatus.DISPUTED:
        return (
            f"Round {task.last_round} of {task.rounds} is certified, but certificates from number "
            f"{task.disputed_from} on are in dispute: with the verdict they stand, or fall and end the task. "
            f"See `pot task show {task.task_id}`."
        )
    if task.status is TaskStatus.OPEN:
        return (
            f"Round {task.last_round} of {task.rounds} is certified; the wait or the task's deadline ended."
        )
    return f"The task was {task.status.name.lower()} after round {task.last_round} of {task.rounds}."


class Observer:
    """Adds to the chain's state what the blobs tell about the last certified round."""

    def __init__(self, client: Client, *, with_accuracy: bool) -> None:
        self._client = client
        self._with_accuracy = with_accuracy
        self._evaluate: Callable[[bytes], float] | None = None

    def progress(self, task: OnchainTask) -> Progress:
        """The progress at the state ``task``. Missing blobs leave gaps, a silent chain raises."""
        loss, miners, accuracy = None, 0, None
        try:
            loss, miners = self._last_round(task)
            accuracy = self._accuracy(task) if self._with_accuracy and task.last_round else None
        except PotError as error:
            print(f"pot: {error}", file=sys.stderr)
        dispatch = read_dispatch(self._client.settings.api_url, task.task_id)
        return Progress(task=task, loss=loss, accuracy=accuracy, miners=miners, dispatch=dispatch)

    def _last_round(self, task: OnchainTask) -> tuple[float | None, int]:
        certificates = self._client.events(task.task_id).standing
        if not certificates:
            return None, 0
        domain = self._client.deployment.domain
        record = read_record(self._client.blobs, certificates[-1].certificate, domain)
        signed = [item.contribution for item in record.rounds[-1].contributions]
        samples = sum(item.samples for item in signed)
        loss = sum(item.loss_micros * item.samples for item in signed) / samples / 1e6
        return loss, len({item.miner for item in signed})

    def _accuracy(self, task: OnchainTask) -> float:
        if self._evaluate is None:
            self._evaluate = self._evaluator(task)
        return self._evaluate(task.model)

    def _evaluator(self, task: OnchainTask) -> Callable[[bytes], float]:
        from worker.training.checkpoint import load_checkpoint
        from worker.training.data import load_dataset
        from worker.training.evaluate import evaluate

        blobs = self._client.blobs
        spec = self._client.spec(task.task_id)
        dataset = load_dataset(blobs.get(spec.dataset_sha256), spec.dataset)

        def accuracy(model: Any) -> float:
            checkpoint = load_checkpoint(spec, blobs.get(model, spec.limits.max_blob_bytes))
            return evaluate(spec, checkpoint, dataset).accuracy

        return accuracy


@contextmanager
def _display(task: OnchainTask, session: Session) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal, a line for each change elsewhere; both on stderr."""
    if not sys.stderr.isatty() or session.json:
        yield lambda progress: session.say(progress.line())
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=12), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task("waiting", total=task.rounds)
        yield lambda progress: bar.update(
            row, completed=progress.task.last_round, description=progress.short()
        )

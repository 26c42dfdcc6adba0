"""Canaries at one validator: commit to the sample before a task begins, keep what others say, and, when a
canary is opened, accuse whoever signed for it, answer for oneself, and have the silent ones punished.

Everything here runs on the event loop's thread and returns at once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from committee.canary_submitter import CanarySubmitter
from committee.desk import Desk
from committee.due import Due
from committee.submitter import Outcome, turn
from committee.words import WordBook
from protocol.chain.canary_events import (
    CanariesPlanted,
    CanaryOpened,
    MemberAccused,
    MemberCleared,
    MemberPunished,
    SeedCommitted,
)
from protocol.chain.history import TaskHistory
from protocol.ids import TaskId
from protocol.members import Members
from protocol.pbft_messages import Instance, Prepare
from protocol.sampling import PPM, SamplePlan, sample_seed, seed_commitment
from protocol.signing import Signer

log = logging.getLogger(__name__)

STAGGER_TICKS: Final = 2
"""How long each member lets the one before it go first in accusing."""
MAX_TASKS: Final = 256
"""Tasks with canaries that are kept in mind; the oldest are dropped first."""

Act = tuple[str, bytes]
"""What is to be done about a task: a name, and whom or what it is about."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    """A task with canaries: its history, its members' words, what is to be done, and what is done."""

    history: TaskHistory
    book: WordBook
    due: dict[Act, Due] = field(default_factory=dict)
    done: set[Act] = field(default_factory=set)


class CanaryWatch:
    """All tasks with canaries of one validator."""

    def __init__(self, *, signer: Signer, desk: Desk, submitter: CanarySubmitter) -> None:
        self._signer = signer
        self._me = signer.address
        self._desk = desk
        self._submitter = submitter
        self._now = 0
        self._watched: dict[TaskId, _Watched] = {}

    def seen(self, history: TaskHistory) -> None:
        """A task has begun or moved on. Those without canaries cost nothing."""
        task = history.created.task_id
        members = history.ledger.members
        if self._me not in members or not any(isinstance(e, CanariesPlanted) for e in history.canaries):
            return
        watched = self._watched.get(task)
        if watched is None:
            instance = Instance(domain=history.domain.separator, task=task, members=Members.of(members))
            watched = self._watched[task] = _Watched(history=history, book=WordBook(instance))
            if len(self._watched) > MAX_TASKS:
                del self._watched[next(iter(self._watched))]
        watched.history = history
        self._plan(watched)

    def learn(self, task: TaskId, value: bytes) -> None:
        """A value that somebody proposed."""
        if task in self._watched:
            self._watched[task].book.learn(value)

    def hear(self, message: Prepare) -> None:
        """A member accepts a proposal."""
        watched = self._watched.get(TaskId(message.task))
        if watched is not None:
            watched.book.hear(message)

    def tick(self) -> None:
        """Time goes on: what is due is sent."""
        self._now += 1
        for watched in self._watched.values():
            for act, due in list(watched.due.items()):
                if due.at <= self._now and not due.busy:
                    self._try(watched, act, due)

    # ---------------------------------------------------------------- what is to be done

    def _plan(self, watched: _Watched) -> None:
        history = watched.history
        wait = turn(self._index(watched), len(history.ledger.members), history.certificates) * STAGGER_TICKS
        ended = {e.key for e in history.canaries if isinstance(e, MemberCleared | MemberPunished)}
        for event in history.canaries:
            match event:
                case CanariesPlanted() if event.plan.sample_ppm < PPM and not self._committed(history):
                    self._add(watched, ("commit", b""), 0)
                case CanaryOpened():
                    self._add(watched, ("accuse", bytes.fromhex(event.miner[2:])), wait)
                case MemberAccused() if event.key in ended:
                    watched.due.pop(("answer", event.key), None)
                    watched.due.pop(("punish", event.key), None)
                case MemberAccused() if event.member == self._me:
                    if self._answers(history, event):
                        self._add(watched, ("answer", event.key), 0)
                case MemberAccused():
                    self._add(watched, ("punish", event.key), wait)

    def _add(self, watched: _Watched, act: Act, wait: int) -> None:
        if act not in watched.done:
            watched.due.setdefault(act, Due(at=self._now + wait))

    def _index(self, watched: _Watched) -> int:
        return watched.history.ledger.members.index(self._me)

    def _committed(self, history: TaskHistory) -> bool:
        return any(isinstance(e, SeedCommitted) and e.member == self._me for e in history.canaries)

    def _answers(self, history: TaskHistory, accused: MemberAccused) -> bool:
        """Whether the committed sample clears this validator."""
        planted = next((e for e in history.canaries if isinstance(e, CanariesPlanted)), None)
        if planted is None or not self._committed(history):
            log.error("task %s: this validator is accused and has no sample to show", accused.task_id)
            return False
        recipe = history.ledger.spec.recipe
        sample = SamplePlan(
            seed=self._seed(history),
            rounds=recipe.rounds,
            shards=recipe.shards,
            share_ppm=planted.plan.sample_ppm,
        )
        held = sample.holds(accused.round, accused.shard)
        if held:
            log.critical("task %s: this validator signed for a canary of its sample", accused.task_id)
        return not held

    def _seed(self, history: TaskHistory) -> bytes:
        return sample_seed(self._signer, history.domain, history.created.task_id, history.ledger.spec_hash)

    # ---------------------------------------------------------------- doing it

    def _try(self, watched: _Watched, act: Act, due: Due) -> None:
        job = self._job(watched, act)
        if job is None:
            watched.due.pop(act)
        elif act[0] != "punish" or self._desk.now_s() > self._answer_by(watched, act[1]):
            due.busy = True
            self._desk.send(job, self._sent(watched, act, due))

    def _answer_by(self, watched: _Watched, key: bytes) -> int:
        accused = _accusation(watched.history, key)
        return 0 if accused is None else accused.answer_by

    def _job(self, watched: _Watched, act: Act) -> Callable[[], Outcome] | None:
        """What to run on the sending thread; None when it cannot come true any more."""
        history, (name, what) = watched.history, act
        if name == "commit":
            if self._desk.now_s() >= history.created.params.starts_at or self._committed(history):
                return None
            commitment = seed_commitment(self._seed(history))
            return lambda: self._submitter.commit(history.created.task_id, commitment)
        if name == "accuse":
            opened = [e for e in history.canaries if isinstance(e, CanaryOpened)]
            event = next((e for e in opened if bytes.fromhex(e.miner[2:]) == what), None)
            if event is None:
                return None
            words = watched.book.words()
            return lambda: self._submitter.accuse(history, event, words)
        accused = _accusation(history, what)
        if accused is None:
            return None
        if name == "answer":
            seed = self._seed(history)
            return lambda: self._submitter.answer(accused, seed)
        return lambda: self._submitter.punish(accused)

    def _sent(self, watched: _Watched, act: Act, due: Due) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            due.postpone(self._now)
            if outcome in (Outcome.DONE, Outcome.POINTLESS):
                watched.due.pop(act, None)
                watched.done.add(act)

        return done


def _accusation(history: TaskHistory, key: bytes) -> MemberAccused | None:
    found = (e for e in history.canaries if isinstance(e, MemberAccused) and e.key == key)
    return next(found, None)

"""Accountability: what members are caught saying twice is exported and, if possible, proved on-chain.

Everything here runs on the event loop's thread and returns at once.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from committee.due import Due
from committee.equivocation import Dossier, Equivocation
from committee.evidence_file import EvidenceFile
from committee.state import Decided
from committee.submitter import Outcome, turn
from protocol.chain.history import TaskHistory
from protocol.ids import Address, TaskId
from protocol.pbft_messages import Evidence
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

STAGGER_TICKS: Final = 2
"""How long each member lets the one before it go first in sending."""
MAX_CASES: Final = 256
"""Proofs that wait to be sent; further ones are in the file only."""


class Desk(Protocol):
    """Where a proof leaves the process."""

    def prove(self, proof: Equivocation, done: Callable[[Outcome], None]) -> None: ...


@dataclass(slots=True, kw_only=True)
class _Watched:
    """A task that runs, as the chain shows it, and what is known about its members."""

    history: TaskHistory
    dossier: Dossier


@dataclass(slots=True, kw_only=True)
class _Case:
    """A proof on its way to the chain."""

    proof: Equivocation
    due: Due


class Prosecution:
    """All tasks of one validator. A proof outlives its task, and in the file also the process: the stake that
    it costs is slashable for longer than both."""

    def __init__(self, *, me: Address, domain: Domain, file: EvidenceFile, desk: Desk) -> None:
        self._me = me
        self._domain = domain
        self._file = file
        self._desk = desk
        self._now = 0
        self._watched: dict[TaskId, _Watched] = {}
        self._cases: dict[tuple[Address, TaskId], _Case] = {}
        for proof in file.proofs():
            if proof.holds(domain):
                self._bring(proof, wait=0)

    @property
    def cases(self) -> tuple[Equivocation, ...]:
        """The proofs that the chain has not confirmed yet."""
        return tuple(case.proof for case in self._cases.values())

    def open(self, history: TaskHistory, known: Iterable[Evidence]) -> None:
        """Watch a task's members; ``known`` is the evidence that the task's log held."""
        task, members = history.created.task_id, history.ledger.members
        self._watched[task] = _Watched(history=history, dossier=Dossier(task, members, self._domain))
        for evidence in known:
            self.accuse(task, members[evidence.first.sender], evidence)

    def moved(self, history: TaskHistory) -> None:
        """The chain has moved on: its certificates may be what a proof lacks."""
        watched = self._watched.get(history.created.task_id)
        if watched is not None:
            watched.history = history
            if watched.dossier.unproven:
                self._read_chain(watched)

    def close(self, task: TaskId) -> None:
        """The task is over: no further certificate of it can become known."""
        watched = self._watched.pop(task, None)
        for member in () if watched is None else watched.dossier.unproven:
            log.error("task %s: what member %s signed twice cannot be proved on-chain", task, member)

    def tick(self) -> None:
        """Time goes on: proofs that are due are sent."""
        self._now += 1
        for key, case in list(self._cases.items()):
            if case.due.at <= self._now and not case.due.busy:
                case.due.busy = True
                self._desk.prove(case.proof, self._sent(key, case.due))

    def learn(self, task: TaskId, value: bytes) -> None:
        """A value that somebody proposed."""
        watched = self._watched.get(task)
        if watched is not None and watched.dossier.learn(value):
            self._convict(task, watched)

    def decided(self, task: TaskId, decided: Decided) -> None:
        """A value that was decided, with what its signers gave."""
        watched = self._watched.get(task)
        if watched is not None and watched.dossier.decided(decided):
            self._convict(task, watched)

    def accuse(self, task: int, member: Address, evidence: Evidence) -> None:
        """``member`` signed two different things: ``task`` is the task, or the number of a court's
        agreement, whose verdicts the contract takes no proofs about."""
        watched = self._watched.get(TaskId(task))
        seq = evidence.first.seq
        if watched is None:
            self._file.contradiction(task, member, evidence, (None, None))
            log.error("agreement %s: %s signed two different things for number %s", task, member, seq)
            return
        accused = watched.dossier.accuse(evidence)
        if accused:
            self._read_chain(watched)
        first, second = (
            None if certificate is None else certificate.encode()
            for certificate in map(
                watched.dossier.certificate, (evidence.first.digest, evidence.second.digest)
            )
        )
        self._file.contradiction(task, member, evidence, (first, second))
        if not accused or evidence.first.sender in watched.dossier.unproven:
            why = watched.dossier.why_unproven(evidence)
            log.error(
                "task %s: %s signed two different things for number %s; that is not provable on-chain: %s",
                task,
                member,
                seq,
                why,
            )

    def _read_chain(self, watched: _Watched) -> None:
        for segment in watched.history.segments:
            watched.dossier.learn(segment.event.certificate.encode())
        self._convict(watched.history.created.task_id, watched)

    def _convict(self, task: TaskId, watched: _Watched) -> None:
        dossier = watched.dossier
        for member in dossier.unproven:
            proof = dossier.proof(member)
            if proof is None:
                continue
            self._file.proof(proof)
            log.error("task %s: %s signed two certificates of the same rounds", task, proof.signer)
            if self._me in dossier.members:
                place = turn(dossier.members.index(self._me), len(dossier.members), member + 1)
                self._bring(proof, wait=place * STAGGER_TICKS)

    def _bring(self, proof: Equivocation, wait: int) -> None:
        if proof.signer == self._me:
            log.critical("task %s: another process signs with this validator's key", proof.task_id)
        elif len(self._cases) >= MAX_CASES:
            log.error("%s proofs wait: the one against %s is only kept", MAX_CASES, proof.signer)
        else:
            case = _Case(proof=proof, due=Due(at=self._now + wait))
            self._cases.setdefault((proof.signer, proof.task_id), case)

    def _sent(self, key: tuple[Address, TaskId], due: Due) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            due.postpone(self._now)
            if outcome in (Outcome.DONE, Outcome.POINTLESS):
                self._cases.pop(key, None)

        return done

"""All courts of one validator, beside the tasks that it certifies.

The event loop owns all state here; what takes time goes to the node's threads and comes back as a callback.
"""

from collections.abc import Callable
from typing import Protocol

from committee.court import Court, Decide, instance_of
from committee.court_judge import CourtJudge
from committee.court_submitter import CourtSubmitter
from committee.errors import ValueUnusable
from committee.host import Host
from committee.seating import Seating
from committee.state import Decided, EndorsementDigest, Verify
from committee.submitter import Outcome
from committee.verify import Judgement
from protocol.chain.appeals import OnchainCase
from protocol.chain.docket import Docket, Step
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, TaskId
from protocol.signing import Signer
from protocol.typed_data import Domain
from protocol.verdict import Verdict

MAX_COURTS = 32
"""Agreements of courts at one time: so many of the host's places are theirs. Further courts wait."""

Key = tuple[TaskId, int]


class Desk(Protocol):
    """What the node does for its courts."""

    def now_s(self) -> int: ...
    def check(self, job: Callable[[], Judgement], done: Callable[[Judgement], None]) -> bool: ...
    def send(self, job: Callable[[], Outcome], done: Callable[[Outcome], None]) -> None: ...


def verdict_digest(domain: Domain, task: TaskId, dispute: int) -> EndorsementDigest:
    """What a member of the court signs for the contract: the EIP-712 digest of a verdict in this dispute."""

    def digest(seq: int, value: bytes) -> bytes:
        try:
            verdict = Verdict.decode(value)
        except PeerMisbehaved as error:
            raise ValueUnusable(str(error)) from error
        if (verdict.task_id, verdict.dispute) != (task, dispute):
            raise ValueUnusable(f"it is a verdict of dispute {verdict.dispute} of task {verdict.task_id}")
        return verdict.digest(domain)

    return digest


class Bench:
    """The courts that this validator sits in or looks after."""

    def __init__(
        self,
        *,
        host: Host,
        desk: Desk,
        judge: CourtJudge,
        submitter: CourtSubmitter,
        signer: Signer,
        domain: Domain,
        view_timeout_ticks: int,
    ) -> None:
        self._host = host
        self._desk = desk
        self._judge = judge
        self._submitter = submitter
        self._signer = signer
        self._domain = domain
        self._seating = Seating(
            host=host,
            signer=signer,
            domain=domain,
            view_timeout_ticks=view_timeout_ticks,
            most=MAX_COURTS,
        )
        self._courts: dict[int, Court] = {}

    @property
    def members(self) -> frozenset[Address]:
        """Everybody that this validator has to talk to about a verdict."""
        return frozenset(
            member for court in self._courts.values() if court.sits for member in court.docket.court
        )

    def seen(self, docket: Docket) -> None:
        """A dispute has begun or moved on."""
        instance = instance_of(docket.task_id, docket.number)
        court = self._courts.get(instance)
        if court is None:
            if docket.finished:
                return
            court = self._courts[instance] = Court(docket, self._host, self, self._signer.address)
        else:
            court.moved(docket)
        if court.sits and docket.open:
            self._sit(court)
        else:
            self._seating.leave(instance)
        if docket.finished:
            del self._courts[instance]
            self._seating.forget(instance)

    def retain(self, running: frozenset[Key]) -> None:
        """Leave the courts of disputes that are not on the chain any more; their logs stay on disk."""
        for instance, court in list(self._courts.items()):
            if (court.docket.task_id, court.docket.number) not in running:
                del self._courts[instance]
                self._seating.leave(instance)

    def tick(self) -> None:
        """Time goes on."""
        for court in list(self._courts.values()):
            court.tick()

    def verify(self, instance: int, wanted: Verify) -> None:
        """The agreement asks about a verdict."""
        court = self._courts.get(instance)
        if court is not None:
            court.verify(wanted)

    def decided(self, instance: int, decided: Decided) -> None:
        """The agreement hands out a verdict with its quorum."""
        court = self._courts.get(instance)
        if court is not None:
            court.decided(decided)

    def _sit(self, court: Court) -> None:
        docket = court.docket
        self._seating.take(
            court.instance,
            docket.court,
            verdict_digest(self._domain, docket.task_id, docket.number),
            f"task {docket.task_id}: court {docket.number}",
        )

    # ---------------------------------------------------------------- committee.court.CourtDesk

    def now_s(self) -> int:
        """Unix time: the chain's or this machine's, whichever is later."""
        return self._desk.now_s()

    def judge(self, docket: Docket, case: OnchainCase, done: Callable[[Judgement], None]) -> bool:
        """Re-execute what a case is about; False when too much is to be checked."""
        return self._desk.check(lambda: self._judge.judge(docket.task_id, case), done)

    def act(self, docket: Docket, act: Step | Decide, done: Callable[[Outcome], None]) -> None:
        """Send a step to the chain."""
        self._desk.send(lambda: self._submitter.act(docket, act), done)

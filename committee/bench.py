"""All courts of one validator, beside the tasks that it certifies.

The event loop owns all state here; what takes time goes to the node's threads and comes back as a callback.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from committee.court import Court, Decide, instance_of
from committee.court_judge import CourtJudge
from committee.court_submitter import CourtSubmitter
from committee.errors import LogCorrupt, ValueUnusable
from committee.host import Host
from committee.state import Crypto, Decided, EndorsementDigest, ReplicaConfig, Verify
from committee.submitter import Outcome
from committee.verify import Judgement
from protocol.chain.appeals import OnchainCase
from protocol.chain.docket import Docket, Step
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, TaskId
from protocol.members import Members
from protocol.pbft_messages import Instance
from protocol.signing import Signer, is_signed_by, is_statement_of
from protocol.typed_data import Domain
from protocol.verdict import Verdict

log = logging.getLogger(__name__)

MAX_COURTS = 32
"""Agreements of courts at one time: so many of the host's places are theirs. Further courts wait."""
CHECK_VIEWS = 4
"""A primary that has not made up its mind is passed over after so many view timeouts: the members judge
before they agree, and one that abstains must not hold the others up."""

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
        self._view_timeout_ticks = view_timeout_ticks
        self._courts: dict[int, Court] = {}
        self._silent: set[int] = set()  # courts in which nothing may be signed any more

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
        elif instance in self._host.tasks:
            self._host.remove(instance)
        if docket.finished:
            del self._courts[instance]
            self._silent.discard(instance)

    def retain(self, running: frozenset[Key]) -> None:
        """Leave the courts of disputes that are not on the chain any more; their logs stay on disk."""
        for instance, court in list(self._courts.items()):
            if (court.docket.task_id, court.docket.number) not in running:
                del self._courts[instance]
                if instance in self._host.tasks:
                    self._host.remove(instance)

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
        """Take part in the agreement of a court, from its log if there is one."""
        instance, docket = court.instance, court.docket
        sitting = sum(1 for other in self._courts if other in self._host.tasks)
        if instance in self._host.tasks or instance in self._silent or sitting >= MAX_COURTS:
            return
        members = Members.of(docket.court)
        index = members.index(self._signer.address)
        assert index is not None
        config = ReplicaConfig(
            instance=Instance(domain=self._domain.separator, task=instance, members=members),
            me=index,
            view_timeout_ticks=self._view_timeout_ticks,
            max_check_ticks=CHECK_VIEWS * self._view_timeout_ticks,
        )
        crypto = Crypto(
            signer=self._signer,
            verifier=is_signed_by,
            statement_verifier=is_statement_of,
            endorsement_digest=verdict_digest(self._domain, docket.task_id, docket.number),
        )
        try:
            self._host.add(config, crypto)
        except LogCorrupt as error:
            # What was signed in this court is not known any more, so nothing is signed in it.
            log.error("task %s: no part is taken in court %s: %s", docket.task_id, docket.number, error)
            self._silent.add(instance)
            return
        log.info("task %s: member %s of %s of court %s", docket.task_id, index, members.n, docket.number)

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

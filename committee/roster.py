"""The tasks that one validator serves, and those that wait for a place."""

import logging
from typing import Final

from committee.bench import MAX_COURTS
from committee.config import ValidatorConfig
from committee.desk import Desk
from committee.errors import LogCorrupt, ValueUnusable
from committee.host import MAX_INSTANCES, Host
from committee.prosecution import Prosecution
from committee.session import TaskSession, is_past
from committee.state import Crypto, Decided, EndorsementDigest, ReplicaConfig
from committee.verify import Checker
from protocol.bls import BlsSecret
from protocol.certificate import RoundCertificate
from protocol.chain.history import TaskHistory
from protocol.endorsement import is_endorsed_by
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, TaskId
from protocol.members import Members
from protocol.pbft_messages import Instance
from protocol.signing import Signer, is_statement_of
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

MAX_TASKS: Final = MAX_INSTANCES - MAX_COURTS
MAX_DEFERRED: Final = 4096
"""Tasks that wait for another one to end; the least paid ones are dropped first."""


def endorsement_digest(domain: Domain, task: TaskId) -> EndorsementDigest:
    """What this validator signs for the contract: the EIP-712 digest of a certificate of ``task``."""

    def digest(seq: int, value: bytes) -> bytes:
        try:
            certificate = RoundCertificate.decode(value)
        except PeerMisbehaved as error:
            raise ValueUnusable(str(error)) from error
        if certificate.task_id != task:
            raise ValueUnusable(f"it is a certificate of task {certificate.task_id}, not of task {task}")
        return certificate.digest(domain)

    return digest


class Roster:
    """One session, and one replica in ``host``, for each task served."""

    def __init__(
        self,
        *,
        config: ValidatorConfig,
        signer: Signer,
        secret: BlsSecret,
        host: Host,
        checker: Checker,
        desk: Desk,
        prosecution: Prosecution,
    ) -> None:
        self._config = config
        self._domain = config.deployment.domain
        self._signer = signer
        self._secret = secret
        self._host = host
        self._checker = checker
        self._desk = desk
        self._prosecution = prosecution
        self._sessions: dict[TaskId, TaskSession] = {}
        self._deferred: dict[TaskId, TaskHistory] = {}

    @property
    def members(self) -> frozenset[Address]:
        """Everybody that this validator has to talk to about a task."""
        return frozenset(m for session in self._sessions.values() for m in session.history.ledger.members)

    def session(self, task: int) -> TaskSession | None:
        """The session of a task that is served."""
        return self._sessions.get(TaskId(task))

    def seen(self, history: TaskHistory) -> None:
        """A task has begun or moved on."""
        task = history.created.task_id
        session = self._sessions.get(task)
        if session is not None:
            session.moved(history)
            self._prosecution.moved(history)
        elif is_past(history, self._desk.now_s()):
            self._deferred.pop(task, None)
            self._desk.open_evidence(task)  # what a process that ended too early could not show
        elif len(self._sessions) >= MAX_TASKS:
            self._defer(task, history)
        else:
            self._open(task, history)

    def tick(self) -> None:
        """Time goes on; tasks that have ended are left."""
        for task, session in list(self._sessions.items()):
            session.tick()
            if session.settled:
                self._close(task)

    def _defer(self, task: TaskId, history: TaskHistory) -> None:
        """Anybody can create tasks, so more of them than one validator can serve must not end it."""
        log.warning("task %s waits: %s tasks are served already", task, MAX_TASKS)
        self._deferred[task] = history
        if len(self._deferred) > MAX_DEFERRED:
            del self._deferred[min(self._deferred, key=self._fee)]

    def _fee(self, task: TaskId) -> int:
        return self._deferred[task].created.params.fee_per_round

    def _close(self, task: TaskId) -> None:
        """Leave a task that has ended, and take up the best paid one that waits."""
        del self._sessions[task]
        self._prosecution.close(task)
        if task in self._host.tasks:
            self._host.remove(task)
        if self._deferred:
            self.seen(self._deferred.pop(max(self._deferred, key=self._fee)))

    def _open(self, task: TaskId, history: TaskHistory) -> None:
        members = Members.of(history.ledger.members)
        index = members.index(self._signer.address)
        assert index is not None
        session = TaskSession(
            history=history,
            agreement=self._host,
            checker=self._checker,
            desk=self._desk,
            me=self._signer.address,
        )
        self._sessions[task] = session
        try:
            self._host.add(self._replica_config(task, members, index), self._crypto(task, members))
            replica = self._host.replica(task)
            self._prosecution.open(history, replica.evidence)
            # A chain that went back while we were down has lost what the log holds for final: posted again.
            for decision in replica.log.final_decisions(history.certificates):
                session.decided(Decided.of(decision))
        except LogCorrupt as error:
            # What was signed for this task is not known any more, so nothing is signed for it; slashes are
            # still owed.
            log.error("task %s: no part is taken in its agreement: %s", task, error)
        session.start()
        log.info("task %s: member %s of %s", task, index, members.n)

    def _replica_config(self, task: TaskId, members: Members, index: int) -> ReplicaConfig:
        return ReplicaConfig(
            instance=Instance(domain=self._domain.separator, task=task, members=members),
            me=index,
            view_timeout_ticks=self._config.view_timeout_ticks,
            retransmit_ticks=self._config.retransmit_ticks,
            max_check_ticks=self._config.max_check_ticks,
        )

    def _crypto(self, task: TaskId, members: Members) -> Crypto:
        return Crypto(
            signer=self._signer,
            verifier=is_endorsed_by,
            statement_verifier=is_statement_of,
            endorsement_digest=endorsement_digest(self._domain, task),
            secret=self._secret if members.n >= self._config.aggregate_from else None,
        )

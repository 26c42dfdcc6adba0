"""What an agreement costs one member: the real replicas with real signatures on one table, no network."""

import hashlib
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from committee.replica import Replica
from committee.state import Crypto, Output, ReplicaConfig
from protocol.members import Members
from protocol.pbft_messages import Instance, Message
from protocol.signing import KeySigner, is_statement_of

WARM_UP: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One decision of ``members``: CPU milliseconds of one member, and messages among all of them."""

    members: int
    cpu_ms: float
    messages: int


def measure(n: int, decisions: int) -> Agreement:
    """The mean of ``decisions`` decisions after a short warm-up. Signatures are checked one by one: nothing
    that one member found out is known to another."""
    table = _Table(n)
    for seq in range(1, WARM_UP + 1):
        table.decide(seq)
    before, began = table.delivered, time.process_time()
    for seq in range(WARM_UP + 1, WARM_UP + decisions + 1):
        table.decide(seq)
    spent = time.process_time() - began
    return Agreement(
        members=n,
        cpu_ms=1_000 * spent / decisions / n,
        messages=(table.delivered - before) // decisions,
    )


class _Table:
    """``n`` replicas whose messages arrive in the order in which they are sent."""

    def __init__(self, n: int) -> None:
        signers = [KeySigner(hashlib.sha256(b"experiment %d" % i).digest()) for i in range(n)]
        signers.sort(key=lambda signer: int(signer.address, 16))
        members = Members.of(signer.address for signer in signers)
        instance = Instance(domain=hashlib.sha256(b"experiment").digest(), task=1, members=members)
        self.replicas = [
            Replica(
                ReplicaConfig(instance=instance, me=place),
                Crypto(signer=signer, verifier=is_statement_of, endorsement_digest=_endorsed),
            )
            for place, signer in enumerate(signers)
        ]
        self.delivered = 0
        self._decided = 0
        self._mail: deque[tuple[int, Message]] = deque()
        for place, replica in enumerate(self.replicas):
            self._apply(place, replica.start())

    def decide(self, seq: int) -> None:
        """One request to every member, until all of them have decided it and know it final."""
        self._decided, value = 0, b"value %d" % seq
        for place, replica in enumerate(self.replicas):
            self._apply(place, replica.request(seq, value))
        while self._mail:
            place, message = self._mail.popleft()
            self.delivered += 1
            self._apply(place, self.replicas[place].step(message))
        if self._decided < len(self.replicas):
            raise RuntimeError(f"{self._decided} of {len(self.replicas)} replicas decided {seq}")
        for place, replica in enumerate(self.replicas):
            self._apply(place, replica.finalized(seq))

    def _apply(self, place: int, output: Output) -> None:
        for send in output.send:
            everybody = range(len(self.replicas)) if send.to is None else (send.to,)
            self._mail.extend((target, send.message) for target in everybody if target != place)
        self._decided += len(output.decided)
        for question in output.verify:
            replica = self.replicas[place]
            self._apply(place, replica.verdict(question.seq, question.digest, True))


def _endorsed(seq: int, value: bytes) -> bytes:
    return hashlib.sha256(seq.to_bytes(8, "big") + value).digest()

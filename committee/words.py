"""What members said about proposals of tasks with canaries: each PREPARE is a verdict that its sender signed.

Pure and bounded. A PREPARE names a proposal by its sha256 only, so the proposals are kept beside them.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from protocol.certificate import RoundCertificate
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, TaskId
from protocol.pbft_messages import Instance, Prepare, value_digest
from protocol.signing import is_signed_by, is_statement_of

MAX_WORDS: Final = 1_024
"""Verdicts of one member about one task that are kept; the oldest are dropped first."""
MAX_VALUES: Final = 1_024
"""Proposals of one task that are kept likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """``member`` accepted ``certificate`` in (view, seq), by a 65-byte signature that a contract recovers."""

    member: Address
    certificate: RoundCertificate
    view: int
    seq: int
    signature: bytes


class WordBook:
    """The words of one task."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._values: OrderedDict[bytes, RoundCertificate] = OrderedDict()
        self._words: dict[int, OrderedDict[tuple[int, int], Prepare]] = {}

    def learn(self, value: bytes) -> None:
        """Some proposed value."""
        try:
            certificate = RoundCertificate.decode(value)
        except PeerMisbehaved:
            return
        if certificate.task_id == TaskId(self._instance.task):
            self._values[value_digest(value)] = certificate
            if len(self._values) > MAX_VALUES:
                self._values.popitem(last=False)

    def hear(self, message: Prepare) -> None:
        """A PREPARE, kept if its sender signed it."""
        if message.verify(self._instance, is_statement_of):
            said = self._words.setdefault(message.sender, OrderedDict())
            said.setdefault((message.view, message.seq), message)
            if len(said) > MAX_WORDS:
                said.popitem(last=False)

    def words(self) -> list[Word]:
        """All verdicts about proposals that are known here; one of each member about each of them."""
        found: dict[tuple[int, bytes], Word] = {}
        for sender, said in self._words.items():
            member = self._instance.members.addresses[sender]
            for message in said.values():
                certificate = self._values.get(message.digest)
                signature = self._recoverable(message, member)
                if certificate is not None and signature is not None:
                    found[(sender, message.digest)] = Word(
                        member=member,
                        certificate=certificate,
                        view=message.view,
                        seq=message.seq,
                        signature=signature,
                    )
        return list(found.values())

    def _recoverable(self, message: Prepare, member: Address) -> bytes | None:
        """Members know the key and look at no v; the contract recovers the signer and needs the right one."""
        digest = message.signing_digest(self._instance)
        for v in (27, 28):
            signature = message.signature[:64] + bytes((v,))
            if is_signed_by(digest, signature, member):
                return signature
        return None

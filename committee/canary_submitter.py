"""What a validator sends about canaries: its commitment, accusations of others, its own answers, punishments.

Everything but the commitment may be sent by anybody: the contract accepts each thing once, so "already done"
is success. Used by the sending thread.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from committee.submitter import Outcome
from committee.words import Word
from protocol import merkle
from protocol.blobs import BlobStore
from protocol.canary_mark import found_mark, mark_of, tail_of
from protocol.certificate import RoundCertificate
from protocol.chain.canaries import Charge
from protocol.chain.canary_events import CanaryOpened, MemberAccused
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.events import certificate_behind
from protocol.chain.history import TaskHistory
from protocol.chain.sender import Sender
from protocol.errors import InvalidInput, PotError, Refused
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId
from protocol.segment import MAX_RECORD_BYTES, SegmentRecord
from protocol.signing import to_compact

log = logging.getLogger(__name__)

ALREADY_DONE: Final = frozenset({"SeedFixed", "AccusationIs"})
POINTLESS: Final = frozenset({"TaskBegun", "TooLateToAccuse", "AnswerTooLate", "SampleHolds", "NotTheSeed"})
SIGNATURE_BYTES: Final = 64

Statement = tuple[Address, RoundCertificate, tuple[int, int] | None, bytes]


class CanarySubmitter:
    """Sends from the validator's own account."""

    def __init__(self, contracts: Contracts, blobs: BlobStore, sender: Sender, me: Address) -> None:
        self._contracts = contracts
        self._blobs = blobs
        self._sender = sender
        self._me = me

    def commit(self, task_id: TaskId, commitment: Sha256) -> Outcome:
        """Commit to this validator's sample."""
        call = self._contracts.canaries.commit_seed(task_id, commitment)
        return self._once(f"task {task_id}: commitment to its sample", call)

    def answer(self, accused: MemberAccused, seed: bytes) -> Outcome:
        """Show that the sample did not hold the canary."""
        call = self._contracts.canaries.answer(accused.task_id, accused.key, accused.member, seed)
        return self._once(f"task {accused.task_id}: answer to the accusation of this validator", call)

    def punish(self, accused: MemberAccused) -> Outcome:
        """Have a member slashed that did not answer in time."""
        call = self._contracts.canaries.punish(accused.task_id, accused.key, accused.member)
        return self._once(f"task {accused.task_id}: punishment of {accused.member} for a canary", call)

    def accuse(self, history: TaskHistory, opened: CanaryOpened, words: Sequence[Word]) -> Outcome:
        """Accuse every other member that signed for a canary of ``opened``, once for each canary."""
        done = {
            (event.member, event.round, event.shard)
            for event in history.canaries
            if isinstance(event, MemberAccused) and event.miner == opened.miner
        }
        outcome = Outcome.DONE
        try:
            for charge in self._charges(history, opened, words, done):
                what = f"task {opened.task_id}: accusation of {charge.member} for a canary"
                if self._once(what, self._contracts.canaries.accuse(charge)) is Outcome.UNREACHABLE:
                    outcome = Outcome.UNREACHABLE
        except PotError as error:
            log.warning("task %s: members are accused later: %s", opened.task_id, error)
            return Outcome.UNREACHABLE
        return outcome

    def _charges(
        self,
        history: TaskHistory,
        opened: CanaryOpened,
        words: Sequence[Word],
        done: set[tuple[Address, RoundNo, ShardNo]],
    ) -> Iterator[Charge]:
        for record, statement in self._statements(history, opened, words):
            member, certificate, prepare, signature = statement
            leaves = record.contribution_leaves(history.domain)
            for index, leaf in enumerate(leaves):
                key = (member, leaf[0], leaf[1])
                if leaf[2] != opened.miner or member == self._me or key in done:
                    continue
                blob = self._blobs.get(leaf[3], history.ledger.spec.limits.max_blob_bytes)
                if not _is_marked(blob, mark_of(opened.salt, certificate.spec_hash, leaf[0], leaf[1])):
                    continue
                done.add(key)
                yield Charge(
                    member=member,
                    certificate=certificate,
                    prepare=prepare,
                    signature=signature,
                    leaf=leaf,
                    proof=merkle.proof(leaves, merkle.CONTRIBUTION_LEAF, index),
                    tail=tail_of(blob),
                )

    def _statements(
        self, history: TaskHistory, opened: CanaryOpened, words: Iterable[Word]
    ) -> Iterator[tuple[SegmentRecord, Statement]]:
        """What members signed about proposals with work of that miner: in the agreement, and on the chain."""
        for word in words:
            if word.member == self._me:
                continue
            record = self._record(word.certificate)
            if record is not None and opened.miner in _miners(record):
                signature = to_compact(word.signature)
                yield record, (word.member, word.certificate, (word.view, word.seq), signature)
        for segment in (*history.void, *history.segments):
            if opened.miner not in _miners(segment.record):
                continue
            signed = certificate_behind(self._contracts, segment.event)
            members = [m for i, m in enumerate(history.ledger.members) if signed.signers >> i & 1]
            if len(signed.signatures) == SIGNATURE_BYTES * len(members):  # else one sum, which shows nobody
                for place, member in enumerate(members):
                    signature = signed.signatures[SIGNATURE_BYTES * place :][:SIGNATURE_BYTES]
                    yield segment.record, (member, signed.certificate, None, signature)

    def _record(self, certificate: RoundCertificate) -> SegmentRecord | None:
        """The record behind a proposal; None when there is none, for whoever proposes owes it to nobody."""
        try:
            return SegmentRecord.from_blob(self._blobs.get(certificate.segment, MAX_RECORD_BYTES))
        except PotError as error:
            log.warning("task %s: a proposal is not looked at: %s", certificate.task_id, error)
            return None

    def _once(self, what: str, call: Call) -> Outcome:
        try:
            receipt = self._sender.send(call)
        except Refused as error:
            if error.reason in ALREADY_DONE:
                return Outcome.DONE
            log.warning("%s: %s", what, error)
            return Outcome.POINTLESS if error.reason in POINTLESS else Outcome.REFUSED
        except PotError as error:
            log.warning("%s, tried again later: %s", what, error)
            return Outcome.UNREACHABLE
        log.info("%s: transaction 0x%s, %s gas", what, receipt.tx_hash.hex(), receipt.gas_used)
        return Outcome.DONE


def _miners(record: SegmentRecord) -> set[Address]:
    return {signed.contribution.miner for item in record.rounds for signed in item.contributions}


def _is_marked(blob: bytes, mark: int) -> bool:
    try:
        return found_mark(blob) == mark
    except InvalidInput:
        return False

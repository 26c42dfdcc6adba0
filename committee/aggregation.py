"""The cheaper form of a certificate at the moment when it is posted: signatures, or their sum."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from committee import scheme
from committee.state import Decided
from protocol import bls
from protocol.certificate import RoundCertificate, SignedCertificate
from protocol.chain.contracts import Contracts, KeyBook
from protocol.chain.sender import Sender
from protocol.endorsement import joint_part, own_part
from protocol.errors import Refused
from protocol.ids import Address, TaskId
from protocol.signing import to_compact

log = logging.getLogger(__name__)

MAX_COMMITTEES: Final = 256
"""Committees whose keys are remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsed:
    """A decision on its way to the chain: with its signatures, and with their BLS sum, unchecked, if every
    signer gave one."""

    signed: SignedCertificate
    aggregate: bytes | None

    @classmethod
    def of(cls, decided: Decided) -> "Endorsed":
        """Bitmap and joined EIP-2098 signatures, ascending by member."""
        signed = SignedCertificate(
            certificate=RoundCertificate.decode(decided.value),
            signers=sum(1 << index for index in decided.signers),
            signatures=b"".join(to_compact(own_part(given)) for given in decided.endorsements),
        )
        return cls(signed=signed, aggregate=joint_part(decided.endorsements))


@dataclass(slots=True, kw_only=True)
class _Committee:
    """Where a list of members is stored, and their keys; none unless all have one."""

    at: Address
    keys: tuple[bytes, ...] | None
    gathered: bool


class Aggregation:
    """Reads and sends from the validator's own account; used by one thread. ``aggregate_from`` is the least
    number of members for which a sum is used at all."""

    def __init__(self, contracts: Contracts, sender: Sender, aggregate_from: int) -> None:
        self._contracts = contracts
        self._sender = sender
        self._from = aggregate_from
        self._committees: dict[TaskId, _Committee] = {}
        self._keys = KeyBook(contracts)

    def best(self, endorsed: Endorsed) -> SignedCertificate:
        """What to post. Gathers the committee's keys first when the certificates to come are worth it.
        Raises ServiceUnreachable."""
        signed = endorsed.signed
        if endorsed.aggregate is None:
            return signed
        try:
            committee = self._committee(signed.certificate.task_id)
            if committee.keys is None or not self._pays(committee, signed):
                return signed
            if not self._is_signed(endorsed.aggregate, signed, committee.keys):
                log.warning("task %s: a BLS endorsement is false", signed.certificate.task_id)
                return signed
            if not committee.gathered:
                self._gather(committee)
        except Refused as error:
            log.warning("task %s: no aggregate is posted: %s", signed.certificate.task_id, error)
            return signed
        return replace(signed, signatures=endorsed.aggregate)

    def _pays(self, committee: _Committee, signed: SignedCertificate) -> bool:
        members = len(committee.keys or ())
        signers = signed.signers.bit_count()
        if members < self._from:
            return False
        if self._from < scheme.AGGREGATE_FROM:
            return True  # somebody wants it at any price
        if not committee.gathered:
            committee.gathered = self._keys.contract.is_gathered(committee.at)
        if committee.gathered:
            return scheme.saving(members, signers) > 0
        return scheme.pays_to_gather(members, signers, self._to_come(signed.certificate))

    def _to_come(self, certificate: RoundCertificate) -> int:
        """Certificates up to the task's end, this one among them, if all cover as many rounds."""
        rounds = self._contracts.market.task(certificate.task_id).rounds
        span = certificate.last_round - certificate.first_round + 1
        return 1 + max(0, rounds - certificate.last_round) // span

    def _is_signed(self, aggregate: bytes, signed: SignedCertificate, keys: Sequence[bytes]) -> bool:
        digest = signed.certificate.digest(self._contracts.deployment.domain)
        signing = [key for index, key in enumerate(keys) if signed.signers >> index & 1]
        return bls.is_signed_by(digest, aggregate, signing)

    def _gather(self, committee: _Committee) -> None:
        if not self._keys.contract.is_gathered(committee.at):
            try:
                receipt = self._sender.send(self._keys.contract.gather(committee.at))
            except Refused as error:
                if error.reason != "KeysGatheredBefore":
                    raise
            else:
                log.info("keys of %s gathered: %s gas", committee.at, receipt.gas_used)
        committee.gathered = True

    def _committee(self, task_id: TaskId) -> _Committee:
        known = self._committees.get(task_id)
        if known is not None and known.keys is not None:
            return known
        members = self._contracts.committee.members_of_task(task_id)
        keys = tuple(self._keys(member) for member in members)
        found = _Committee(
            at=self._contracts.committee.stored_members(task_id),
            keys=keys if all(keys) else None,
            gathered=False,
        )
        while len(self._committees) >= MAX_COMMITTEES:
            del self._committees[next(iter(self._committees))]
        self._committees[task_id] = found
        return found

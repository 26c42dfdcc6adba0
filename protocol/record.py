"""What the market remembers of an accepted certificate: whoever relies on one shows its record."""

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from protocol.certificate import RoundCertificate
from protocol.ids import RoundNo, Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord:
    """The fields of a certificate whose hash the market keeps. ``index`` counts a task's certificates from 0,
    ``paid_total`` is in the token's smallest unit, ``signers`` a bitmap over the task's committee, roots are
    32 bytes."""

    index: int
    paid_total: int
    payouts_root: bytes
    first_round: RoundNo
    last_round: RoundNo
    signers: int
    model: Sha256
    contributions_root: bytes
    faults_root: bytes

    @classmethod
    def of(cls, certificate: RoundCertificate, signers: int, index: int) -> "CertificateRecord":
        """The record of certificate number ``index`` of its task."""
        return cls(
            index=index,
            paid_total=certificate.paid_total,
            payouts_root=certificate.payouts_root,
            first_round=certificate.first_round,
            last_round=certificate.last_round,
            signers=signers,
            model=certificate.model,
            contributions_root=certificate.contributions_root,
            faults_root=certificate.faults_root,
        )

    @property
    def details(self) -> bytes:
        """The 32-byte hash of the fields that a claim does not show."""
        return keccak(
            encode(
                ["uint32", "uint32", "uint64", "bytes32", "bytes32", "bytes32"],
                [
                    self.first_round,
                    self.last_round,
                    self.signers,
                    self.model,
                    self.contributions_root,
                    self.faults_root,
                ],
            )
        )

    def argument(self) -> tuple[bytes | int, ...]:
        """The whole record, as the contracts take it."""
        return (
            self.index,
            self.paid_total,
            self.payouts_root,
            self.first_round,
            self.last_round,
            self.signers,
            self.model,
            self.contributions_root,
            self.faults_root,
        )

    def payout_argument(self) -> tuple[bytes | int, ...]:
        """The part of it that a claim shows."""
        return (self.index, self.paid_total, self.details)

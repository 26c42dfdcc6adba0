"""Checks of everything that proves itself: nothing here depends on who showed it, or on a replica's state."""

from itertools import pairwise

from committee.errors import BadProof, ValueUnusable
from committee.state import Crypto
from protocol.pbft_messages import (
    Committed,
    Decision,
    Instance,
    Phase,
    PreparedCertificate,
    value_digest,
)


def check_quorum(instance: Instance, kind: str, signers: tuple[int, ...], *proofs: tuple[bytes, ...]) -> None:
    """Accepted when: the signers are members, distinct and ascending; they are a quorum; each of ``proofs``
    has one signature per signer. Raises BadProof."""
    if any(low >= high for low, high in pairwise(signers)):
        raise BadProof(kind, None, "signers are not strictly ascending")
    if signers and signers[-1] >= instance.members.n:
        raise BadProof(kind, None, f"member {signers[-1]} does not exist")
    if len(signers) < instance.members.quorum:
        raise BadProof(kind, None, f"{len(signers)} signers, {instance.members.quorum} are needed")
    if any(len(signatures) != len(signers) for signatures in proofs):
        raise BadProof(kind, None, "not one signature per signer")


def check_prepared(instance: Instance, crypto: Crypto, certificate: PreparedCertificate) -> None:
    """Accepted when: a quorum is named; the primary of its view proposed it; each signer prepared it.
    Raises BadProof."""
    kind = "prepared certificate"
    check_quorum(instance, kind, certificate.signers, certificate.signatures)
    view, seq, digest = certificate.view, certificate.seq, certificate.digest
    primary = instance.members.primary(view)
    signed = instance.signing_digest(Phase.PRE_PREPARE, view, seq, digest, primary)
    if not crypto.statements(signed, certificate.proposal, instance.members.addresses[primary]):
        raise BadProof(kind, primary, "the primary did not propose it")
    _check_votes(instance, crypto, kind, Phase.PREPARE, certificate, digest)


def check_committed(instance: Instance, crypto: Crypto, proof: Committed) -> bytes:
    """Accepted when: a quorum is named, and each signer sent a Commit. Returns the value's digest. Raises
    BadProof."""
    kind = "committed certificate"
    check_quorum(instance, kind, proof.signers, proof.signatures)
    digest = value_digest(proof.value)
    _check_votes(instance, crypto, kind, Phase.COMMIT, proof, digest)
    return digest


def _check_votes(
    instance: Instance,
    crypto: Crypto,
    kind: str,
    phase: Phase,
    proof: PreparedCertificate | Committed,
    digest: bytes,
) -> None:
    for signer, signature in zip(proof.signers, proof.signatures, strict=True):
        signed = instance.signing_digest(phase, proof.view, proof.seq, digest, signer)
        if not crypto.statements(signed, signature, instance.members.addresses[signer]):
            raise BadProof(kind, signer, f"its {phase.name} signature is not its own")


def check_decision(instance: Instance, crypto: Crypto, decision: Decision) -> bytes:
    """Accepted when: a quorum is named; the bytes are a value; each signer replied with this value at this
    sequence number; each endorsement is its signer's. Returns the value's digest. Raises BadProof."""
    kind = "decision"
    check_quorum(instance, kind, decision.signers, decision.signatures, decision.endorsements)
    try:
        endorsed = crypto.endorsement_digest(decision.seq, decision.value)
    except ValueUnusable as error:
        raise BadProof(kind, None, str(error)) from error
    digest = value_digest(decision.value)
    replies = zip(decision.signers, decision.signatures, decision.endorsements, strict=True)
    for signer, signature, endorsement in replies:
        address = instance.members.addresses[signer]
        signed = instance.signing_digest(Phase.REPLY, 0, decision.seq, digest, signer)
        if not crypto.statements(signed, signature, address):
            raise BadProof(kind, signer, "its reply signature is not its own")
        if not crypto.verifier(endorsed, endorsement, address):
            raise BadProof(kind, signer, "its endorsement is not its own")
    return digest

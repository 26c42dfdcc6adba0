"""What members of a simulated committee of four may have signed, honestly or not."""

from typing import TypeVar

from committee.replica import Replica
from committee.state import ReplicaConfig
from committee.view_change import build_new_view
from protocol.pbft_messages import (
    Checking,
    Commit,
    Committed,
    Decision,
    NewView,
    Phase,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Reject,
    Reply,
    ViewChange,
    ViewVote,
    value_digest,
)
from tests.simulation.keys import TASK, committee, endorsement_digest

INSTANCE, CRYPTOS = committee(4)
V = TypeVar("V", Prepare, Commit, Reject, Checking)
QUORUM = (0, 1, 2)


def sign(i: int, phase: Phase, view: int, seq: int, digest: bytes) -> bytes:
    return CRYPTOS[i].signer.sign(INSTANCE.signing_digest(phase, view, seq, digest, i))


def vote(kind: type[V], i: int, seq: int, value: bytes, *, view: int = 0) -> V:
    digest = value_digest(value)
    return kind.signed(INSTANCE, CRYPTOS[i].signer, sender=i, view=view, seq=seq, digest=digest)


def pre_prepare(seq: int, value: bytes, *, view: int = 0) -> PrePrepare:
    """By the primary of ``view``."""
    sender, digest = INSTANCE.members.primary(view), value_digest(value)
    signature = sign(sender, Phase.PRE_PREPARE, view, seq, digest)
    return PrePrepare(
        task=TASK, view=view, seq=seq, digest=digest, sender=sender, signature=signature, value=value
    )


def reply(i: int, seq: int, value: bytes, *, endorsement: bytes | None = None) -> Reply:
    digest = value_digest(value)
    if endorsement is None:
        endorsement = CRYPTOS[i].signer.sign(endorsement_digest(seq, value))
    signature = sign(i, Phase.REPLY, 0, seq, digest)
    return Reply(task=TASK, seq=seq, digest=digest, sender=i, signature=signature, endorsement=endorsement)


def decision(seq: int, value: bytes, signers: tuple[int, ...] = QUORUM) -> Decision:
    replies = [reply(i, seq, value) for i in signers]
    return Decision(
        task=TASK,
        seq=seq,
        value=value,
        signers=signers,
        signatures=tuple(one.signature for one in replies),
        endorsements=tuple(one.endorsement for one in replies),
    )


def committed(seq: int, value: bytes, *, view: int = 0, signers: tuple[int, ...] = QUORUM) -> Committed:
    signatures = tuple(vote(Commit, i, seq, value, view=view).signature for i in signers)
    return Committed(task=TASK, view=view, seq=seq, value=value, signers=signers, signatures=signatures)


def prepared(seq: int, value: bytes, *, view: int = 0) -> PreparedCertificate:
    return PreparedCertificate(
        seq=seq,
        view=view,
        digest=value_digest(value),
        proposal=pre_prepare(seq, value, view=view).signature,
        signers=QUORUM,
        signatures=tuple(vote(Prepare, i, seq, value, view=view).signature for i in QUORUM),
    )


def view_change(
    i: int,
    view: int,
    *locks: tuple[int, bytes, int],
    decided: Decision | None = None,
) -> ViewChange:
    """``locks`` are (sequence number, value, view of the Commit)."""
    certificates = tuple(prepared(seq, value, view=when) for seq, value, when in locks)
    claims = tuple(certificate.claim for certificate in certificates)
    seq = 0 if decided is None else decided.seq
    signature = sign(i, Phase.VIEW_CHANGE, view, seq, ViewVote.body(claims))
    return ViewChange(
        task=TASK,
        vote=ViewVote(view=view, decided=seq, claims=claims, sender=i, signature=signature),
        decision=decided,
        certificates=certificates,
        values=tuple(value for _, value, _ in locks),
    )


def new_view(*changes: ViewChange) -> NewView:
    primary = INSTANCE.members.primary(changes[0].vote.view)
    return build_new_view(INSTANCE, CRYPTOS[primary], primary, changes)


def replica(me: int = 3, *, window: int = 8) -> Replica:
    """Started."""
    config = ReplicaConfig(
        instance=INSTANCE, me=me, view_timeout_ticks=8, max_check_ticks=40, retransmit_ticks=2, window=window
    )
    one = Replica(config, CRYPTOS[me])
    one.start()
    return one

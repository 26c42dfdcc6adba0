"""The committee's messages: what is signed, what decodes, and that nothing else does."""

import contextlib
import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import pbft_messages as m
from protocol.members import Members
from protocol.signing import KeySigner, is_signed_by

KEYS = [KeySigner(hashlib.sha256(b"member %d" % i).digest()) for i in range(4)]
SIGNERS = sorted(KEYS, key=lambda key: int(key.address, 16))
MEMBERS = Members.of(key.address for key in KEYS)
INSTANCE = m.Instance(domain=hashlib.sha256(b"here").digest(), task=5, members=MEMBERS)
DIGEST = m.value_digest(b"value")
PREPARE = m.Prepare.signed(INSTANCE, SIGNERS[1], sender=1, view=2, seq=3, digest=DIGEST)


def pre_prepare(**changes: Any) -> m.PrePrepare:
    signed = INSTANCE.signing_digest(m.Phase.PRE_PREPARE, 2, 3, DIGEST, 2)
    fields: dict[str, Any] = {
        "task": 5, "view": 2, "seq": 3, "digest": DIGEST, "sender": 2, "signature": SIGNERS[2].sign(signed),
        "value": b"value",
    }  # fmt: skip
    return m.PrePrepare(**{**fields, **changes})


def reply(value: bytes, sender: int = 0) -> m.Reply:
    digest = m.value_digest(value)
    signed = INSTANCE.signing_digest(m.Phase.REPLY, 0, 3, digest, sender)
    signature = SIGNERS[sender].sign(signed)
    return m.Reply(task=5, seq=3, digest=digest, sender=sender, signature=signature, endorsement=signature)


CERTIFICATE = m.PreparedCertificate(
    seq=3,
    view=2,
    digest=DIGEST,
    proposal=pre_prepare().signature,
    signers=(0, 1, 2),
    signatures=(PREPARE.signature,) * 3,
)
VOTE = m.ViewVote(view=4, decided=0, claims=(CERTIFICATE.claim,), sender=1, signature=PREPARE.signature)
EVERY_MESSAGE: list[m.Message] = [
    PREPARE,
    pre_prepare(),
    reply(b"value"),
    m.Commit.signed(INSTANCE, SIGNERS[0], sender=0, view=0, seq=1, digest=DIGEST),
    m.Reject.signed(INSTANCE, SIGNERS[0], sender=0, view=0, seq=1, digest=DIGEST),
    m.Checking.signed(INSTANCE, SIGNERS[0], sender=0, view=0, seq=1, digest=DIGEST),
    m.Fetch.signed(INSTANCE, SIGNERS[0], sender=0, view=0, seq=1, digest=m.ZERO_DIGEST),
    m.Request(task=5, seq=1, value=b"value"),
    m.Decision(
        task=5, seq=1, value=b"v", signers=(0, 1), signatures=(PREPARE.signature,) * 2,
        endorsements=(PREPARE.signature,) * 2,
    ),
    m.Committed(task=5, view=0, seq=1, value=b"v", signers=(0,), signatures=(PREPARE.signature,)),
    m.ViewChange(task=5, vote=VOTE, decision=None, certificates=(CERTIFICATE,), values=(b"value",)),
    m.NewView(
        task=5, view=4, votes=(VOTE,), decision=None, certificates=(CERTIFICATE,), values=(b"value",),
        proposals=(m.Proposal(seq=3, digest=DIGEST, signature=PREPARE.signature),), sender=0,
        signature=PREPARE.signature,
    ),
]  # fmt: skip


@pytest.mark.parametrize("message", EVERY_MESSAGE, ids=lambda message: type(message).__name__)
def test_codec__every_message__survives_the_round_trip(message: m.Message) -> None:
    assert m.decode(m.encode(message)) == message


@pytest.mark.parametrize("message", EVERY_MESSAGE, ids=lambda message: type(message).__name__)
def test_decode__truncated_or_extended__is_malformed(message: m.Message) -> None:
    data = m.encode(message)
    for bad in (b"", data[:-1], data + b"\0", b"\xc1" + data):
        with pytest.raises(m.MessageMalformed):
            m.decode(bad)


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_decode__mutated_bytes__is_malformed_or_canonical(data: st.DataObject) -> None:
    original = bytearray(m.encode(data.draw(st.sampled_from(EVERY_MESSAGE))))
    for _ in range(data.draw(st.integers(1, 4))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = m.decode(bytes(original))
    except m.MessageMalformed:
        return
    assert m.encode(message) == bytes(original)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300))
def test_decode__arbitrary_bytes__raise_nothing_else(data: bytes) -> None:
    with contextlib.suppress(m.MessageMalformed):
        m.decode(data)


def test_decode__second_encoding_of_the_same__is_malformed() -> None:
    data = m.encode(m.Request(task=5, seq=1, value=b"v"))
    padded = data.replace(b"\x05\x01", b"\xcc\x05\x01", 1)
    with pytest.raises(m.MessageMalformed, match="canonical"):
        m.decode(padded)


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": DIGEST[:-1]},
        {"signature": b"\0" * 64},
        {"value": b""},
        {"value": bytes(m.MAX_VALUE_BYTES + 1)},
        {"seq": 0},
        {"seq": m.MAX_SEQ + 1},
        {"view": -1},
        {"view": m.MAX_VIEW + 1},
        {"sender": 64},
        {"task": -1},
    ],
)
def test_decode__field_out_of_its_bounds__is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(m.MessageMalformed):
        m.decode(m.encode(pre_prepare(**changes)))


def test_decode__largest_value__is_read() -> None:
    value = bytes(m.MAX_VALUE_BYTES)
    assert m.decode(m.encode(m.Request(task=1, seq=1, value=value))) == m.Request(task=1, seq=1, value=value)


def test_decode__message_beyond_the_limit__is_not_even_parsed() -> None:
    with pytest.raises(m.MessageMalformed, match="at most"):
        m.decode(bytes(m.MAX_MESSAGE_BYTES + 1))


@pytest.mark.parametrize(
    "changes",
    [{"view": 1}, {"seq": 4}, {"digest": bytes(32)}, {"sender": 2}],
    ids=lambda changes: next(iter(changes)),
)
def test_signature__another_field__no_longer_holds(changes: dict[str, Any]) -> None:
    assert PREPARE.verify(INSTANCE, is_signed_by)
    assert not msgspec.structs.replace(PREPARE, **changes).verify(INSTANCE, is_signed_by)


def test_signature__another_phase_task_or_domain__no_longer_holds() -> None:
    fields = msgspec.structs.asdict(PREPARE)
    assert not m.Commit(**fields).verify(INSTANCE, is_signed_by)
    other_task = m.Instance(domain=INSTANCE.domain, task=6, members=MEMBERS)
    other_domain = m.Instance(domain=bytes(32), task=5, members=MEMBERS)
    assert not PREPARE.verify(other_task, is_signed_by)
    assert not PREPARE.verify(other_domain, is_signed_by)


def test_signature__sender_beyond_the_members__does_not_hold() -> None:
    assert not msgspec.structs.replace(PREPARE, sender=4).verify(INSTANCE, is_signed_by)


def test_pre_prepare__value_of_another_digest__does_not_verify() -> None:
    assert pre_prepare().verify(INSTANCE, is_signed_by)
    assert not pre_prepare(value=b"other").verify(INSTANCE, is_signed_by)


def test_instance__domain_of_wrong_length__is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        m.Instance(domain=b"short", task=1, members=MEMBERS)


def test_evidence__two_words_of_one_member__verifies_and_nothing_less_does() -> None:
    other = m.Prepare.signed(INSTANCE, SIGNERS[1], sender=1, view=2, seq=3, digest=bytes(32))
    commit = m.Commit.signed(INSTANCE, SIGNERS[1], sender=1, view=2, seq=3, digest=bytes(32))
    later = m.Prepare.signed(INSTANCE, SIGNERS[1], sender=1, view=3, seq=3, digest=bytes(32))
    forged = msgspec.structs.replace(other, signature=PREPARE.signature)
    assert m.Evidence(first=PREPARE, second=other).verify(INSTANCE, is_signed_by)
    for second in (PREPARE, commit, later, forged):
        assert not m.Evidence(first=PREPARE, second=second).verify(INSTANCE, is_signed_by)


def test_evidence__two_replies_of_one_member__verifies_whatever_the_view() -> None:
    assert m.Evidence(first=reply(b"one"), second=reply(b"two")).verify(INSTANCE, is_signed_by)
    assert not m.Evidence(first=reply(b"one"), second=reply(b"two", 1)).verify(INSTANCE, is_signed_by)

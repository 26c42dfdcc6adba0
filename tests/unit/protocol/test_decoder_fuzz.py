"""The two decoders that face the network, fed with what no encoder wrote: nothing but the declared errors
comes out, and no input makes them take memory beyond a small multiple of its own size.
"""

import random
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import frames, pbft_messages
from protocol.frames import App, Ask, Bundle, Forward, FrameMalformed, Hello, Proof, Status, Welcome
from protocol.members import MAX_MEMBERS
from protocol.pbft_messages import (
    Checking,
    Claim,
    Commit,
    Committed,
    Decision,
    Fetch,
    MessageMalformed,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    Proposal,
    Reject,
    Reply,
    Request,
    ViewChange,
    ViewVote,
    value_digest,
)

D, S, V = value_digest(b"value"), bytes(range(65)), b"value"
BOMBS = (
    b"",
    b"\xc1",
    b"\x91" * 100_000,  # arrays in arrays
    b"\x81\x00" * 50_000,
    b"\xdd\xff\xff\xff\xff",  # an array of four thousand million
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",  # bytes, as many
    b"\xdb\xff\xff\xff\xff",
    b"\x98\x02\x00\x00\x01\xc6\x7f\xff\xff\xff",
    b"\x94\x04\xdd\x10\x00\x00\x00",
    b"\x95\x07\xcf" + b"\xff" * 8,
)


def messages() -> Iterator[pbft_messages.Message]:
    """One of each kind, with everything optional in it."""
    vote: dict[str, Any] = {"task": 7, "view": 3, "seq": 5, "digest": D, "sender": 2, "signature": S}
    for kind in (Prepare, Commit, Reject, Checking, Fetch):
        yield kind(**vote)
    yield PrePrepare(**vote, value=V)
    yield Request(task=7, seq=5, value=V)
    yield Reply(task=7, seq=5, digest=D, sender=2, signature=S, endorsement=S)
    decision = Decision(task=7, seq=5, value=V, signers=(0, 1, 2), signatures=(S,) * 3, endorsements=(S,) * 3)
    yield decision
    yield Committed(task=7, view=3, seq=5, value=V, signers=(0, 1, 2), signatures=(S,) * 3)
    certificate = PreparedCertificate(
        seq=6, view=2, digest=D, proposal=S, signers=(0, 1, 3), signatures=(S,) * 3
    )
    claims = (Claim(seq=6, view=2, digest=D), Claim(seq=8, view=1, digest=D))
    one = ViewVote(view=4, decided=5, claims=claims, sender=1, signature=S)
    yield ViewChange(task=7, vote=one, decision=decision, certificates=(certificate,) * 2, values=(V, V))
    yield NewView(
        task=7,
        view=4,
        votes=(one,) * 3,
        decision=decision,
        certificates=(certificate,) * 2,
        values=(V, V),
        proposals=(Proposal(seq=6, digest=D, signature=S),),
        sender=0,
        signature=S,
    )


def some_frames() -> Iterator[frames.Frame]:
    address = "0x" + "ab" * 20
    bodies = tuple(pbft_messages.encode(message) for message in messages())
    yield Hello(domain=D, address=address, nonce=D)
    yield Welcome(address=address, nonce=D, signature=S)
    yield Proof(signature=S)
    yield Bundle(bodies=bodies, relayed=True)
    yield Forward(to=address, bodies=bodies[:2])
    yield App(kind="fault", body=b"{}")
    yield Ask(request=Request(task=7, seq=5, value=V))
    yield Status(task=7, seq=5, digest=D, status="decided", detail="all is well")


MESSAGES = tuple(pbft_messages.encode(message) for message in messages())
FRAMES = tuple(frames.encode_frame(frame) for frame in some_frames())
INTERESTING = bytes.fromhex("00017f8090919293a0bfc0c1c2c3c4c5c6cacccdcecfd0d3d9dadbdcdddedfe0ff")


def mutated(rng: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """A few bytes changed, put in, taken out, repeated, or swapped with another message; or noise."""
    if rng.random() < 0.08:
        return rng.randbytes(rng.choice((1, 3, 9, 40, 300)))
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 5, 33, 66)))
        match rng.randrange(7):
            case 0:
                data[at:end] = rng.randbytes(end - at)
            case 1:
                data[at:end] = bytes((rng.choice(INTERESTING),))
            case 2:
                data[at:at] = bytes((rng.choice(INTERESTING),))
            case 3:
                del data[at:end]
            case 4:
                data[at:at] = data[at:end] * rng.choice((1, 2, 40))
            case 5:
                other = rng.choice(seeds)
                cut = rng.randrange(len(other))
                data[at:end] = other[cut : cut + 80]
            case 6:
                del data[at:]
    return bytes(data)


def digest_message(data: bytes) -> bool:
    """Whether it is a message. What is one has one encoding, and keeps every bound."""
    try:
        message = pbft_messages.decode(data)
    except MessageMalformed:
        return False
    assert pbft_messages.encode(message) == data
    assert len(getattr(message, "value", b"x")) <= pbft_messages.MAX_VALUE_BYTES
    assert 0 <= getattr(message, "sender", 0) < MAX_MEMBERS
    return True


def digest_frame(data: bytes) -> bool:
    try:
        frame = frames.decode_frame(data)
    except FrameMalformed:
        return False
    assert len(getattr(frame, "bodies", ())) <= frames.MAX_BUNDLE
    assert msgspec.msgpack.decode(frames.encode_frame(frame), type=frames.Frame) == frame
    return True


def fuzz(count: int, seed: int) -> dict[str, int]:
    """``count`` inputs, half for each decoder; how many were well formed after all."""
    rng = random.Random(seed)
    accepted = {"messages": 0, "frames": 0}
    for _ in range(count // 2):
        accepted["messages"] += digest_message(mutated(rng, MESSAGES))
        accepted["frames"] += digest_frame(mutated(rng, FRAMES))
    return accepted


def test_decoders__what_the_encoders_wrote__is_read_back() -> None:
    assert all(map(digest_message, MESSAGES))
    assert all(map(digest_frame, FRAMES))


def test_decoders__twenty_thousand_mutations__raise_only_what_they_declare() -> None:
    accepted = fuzz(20_000, seed=1)
    assert all(100 < count < 5_000 for count in accepted.values()), accepted


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_decoders__a_million_mutations__raise_only_what_they_declare() -> None:
    tracemalloc.start()
    try:
        fuzz(20_000, seed=2)
        settled, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        fuzz(20_000, seed=3)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept - settled < 64 * 1024
    assert peak - settled < 8 * 1024 * 1024
    accepted = fuzz(960_000, seed=4)
    print(f"of 480,000 each, {accepted} were well formed")


@pytest.mark.parametrize("read", [digest_message, digest_frame])
@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_decoders__bomb__is_refused_in_little_memory(read: Callable[[bytes], bool], bomb: bytes) -> None:
    tracemalloc.start()
    try:
        assert not read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024


@pytest.mark.parametrize("read", [digest_message, digest_frame])
def test_decoders__nested_inside_each_field_of_a_message__raise_only_what_they_declare(
    read: Callable[[bytes], bool],
) -> None:
    for seed in (*MESSAGES, *FRAMES):
        for at in range(len(seed)):
            read(seed[:at] + b"\x91" * 5_000 + seed[at:])


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
def test_decoders__any_bytes__raise_only_what_they_declare(data: bytes) -> None:
    digest_message(data)
    digest_frame(data)


def test_decode__one_byte_too_many__is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbft_messages, "MAX_MESSAGE_BYTES", len(MESSAGES[0]) - 1)
    with pytest.raises(MessageMalformed, match="at most"):
        pbft_messages.decode(MESSAGES[0])


def test_decode_frame__text__is_refused() -> None:
    with pytest.raises(FrameMalformed, match="binary is needed"):
        frames.decode_frame("text")

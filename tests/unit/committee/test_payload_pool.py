"""The pool of payloads at a validator: bounded, in order, and gone when the chain has them."""

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from committee import payload_pool
from committee.payload_pool import MAX_PER_AUTHOR, PayloadPool, PayloadRefused
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, sha256
from protocol.learning_payload import MAX_DATA_BYTES, SignedPayload, may_carry, payload_list, sign_payload
from protocol.payload_offer import (
    OFFER_KIND,
    WAITING_KIND,
    OfferAnswer,
    decode_offer,
    decode_waiting,
    decode_wanted,
    encode_offer,
    encode_waiting,
    encode_wanted,
)
from protocol.signing import KeySigner
from protocol.typed_data import Domain

DOMAIN = Domain(chain_id=31337, market=Address("0x" + "33" * 20))
OTHER = Domain(chain_id=31337, market=Address("0x" + "44" * 20))
ALICE, BOB = KeySigner(sha256(b"alice")), KeySigner(sha256(b"bob"))


def payload(
    number: int, who: KeySigner = ALICE, domain: Domain = DOMAIN, data: bytes = b"x"
) -> SignedPayload:
    return sign_payload(who, domain, number, data)


def pool() -> PayloadPool:
    made = PayloadPool(DOMAIN)
    made.moved({})
    return made


def test_pool__chain_not_read__takes_nothing() -> None:
    with pytest.raises(PayloadRefused, match="not read the learning chain"):
        PayloadPool(DOMAIN).add(payload(0))


def test_pool__authors_in_turn__are_listed_as_they_came_and_a_block_may_carry_them() -> None:
    waiting = pool()
    came = [payload(0), payload(0, BOB), payload(1), payload(1, BOB)]
    for one in came:
        waiting.add(one)
        waiting.add(one)
    assert waiting.listed() == came
    assert waiting.of(BOB.address) == [came[1], came[3]]
    assert may_carry({}, payload_list(waiting.listed()), DOMAIN) is True


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (payload(0, data=b"other"), "number 0 is taken, the next one is 1"),
        (payload(2), "leaves a gap, the next one is 1"),
        (payload(1, domain=OTHER), "not signed by"),
        (dataclasses.replace(payload(1), data=b"y"), "not signed by"),
        (dataclasses.replace(payload(0, BOB), author=KeySigner(sha256(b"eve")).address), "not signed by"),
    ],
)
def test_pool__taken_early_foreign_or_forged__is_refused_with_a_sentence(
    wrong: SignedPayload, why: str
) -> None:
    waiting = pool()
    waiting.add(payload(0))
    with pytest.raises(PayloadRefused, match=why):
        waiting.add(wrong)
    assert waiting.listed() == [payload(0)]


def test_pool__one_author_without_end__leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = pool()
    for number in range(MAX_PER_AUTHOR):
        waiting.add(payload(number))
    with pytest.raises(PayloadRefused, match="payloads of this author wait"):
        waiting.add(payload(MAX_PER_AUTHOR))
    waiting.add(payload(0, BOB))
    monkeypatch.setattr(payload_pool, "MAX_WAITING", MAX_PER_AUTHOR + 1)
    with pytest.raises(PayloadRefused, match="pool is full"):
        waiting.add(payload(1, BOB))


def test_pool__too_many_bytes__is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_pool, "MAX_POOL_BYTES", 2 * MAX_DATA_BYTES)
    waiting = pool()
    for number in range(2):
        waiting.add(payload(number, data=bytes(MAX_DATA_BYTES)))
    with pytest.raises(PayloadRefused, match="pool is full"):
        waiting.add(payload(2))
    waiting.moved({ALICE.address: 1})
    waiting.add(payload(2))


def test_pool__new_head__what_it_holds_leaves_and_the_rest_stays() -> None:
    waiting = pool()
    for number in range(3):
        waiting.add(payload(number))
    waiting.moved({ALICE.address: 2})
    assert waiting.listed() == [payload(2)]
    with pytest.raises(PayloadRefused, match="the next one is 3"):
        waiting.add(payload(1))
    waiting.add(payload(3))


def test_pool__head_taken_back__what_does_not_follow_leaves() -> None:
    waiting = PayloadPool(DOMAIN)
    waiting.moved({ALICE.address: 2})
    waiting.add(payload(2))
    waiting.moved({ALICE.address: 1})
    assert waiting.listed() == []
    waiting.add(payload(1))


def test_pool__chain_unreadable_for_a_while__keeps_what_it_has() -> None:
    waiting = pool()
    waiting.add(payload(0))
    waiting.moved(None)
    assert waiting.numbers is None
    waiting.moved({})
    assert waiting.listed() == [payload(0)]


def test_answer__offer_and_question__are_answered() -> None:
    waiting = pool()
    first = OfferAnswer.decode(waiting.answer(OFFER_KIND, encode_offer(payload(0))))
    assert first == OfferAnswer(digest=payload(0).digest(DOMAIN), kept=True)
    early = OfferAnswer.decode(waiting.answer(OFFER_KIND, encode_offer(payload(5))))
    assert (early.kept, early.why) == (False, "number 5 leaves a gap, the next one is 1")
    for who in (None, ALICE.address):
        assert decode_waiting(waiting.answer(WAITING_KIND, encode_wanted(who))) == [payload(0)]
    assert decode_waiting(waiting.answer(WAITING_KIND, encode_wanted(BOB.address))) == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("gossip", b""),
        (OFFER_KIND, b""),
        (OFFER_KIND, b"[" * 100_000),
        (OFFER_KIND, json.dumps({**payload(0).to_json(), "sequence": -1}).encode()),
        (OFFER_KIND, json.dumps({**payload(0).to_json(), "data": "0x" + "00" * 2_000}).encode()),
        (WAITING_KIND, b"0x12"),
        (WAITING_KIND, b"\xff"),
    ],
)
def test_answer__what_is_no_message__is_the_clients_offence(kind: str, body: bytes) -> None:
    with pytest.raises(PeerMisbehaved):
        pool().answer(kind, body)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300) | st.sampled_from([b"null", b"{}", b"[1]", b'{"kept":1}', b"[[" * 9_000]))
def test_decoders__any_bytes__raise_only_what_they_declare(data: bytes) -> None:
    for decode in (decode_offer, decode_waiting, decode_wanted, OfferAnswer.decode):
        with contextlib.suppress(PeerMisbehaved):
            decode(data)


def test_waiting__more_than_fits__is_cut_at_a_whole_payload() -> None:
    many = [payload(number, data=bytes(MAX_DATA_BYTES)) for number in range(2)] * 100
    shown = decode_waiting(encode_waiting(many))
    assert 90 < len(shown) < 200
    assert shown == many[: len(shown)]

"""What validators show of waiting payloads is worth its authors' signatures."""

import dataclasses

from pot.payload_client import Told, sort_waiting
from protocol.ids import Address, sha256
from protocol.learning_payload import SignedPayload, sign_payload
from protocol.payload_offer import encode_waiting
from protocol.signing import KeySigner
from protocol.typed_data import Domain

DOMAIN = Domain(chain_id=31337, market=Address("0x" + "33" * 20))
ALICE, BOB = KeySigner(sha256(b"alice")), KeySigner(sha256(b"bob"))
VALIDATOR = Address("0x" + "55" * 20)


def told(*payloads: SignedPayload) -> Told:
    return Told(validator=VALIDATOR, bodies=(encode_waiting(payloads),))


def test_waiting__from_several_validators__each_payload_once_by_number_and_signed() -> None:
    first, second = (sign_payload(ALICE, DOMAIN, number, b"x") for number in range(2))
    foreign = sign_payload(BOB, DOMAIN, 0, b"y")
    forged = dataclasses.replace(sign_payload(ALICE, DOMAIN, 2, b"z"), data=b"other")
    silent = Told(validator=VALIDATOR, problem="refused")
    junk = Told(validator=VALIDATOR, bodies=(b"[1]",))
    heard = [told(second, first), silent, junk, told(first, foreign, forged)]
    assert sort_waiting(heard, ALICE.address, DOMAIN) == [first, second]
    everybody = sort_waiting(heard, None, DOMAIN)
    assert sorted(p.data for p in everybody) == [b"x", b"x", b"y"]
    assert [p.sequence for p in everybody] == [0, 0, 1]

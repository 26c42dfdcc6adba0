"""Header blooms, bit by bit as the yellow paper writes them, and what they must never hide."""

from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.chain.bloom import BLOOM_BYTES, may_hold
from protocol.ids import Address, parse_address

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: parse_address("0x" + raw.hex()))


def bloom_of(*items: bytes) -> bytes:
    """The yellow paper's M, bit by bit."""
    bits = [False] * (8 * BLOOM_BYTES)
    for item in items:
        digest = keccak(item)
        for i in (0, 2, 4):
            bits[2047 - ((digest[i] << 8 | digest[i + 1]) & 0x7FF)] = True
    return bytes(sum(bits[8 * i + j] << (7 - j) for j in range(8)) for i in range(BLOOM_BYTES))


def raw(address: Address) -> bytes:
    return bytes.fromhex(address[2:])


@given(st.lists(addresses, min_size=1, max_size=5), st.lists(st.binary(max_size=32), max_size=5))
def test_may_hold__address_with_a_log__is_never_missed(held: list[Address], topics: list[bytes]) -> None:
    bloom = bloom_of(*map(raw, held), *topics)
    assert all(may_hold(bloom, [address]) for address in held)
    assert may_hold(bloom, held)


@given(addresses)
def test_may_hold__empty_block__holds_nothing(address: Address) -> None:
    assert not may_hold(bytes(BLOOM_BYTES), [address])
    assert not may_hold(bytes(BLOOM_BYTES), [])


@given(addresses, addresses)
def test_may_hold__another_s_log__is_told_apart_unless_the_bits_collide(one: Address, other: Address) -> None:
    theirs, ours = (int.from_bytes(bloom_of(raw(address)), "big") for address in (one, other))
    assert may_hold(bloom_of(raw(one)), [other]) == (theirs & ours == ours)


@given(addresses, st.binary(max_size=300).filter(lambda data: len(data) != BLOOM_BYTES))
def test_may_hold__no_bloom__says_nothing(address: Address, bloom: bytes) -> None:
    assert may_hold(bloom, [address])

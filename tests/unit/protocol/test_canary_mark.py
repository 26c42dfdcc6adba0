"""Marks: put where only execution finds them, found by who knows the salt, shown by a blob's end."""

import hashlib
import json

import pytest

from protocol.canary_mark import (
    MARK_BITS,
    canary_root,
    canary_salt,
    codes_place,
    found_mark,
    mark_of,
    marked,
    tail_of,
    tellable,
)
from protocol.errors import InvalidInput
from protocol.ids import parse_address, sha256
from protocol.policy import default_policy
from protocol.sha256 import INITIAL_STATE, absorb, finish
from protocol.signing import KeySigner
from protocol.typed_data import Domain
from tests.vectors.generate import gradient_blob

SPEC = sha256(b"spec")
DOMAIN = Domain(chain_id=1, market=parse_address("0x" + "11" * 20))


def codes_of(blob: bytes) -> list[int]:
    end, width = codes_place(blob)
    places = range(end - MARK_BITS * width, end, width)
    return [int.from_bytes(blob[place : place + width], "little", signed=True) for place in places]


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_sha256__cut_at_any_block__is_the_hash(length: int) -> None:
    data = bytes(i % 251 for i in range(length))
    skipped = length // 2 // 64 * 64
    state = absorb(INITIAL_STATE, data[:skipped])
    assert finish(state, skipped, data[skipped:]) == hashlib.sha256(data).digest()


def test_sha256__part_of_a_block__cannot_be_absorbed() -> None:
    with pytest.raises(ValueError, match="63 bytes"):
        absorb(INITIAL_STATE, bytes(63))


@pytest.mark.parametrize("width", [1, 2])
def test_marked__any_blob__carries_the_mark_and_moved_by_one_level_at_most(width: int) -> None:
    blob = gradient_blob(width, 1_000)
    for number in range(20):
        mark = mark_of(sha256(bytes([number])), SPEC, 3, number)
        made = marked(blob, mark, 8 * width - 1)
        assert found_mark(made) == mark
        moves = [abs(a - b) for a, b in zip(codes_of(blob), codes_of(made), strict=True)]
        assert set(moves) == {0, 1}
        assert max(map(abs, codes_of(made))) < 1 << (8 * width - 1)
        assert len(made) == len(blob)


def test_marked__smallest_scaled_peak__grows_so_that_the_block_keeps_its_scale() -> None:
    blob = bytearray(gradient_blob(2, 200))
    end, _ = codes_place(bytes(blob))
    for value in (1 << 14, -(1 << 14)):
        blob[end - 256 : end] = value.to_bytes(2, "little", signed=True) * MARK_BITS
        made = codes_of(marked(bytes(blob), (1 << MARK_BITS) - 1, 15))
        assert set(made) == {value + (1 if value > 0 else -1)}


def test_tail_of__any_blob__leads_to_its_hash_and_holds_the_mark() -> None:
    blob = marked(gradient_blob(2, 5_000), mark_of(sha256(b"salt"), SPEC, 1, 1), 15)
    tail = tail_of(blob)
    assert finish(tail.state, tail.skipped, tail.data) == hashlib.sha256(blob).digest()
    assert tail.data[: tail.codes_end][-256:] == blob[codes_place(blob)[0] - 256 : codes_place(blob)[0]]
    assert len(tail.data) < len(blob)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\xff" * 100,
        gradient_blob(2, 127),
        (4).to_bytes(8, "little") + b"[[[[",
        gradient_blob(2, 200)[:300],
    ],
)
def test_codes_place__anything_else__is_refused(blob: bytes) -> None:
    with pytest.raises(InvalidInput):
        codes_place(blob)


def test_codes_place__hostile_offsets__are_refused() -> None:
    header = json.dumps({"codes": {"dtype": "I16", "data_offsets": [-9, 10**9]}}).encode()
    with pytest.raises(InvalidInput):
        codes_place(len(header).to_bytes(8, "little") + header + bytes(600))


def test_salt__same_key_and_spec__is_the_same_and_another_otherwise() -> None:
    key, other = KeySigner(sha256(b"a")), KeySigner(sha256(b"b"))
    salt = canary_salt(key, DOMAIN, SPEC)
    assert salt == canary_salt(key, DOMAIN, SPEC)
    assert len({salt, canary_salt(other, DOMAIN, SPEC), canary_salt(key, DOMAIN, sha256(b"x"))}) == 3
    assert canary_root([(key.address, salt)]) != canary_root([(other.address, salt)])


def test_tellable__shipped_policy__holds_for_exact_integer_codes_alone() -> None:
    found = {
        (limits.compute, limits.codec)
        for limits in default_policy().limits
        if tellable(limits, limits.codec, 10**6)
    }
    assert found == {("float64", "int8"), ("float64", "int16")}

"""Quorum arithmetic against a twin that is too dumb to be wrong, and vectors that the contracts read too."""

import itertools
import json
from pathlib import Path

import pytest

from protocol.errors import InvalidInput
from protocol.members import MAX_MEMBERS, Members, max_faulty, quorum

VECTORS = Path(__file__).parents[2] / "vectors" / "quorum.json"


def dumb_max_faulty(n: int) -> int:
    faulty = 0
    while 3 * (faulty + 1) + 1 <= n:
        faulty += 1
    return faulty


def dumb_quorum(n: int) -> int:
    """The smallest size at which every two quorums share more members than can be faulty: by trying."""
    faulty = dumb_max_faulty(n)
    for size in range(1, n + 1):
        smallest_overlap = max(0, 2 * size - n)
        if smallest_overlap > faulty:
            return size
    raise AssertionError(n)


def some_members(n: int) -> Members:
    return Members.of(f"0x{i + 1:040x}" for i in range(n))


@pytest.mark.parametrize("n", range(1, 101))
def test_quorum__any_size__equals_the_dumb_twin(n: int) -> None:
    assert max_faulty(n) == dumb_max_faulty(n)
    assert quorum(n) == dumb_quorum(n)
    assert quorum(n) <= n - max_faulty(n)


@pytest.mark.parametrize("n", [4, 5, 6, 7])
def test_quorum__every_pair_of_quorums__shares_an_honest_member(n: int) -> None:
    groups = [set(group) for group in itertools.combinations(range(n), quorum(n))]
    assert all(len(a & b) > max_faulty(n) for a in groups for b in groups)


def test_quorum__vectors__match_the_file_that_the_contracts_read() -> None:
    rows = json.loads(VECTORS.read_text())["quorum"]
    assert [row["n"] for row in rows] == list(range(1, MAX_MEMBERS + 1))
    assert all((row["f"], row["quorum"]) == (max_faulty(row["n"]), quorum(row["n"])) for row in rows)


@pytest.mark.parametrize("n", [0, -1])
def test_max_faulty__no_members__raises(n: int) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        max_faulty(n)


def test_members__any_order_and_case__are_ascending_and_checksummed() -> None:
    members = Members.of(["0xAB" + "00" * 19, "0x" + "00" * 19 + "02", "0x" + "fe" * 20, "0x" + "01" * 20])
    assert members.raw == tuple(sorted(members.raw))
    assert members.index(members.addresses[2]) == 2
    assert members.index("0x" + "77" * 20) is None
    assert (members.n, members.max_faulty, members.quorum) == (4, 1, 3)
    assert [members.primary(view) for view in range(6)] == [0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize("n", [3, 65])
def test_members__too_few_or_too_many__are_refused(n: int) -> None:
    with pytest.raises(InvalidInput, match="4 to 64"):
        some_members(n)


def test_members__repeated_address__is_refused() -> None:
    with pytest.raises(InvalidInput, match="distinct"):
        Members.of(["0x" + "11" * 20] * 4)

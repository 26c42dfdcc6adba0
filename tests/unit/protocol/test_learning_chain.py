"""The learning chain: headers with one encoding, payloads in order, and only rightful blocks appended."""

import dataclasses
from dataclasses import dataclass, field
from functools import cache

import pytest

from protocol.errors import PeerMisbehaved
from protocol.hash_work import PUZZLE_TARGET, RETARGET_BLOCKS, next_target, retarget, target_for
from protocol.ids import ZERO32, Address, sha256
from protocol.learning_block import HEADER_BYTES, MAX_TARGET, Block, Kind, genesis
from protocol.learning_chain import MAX_DRIFT_S, Tip, Win, append, choose, start
from protocol.learning_payload import (
    MAX_DATA_BYTES,
    SignedPayload,
    follow,
    may_carry,
    order_list,
    parse_payloads,
    payload_list,
    payloads_root,
    sign_payload,
)
from protocol.signing import KeySigner
from protocol.typed_data import Domain
from worker.hash_miner import solve

DOMAIN = Domain(chain_id=31337, market=Address("0x" + "11" * 20))
ALICE, BOB = KeySigner(sha256(b"alice")), KeySigner(sha256(b"bob"))
GENESIS = genesis(DOMAIN.separator)
NOW = 1_000_000


@dataclass
class Book:
    """Facts as a test tells them."""

    wins: dict[int, Win] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def win_of(self, task: int) -> Win | None:
        return self.wins.get(task)

    def ended_without_winner(self, task: int) -> bool:
        return task in self.lost


def contest(
    parent: Block, task: int, book: Book, *, payloads: tuple[SignedPayload, ...] = (), after: int = 0
) -> Block:
    win = Win(
        winner=ALICE.address,
        model=sha256(b"model"),
        correct=90,
        answers=100,
        transactions=payloads_root(payloads),
    )
    book.wins[task] = win
    return Block(
        kind=Kind.CONTEST, parent=parent.hash, height=parent.height + 1, winner=win.winner, task=task,
        model=win.model, correct=win.correct, answers=win.answers, transactions=win.transactions,
        time=parent.time + 60, next_task=after,
    )  # fmt: skip


@cache
def puzzle(parent: Block) -> Block:
    block = Block(
        kind=Kind.PUZZLE, parent=parent.hash, height=parent.height + 1, winner=BOB.address,
        time=parent.time + 1, target=PUZZLE_TARGET,
    )  # fmt: skip
    return solve(block)


def grown(tip: Tip, block: Block, book: Book, payloads: tuple[SignedPayload, ...] = ()) -> Tip:
    return append(tip, block, payload_list(payloads), domain=DOMAIN, facts=book, now=NOW)


def test_header__round_trip__is_the_only_encoding() -> None:
    block = contest(GENESIS, 3, Book())
    assert len(block.header) == HEADER_BYTES
    assert Block.parse(block.header) == block
    assert block.hash == sha256(block.header)


@pytest.mark.parametrize("place", range(13))
def test_header__every_word_changed__is_another_block_or_none(place: int) -> None:
    block = contest(GENESIS, 3, Book())
    header = bytearray(block.header)
    header[32 * place + 31] ^= 1
    try:
        other = Block.parse(bytes(header))
    except PeerMisbehaved:
        return
    assert other.hash != block.hash


@pytest.mark.parametrize("word", [0, 2, 3, 6, 7, 9])
def test_header__dirty_high_bytes__are_refused(word: int) -> None:
    header = bytearray(contest(GENESIS, 3, Book()).header)
    header[32 * word] = 1
    with pytest.raises(PeerMisbehaved):
        Block.parse(bytes(header))


def test_header__wrong_length_or_kind__is_refused() -> None:
    header = GENESIS.header
    for data in (b"", header[:-1], header + b"\0", bytes([0] * 31 + [9]) + header[32:]):
        with pytest.raises(PeerMisbehaved):
            Block.parse(data)


def test_chain__contests_and_puzzles__grow_it() -> None:
    book, tip = Book(), start(GENESIS)
    tip = grown(tip, contest(GENESIS, 1, book), book)
    tip = grown(tip, puzzle(tip.block), book)
    tip = grown(tip, contest(tip.block, 2, book), book)
    assert (tip.block.height, tip.contests) == (3, 2)
    assert tip.work == (1 << 256) // (PUZZLE_TARGET + 1)


def test_chain__block_that_is_no_genesis__does_not_start_one() -> None:
    with pytest.raises(PeerMisbehaved):
        start(contest(GENESIS, 1, Book()))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parent": ZERO32}, "does not follow"),
        ({"height": 2}, "height 2 after 0"),
        ({"time": 0}, "not later"),
        ({"time": NOW + MAX_DRIFT_S + 1}, "from the future"),
        ({"winner": BOB.address}, "not what was certified"),
        ({"model": sha256(b"other")}, "not what was certified"),
        ({"correct": 91}, "not what was certified"),
        ({"answers": 101}, "not what was certified"),
        ({"transactions": sha256(b"list")}, "not what was certified"),
        ({"task": 9}, "no certified winner"),
        ({"nonce": 1}, "carries a puzzle"),
        ({"kind": Kind.WORK}, "cannot stand here"),
        ({"kind": Kind.GENESIS}, "cannot stand here"),
    ],
)
def test_append__contest_block_with_one_field_altered__is_refused(
    change: dict[str, object], why: str
) -> None:
    book = Book()
    block = dataclasses.replace(contest(GENESIS, 1, book), **change)  # type: ignore[arg-type]
    with pytest.raises(PeerMisbehaved, match=why):
        grown(start(GENESIS), block, book)


def test_append__second_block_for_one_task__is_refused() -> None:
    book, tip = Book(), start(GENESIS)
    tip = grown(tip, contest(GENESIS, 1, book), book)
    with pytest.raises(PeerMisbehaved, match="has its block"):
        grown(tip, contest(tip.block, 1, book), book)


def test_append__puzzle_while_a_task_is_named__is_refused_until_it_ends_without_winner() -> None:
    book, tip = Book(), start(GENESIS)
    tip = grown(tip, contest(GENESIS, 1, book, after=5), book)
    block = puzzle(tip.block)
    with pytest.raises(PeerMisbehaved, match="task 5 is to be won"):
        grown(tip, block, book)
    with pytest.raises(PeerMisbehaved, match="task 5 was to be next"):
        grown(tip, contest(tip.block, 6, book), book)
    book.lost.add(5)
    assert grown(tip, block, book).block == block


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"target": PUZZLE_TARGET * 2}, "target of its own"),
        ({"nonce": 10**9}, "above its target"),
        ({"correct": 1}, "claims a model"),
        ({"model": sha256(b"m")}, "claims a model"),
    ],
)
def test_append__puzzle_that_is_none__is_refused(change: dict[str, object], why: str) -> None:
    block = dataclasses.replace(puzzle(GENESIS), **change)  # type: ignore[arg-type]
    with pytest.raises(PeerMisbehaved, match=why):
        grown(start(GENESIS), block, Book())


def test_choose__fork__the_chain_with_more_contests_wins_whatever_the_work() -> None:
    book, root = Book(), start(GENESIS)
    trained = grown(root, contest(GENESIS, 1, book), book)
    hashed = grown(root, puzzle(GENESIS), book)
    hashed = grown(hashed, puzzle(hashed.block), book)
    assert choose([hashed, trained]) == choose([trained, hashed]) == trained
    longer = grown(trained, puzzle(trained.block), book)
    assert choose([longer, trained]) == longer


def test_choose__equal_weights__everybody_takes_the_same() -> None:
    book, root = Book(), start(GENESIS)
    one = grown(root, contest(GENESIS, 1, book), book)
    two = grown(root, contest(GENESIS, 2, book), book)
    assert choose([one, two]) == choose([two, one])


def payloads() -> tuple[SignedPayload, ...]:
    return (
        sign_payload(ALICE, DOMAIN, 0, b"one"),
        sign_payload(BOB, DOMAIN, 0, b"two"),
        sign_payload(ALICE, DOMAIN, 1, b""),
    )


def test_payloads__in_a_block__move_their_authors_on_and_count_once() -> None:
    book, tip = Book(), start(GENESIS)
    tip = grown(tip, contest(GENESIS, 1, book, payloads=payloads()), book, payloads())
    assert dict(tip.sequences) == {ALICE.address: 2, BOB.address: 1}
    again = grown(tip, contest(tip.block, 2, book, payloads=payloads()), book, payloads())
    assert (again.block.height, again.sequences) == (2, tip.sequences)


def test_payloads__list_that_is_none__is_void_and_its_block_stands() -> None:
    book = Book()
    block = contest(GENESIS, 1, book)
    root = sha256(b"no list")
    book.wins[1] = dataclasses.replace(book.wins[1], transactions=root)
    block = dataclasses.replace(block, transactions=root)
    tip = append(start(GENESIS), block, b"no list", domain=DOMAIN, facts=book, now=NOW)
    assert (tip.block, dict(tip.sequences)) == (block, {})


def test_payloads__other_order_than_the_root__are_refused() -> None:
    book = Book()
    block = contest(GENESIS, 1, book, payloads=payloads())
    one, two, three = payloads()
    for wrong in ((two, one, three), (one, two), ()):
        with pytest.raises(PeerMisbehaved, match="other payloads"):
            grown(start(GENESIS), block, book, wrong)


def test_payloads__blob__round_trips_and_nothing_else_parses() -> None:
    blob = payload_list(payloads())
    assert tuple(parse_payloads(blob)) == payloads()
    for data in (b"", b"[]", b"{}", blob + b" ", blob.replace(b"0x6f6e65", b"0x6F6E65"), b"[" * 99_999):
        with pytest.raises(PeerMisbehaved):
            parse_payloads(data)


def test_payload__signed_for_another_deployment_or_altered__is_refused() -> None:
    payload = payloads()[0]
    other = Domain(chain_id=1, market=DOMAIN.market)
    with pytest.raises(PeerMisbehaved, match="not signed"):
        payload.verify(other)
    with pytest.raises(PeerMisbehaved, match="not signed"):
        dataclasses.replace(payload, data=b"two").verify(DOMAIN)


def test_payload__too_long__is_refused_by_its_author_and_by_readers() -> None:
    with pytest.raises(ValueError, match="at most"):
        sign_payload(ALICE, DOMAIN, 0, bytes(MAX_DATA_BYTES + 1))
    value = {**payloads()[0].to_json(), "data": "0x" + "00" * (MAX_DATA_BYTES + 1)}
    with pytest.raises(PeerMisbehaved):
        SignedPayload.from_json(value)


def test_follow__replayed_missing_and_unsigned_ones__are_void_where_they_stand() -> None:
    one, two, three = payloads()
    gap = sign_payload(BOB, DOMAIN, 5, b"gap")
    forged = dataclasses.replace(sign_payload(BOB, DOMAIN, 1, b"x"), data=b"y")
    found = follow({}, [three, one, two, one, gap, forged, three], DOMAIN)
    assert found.taken == (one, two, three)
    assert dict(found.sequences) == {ALICE.address: 2, BOB.address: 1}
    assert [why.partition(":")[0] for why in found.void] == [f"payload {i}" for i in (0, 3, 4, 5)]
    assert "not signed" in found.void[-1]


def test_order__list_of_one_block_after_another__void_is_the_same_for_everybody() -> None:
    first = order_list({}, payload_list(payloads()), DOMAIN)
    late = (payloads()[0], sign_payload(ALICE, DOMAIN, 2, b"next"))
    second = order_list(first.sequences, payload_list(late), DOMAIN)
    assert (second.taken, len(second.void)) == (late[1:], 1)
    assert order_list(second.sequences, b"", DOMAIN).sequences == second.sequences


def test_may_carry__another_members_list__once_true_is_true_for_ever() -> None:
    listed = payload_list(payloads())
    assert may_carry({}, listed, DOMAIN) is True
    assert may_carry({ALICE.address: 2, BOB.address: 7}, listed, DOMAIN) is True
    ahead = payload_list((sign_payload(ALICE, DOMAIN, 1, b"x"),))
    assert may_carry({}, ahead, DOMAIN) is None
    assert may_carry({ALICE.address: 1}, ahead, DOMAIN) is True


def test_may_carry__gap_repetition_forgery_or_no_list__is_false() -> None:
    one, _, three = payloads()
    gap = (one, sign_payload(ALICE, DOMAIN, 2, b"x"))
    forged = (dataclasses.replace(one, data=b"y"),)
    foreign = (sign_payload(ALICE, Domain(chain_id=1, market=DOMAIN.market), 0, b"x"),)
    for wrong in (gap, (one, one), (three, one), forged, foreign):
        assert may_carry({}, payload_list(wrong), DOMAIN) is False
    for junk in (b"", b"[]", b"junk", payload_list((one,)) + b" "):
        assert may_carry({}, junk, DOMAIN) is False


def test_root__no_payloads__is_zero() -> None:
    assert payloads_root(()) == ZERO32


def test_retarget__twice_as_fast__halves_the_target_within_bounds() -> None:
    target = target_for(1 << 20)
    assert retarget(target, 50, 100) == target // 2
    assert retarget(target, 200, 100) == target * 2
    assert retarget(target, 1, 100) == target // 4
    assert retarget(target, 10_000, 100) == target * 4
    assert retarget(MAX_TARGET, 10_000, 100) == MAX_TARGET


def test_next_target__only_whole_periods__change_it() -> None:
    first = target_for(1_000)
    blocks: list[Block] = []
    for number in range(3 * RETARGET_BLOCKS):
        target = next_target(blocks, 10, first)
        fast = number >= RETARGET_BLOCKS
        time = (blocks[-1].time if blocks else 0) + (5 if fast else 10)
        blocks.append(Block(kind=Kind.WORK, parent=ZERO32, height=number, time=time, target=target))
    targets = [block.target for block in blocks]
    assert set(targets[: 2 * RETARGET_BLOCKS]) == {first}
    assert targets[2 * RETARGET_BLOCKS] == first // 2

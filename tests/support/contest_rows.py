"""Contests and learning blocks put into an index without a chain, for pages and benchmarks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from coordinator.services.index_contests import ContestState, PanelState
from protocol.chain.contest import ContestParams, ContestStatus, OnchainContest, OnchainEntry, Outcome
from protocol.chain.contest_events import BLOCK_APPENDED, ContestEvent
from protocol.chain.event_base import EventRef
from protocol.ids import ZERO32, Address, EpochNo, Sha256, Wei, parse_address
from protocol.learning_block import ZERO_ADDRESS, Block, Kind, genesis
from tests.support.coordinator_world import World

START_S = 1_800_000_000
RIGHT = 161
ANSWERS = 180


def named(kind: str, number: int) -> Sha256:
    return Sha256(hashlib.sha256(f"{kind} {number}".encode()).digest())


def terms(spec_hash: Sha256, deadline: int) -> ContestParams:
    return ContestParams(
        spec_hash=spec_hash,
        test_set=named("test", 1),
        key_hash=named("key", 1),
        test_answers=ANSWERS,
        target_correct=175,
        min_correct=90,
        max_entries=8,
        reward=100 * 10**18,
        fee=6 * 10**18,
        compensation=5 * 10**18,
        miner_stake=10**21,
        slash_per_fault=5 * 10**20,
        commit_deadline=deadline,
        release_s=600,
        reveal_s=60,
        score_s=600,
        challenge_window_s=600,
        committee_size=4,
    )


def won(contest_id: int, people: Sequence[Address], spec_hash: Sha256) -> ContestState:
    """A contest that the second of three entries won; ``people``: poster, three miners, four members."""
    poster, miners, members = people[0], people[1:4], people[4:8]
    entries = tuple(
        OnchainEntry(
            place=place,
            miner=miner,
            committed_at=START_S + place,
            commitment=named("commitment", place),
            model=named("model", place) if place < 2 else ZERO32,
            trace=named("trace", place) if place < 2 else ZERO32,
        )
        for place, miner in enumerate(miners)
    )
    contest = OnchainContest(
        contest_id=contest_id,
        poster=poster,
        status=ContestStatus.CLOSED,
        outcome=Outcome.WON,
        epoch=EpochNo(1),
        entries=3,
        bad_test_set=False,
        decided_by=0,
        winner=1,
        winner_correct=RIGHT,
        revealed=0b11,
        frauds=0,
        ends_at=START_S + 2000,
        challenger=ZERO_ADDRESS,
        parent=named("parent", contest_id),
    )
    return ContestState(
        contest=contest,
        params=terms(spec_hash, START_S + 100),
        entries=entries,
        panels=(PanelState(instance=0, size=4, draw_block=5, members=tuple(members)),),
        held=0,
        bond=10**20,
        court_term_s=259_200,
    )


def events_of(state: ContestState, where: Sequence[EventRef], appended: Block) -> list[ContestEvent]:
    """What the chain told of a contest that was won; ``where`` has eight places."""
    contest, entries, number = state.contest, state.entries, state.contest.contest_id
    winner = entries[1].miner
    told: list[tuple[str, Address | None, int | None, dict[str, object]]] = [
        ("ContestPosted", contest.poster, 146 * 10**18, {"specHash": state.params.spec_hash}),
        *(
            ("EntryCommitted", entry.miner, None, {"entry": entry.place, "commitment": entry.commitment})
            for entry in entries
        ),
        ("TestSetReleased", None, None, {"key": named("key", 0), "revealEnds": START_S + 400}),
        (
            "ScoresAccepted",
            None,
            None,
            {
                "instance": 0,
                "certificate": {"record": named("record", number), "scores": named("scores", 1)},
                "scores": [150, RIGHT, 2**32 - 1],
                "signers": 0b1011,
            },
        ),
        ("ContestClosed", winner, None, {"outcome": 8, "refund": 40 * 10**18}),
        (BLOCK_APPENDED, winner, None, {}),
    ]
    return [
        ContestEvent(
            where=place,
            kind=kind,
            contest_id=number,
            account=account,
            amount=None if amount is None else Wei(amount),
            data=data,
            block=appended if kind == BLOCK_APPENDED else None,
        )
        for place, (kind, account, amount, data) in zip(where, told, strict=True)
    ]


def chain_of(separator: bytes, winners: Sequence[Address], roots: Mapping[int, bytes]) -> list[Block]:
    """Blocks above the genesis, one for each winner, the last one a puzzle; payload ``roots`` by height."""
    chain = [genesis(separator)]
    for height, winner in enumerate(winners, 1):
        free = height == len(winners)
        chain.append(
            Block(
                kind=Kind.PUZZLE if free else Kind.CONTEST,
                parent=chain[-1].hash,
                height=height,
                winner=winner,
                task=0 if free else height,
                model=ZERO32 if free else named("model", height),
                correct=0 if free else RIGHT,
                answers=0 if free else ANSWERS,
                transactions=roots.get(height, ZERO32),
                time=START_S + height,
                target=(1 << 250) if free else 0,
            )
        )
    return chain[1:]


def plant(w: World, separator: bytes, count: int, *, roots: Mapping[int, bytes] | None = None) -> None:
    """Contests 1 to ``count`` that were won, each in a block of its own, and their learning blocks; one
    puzzle at the end."""
    poster, *members = (parse_address(member.address) for member in w.members)
    miners = [parse_address(miner.address) for miner in w.miners]
    names = (poster, *miners, *members, poster)
    blocks = chain_of(separator, [names[2]] * (count + 1), roots or {})
    for number in range(1, count + 1):
        state = won(number, names, named("contest spec", number))
        base = w.where()
        places = [replace(base, tx_hash=named(f"tx {number}", i), log_index=i) for i in range(8)]
        told = events_of(state, places, blocks[number - 1])
        w.mine(*told, contests={number: state}, owed={names[2]: 100 * 10**18, names[0]: 0})
    puzzle = ContestEvent(
        where=w.where(),
        kind=BLOCK_APPENDED,
        contest_id=None,
        account=names[2],
        amount=None,
        data={},
        block=blocks[-1],
    )
    w.mine(puzzle)

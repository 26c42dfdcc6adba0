"""Processes that really hash."""

import dataclasses

from protocol.hash_work import target_for
from protocol.ids import ZERO32
from protocol.learning_block import Block, Kind
from worker.hash_miner import HashMiner, search, solve

BLOCK = Block(kind=Kind.WORK, parent=ZERO32, height=1, time=1, target=target_for(5_000))


def test_search__first_nonce_that_fits__is_the_one_that_trying_all_finds() -> None:
    found = search(BLOCK, 0, 1, 100_000)
    assert found is not None
    tried = (n for n in range(100_000) if dataclasses.replace(BLOCK, nonce=n).meets_target)
    assert found == next(tried)
    assert search(BLOCK, 0, 1, found) is None


def test_solve__block__meets_its_target() -> None:
    assert solve(BLOCK).meets_target


def test_miner__processes_that_join_and_leave__find_block_after_block() -> None:
    with HashMiner() as miner:
        miner.resize(2)
        block = BLOCK
        for height in range(1, 6):
            miner.begin(block)
            found = miner.result(60)
            while found is None:
                found = miner.result(60)
            assert found.meets_target
            assert found.header[:-32] == block.header[:-32]
            miner.resize(1 + height % 2)
            block = dataclasses.replace(BLOCK, parent=found.hash, height=height + 1, time=height + 1)
        assert miner.hashes > 0

"""Thefts against a trace, from honest runs as the experiment makes them; and blocks made by real work."""

import json
from pathlib import Path

import pytest

from pot.experiment import thefts
from pot.experiment.block_makers import MIX, ContestMaker, PooledMaker, WorkMaker
from pot.experiment.block_time import BlockTimePlan
from pot.experiment.block_time import measure as block_time
from pot.experiment.contests import DIGITS, MEMBERS, RECOMMENDED, job, trace_terms
from pot.experiment.sheets import write
from pot.experiment.sml import SmlPlan
from pot.experiment.sml import measure as sml
from worker.training.trace_plan import replayed_share


@pytest.mark.parametrize("every", [1, 2, 3, 10])
def test_terms__any_fineness__all_replicas_together_replay_at_most_a_quarter(every: int) -> None:
    recipe = job(DIGITS, RECOMMENDED, miner=0, seed=0, trace=trace_terms(every)).recipe
    assert 0.2 < replayed_share(recipe, MEMBERS) <= 0.25


def test_work_maker__blocks__meet_their_targets_and_follow_each_other() -> None:
    maker = WorkMaker(base=4)
    intervals = [maker.block(number, 4) for number in range(3)]
    assert all(interval > 0 for interval in intervals)
    assert all(block.meets_target for block in maker.blocks)
    assert maker.blocks[2].parent == maker.blocks[1].hash


def test_pooled_maker__more_miners__need_less_time_of_each() -> None:
    maker = PooledMaker(seed=1)
    maker.block(0, 1)
    assert maker.block(1, 8) < maker.block(2, 1)


def test_contest_maker__one_miner__reaches_the_target() -> None:
    assert ContestMaker(tasks=MIX[1:2], seed=3).block(1, 1) > 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sml__small_run__catches_every_theft_and_writes_its_folder(tmp_path: Path) -> None:
    found = sml(SmlPlan(seeds=1, attempts=2 * len(thefts.KINDS), miners=2, seed=5))
    document = write(found, tmp_path)
    assert found.ok
    assert document == json.loads((tmp_path / "sml.json").read_text())
    assert {row["theft"] for row in document["sheets"]["thefts-against-the-trace"]} == set(thefts.KINDS)
    assert (tmp_path / "sml.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "sml-what-a-thief-has.csv").read_text().startswith("data,outputs,owner,plain copy")
    assert "Secure Mapping Layer" in (tmp_path / "sml.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_block_time__small_run__names_every_chain(tmp_path: Path) -> None:
    document = write(block_time(BlockTimePlan(blocks=8, factor=2, seed=5)), tmp_path)
    assert len(document["sheets"]["steadiness"]) == 4
    assert all(row["mean, s"] > 0 for row in document["sheets"]["steadiness"])

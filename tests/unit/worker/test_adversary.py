"""Every wrong-doer, judged by the replayer under the spec's policy."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from protocol.batches import SUM
from protocol.errors import ConfigurationError
from protocol.ids import Address, RoundNo, Sha256, sha256
from protocol.policy import default_policy
from protocol.segment import RoundRecord, SegmentRecord
from tests.unit.worker.parts import TASK, Bench, bench, claim_of
from worker.adversary import KINDS, Copier, Withheld, adversary
from worker.forging import Accomplices
from worker.trainer import HonestTrainer, ShardAnswer, ShardWork
from worker.training.replay import ReplayVerdict
from worker.training.tolerance import Zone, limits_of

CAUGHT = [
    "lazy",
    "random",
    "scaled",
    "sign-flip",
    "wrong-shard",
    "partial-batch",
    "label-flip",
    "alie",
    "ipm",
    "low-precision",
    "one-batch",
]
MINER = Address("0x" + "33" * 20)


@pytest.fixture
def at(tmp_path: Path) -> Bench:
    return bench(tmp_path)


def tools(at: Bench, slept: list[float] | None = None) -> Accomplices:
    # A chain without any certificate: block 0, no logs.
    client = SimpleNamespace(block=lambda _: SimpleNamespace(number=0), logs=lambda *_: [])
    contract = SimpleNamespace(address=MINER, event=lambda name: (name.encode(), dict))
    deployment = SimpleNamespace(block=0, addresses=[])
    contracts = SimpleNamespace(
        client=client,
        deployment=deployment,
        market=contract,
        vault=contract,
        committee=contract,
        appeals=contract,
        canaries=contract,
    )
    return Accomplices(
        honest=HonestTrainer(1, "cpu"),
        contracts=cast(Any, contracts),
        blobs=at.blobs,
        sleep_s=(slept if slept is not None else []).append,
        miner=MINER,
    )


def judged(work: ShardWork, answer: ShardAnswer) -> ReplayVerdict:
    return claim_of(work, answer).replay()


@pytest.mark.parametrize("kind", CAUGHT)
def test_adversary__once_sampled__is_caught(at: Bench, kind: str) -> None:
    work = at.work(round_no=2, shard=1)
    answer = adversary(kind, tools(at)).train(work)
    verdict = judged(work, answer)
    assert not verdict.ok
    # It looks like work: the blob is readable and claims all samples.
    assert verdict.comparison is not None
    assert answer.samples == at.spec.recipe.samples_per_shard


def test_one_batch__once_sampled__is_named_and_shown_alone(at: Bench) -> None:
    work = at.work()
    answer = adversary("one-batch", tools(at)).train(work)
    last = at.spec.recipe.micro_batches - 1
    assert judged(work, answer).batch == last
    assert claim_of(work, answer).spot_fault(last)
    assert not claim_of(work, answer).spot_fault(0)


def test_false_batches__gradient_is_right__is_caught_by_its_micro_batches(at: Bench) -> None:
    work = at.work()
    verdict = judged(work, adversary("false-batches", tools(at)).train(work))
    assert (verdict.ok, verdict.identical, verdict.batch) == (False, True, 0)


def test_false_sum__micro_batches_are_right__is_caught_without_computing(at: Bench) -> None:
    work = at.work()
    answer = adversary("false-sum", tools(at)).train(work)
    assert judged(work, answer).batch == SUM
    assert claim_of(work, answer).spot_fault(SUM)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"false-sum", "late", "selective-abort", "copied"}))
def test_adversary__its_gradient__is_the_sum_of_what_it_names(at: Bench, kind: str) -> None:
    """Else a coordinator would turn it away, and nobody would see whether it is caught."""
    work = at.work(round_no=2, shard=1)
    answer = adversary(kind, tools(at)).train(work)
    assert len(answer.batches) == at.spec.recipe.micro_batches
    assert not claim_of(work, answer).spot_fault(SUM)


def test_inside_tolerance__one_shard__passes_as_far_from_honest_as_the_policy_lets_it(at: Bench) -> None:
    work = at.work()
    verdict = judged(work, adversary("inside-tolerance", tools(at)).train(work))
    assert verdict.comparison is not None
    limits = limits_of(work.spec, default_policy())
    assert (verdict.comparison.zone, verdict.identical) == (Zone.NEAR, False)
    assert verdict.comparison.differing == limits.codes(verdict.comparison.total)
    assert verdict.comparison.max_level == 1


def test_stale__from_the_second_model_on__is_caught(at: Bench) -> None:
    cheat, first = adversary("stale", tools(at)), at.work()
    assert judged(first, cheat.train(first)).identical
    moved = replace(first.checkpoint, round=1, parameters=first.checkpoint.parameters + np.float32(0.01))
    later = replace(at.work(round_no=2), checkpoint=moved)
    assert not judged(later, cheat.train(later)).ok


def test_late__waits_beyond_the_deadline__with_honest_work(at: Bench) -> None:
    slept: list[float] = []
    work = at.work()
    assert judged(work, adversary("late", tools(at, slept)).train(work)).identical
    assert slept == [1.5 * at.spec.limits.round_deadline_s]


def test_selective_abort__answers_some_shards__and_withholds_others(at: Bench) -> None:
    cheat = adversary("selective-abort", tools(at))
    odd, even = at.work(round_no=1, shard=0), at.work(round_no=1, shard=1)
    with pytest.raises(Withheld):
        cheat.train(odd)
    assert judged(even, cheat.train(even)).identical


def test_copied__with_nothing_to_copy__is_honest(at: Bench) -> None:
    work = at.work()
    assert judged(work, adversary("copied", tools(at)).train(work)).identical


def test_adversary__unknown_kind__lists_the_known_ones(at: Bench) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(", ".join(KINDS))):
        adversary("honest", tools(at))


def test_copied__another_miners_certified_gradient__is_taken_and_caught(at: Bench) -> None:
    stolen = at.miner.mine(at.job(), None)
    record = SegmentRecord(
        task_id=TASK,
        spec_hash=at.spec.hash,
        rounds=(
            RoundRecord(round=RoundNo(1), parent_model=at.genesis, model=at.genesis, contributions=(stolen,)),
        ),
        faults=(),
        fault_evidence=(),
        payouts={},
    )
    segment = at.blobs.put(record.blob)

    class WithHistory(Copier):
        def _segments(self, spec_hash: Sha256) -> list[Sha256]:
            return [segment]

    work = at.work(round_no=2, shard=1)
    answer = WithHistory(tools(at)).train(work)
    assert sha256(answer.gradient) == stolen.contribution.gradient
    assert not judged(work, answer).ok

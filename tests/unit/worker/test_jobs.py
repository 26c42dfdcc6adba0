"""The use case: what a miner refuses, in which order, and what it signs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.blobs import BlobMissing, BlobTooLarge
from protocol.chain.market import TaskStatus
from protocol.errors import InvalidInput, Refused, ServiceUnreachable
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId, parse_address
from tests.unit.worker.parts import ACCOUNT, DOMAIN, NOW_S, Bench, CountingTrainer, bench, claim_of
from worker.errors import JobRefused
from worker.task_book import STATUS_TTL_S
from worker.trainer import ShardAnswer, ShardWork
from worker.training.errors import BlobRejected


@pytest.fixture
def at(tmp_path: Path) -> Bench:
    return bench(tmp_path)


def test_mine__honest_job__delivers_what_replays_identically(at: Bench) -> None:
    signed = at.miner.mine(at.job(), NOW_S + 30)
    signed.verify(DOMAIN)
    c, work = signed.contribution, at.work()
    assert (c.miner, c.parent_model, c.spec_hash) == (
        parse_address(ACCOUNT.address),
        at.genesis,
        at.spec.hash,
    )
    parts = tuple(at.blobs.get(name) for name in c.batches)
    answer = ShardAnswer(
        gradient=at.blobs.get(c.gradient), batches=parts, samples=c.samples, loss_micros=c.loss_micros
    )
    verdict = claim_of(work, answer).replay()
    assert verdict.identical
    assert at.coordinator.delivered == [(signed, at.job())]


def test_mine__the_same_shard_again__delivers_the_same_without_computing(at: Bench) -> None:
    first = at.miner.mine(at.job(), None)
    second = at.miner.mine(at.job(attempt=2, fence=4), None)
    assert first == second
    assert at.trainer.calls == 1
    assert [job.fence for _, job in at.coordinator.delivered] == [3, 4]


def test_mine__after_a_restart__still_knows_what_it_signed(tmp_path: Path) -> None:
    first = bench(tmp_path)
    signed = first.miner.mine(first.job(), None)
    first.miner.journal.close()
    second = bench(tmp_path)
    assert second.miner.mine(second.job(), None) == signed
    assert second.trainer.calls == 0


class Other:
    """A trainer that answers something else than honest work."""

    def train(self, work: ShardWork) -> ShardAnswer:
        return ShardAnswer(gradient=b"something else", batches=(b"more",), samples=1, loss_micros=1)


def test_mine__the_store_lost_the_gradient__puts_back_the_same_one(at: Bench, tmp_path: Path) -> None:
    signed = at.miner.mine(at.job(), None)
    forget(at, tmp_path, signed.contribution.gradient)
    assert at.miner.mine(at.job(), None) == signed
    assert at.blobs.has(signed.contribution.gradient)
    assert at.trainer.calls == 2


def test_mine__a_recomputation_differs__signs_no_second_gradient(at: Bench, tmp_path: Path) -> None:
    signed = at.miner.mine(at.job(), None)
    forget(at, tmp_path, signed.contribution.gradient)
    miner = replace(at.miner, trainer=CountingTrainer(Other()))
    assert refusal(miner, at.job()) == "signed-another"
    assert at.coordinator.delivered == [(signed, at.job())]


def test_mine__another_parent_model__is_another_shard(at: Bench) -> None:
    at.miner.mine(at.job(), None)
    other = at.blobs.put(b"not a checkpoint")
    with pytest.raises(BlobRejected):
        at.miner.mine(at.job(parent_model=other), None)
    assert at.trainer.calls == 1


def test_mine__coordinator_away__has_signed_and_delivers_on_the_next_attempt(at: Bench) -> None:
    at.coordinator.error = ServiceUnreachable("the coordinator", "http://x", "gone")
    with pytest.raises(ServiceUnreachable):
        at.miner.mine(at.job(), None)
    at.coordinator.error = None
    at.miner.mine(at.job(attempt=2), None)
    assert at.trainer.calls == 1


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("not-open", {"status": TaskStatus.CANCELLED}, {}),
    ("not-open", {"status": TaskStatus.COMPLETED}, {}),
    ("not-open", {"status": TaskStatus.NONE}, {}),
    ("foreign-spec", {}, {"spec_hash": Sha256(b"\7" * 32)}),
    ("foreign-spec", {"spec_hash": Sha256(b"\7" * 32)}, {}),
    ("not-started", {"starts_at": int(NOW_S) + 1}, {}),
    ("over", {"deadline": int(NOW_S) - 1}, {}),
    ("out-of-range", {}, {"round": RoundNo(6)}),
    ("out-of-range", {}, {"shard": ShardNo(2)}),
]


@pytest.mark.parametrize(("reason", "on_chain", "in_job"), REFUSED)
def test_mine__job_against_the_chain__is_refused_without_work(
    at: Bench, reason: str, on_chain: dict[str, Any], in_job: dict[str, Any]
) -> None:
    at.chain.change(**on_chain)
    assert refusal(at.miner, at.job(**in_job)) == reason
    assert at.trainer.calls == 0
    assert at.coordinator.delivered == []


def test_mine__lease_over__is_refused_before_the_chain_is_asked(at: Bench) -> None:
    with pytest.raises(JobRefused) as caught:
        at.miner.mine(at.job(), NOW_S)
    assert caught.value.reason == "expired"
    assert at.chain.readings == 0


@pytest.mark.parametrize(
    "field",
    ["rounds", "shards", "reward_per_shard", "fee_per_round", "miner_stake", "slash_per_fault"],
)
def test_mine__terms_on_chain_are_not_the_specs__names_the_field(at: Bench, field: str) -> None:
    at.chain.change(**{field: getattr(at.chain.entry, field) + 1})
    with pytest.raises(InvalidInput, match=field):
        at.miner.mine(at.job(), None)


def test_mine__unknown_task__passes_on_the_chains_answer(at: Bench) -> None:
    with pytest.raises(Refused, match="no task 9"):
        at.miner.mine(at.job(task_id=TaskId(9)), None)


def test_mine__parent_model_not_stored__says_which_blob(at: Bench) -> None:
    with pytest.raises(BlobMissing):
        at.miner.mine(at.job(parent_model=Sha256(b"\1" * 32)), None)


def test_mine__blob_larger_than_this_machine_allows__is_not_loaded(at: Bench) -> None:
    with pytest.raises(BlobTooLarge):
        replace(at.miner, max_blob_bytes=100).mine(at.job(), None)


def test_mine__many_jobs_of_one_task__read_the_chain_once_until_it_is_stale(at: Bench) -> None:
    for shard in (0, 1):
        at.miner.mine(at.job(shard=ShardNo(shard)), None)
    assert at.chain.readings == 1
    at.clock.now += STATUS_TTL_S
    at.chain.change(status=TaskStatus.CLOSED)
    assert refusal(at.miner, at.job()) == "not-open"


def test_mine__chain_clock_ahead_of_ours__counts_as_started(at: Bench) -> None:
    at.chain.change(starts_at=int(NOW_S) + 50)
    at.chain.block_time = int(NOW_S) + 50
    at.miner.mine(at.job(), None)


def test_handle__pot_errors__are_logged_and_not_raised(at: Bench) -> None:
    at.miner.handle("nonsense", None)
    at.miner.handle(at.job(shard=ShardNo(9)).to_json(), None)
    assert at.coordinator.delivered == []


def test_handle__an_error_of_ours__is_passed_on(at: Bench) -> None:
    class Broken:
        def train(self, work: ShardWork) -> ShardAnswer:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replace(at.miner, trainer=Broken()).handle(at.job().to_json(), None)


def refusal(miner: Any, job: Any) -> str:
    with pytest.raises(JobRefused) as caught:
        miner.mine(job, None)
    return str(caught.value.reason)


def forget(at: Bench, folder: Path, name: Sha256) -> None:
    (folder / "blobs" / name.hex()[:2] / name.hex()).unlink()
    assert not at.blobs.has(name)

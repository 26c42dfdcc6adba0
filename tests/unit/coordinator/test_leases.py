import pytest

from coordinator.domain.leases import Verdict, judge, next_fence
from coordinator.domain.view import Lease
from protocol.ids import Address, Sha256, ShardNo

ME, OTHER = Address("0xme"), Address("0xother")
G1, G2 = Sha256(b"1" * 32), Sha256(b"2" * 32)
LEASE = Lease(shard=ShardNo(0), miner=ME, attempt=1, fence=7, granted_s=0, sent_s=0, lease_s=10)


@pytest.mark.parametrize(
    ("fence", "round_open", "lease", "filled_by", "verdict"),
    [
        (7, True, LEASE, None, Verdict.ACCEPTED),
        (7, True, LEASE, (ME, G1), Verdict.DUPLICATE),
        (1, False, None, (ME, G1), Verdict.DUPLICATE),
        (7, True, LEASE, (ME, G2), Verdict.LATE),
        (7, True, LEASE, (OTHER, G1), Verdict.LATE),
        (7, False, LEASE, None, Verdict.LATE),
        (6, True, LEASE, None, Verdict.STALE),
        (8, True, LEASE, None, Verdict.STALE),
        (7, True, None, None, Verdict.STALE),
    ],
)
def test_judge__each_situation__has_one_verdict(
    fence: int,
    round_open: bool,
    lease: Lease | None,
    filled_by: tuple[Address, Sha256] | None,
    verdict: Verdict,
) -> None:
    got = judge(miner=ME, gradient=G1, fence=fence, round_open=round_open, lease=lease, filled_by=filled_by)
    assert got is verdict


def test_judge__fence_of_somebody_elses_lease__is_stale() -> None:
    verdict = judge(miner=OTHER, gradient=G1, fence=7, round_open=True, lease=LEASE, filled_by=None)
    assert verdict is Verdict.STALE


def test_lease__job_not_yet_taken_by_the_broker__does_not_run_out() -> None:
    unsent = Lease(shard=ShardNo(0), miner=ME, attempt=1, fence=7, granted_s=0, sent_s=None, lease_s=10)
    assert not unsent.expired(1e9)
    assert not LEASE.expired(9.99)
    assert LEASE.expired(10)


def test_next_fence__database_deleted__is_above_every_earlier_one() -> None:
    assert next_fence(0, 5000.0) == 5_000_000
    assert next_fence(5_000_000, 5000.0) == 5_000_001
    assert next_fence(9_000_000, 5000.0) == 9_000_001

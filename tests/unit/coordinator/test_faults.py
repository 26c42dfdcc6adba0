from eth_account import Account

from coordinator.domain.faults import proven
from protocol.contribution import Contribution, SignedContribution
from protocol.evidence import FaultReport
from protocol.ids import Address, RoundNo, Sha256, ShardNo, TaskId

MEMBERS = tuple(Address(f"0x{n}") for n in range(4))


def report(shard: int = 0) -> FaultReport:
    contribution = Contribution(
        task_id=TaskId(1),
        round=RoundNo(1),
        shard=ShardNo(shard),
        miner=Address(Account.create().address) if shard else Address("0xminer"),
        spec_hash=Sha256(bytes(32)),
        parent_model=Sha256(bytes(32)),
        gradient=Sha256(bytes(32)),
        batches=(Sha256(bytes(32)),),
        samples=1,
        loss_micros=0,
    )
    return FaultReport(
        contribution=SignedContribution(contribution=contribution, signature=bytes(65)), signature=bytes(65)
    )


def test_proven__f_members_or_one_twice__is_not_enough() -> None:
    assert proven([(MEMBERS[0], report())], MEMBERS) == {}
    assert proven([(MEMBERS[0], report()), (MEMBERS[0], report())], MEMBERS) == {}


def test_proven__strangers__do_not_count() -> None:
    assert proven([(MEMBERS[0], report()), (Address("0xstranger"), report())], MEMBERS) == {}


def test_proven__more_than_needed__the_lowest_f_plus_one_in_any_order() -> None:
    reports = [(member, report()) for member in MEMBERS]
    (forward,) = proven(reports, MEMBERS).values()
    (backward,) = proven(reversed(reports), MEMBERS).values()
    assert forward == backward
    assert len(forward) == 2


def test_proven__different_shards__are_counted_apart() -> None:
    assert proven([(MEMBERS[0], report(0)), (MEMBERS[1], report(1))], MEMBERS) == {}


def test_proven__committee_unknown__nothing() -> None:
    assert proven([(MEMBERS[0], report())], ()) == {}

"""The journal: one signature per shard, kept over restarts, bounded."""

from pathlib import Path

import pytest

from protocol.contribution import Contribution, SignedContribution
from protocol.errors import ConfigurationError
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId, parse_address
from tests.unit.worker.parts import ACCOUNT, DOMAIN
from worker.journal import SigningJournal


def signed(round_no: int = 1, shard: int = 0, gradient: bytes = b"g" * 32) -> SignedContribution:
    return Contribution(
        task_id=TaskId(2**200),
        round=RoundNo(round_no),
        shard=ShardNo(shard),
        miner=parse_address(ACCOUNT.address),
        spec_hash=Sha256(b"s" * 32),
        parent_model=Sha256(b"p" * 32),
        gradient=Sha256(gradient),
        batches=(Sha256(gradient), Sha256(b"2" * 32)),
        samples=8,
        loss_micros=2**62,
    ).sign(DOMAIN, ACCOUNT)


def find(journal: SigningJournal, round_no: int, shard: int = 0) -> SignedContribution | None:
    return journal.find(TaskId(2**200), RoundNo(round_no), ShardNo(shard), Sha256(b"p" * 32))


def test_record__second_gradient_for_a_shard__the_first_stands(tmp_path: Path) -> None:
    journal = SigningJournal(tmp_path / "j.sqlite")
    first, second = signed(), signed(gradient=b"h" * 32)
    assert journal.record(first) == first
    assert journal.record(second) == first
    assert find(journal, 1) == first


def test_record__two_processes_with_one_journal__agree(tmp_path: Path) -> None:
    one, two = SigningJournal(tmp_path / "j.sqlite"), SigningJournal(tmp_path / "j.sqlite")
    assert one.record(signed()) == two.record(signed(gradient=b"h" * 32))


def test_record__more_than_the_limit__forgets_the_oldest(tmp_path: Path) -> None:
    journal = SigningJournal(tmp_path / "j.sqlite", max_entries=3)
    for number in range(1, 6):
        journal.record(signed(round_no=number))
    assert [find(journal, number) is not None for number in range(1, 6)] == [False, False, True, True, True]


def test_open__where_nothing_can_be_written__says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="journal"):
        SigningJournal(tmp_path / "file" / "j.sqlite")

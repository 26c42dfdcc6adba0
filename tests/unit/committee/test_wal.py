"""The log: what a crash, a bad disk and a second process can do to it."""

import os
from pathlib import Path

import pytest

from committee.errors import LogCorrupt, LogLocked
from committee.state import Finalized, Record, Sent
from committee.wal import SPARE_BYTES, Wal, _frame
from protocol.pbft_messages import Instance, Prepare
from tests.simulation.keys import committee

INSTANCE, CRYPTOS = committee(4)


def record(seq: int) -> Record:
    signer = CRYPTOS[1].signer
    return Sent(message=Prepare.signed(INSTANCE, signer, sender=1, view=0, seq=seq, digest=bytes(32)))


def opened(path: Path, instance: Instance = INSTANCE, member: int = 1) -> Wal:
    return Wal(path, instance, member)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with three batches of two records."""
    path = tmp_path / "logs" / "task.wal"
    with opened(path) as wal:
        assert wal.records == ()
        for k in range(3):
            wal.append([record(2 * k + 1), record(2 * k + 2)])
    return path


def test_wal__closed_and_opened__holds_every_batch_in_order(path: Path) -> None:
    with opened(path) as wal:
        assert wal.records == tuple(record(k) for k in range(1, 7))
        assert wal.size < path.stat().st_size


def test_wal__cut_anywhere__loses_at_most_the_last_batch_and_goes_on(path: Path) -> None:
    data = written(path)
    sizes = frame_ends(data)
    assert sizes[-1] == len(data)
    for cut in range(sizes[-2], sizes[-1]):
        path.write_bytes(data[:cut])
        with opened(path) as wal:
            assert wal.records == tuple(record(k) for k in range(1, 5))
            wal.append([record(9)])
        with opened(path) as wal:
            assert wal.records[-1] == record(9)


def written(path: Path) -> bytes:
    """What the log holds, without the room behind it."""
    with opened(path) as wal:
        return path.read_bytes()[: wal.size]


def frame_ends(data: bytes) -> list[int]:
    ends, at = [], 0
    while at < len(data):
        at += 12 + int.from_bytes(data[at + 4 : at + 8], "big")
        ends.append(at)
    return ends


def test_wal__garbage_behind_the_last_batch__is_cut_off(path: Path) -> None:
    data = written(path)
    for garbage in (os.urandom(100), b"\xf5WAL" + b"\0" * 20, b"\0" * 4096 + b"\1"):
        path.write_bytes(data + garbage)
        with opened(path) as wal:
            assert len(wal.records) == 6
        assert path.read_bytes() == data


def test_wal__room_behind_the_last_batch__is_used_and_then_made_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = path.stat().st_size
    with opened(path) as wal:
        while wal.size < room:
            assert path.stat().st_size == room
            wal.append([record(k) for k in range(1, 1001)])
        assert path.stat().st_size == wal.size + SPARE_BYTES
        count = len(wal.records)
    with opened(path) as wal:
        assert len(wal.records) > count


def test_wal__one_bit_flipped_before_the_last_batch__is_refused(path: Path) -> None:
    data = written(path)
    last = frame_ends(data)[-2]
    for at in range(0, last, 7):
        path.write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
        with pytest.raises(LogCorrupt):
            opened(path)
    path.write_bytes(data)
    opened(path).close()


def test_wal__of_another_task_or_member__is_refused(path: Path) -> None:
    other = Instance(domain=INSTANCE.domain, task=INSTANCE.task + 1, members=INSTANCE.members)
    with pytest.raises(LogCorrupt, match="is not the log of"):
        opened(path, instance=other)
    with pytest.raises(LogCorrupt, match="is not the log of"):
        opened(path, member=2)


def test_wal__used_by_somebody__is_locked_until_closed(path: Path) -> None:
    with opened(path), pytest.raises(LogLocked, match="another process"):
        opened(path)
    opened(path).close()


def test_wal__rotated__holds_the_new_records_and_takes_more(path: Path) -> None:
    with opened(path) as wal:
        before = wal.size
        wal.rotate([Finalized(seq=3)])
        assert wal.size < before
        wal.append([record(9)])
    with opened(path) as wal:
        assert wal.records == (Finalized(seq=3), record(9))


def test_wal__crash_in_mid_rotation__keeps_the_old_records(path: Path) -> None:
    path.with_name(path.name + ".fresh").write_bytes(b"half a")
    with opened(path) as wal:
        assert len(wal.records) == 6
        wal.rotate([])
        assert wal.size < 200
    with opened(path) as wal:
        assert wal.records == ()


def test_wal__disk_fails__takes_nothing_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path) as wal:

        def full(handle: int) -> None:
            raise OSError("no space left")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", full)
            with pytest.raises(OSError, match="no space"):
                wal.append([record(9)])
        with pytest.raises(OSError, match="failed before"):
            wal.append([record(9)])
        with pytest.raises(OSError, match="failed before"):
            wal.rotate([])


def test_wal__batch_beyond_the_bound__is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("committee.wal.MAX_FRAME_BYTES", 64)
    with pytest.raises(LogCorrupt):
        opened(path)


def test_wal__intact_batch_that_this_version_cannot_read__is_refused(path: Path) -> None:
    data = written(path)
    path.write_bytes(data + _frame(b"\x91\x92\x63\x01"))
    with pytest.raises(LogCorrupt, match="cannot read"):
        opened(path)


def test_wal__head_that_this_version_cannot_read__is_refused(path: Path) -> None:
    path.write_bytes(_frame(b"\xc1"))
    with pytest.raises(LogCorrupt, match="cannot read"):
        opened(path)

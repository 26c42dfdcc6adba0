"""A replica remembers noise, not proposals; suspects are watched, not accused."""

from pathlib import Path

import numpy as np
import pytest

from committee import noise_book
from committee.noise_book import NoiseBook
from committee.noise_file import NoiseFile, file_name, suspects
from protocol.errors import ConfigurationError
from protocol.ids import Address, TaskId
from protocol.typed_data import Domain
from worker.training.bias import Suspicion
from worker.training.calibration import provisional
from worker.training.codec import Codes
from worker.training.push import push
from worker.training.replay import ReplayVerdict
from worker.training.tolerance import compare_codes

TASK = TaskId(1)
MINER = Address("0x" + "11" * 20)
WIDE = provisional("mlp", "float32", "int16", "cpu")
NARROW = type(WIDE)(
    **{**{n: getattr(WIDE, n) for n in WIDE.__struct_fields__}, "spare_codes": 9, "codes_ppm": 0}
)


def own(seed: int) -> Codes:
    codes = np.random.default_rng(seed).integers(-9_000, 9_000, size=(8, 64)).astype(np.int32)
    codes[:, 0] = 32_000
    return Codes(bits=15, codes=codes, exponents=np.full(8, -20, dtype=np.int32), total=512)


def verdict(claimed: Codes, mine: Codes, *, ok: bool = True) -> ReplayVerdict:
    same = claimed is mine
    return ReplayVerdict(
        ok=ok,
        identical=same,
        comparison=None if same else compare_codes(claimed, mine, WIDE),
        own_sha256=bytes(32),
        samples=1,
        loss_micros=1,
        reason="" if ok else "no",
        codes=None if same else (claimed, mine),
    )


def feed(book: NoiseBook, rounds: int, *, pushed: bool, first: int = 1, ok: bool = True) -> None:
    for number in range(first, first + rounds):
        mine = own(number)
        claimed = push(mine, np.sign(mine.codes).astype(np.int64), NARROW) if pushed else mine
        book.observe((TASK, MINER), (number, 0), verdict(claimed, mine, ok=ok), WIDE, 1_000, b"secret")


def test_book__push_in_every_shard__suspects_the_miner_and_goes_on_doing_so() -> None:
    book = NoiseBook()
    feed(book, 40, pushed=True)
    assert book.suspicions(TASK, MINER) == (Suspicion.ALONG,)
    feed(book, 400, pushed=False, first=41)
    assert book.suspicions(TASK, MINER) == (Suspicion.ALONG,)
    assert book.suspicions(TaskId(2), MINER) == ()


def test_book__equal_work__suspects_nobody() -> None:
    book = NoiseBook()
    feed(book, 500, pushed=False)
    assert book.suspicions(TASK, MINER) == ()


def test_book__a_proposal_judged_again_and_again__counts_once() -> None:
    book = NoiseBook()
    for _ in range(100):
        feed(book, 1, pushed=True)
    assert book.suspicions(TASK, MINER) == ()


def test_book__misses__are_faults_and_no_noise() -> None:
    book = NoiseBook()
    feed(book, 100, pushed=True, ok=False)
    assert book.suspicions(TASK, MINER) == ()


def test_book__more_miners_than_it_remembers__forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_book, "MAX_HISTORIES", 3)
    book = NoiseBook()
    feed(book, 40, pushed=True)
    for number in range(3):
        miner = Address(f"0x{number:040x}")
        book.observe((TASK, miner), (1, 0), verdict(own(1), own(1)), WIDE, 1_000, b"secret")
    assert book.suspicions(TASK, MINER) == ()


def test_book__validator_that_restarts__goes_on_where_it_was(tmp_path: Path) -> None:
    path, whole = tmp_path / "state" / "noise.sqlite", NoiseBook()
    feed(whole, 40, pushed=True)
    for first in range(1, 41, 8):
        file = NoiseFile(path)
        feed(NoiseBook.kept_in(file), 8, pushed=True, first=first)
        file.close()
    restarted = NoiseBook.kept_in(NoiseFile(path))
    assert restarted.suspicions(TASK, MINER) == (Suspicion.ALONG,)
    assert restarted._entries == whole._entries
    feed(restarted, 40, pushed=True)
    assert restarted._entries == whole._entries


def test_book__forgets_the_oldest__on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_book, "MAX_HISTORIES", 1)
    file = NoiseFile(tmp_path / "noise.sqlite")
    book = NoiseBook.kept_in(file)
    feed(book, 1, pushed=False)
    other = Address("0x" + "22" * 20)
    book.observe((TASK, other), (1, 0), verdict(own(1), own(1)), WIDE, 1_000, b"secret")
    assert [where for where, _ in file.load()] == [(TASK, other)]


def test_noise_file__row_that_is_no_memory__is_left_out(tmp_path: Path) -> None:
    file = NoiseFile(tmp_path / "noise.sqlite")
    feed(NoiseBook.kept_in(file), 1, pushed=False)
    file._db.execute("INSERT INTO noise (task, miner, document) VALUES ('2', ?, '{}')", (MINER,))
    assert [where for where, _ in file.load()] == [(TASK, MINER)]


def test_noise_file__that_is_no_database__is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "noise.sqlite"
    path.write_bytes(b"x" * 4096)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        NoiseFile(path)


def test_suspects__of_a_state_folder__are_those_of_this_market_and_task(tmp_path: Path) -> None:
    domain, me = Domain(chain_id=7, market=Address("0x" + "33" * 20)), Address("0x" + "44" * 20)
    feed(NoiseBook.kept_in(NoiseFile(tmp_path / file_name(domain, me))), 40, pushed=True)
    [(validator, miner, entry)] = suspects(tmp_path, domain, TASK)
    assert (validator, miner, entry.found) == (me, MINER, (Suspicion.ALONG,))
    assert suspects(tmp_path, domain, TaskId(2)) == []
    assert suspects(tmp_path, Domain(chain_id=8, market=domain.market), TASK) == []
    assert suspects(tmp_path / "nowhere", domain, TASK) == []

"""What counts as lost, unpaid and reached in a run under load; and flags that could only fail later."""

from dataclasses import replace
from pathlib import Path

import pytest

from pot.cli import main
from pot.experiment.block_makers import TASK_ROUNDS, PooledMaker
from pot.experiment.block_time import CHURN, quarter
from pot.experiment.outages import OUTAGES, Outage
from pot.experiment.outcome import CERTIFICATE_TERM_S, DEADLINE_S, Load, Outcome, Wait
from pot.experiment.tally import Tally, Work
from protocol.ids import Address

ANN, BOB = Address("0x" + "a" * 40), Address("0x" + "b" * 40)
DONE: frozenset[Work] = frozenset({(1, 0, ANN), (1, 1, BOB), (2, 0, ANN), (2, 1, ANN)})
PAID = Tally(taken=DONE, certified=DONE, covered={ANN: 3, BOB: 1})
LOAD = Load(miners=2, tasks=1, rounds=2, processes=4)
ALL = Outcome(
    load=LOAD, seconds=9.0, waits=(Wait(rounds=2, seconds=5.0),), tallies=(PAID,), short=frozenset()
)  # fmt: skip


def test_tally__everything_certified_and_covered__is_paid() -> None:
    assert not PAID.lost
    assert not PAID.unpaid


def test_tally__taken_and_never_certified__is_lost_and_its_miner_unpaid() -> None:
    found = replace(PAID, taken=DONE | {(3, 0, BOB)})
    assert found.lost == {(3, 0, BOB)}
    assert found.unpaid == {BOB}


def test_tally__payouts_that_leave_work_out__are_unpaid() -> None:
    assert replace(PAID, covered={ANN: 2, BOB: 1}).unpaid == {ANN}
    assert replace(PAID, covered={}).unpaid == {ANN, BOB}


def test_outcome__all_certified_in_time_and_paid__is_ok() -> None:
    assert ALL.ok
    assert (ALL.contributions, ALL.identities, ALL.on_time) == (4, 2, 2)


@pytest.mark.parametrize(
    "changed",
    [
        replace(ALL, waits=()),
        replace(ALL, waits=(Wait(rounds=2, seconds=2 * DEADLINE_S + CERTIFICATE_TERM_S + 1),)),
        replace(ALL, tallies=(replace(PAID, taken=DONE | {(3, 0, BOB)}),)),
        replace(ALL, tallies=(replace(PAID, covered={ANN: 3}),)),
        replace(ALL, short=frozenset({BOB})),
        replace(ALL, load=replace(LOAD, faults=True)),
        replace(
            ALL,
            load=replace(LOAD, faults=True),
            outages=(Outage(names=("broker",), at_s=1.0),) * (OUTAGES - 1),
        ),
    ],
)
def test_outcome__anything_missing_late_lost_unpaid_or_not_killed__is_not_ok(changed: Outcome) -> None:
    assert not changed.ok


def test_load__fewer_miners_than_processes__has_no_process_without_one() -> None:
    assert LOAD.groups == 2
    assert LOAD.due_s == 2 * DEADLINE_S + CERTIFICATE_TERM_S


@pytest.mark.parametrize("blocks", [8, 10, 13, 64])
def test_quarter__any_number_of_blocks__ascends_through_the_whole_churn(blocks: int) -> None:
    parts = [quarter(number, blocks) for number in range(blocks)]
    assert parts == sorted(parts)
    assert set(parts) == set(range(len(CHURN)))


def test_pooled_maker__task_has_no_round_left__begins_the_next_one() -> None:
    maker, fresh = PooledMaker(seed=1), PooledMaker(seed=1)
    maker.block(TASK_ROUNDS - 1, 8)
    maker.block(TASK_ROUNDS, 8)
    fresh.block(0, 8)
    assert maker._blob == fresh._blob


@pytest.mark.parametrize("name", ["cost", "block-time", "robustness", "sml", "throughput"])
def test_experiment__out_is_a_file__is_said_before_anything_is_measured(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "file"
    out.write_text("something")
    assert main(["experiment", name, "--out", str(out)]) == 2
    assert "cannot be written to" in capsys.readouterr().err
    assert out.read_text() == "something"


def test_efficiency__more_laps_than_rounds__is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment", "efficiency", "--out", str(tmp_path), "--rounds", "2", "--laps", "3"]
    assert main(words) == 2
    assert "--laps is 3" in capsys.readouterr().err

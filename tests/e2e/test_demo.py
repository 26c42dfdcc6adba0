"""``pot demo`` as a user runs it: another process, real parts, judged by its exit status and report.json."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 300
pytestmark = pytest.mark.timeout(TIMEOUT_S + 30)


def run_demo(out: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit status, report.json, what it said)."""
    done = subprocess.run(
        [sys.executable, "-m", "pot", "demo", "--json", "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={name: value for name, value in os.environ.items() if not name.startswith("POT_")},
    )
    report = json.loads((out / "report.json").read_text("utf-8"))
    if done.returncode in (0, 1):
        assert json.loads(done.stdout) == report
    return done.returncode, report, done.stderr


def assert_ended_well(code: int, report: dict[str, Any], said: str, out: Path) -> None:
    assert report["problems"] == [], said
    assert code == 0
    assert report["rounds"] == report["rounds_wanted"]
    assert report["certificates"][-1]["last_round"] == report["rounds_wanted"]
    assert all(len(set(item["signers"])) >= 3 for item in report["certificates"])
    escrow = {name: int(amount) for name, amount in report["escrow"].items()}
    assert escrow["funded"] == escrow["paid"] + escrow["refunded"]
    assert escrow["paid"] == sum(int(amount) for amount in report["payouts"].values())
    assert report["audit"]["ok"]
    assert report["audit"]["rounds_replayed"] == report["rounds"]
    assert report["replay"]["identical"]
    assert abs(report["accuracy"]["network"] - report["accuracy"]["centralized"]) <= 0.005
    page = (out / "report.html").read_text("utf-8")
    assert report["model_sha256"] in page
    assert no_process_left(out)


def assert_cheat_was_slashed(report: dict[str, Any]) -> None:
    cheat = next(a for a, name in report["accounts"].items() if name == "miner-1")
    assert {slash["miner"] for slash in report["slashes"]} == {cheat}
    assert int(report["slashes"][0]["amount"]) > 0
    assert cheat not in report["payouts"]


def assert_went_on_without_the_primary(report: dict[str, Any]) -> None:
    killed = next(item for item in report["disturbances"] if item["kind"] == "kill primary")
    victim = next(a for a, name in report["accounts"].items() if name == killed["target"])
    # What was in flight when it died, or certified before the demo had told of the round, may carry its
    # signature.
    after = [item for item in report["certificates"] if item["last_round"] > killed["after_round"] + 4]
    assert after
    assert all(victim not in item["signers"] for item in after)
    assert all(item["posted_by"] != victim for item in after)


def no_process_left(out: Path) -> bool:
    entries: list[Any] = json.loads((out / "network" / "processes.json").read_text("utf-8"))
    return entries == []


def test_demo__nobody_misbehaves__ends_well_within_the_figures(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "20")
    assert_ended_well(code, report, said, tmp_path)
    assert report["slashes"] == []
    assert report["accuracy"]["network"] >= 0.94
    assert max(item["gas_used"] for item in report["certificates"]) <= 110_000
    miners = [a for a, name in report["accounts"].items() if name.startswith("miner-")]
    assert all(int(report["payouts"].get(address, "0")) > 0 for address in miners)


def test_demo__a_lazy_miner_and_a_killed_primary__it_is_slashed_and_the_run_ends_well(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "12", "--adversary", "lazy", "--kill", "primary")
    assert_ended_well(code, report, said, tmp_path)
    assert_cheat_was_slashed(report)
    assert_went_on_without_the_primary(report)


@pytest.mark.slow
def test_demo__a_lazy_miner__is_slashed_unpaid_and_the_rest_goes_on(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "6", "--adversary", "lazy")
    assert_ended_well(code, report, said, tmp_path)
    assert_cheat_was_slashed(report)


@pytest.mark.slow
def test_demo__the_primary_is_killed__a_view_change_and_a_good_end(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "12", "--kill", "primary")
    assert_ended_well(code, report, said, tmp_path)
    assert_went_on_without_the_primary(report)


@pytest.mark.slow
def test_demo__the_coordinator_is_killed_and_restarted__the_task_ends_well(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "8", "--kill", "coordinator")
    assert_ended_well(code, report, said, tmp_path)


@pytest.mark.slow
def test_demo__a_miner_is_killed__its_shards_are_redone_and_nobody_is_paid_twice(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "8", "--kill", "miner")
    assert_ended_well(code, report, said, tmp_path)
    shards = sum(item["shards"] for item in report["history"])
    miners = {a for a, name in report["accounts"].items() if name.startswith("miner-")}
    paid = sum(int(amount) for address, amount in report["payouts"].items() if address in miners)
    assert paid == shards * 10 * 10**18


@pytest.mark.slow
def test_demo__the_broker_is_killed_and_restarted__the_task_ends_well(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "8", "--kill", "broker")
    assert_ended_well(code, report, said, tmp_path)


@pytest.mark.slow
def test_demo__two_cheats_and_two_deaths__still_end_well(tmp_path: Path) -> None:
    code, report, said = run_demo(
        tmp_path, "--rounds", "12", "--adversary", "lazy", "--adversary", "sign-flip", "--kill", "primary",
        "--kill", "broker",
    )  # fmt: skip
    assert_ended_well(code, report, said, tmp_path)
    assert len({slash["miner"] for slash in report["slashes"]}) == 2


def test_demo__a_chain_that_cannot_start__still_writes_a_report_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "something-else").write_text("mine")
    code, report, _ = run_demo(tmp_path)
    assert code == 2
    assert not report["ok"]
    assert any("no network" in problem for problem in report["problems"])
    assert (tmp_path / "network" / "something-else").read_text() == "mine"
    assert "This run did not end well" in (tmp_path / "report.html").read_text("utf-8")

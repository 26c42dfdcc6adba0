"""Every kind of ``pot demo --adversary``: real processes, real keys, and a report that names who did it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_demo import TIMEOUT_S, assert_ended_well, run_demo

pytestmark = pytest.mark.timeout(TIMEOUT_S + 30)

CAUGHT = [
    "lazy", "random", "stale", "scaled", "sign-flip", "wrong-shard", "partial-batch", "label-flip",
    "one-batch", "false-batches",
    "low-precision", "copied", "alie", "ipm", "equivocating-validator", "tampered-blob",
]  # fmt: skip
HARMLESS = [
    "late", "selective-abort", "false-sum", "silent-primary", "lying-primary", "censoring-coordinator",
]  # fmt: skip


ROUNDS = {"censoring-coordinator": "8"}  # some are given out before another coordinator takes over


def end_of(kind: str, out: Path) -> str:
    """What became of the one wrong-doer of a run that ended well."""
    code, report, said = run_demo(out, "--rounds", ROUNDS.get(kind, "4"), "--adversary", kind)
    assert_ended_well(code, report, said, out)
    (item,) = report["disturbances"]
    assert item["kind"] == kind
    guilty = [slash["miner"] for slash in report["slashes"]]
    assert {report["accounts"][address] for address in guilty} <= {item["target"]}
    return str(item["outcome"])


def test_demo__an_unknown_adversary__ends_with_status_2_and_the_list(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pot", "demo", "--out", str(tmp_path), "--adversary", "evil"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert all(kind in done.stderr for kind in (*CAUGHT, *HARMLESS, "lazy-validator", "inside-tolerance"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CAUGHT)
def test_demo__a_provable_lie__is_caught_and_honest_money_is_whole(kind: str, tmp_path: Path) -> None:
    assert end_of(kind, tmp_path).startswith("caught")


@pytest.mark.slow
@pytest.mark.parametrize("kind", HARMLESS)
def test_demo__what_nobody_can_prove__is_harmless_and_honest_money_is_whole(
    kind: str, tmp_path: Path
) -> None:
    assert end_of(kind, tmp_path).startswith("harmless")


@pytest.mark.slow
def test_demo__validator_that_executes_nothing__is_caught_by_a_canary_and_named_by_the_audit(
    tmp_path: Path,
) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "4", "--adversary", "lazy-validator")
    assert_ended_well(code, report, said, tmp_path)
    outcomes = {item["kind"]: item["outcome"] for item in report["disturbances"]}
    assert outcomes["lazy-validator"].startswith("caught")
    assert "the audit names its evidence as forged" in outcomes["lazy-validator"]
    assert outcomes["canary"].startswith("harmless")


@pytest.mark.slow
def test_demo__noise_within_what_is_allowed__costs_no_accuracy(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--rounds", "4", "--adversary", "inside-tolerance")
    assert code == 0, said
    assert report["disturbances"][0]["outcome"].startswith("harmless")
    assert report["audit"]["ok"]
    assert abs(report["accuracy"]["network"] - report["accuracy"]["centralized"]) <= 0.005

"""A whole contest with real processes: coordinator and Celery tell miners of it, they train and reveal by
themselves, validators score, and an audit of chain and blobs finds it true."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TIMEOUT_S = 600


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S + 30)
def test_contest_demo__three_miners__is_won_paid_and_true(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pot", "contest", "demo", "--json", "--out", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["outcome"] == "won"
    assert found["audit"]["ok"]
    assert sum(map(int, found["collected"].values())) == int(found["escrow"])
    assert [entry["correct"] is not None for entry in found["entries"]] == [True] * 3

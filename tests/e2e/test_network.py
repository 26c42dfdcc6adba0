"""``pot network`` as a user runs it: up, used by another command, down, resumed, deleted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 200
pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)


def pot(folder: Path, *arguments: str) -> tuple[int, Any]:
    """(exit status, the JSON document) of one command run in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-m", "pot", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("POT_")},
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    pot(tmp_path, "network", "down", "--purge")


@pytest.mark.slow
def test_network__up_used_down_resumed__is_the_same_network(folder: Path) -> None:
    code, network = pot(folder, "network", "up", "--miners", "1")
    assert code == 0, network
    assert set(network) >= {
        "rpc_url",
        "chain_id",
        "contracts",
        "api_url",
        "blob_url",
        "broker_url",
        "keystores",
    }
    assert json.loads((folder / ".pot" / "network.json").read_text()) == network
    assert oct((folder / ".pot" / "password").stat().st_mode & 0o777) == "0o600"
    code, state = pot(folder, "network", "status")
    assert (code, {item["running"] for item in state["processes"]}) == (0, {True})
    code, tasks = pot(folder, "task", "list")
    assert (code, tasks) == (0, [])
    code, said = pot(folder, "network", "up")
    assert code == 2
    assert "runs in" in said["message"]
    code, logs = pot(folder, "network", "logs", "coordinator")
    assert (code, list(logs)) == (0, ["coordinator"])
    code, stopped = pot(folder, "network", "down")
    assert code == 0
    assert len(stopped["stopped"]) == len(state["processes"])
    code, again = pot(folder, "network", "up", "--miners", "1")
    assert code == 0, again
    assert again == network


def test_network__nothing_runs__status_down_and_logs_say_so(folder: Path) -> None:
    for command in (("status",), ("down",), ("logs",)):
        code, said = pot(folder, "network", *command)
        assert code == 2
        assert "network" in said["message"]


def test_network__three_validators__are_refused_before_anything_starts(folder: Path) -> None:
    code, said = pot(folder, "network", "up", "--validators", "3")
    assert code == 2
    assert "no committee" in said["message"]
    assert not (folder / ".pot").exists()

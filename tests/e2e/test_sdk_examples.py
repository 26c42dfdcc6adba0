"""The three programs of ``examples/sdk`` as a developer runs them, on a whole local network."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from anvil.toolchain import PROJECT_ROOT
from tests.integration.test_pot_on_chain import SPEC

TIMEOUT_S = 300
EXAMPLES = PROJECT_ROOT / "examples" / "sdk"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * TIMEOUT_S)]


def environment(**more: str) -> Mapping[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POT_")}
    return {**clean, "PYTHONPATH": str(PROJECT_ROOT), **more}


def run(folder: Path, *command: str) -> str:
    """stdout of a program that has to end with 0."""
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=folder,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a network runs."""
    made = tmp_path_factory.mktemp("sdk")
    (made / "small.yaml").write_text(SPEC)
    run(made, "-m", "pot", "network", "up", "--miners", "1")
    yield made
    run(made, "-m", "pot", "network", "down", "--purge")


def test_examples__post_wait_fetch_then_audit__end_well(folder: Path) -> None:
    said = run(folder, str(EXAMPLES / "post_and_wait.py"), "small.yaml", "model.safetensors")
    assert "task 1 is posted" in said
    assert "2 of 2 rounds are certified" in said
    assert (folder / "model.safetensors").stat().st_size > 1000
    said = run(folder, str(EXAMPLES / "audit_a_task.py"), "1")
    assert "2 of 2 rounds were re-executed" in said
    assert "LIE" not in said


def test_examples__run_a_miner__earns_until_it_is_stopped_and_claims(folder: Path) -> None:
    made = json.loads(
        run(folder, *(["-m", "pot", "keystore", "create", "me.json", "--password-file", "me.pw", "--json"]))
    )
    run(folder, "-m", "pot", "faucet", made["address"])
    settings = environment(
        POT_KEYSTORE=str(folder / "me.json"),
        POT_PASSWORD_FILE=str(folder / "me.pw"),
        POT_STATE_DIR=str(folder / "own"),
    )
    program = [sys.executable, str(EXAMPLES / "run_a_miner.py"), "100 POT"]
    mining = subprocess.Popen(program, cwd=folder, env=settings, stdout=subprocess.PIPE, text=True)
    try:
        api = json.loads((folder / ".pot" / "network.json").read_text())["api_url"]
        give_up = time.monotonic() + TIMEOUT_S
        while made["address"] not in {m["address"] for m in miners(api)}:
            assert mining.poll() is None, "the miner ended by itself"
            assert time.monotonic() < give_up
            time.sleep(0.2)
        run(folder, str(EXAMPLES / "post_and_wait.py"), "small.yaml", "second.safetensors")
        mining.send_signal(signal.SIGTERM)
        said, _ = mining.communicate(timeout=TIMEOUT_S)
    finally:
        mining.kill()
    assert mining.returncode == 0, said
    assert f"{made['address']} mines with 100 POT at stake" in said
    assert "claimed " in said
    assert "claimed 0 POT" not in said


def miners(api: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{api}/miners", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["items"]
        return found

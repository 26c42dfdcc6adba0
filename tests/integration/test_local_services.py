"""The programs a local network stands on really run, answer, and end with their parent."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis
import sqlalchemy
from kombu.connection import Connection

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from anvil.errors import ProgramFailed
from anvil.program import LocalProgram
from anvil.redis import RedisProcess
from protocol.errors import ConfigurationError

DEADLINE_S = 15.0


def rpc(chain: AnvilProcess, method: str, *params: object) -> object:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(chain.rpc_url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["result"]


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def child_of(pid: int) -> int:
    """The program under a leash."""
    assert eventually(lambda: bool(psutil.Process(pid).children()))
    return int(psutil.Process(pid).children()[0].pid)


def test_anvil__started__answers_its_own_chain_id(anvil_chain: AnvilProcess) -> None:
    assert rpc(anvil_chain, "eth_chainId") == hex(anvil_chain.chain_id)


def test_anvil__two_at_once__have_different_ports_and_chain_ids(
    anvil_chain: AnvilProcess, tmp_path: Path
) -> None:
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=tmp_path / "log") as other:
        assert other.rpc_url != anvil_chain.rpc_url
        assert rpc(other, "eth_chainId") != rpc(anvil_chain, "eth_chainId")


def test_anvil__killed_with_a_state_file__comes_back_at_the_same_address_with_its_blocks(
    tmp_path: Path,
) -> None:
    options = AnvilOptions(chain_id=fresh_chain_id(), state_file=tmp_path / "state.json", state_interval_s=1)
    chain = AnvilProcess(options, log=tmp_path / "log")
    try:
        chain.start()
        url = chain.rpc_url
        rpc(chain, "anvil_mine", "0x5")
        assert eventually(lambda: '"0x5"' in _state_head(tmp_path / "state.json"))
        chain.kill()
        assert not chain.running
        chain.start()
        assert chain.rpc_url == url
        assert rpc(chain, "eth_blockNumber") == "0x5"
    finally:
        chain.stop()


def _state_head(path: Path) -> str:
    try:
        number = json.loads(path.read_text("utf-8"))["block"]["number"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f'"{number if isinstance(number, str) else hex(number)}"'


def test_anvil__port_held_by_another_chain__says_so(anvil_chain: AnvilProcess, tmp_path: Path) -> None:
    options = AnvilOptions(chain_id=fresh_chain_id(), port=anvil_chain.options.port)
    with pytest.raises(ProgramFailed, match="in use"):
        AnvilProcess(options, log=tmp_path / "log").start()


def test_anvil__parent_killed__dies_with_it(tmp_path: Path) -> None:
    script = (
        "import sys, time, threading\n"
        "from pathlib import Path\n"
        "from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id\n"
        f"log = Path({str(tmp_path / 'log')!r})\n"
        "chain = AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log)\n"
        "starter = threading.Thread(target=chain.start)\n"
        "starter.start(); starter.join()\n"
        "time.sleep(0.5)\n"  # the thread that started it is gone; the chain must not be
        "print(chain.pid if chain.running else 'dead', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            leash = int(parent.stdout.readline())
            program = child_of(leash)
        finally:
            parent.kill()
    assert eventually(lambda: gone(leash) and gone(program))


def test_redis__started__carries_lists_and_forgets_them_when_killed(redis_server: RedisProcess) -> None:
    client = redis.Redis(unix_socket_path=str(redis_server.socket), socket_timeout=5)
    assert client.ping()
    assert client.lpush("queue", "job") == 1
    redis_server.kill()
    redis_server.start()
    assert client.llen("queue") == 0


def test_redis__started__listens_only_where_its_owner_may_enter(redis_server: RedisProcess) -> None:
    assert stat.S_IMODE(redis_server.directory.stat().st_mode) == 0o700
    assert stat.S_ISSOCK(redis_server.socket.stat().st_mode)
    program = psutil.Process(child_of(redis_server.pid))
    assert program.net_connections(kind="inet") == []


def test_redis__broker_url__is_what_celery_connects_to(redis_server: RedisProcess) -> None:
    with Connection(redis_server.broker_url) as connection:  # type: ignore[no-untyped-call]
        connection.ensure_connection(max_retries=1, timeout=5)
        queue = connection.SimpleQueue("ping")
        queue.put({"round": 1})
        assert queue.get(timeout=5).payload == {"round": 1}
        queue.close()


def test_redis__directory_path_too_long_for_a_socket__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Choose a shorter directory"):
        RedisProcess(directory=tmp_path / ("d" * 120))


def test_program__ends_before_it_is_ready__error_carries_its_words(tmp_path: Path) -> None:
    program = LocalProgram("sh", ["/bin/sh", "-c", "echo no luck; exit 7"], log=tmp_path / "log")
    program.start()
    with pytest.raises(ProgramFailed, match=r"code 7 before it was ready.*no luck"):
        program.wait_until(lambda: False, timeout_s=10)


def test_program__never_ready__is_killed_at_the_deadline(tmp_path: Path) -> None:
    program = LocalProgram("sleep", ["sleep", "60"], log=tmp_path / "log")
    program.start()
    inner = child_of(program.pid)
    with pytest.raises(ProgramFailed, match="not ready after"):
        program.wait_until(lambda: False, timeout_s=0.3)
    assert eventually(lambda: gone(inner))


def test_program__asked_to_stop__gets_a_sigterm_and_its_code_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    program = LocalProgram("sh", ["/bin/sh", "-c", script], log=log)
    program.start()
    program.wait_until(lambda: "up" in program.log_tail())
    program.stop()
    assert not program.running
    assert "bye" in program.log_tail()


def test_program__leash_killed__program_dies_too(tmp_path: Path) -> None:
    program = LocalProgram("sleep", ["sleep", "60"], log=tmp_path / "log")
    program.start()
    inner = child_of(program.pid)
    os.kill(program.pid, signal.SIGKILL)
    assert eventually(lambda: gone(inner))
    program.kill()


def test_postgres__fresh_database__answers_and_is_empty(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    try:
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("select 1 + 1")).scalar_one() == 2
        assert sqlalchemy.inspect(engine).get_table_names() == []
    finally:
        engine.dispose()

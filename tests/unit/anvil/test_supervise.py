"""Processes: started, found again by id and start time, killed, restarted, and never outliving their
parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from anvil.errors import ProgramFailed
from anvil.processes import Entry, ProcessTable, stop
from anvil.supervise import Program, Supervisor, peak_memory, tail

SLEEPER = (sys.executable, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(60)")
IGNORE_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
STUBBORN = (sys.executable, "-I", "-S", "-c", f"{IGNORE_TERM}; print('up', flush=True); time.sleep(60)")


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, attached=True)
    yield made
    made.stop()


def wait_for(supervisor: Supervisor, name: str) -> None:
    supervisor.wait_until(name, lambda: "up" in supervisor.log_tail(name), timeout_s=10)


def test_start__a_program__keeps_its_id_and_is_found_by_another_reader(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    pid = supervisor.start(Program(name="a", command=SLEEPER))
    wait_for(supervisor, "a")
    assert "time.sleep(60)" in " ".join(psutil.Process(pid).cmdline())
    found = ProcessTable(tmp_path / "processes.json").get("a")
    assert found is not None
    assert (found.pid, found.running) == (pid, True)


def test_start__runs_already__is_refused(supervisor: Supervisor) -> None:
    supervisor.start(Program(name="a", command=SLEEPER))
    with pytest.raises(ProgramFailed, match="runs already"):
        supervisor.start(Program(name="a", command=SLEEPER))


def test_start__environment__is_added_to_the_inherited_one(supervisor: Supervisor) -> None:
    code = "import os; print('up', os.environ['POT_X'], 'PATH' in os.environ, flush=True)"
    supervisor.start(Program(name="a", command=(sys.executable, "-c", code), environment={"POT_X": "7"}))
    wait_for(supervisor, "a")
    assert "up 7 True" in supervisor.log_tail("a")


def test_wait_until__the_program_ends_first__says_its_status_and_last_words(supervisor: Supervisor) -> None:
    supervisor.start(
        Program(name="a", command=(sys.executable, "-c", "print('no port'); raise SystemExit(3)"))
    )
    with pytest.raises(ProgramFailed, match=r"status 3 before it was ready.*no port"):
        supervisor.wait_until("a", lambda: False, timeout_s=20)


def test_wait_until__never_ready__is_bounded(supervisor: Supervisor) -> None:
    supervisor.start(Program(name="a", command=SLEEPER))
    with pytest.raises(ProgramFailed, match="not ready within 0 s"):
        supervisor.wait_until("a", lambda: False, timeout_s=0.2)


def test_kill_and_restart__a_program__runs_again_with_another_id(supervisor: Supervisor) -> None:
    first = supervisor.start(Program(name="a", command=SLEEPER))
    assert supervisor.kill("a") == first
    assert [(gone.name, gone.code) for gone in supervisor.exited()] == [("a", -signal.SIGKILL)]
    second = supervisor.restart("a")
    assert second != first
    assert supervisor.exited() == []


def test_kill__not_running__is_refused(supervisor: Supervisor) -> None:
    with pytest.raises(ProgramFailed, match="does not run"):
        supervisor.kill("nobody")


def test_stop__one_that_ignores_the_request__is_killed_and_named(supervisor: Supervisor) -> None:
    supervisor.start(Program(name="polite", command=SLEEPER))
    supervisor.start(Program(name="stubborn", command=STUBBORN))
    wait_for(supervisor, "stubborn")
    wait_for(supervisor, "polite")
    entries = list(supervisor.table)
    assert stop(entries, timeout_s=1.0) == ["stubborn"]
    assert not any(entry.running for entry in entries)


def test_entry__a_reused_process_id__is_nobody() -> None:
    mine = psutil.Process()
    assert Entry(name="a", pid=mine.pid, started=mine.create_time(), command=[], log="").running
    assert not Entry(name="a", pid=mine.pid, started=mine.create_time() - 60, command=[], log="").running


def test_stop__a_reused_process_id__is_left_alone() -> None:
    stop([Entry(name="a", pid=os.getpid(), started=1.0, command=[], log="")])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_attached__the_parent_is_killed_hard__the_child_dies_too(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from anvil.supervise import Program, Supervisor\n"
        f"s = Supervisor(Path({str(tmp_path)!r}), attached=True)\n"
        f"print(s.start(Program(name='a', command={SLEEPER!r})), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(timeout=10)
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_detached__the_starter_ends__the_program_lives_until_stopped(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from anvil.supervise import Program, Supervisor\n"
        f"Supervisor(Path({str(tmp_path)!r}), attached=False).start(Program(name='a', command={SLEEPER!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    entry = ProcessTable(tmp_path / "processes.json").get("a")
    assert entry is not None
    assert entry.running
    stop([entry])
    assert not entry.running


def test_tail__long_and_missing_files__are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("x" * 10_000 + "end")
    assert tail(path, 10) == "x" * 7 + "end"
    assert tail(tmp_path / "none", 10) == ""


def test_peak_memory__a_process_that_shrank__is_its_most(supervisor: Supervisor) -> None:
    code = "x = bytearray(64 << 20); x[::4096] = b'1' * len(x[::4096]); del x; print('up', flush=True); "
    supervisor.start(Program(name="a", command=(*SLEEPER[:4], code + "import time; time.sleep(60)")))
    wait_for(supervisor, "a")
    assert supervisor.peak_memory()["a"] >= 64 << 20
    assert peak_memory(2**22 + 1) == 0

"""The contract that scripts depend on: exit statuses, one JSON document, sentences, and a quick `--help`."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from anvil.toolchain import PROJECT_ROOT
from pot.cli import ENTRIES, main
from pot.lazy import Entry, LazyGroup
from pot.output import Reply
from pot.run import run
from protocol.errors import ConfigurationError, Refused, ServiceUnreachable

HEAVY = ("torch", "web3", "celery", "sklearn", "numpy", "pydantic", "sqlalchemy", "matplotlib")
OUR_COMMANDS = (
    "task",
    "miner",
    "validator",
    "why",
    "doctor",
    "faucet",
    "config",
    "contracts",
    "export",
    "keystore",
)

app = typer.Typer(add_completion=False)


@app.callback()
def probe() -> None:
    """Commands with every outcome."""


@app.command()
def fine() -> Reply:
    return Reply(data={"answer": 42}, text=["42"])


@app.command()
def untrue() -> Reply:
    return Reply(data={"answer": False}, text=["no"], ok=False)


@app.command()
def refused() -> Reply:
    raise Refused("The contract said no.")


@app.command()
def misconfigured() -> Reply:
    raise ConfigurationError("chain_url is not set.")


@app.command()
def unreachable() -> Reply:
    raise ServiceUnreachable("the chain", "http://x", "connection refused")


@app.command()
def broken() -> Reply:
    raise ZeroDivisionError("a defect")


@app.command()
def chatty() -> Reply:
    print("a library talks")
    os.write(1, b"and its C code too")
    return Reply(data={"answer": 42})


@app.command()
def interrupted() -> Reply:
    raise KeyboardInterrupt


OUTCOMES = (
    ("fine", 0),
    ("chatty", 0),
    ("untrue", 1),
    ("refused", 1),
    ("misconfigured", 2),
    ("unreachable", 3),
    ("broken", 1),
    ("interrupted", 130),
)


def probe_group() -> LazyGroup:
    return LazyGroup(name="pot", entries=(Entry("probe", f"{__name__}:app", "Outcomes."),))


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules["__main__"])


@pytest.mark.parametrize(("command", "status"), OUTCOMES)
def test_run__each_outcome__has_its_exit_status(command: str, status: int) -> None:
    assert run(probe_group(), ["probe", command]) == status


@pytest.mark.parametrize(("command", "status"), OUTCOMES)
def test_run__json__stdout_is_one_document_whatever_happens(
    command: str, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(probe_group(), ["probe", command, "--json"]) == status
    assert isinstance(json.loads(capfd.readouterr().out), dict)


@pytest.mark.parametrize(
    "line",
    [
        ["nonsense"],
        ["task"],
        ["task", "nonsense"],
        ["task", "show"],
        ["task", "show", "zero"],
        ["task", "show", "0"],
        ["task", "list", "--nonsense"],
        [],
    ],
)
def test_main__wrong_usage__exits_2_with_a_sentence_and_pure_json(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*line, "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["exit_code"] == 2
    assert "--help" in captured.err


def test_main__wrong_value__is_a_whole_sentence_before_the_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", "show", "abc"]) == 2
    assert ". See `pot task show --help`." in capsys.readouterr().err


def test_main__mistyped_command__suggests_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tsak"]) == 2
    assert "'task'" in capsys.readouterr().err


def test_main__nothing_configured__names_the_setting_and_the_next_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["task", "list"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "pot network up" in captured.err


@pytest.mark.parametrize("name", OUR_COMMANDS)
def test_main__help_of_each_command__loads_and_offers_json(name: str) -> None:
    from pot.lazy import load

    entry = next(entry for entry in ENTRIES if entry.name == name)
    leaves = [load(entry)]
    while any(hasattr(command, "commands") for command in leaves):
        leaves = [
            inner for command in leaves for inner in getattr(command, "commands", {"": command}).values()
        ]
    assert leaves
    for leaf in leaves:
        options = [option for parameter in leaf.params for option in parameter.opts]
        assert options.count("--json") == 1
        assert leaf.help


def test_help__fresh_process__imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom pot.cli import main\n"
        "status = main(['--help'])\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(loaded, file=sys.stderr)\nsys.exit(status or bool(loaded))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for entry in ENTRIES:
        assert entry.name in done.stdout


def test_main__version__is_the_installed_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pot {version('proof-of-training')}\n"


def test_module__python_dash_m_pot__is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pot", "nonsense"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "No such command" in done.stderr


@pytest.mark.parametrize("command", [["config", "show", "--json"], ["config", "show"]])
def test_main__reader_of_stdout_gone__ends_quietly_as_by_sigpipe(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pot", *command],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")

"""``pot network``: a local network that stays."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pot.output import Reply, Table, facts
from pot.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anvil.layout import NetworkFile
    from anvil.processes import Entry

app = typer.Typer(help="A local network that stays.", no_args_is_help=True, add_completion=False)

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the network.", metavar="DIR")]
FOLLOW_POLL_S = 0.3
LOG_BYTES = 16_000


@app.command()
def up(
    ctx: typer.Context,
    folder: Folder = Path(".pot"),
    miners: Annotated[int, typer.Option(help="Number of miners.")] = 4,
    validators: Annotated[int, typer.Option(help="Number of validators, 3f + 1.")] = 4,
    adversary: Annotated[
        list[str] | None, typer.Option(metavar="KIND[:N]", help="N miners that cheat in this way.")
    ] = None,
) -> Reply:
    """Start a network and leave it running; one that was stopped here is resumed."""
    from anvil.network import LocalNetwork, NetworkPlan
    from pot.demo.disturbances import parse_adversaries

    plan = NetworkPlan(
        miners=miners, validators=validators, adversaries=parse_adversaries(adversary or [], miners)
    )
    network = LocalNetwork(folder, attached=False, say=session_of(ctx).say)
    return _described(network.up(plan), network.layout.network_file)


@app.command()
def down(
    folder: Folder = Path(".pot"),
    purge: Annotated[bool, typer.Option(help="Also delete its keys, blobs, logs and chain.")] = False,
) -> Reply:
    """Stop every process of the network."""
    from anvil.layout import Layout
    from anvil.network import process_table, stop_network
    from protocol.errors import ConfigurationError

    stopped: list[str] = []
    if not purge or any(entry.running for entry in process_table(folder)):
        stopped = stop_network(folder)
    layout = Layout(folder.absolute())
    if purge:
        if not layout.network_file.exists():
            raise ConfigurationError(f"There is no network in {layout.root} to delete.")
        layout.purge()
    text = [f"Stopped {len(stopped)} processes."]
    if purge:
        text.append(f"Deleted what the network had put into {layout.root}.")
    else:
        text.append("`pot network up` resumes it; `pot network down --purge` deletes it.")
    return Reply(data={"stopped": stopped, "purged": purge}, text=text)


@app.command()
def status(folder: Folder = Path(".pot")) -> Reply:
    """Each process, and whether it runs. Exit status 1 when one has ended."""
    from anvil.network import process_table
    from protocol.errors import ConfigurationError

    entries = list(process_table(folder))
    if not entries:
        raise ConfigurationError(f"No network runs in {folder.absolute()}. Start one with `pot network up`.")
    found = [_state(entry) for entry in entries]
    rows = [(str(s["name"]), "runs" if s["running"] else "ended", str(s["pid"]), _mib(s)) for s in found]
    return Reply(
        data={"processes": found},
        text=[Table(columns=("process", "state", "pid", "memory"), rows=rows)],
        ok=all(s["running"] for s in found),
    )


@app.command()
def logs(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One process; all of them when left out.")] = None,
    folder: Folder = Path(".pot"),
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until interrupted.")] = False,
) -> Reply | None:
    """What the processes said last."""
    from anvil.layout import Layout
    from anvil.supervise import tail
    from protocol.errors import ConfigurationError

    files = sorted(Layout(folder.absolute()).logs.glob("*.log"))
    chosen = [file for file in files if name in (None, file.stem)]
    if not chosen:
        known = ", ".join(file.stem for file in files) or "none"
        raise ConfigurationError(f"There is no log of {name or 'a network'} in {folder}; there are: {known}.")
    if not follow:
        text = {file.stem: tail(file, LOG_BYTES) for file in chosen}
        lines = [f"{stem}: {line}" for stem, said in text.items() for line in said.splitlines()]
        return Reply(data=text, text=lines)
    for line in _followed(chosen):
        print(line, flush=True)
    return None


def _followed(files: "list[Path]") -> "Iterator[str]":
    """Lines as they are written, each with the name of its process, until the reader stops."""
    offsets = {file: max(0, file.stat().st_size - LOG_BYTES) for file in files}
    while True:
        for file in files:
            with file.open("rb") as stream:
                stream.seek(offsets[file])
                data = stream.read(1 << 20)
            whole = data.rfind(b"\n") + 1
            offsets[file] += whole
            for line in data[:whole].decode("utf-8", "replace").splitlines():
                yield f"{file.stem}: {line}"
        time.sleep(FOLLOW_POLL_S)


def _described(network: "NetworkFile", path: Path) -> Reply:
    from protocol.chain.deployment_file import deployment_path

    value = network.to_json()
    poster = network.keystores["poster"]
    lines = facts(
        [
            ("chain", f"{network.rpc_url} (id {network.deployment.chain_id})"),
            ("API", network.api_url),
            ("blobs", network.blob_url),
            ("market", network.deployment.market),
            ("committee", network.deployment.committee),
            ("appeals", network.deployment.appeals),
            ("contest", network.deployment.contest),
            ("canaries", network.deployment.canaries),
            ("vault", network.deployment.vault),
            ("token", network.deployment.token),
            ("poster", f"{network.accounts['poster']} ({poster})"),
            ("settings", path),
            ("for programs", deployment_path(path.parent, network.deployment.chain_id)),
        ]
    )
    hints = [
        "",
        "More tokens: pot faucet ADDRESS    Post a task: pot task post SPEC.yaml --keystore poster",
        "Stop it: pot network down",
    ]
    return Reply(data=value, text=[*lines, *hints])


def _state(entry: "Entry") -> dict[str, object]:
    process = entry.process
    memory = process.memory_info().rss if process is not None else None
    return {"name": entry.name, "running": process is not None, "pid": entry.pid, "memory_bytes": memory}


def _mib(state: dict[str, object]) -> str:
    memory = state["memory_bytes"]
    return f"{memory / (1 << 20):.0f} MiB" if isinstance(memory, int) else ""

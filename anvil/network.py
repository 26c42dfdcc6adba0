"""A whole local network: chain, broker, contracts, staked accounts, coordinator, validators, miners."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from eth_account.signers.local import LocalAccount

from anvil.chain import HOST, AnvilOptions, fresh_chain_id
from anvil.deploy import TOKEN_UNIT, VALIDATOR_STAKE, deploy
from anvil.layout import Layout, NetworkFile
from anvil.processes import ProcessTable
from anvil.programs import Services, broker_program, chain_program, clock_program
from anvil.readiness import is_chain, listens, live_miners
from anvil.redis import MAX_SOCKET_PATH_BYTES, SOCKET_NAME, redis_answers
from anvil.supervise import Supervisor
from anvil.transactions import Pipeline, settle
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.deployment_file import write_deployment
from protocol.errors import ConfigurationError, InvalidInput
from protocol.ids import Wei, parse_address
from protocol.keystore import LIGHT_ITERATIONS, create_keystore

MIN_VALIDATORS: Final = 4
MAX_VALIDATORS: Final = 64
MAX_MINERS: Final = 256
COIN_WEI: Final = 1_000 * 10**18
MINER_STAKE: Final = Wei(1_000 * TOKEN_UNIT)
CHAIN_READY_S: Final = 30.0
BROKER_READY_S: Final = 15.0
SERVICES_READY_S: Final = 120.0
SOCKET_FOLDER_PREFIX: Final = "pot-broker-"
BROKER_SCHEME: Final = "redis+socket://"
#: What the other processes talk to: it ends after them, so that they can finish what they are at.
FOUNDATIONS: Final = ("chain", "broker")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """What to build. ``adversaries`` maps miner numbers (from 1) to kinds of cheating; ``wrong_validators``
    are kinds of the validators that are primary first, where they can do most harm; ``wrong_coordinator`` is
    its kind. Raises InvalidInput.
    """

    miners: int = 4
    validators: int = 4
    adversaries: Mapping[int, str] = field(default_factory=dict)
    wrong_validators: tuple[str, ...] = ()
    wrong_coordinator: str | None = None

    def __post_init__(self) -> None:
        if not MIN_VALIDATORS <= self.validators <= MAX_VALIDATORS:
            raise InvalidInput(
                f"{self.validators} validators make no committee: {MIN_VALIDATORS} to {MAX_VALIDATORS} do, "
                "as 3f + 1 of them tolerate f liars."
            )
        if not 1 <= self.miners <= MAX_MINERS:
            raise InvalidInput(f"{self.miners} miners are asked for; 1 to {MAX_MINERS} are possible.")
        if strangers := [number for number in self.adversaries if not 1 <= number <= self.miners]:
            raise InvalidInput(f"Miner {strangers[0]} is to cheat, but there are {self.miners} miners.")

    def names(self) -> list[str]:
        """Every account with a key."""
        miners = [f"miner-{number}" for number in range(1, self.miners + 1)]
        validators = [f"validator-{number}" for number in range(1, self.validators + 1)]
        return ["deployer", "poster", *validators, *miners]


class LocalNetwork:
    """One network under ``root``; ``attached`` processes die with this one. Use it from the main thread."""

    def __init__(self, root: Path, *, attached: bool, say: Progress) -> None:
        self.layout = Layout(root.absolute())
        self.layout.root.mkdir(parents=True, exist_ok=True)
        self.supervisor = Supervisor(self.layout.root, attached=attached)
        self._attached = attached
        self._say = say
        self._sockets: set[Path] = set()

    def up(self, plan: NetworkPlan) -> NetworkFile:
        """Build a network and start every process; it is ready when this returns.

        Raises ConfigurationError when one runs here already, ProgramFailed with the log of what did not
        start, ToolchainError; whatever was started is stopped again.
        """
        self._require_stopped()
        try:
            network = self._resumed() or self.build(plan)
            self.start(network)
        except BaseException:
            self.stop()
            raise
        return network

    def stop(self) -> None:
        """End every process, the chain last."""
        stop_in_order(self.supervisor)
        for folder in self._sockets:
            remove_socket_folder(self.layout, folder)

    def _require_stopped(self) -> None:
        if running := [entry.name for entry in self.supervisor.table if entry.running]:
            raise ConfigurationError(
                f"A network runs in {self.layout.root} already ({', '.join(running)}). "
                "Stop it with `pot network down`."
            )

    def build(self, plan: NetworkPlan) -> NetworkFile:
        """Chain, broker, keys, contracts and stakes; none of the processes that work with them."""
        self._say("starting chain and broker")
        chain_port, api_port, *validator_ports = free_ports(2 + plan.validators)
        chain_id, sockets = fresh_chain_id(), socket_folder(self.layout)
        self._start_chain_and_broker(chain_id, chain_port, sockets)
        password = self.layout.make_password()
        accounts = {
            name: create_keystore(self.layout.keystore(name), password, LIGHT_ITERATIONS)
            for name in plan.names()
        }
        rpc_url = f"http://{HOST}:{chain_port}"
        self._await_chain_and_broker(rpc_url, chain_id, sockets)
        self._say("deploying contracts")
        client = ChainClient(rpc_url)
        for account in accounts.values():
            client.rpc("anvil_setBalance", account.address, hex(COIN_WEI))
        deployment = deploy(client, accounts["deployer"])
        endpoints = {
            f"validator-{number}": f"ws://{HOST}:{port}"
            for number, port in enumerate(validator_ports, start=1)
        }
        self._say(f"staking {plan.validators} validators and {plan.miners} miners")
        stake_everybody(Contracts.at(client, deployment), accounts, endpoints)
        network = NetworkFile(
            rpc_url=rpc_url,
            api_url=f"http://{HOST}:{api_port}",
            blob_url=self.layout.blobs.as_uri(),
            broker_url=f"{BROKER_SCHEME}{sockets / SOCKET_NAME}",
            deployment=deployment,
            accounts={name: parse_address(account.address) for name, account in accounts.items()},
            keystores={name: self.layout.keystore(name) for name in accounts},
            password_file=self.layout.password_file,
            endpoints=endpoints,
            adversaries=wrong_doers(plan, accounts),
        )
        network.write(self.layout.network_file)
        write_deployment(self.layout.root, network.deployment)
        return network

    def _resumed(self) -> NetworkFile | None:
        """The network that was stopped here, its chain brought back from its state file."""
        if self._attached or not (self.layout.network_file.exists() and self.layout.chain_state.exists()):
            return None
        self._say("resuming the network that was stopped here")
        network = NetworkFile.read(self.layout.network_file)
        sockets = Path(network.broker_url.removeprefix(BROKER_SCHEME)).parent
        port = urlsplit(network.rpc_url).port or 0
        self._start_chain_and_broker(network.deployment.chain_id, port, sockets)
        self._await_chain_and_broker(network.rpc_url, network.deployment.chain_id, sockets)
        return network

    def _start_chain_and_broker(self, chain_id: int, port: int, sockets: Path) -> None:
        state_file = None if self._attached else self.layout.chain_state
        if state_file is not None:
            state_file.parent.mkdir(parents=True, exist_ok=True)
        sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        sockets.chmod(0o700)
        self._sockets.add(sockets)
        self.layout.blobs.mkdir(parents=True, exist_ok=True)
        self.supervisor.start(
            chain_program(AnvilOptions(chain_id=chain_id, port=port, accounts=1, state_file=state_file))
        )
        self.supervisor.start(clock_program(f"http://{HOST}:{port}"))
        self.supervisor.start(broker_program(sockets))

    def _await_chain_and_broker(self, rpc_url: str, chain_id: int, sockets: Path) -> None:
        client = ChainClient(rpc_url)
        self.supervisor.wait_until("chain", lambda: is_chain(client, chain_id), CHAIN_READY_S)
        self.supervisor.wait_until("broker", lambda: redis_answers(sockets / SOCKET_NAME), BROKER_READY_S)

    def start(self, network: NetworkFile) -> None:
        """Coordinator, validators and miners, at once; returns when those that listen do."""
        programs = Services(self.layout, network).all()
        self._say(f"starting {len(programs)} processes")
        for program in programs:
            self.layout.state(program.name).mkdir(mode=0o700, parents=True, exist_ok=True)
            self.supervisor.start(program)
        deadline = time.monotonic() + SERVICES_READY_S
        miners = [name for name in network.accounts if name.startswith("miner-")]
        for name in ("coordinator", *network.endpoints, *miners):
            self.await_service(name, network, max(1.0, deadline - time.monotonic()))

    def await_service(self, name: str, network: NetworkFile, timeout_s: float = SERVICES_READY_S) -> None:
        """Return once the coordinator or a validator listens, or a miner's heartbeat was heard. Raises
        ProgramFailed."""

        def ready() -> bool:
            if name == "coordinator":
                return listens(network.api_url)
            if name in network.endpoints:
                return listens(network.endpoints[name])
            return network.accounts[name] in live_miners(network.api_url)

        self.supervisor.wait_until(name, ready, timeout_s)


def wrong_doers(plan: NetworkPlan, accounts: Mapping[str, LocalAccount]) -> dict[str, str]:
    """Names of processes to their kinds. Members take turns as primary by ascending address."""
    found = {f"miner-{number}": kind for number, kind in plan.adversaries.items()}
    names = [name for name in accounts if name.startswith("validator-")]
    primaries = sorted(names, key=lambda name: int(accounts[name].address, 16))
    found |= dict(zip(primaries, plan.wrong_validators, strict=False))
    if plan.wrong_coordinator is not None:
        found["coordinator"] = plan.wrong_coordinator
    return found


def stake_everybody(
    contracts: Contracts, accounts: Mapping[str, LocalAccount], endpoints: Mapping[str, str]
) -> None:
    """Tokens for all, stakes for validators and miners, and the first epoch; three bursts of transactions."""
    client, chain_id = contracts.client, contracts.deployment.chain_id
    deployer = Pipeline(client, accounts["deployer"], chain_id)
    settle(
        client, [deployer.send(contracts.token.faucet(parse_address(a.address))) for a in accounts.values()]
    )
    sent = []
    for name, account in accounts.items():
        stake = VALIDATOR_STAKE if name in endpoints else MINER_STAKE if name.startswith("miner-") else None
        if stake is None:
            continue
        pipeline = Pipeline(client, account, chain_id)
        calls = [contracts.token.approve(contracts.vault.address, stake), contracts.vault.deposit(stake)]
        if name in endpoints:
            calls.append(contracts.committee.join(endpoints[name]))
        sent += [pipeline.send(call) for call in calls]
    settle(client, sent)
    settle(client, [deployer.send(contracts.committee.advance_epoch())])


def stop_network(root: Path) -> list[str]:
    """Stop what runs under ``root``, also from another process than the one that started it; returns the
    names that were running. Raises ConfigurationError when nothing does.
    """
    supervisor = Supervisor(root.absolute(), attached=False)
    running = [entry.name for entry in supervisor.table if entry.running]
    if not running:
        raise ConfigurationError(f"No network runs in {root.absolute()}.")
    stop_in_order(supervisor)
    layout = Layout(root.absolute())
    if layout.network_file.exists():
        broker_url = NetworkFile.read(layout.network_file).broker_url
        remove_socket_folder(layout, Path(broker_url.removeprefix(BROKER_SCHEME)).parent)
    return running


def stop_in_order(supervisor: Supervisor) -> None:
    """Those that work first, then what they work with."""
    supervisor.stop(but=FOUNDATIONS)
    supervisor.stop()


def process_table(root: Path) -> ProcessTable:
    """The processes of the network under ``root``."""
    return ProcessTable(root.absolute() / "processes.json")


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def socket_folder(layout: Layout) -> Path:
    """Where the broker's socket can lie: under the network, or, where that path is too long for a socket,
    in a private temporary folder.
    """
    folder = layout.root / "broker"
    if len(os.fsencode(folder / SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES:
        return folder
    return Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX))


def remove_socket_folder(layout: Layout, folder: Path) -> None:
    """Remove the broker's folder if it is a temporary one; what lies under the network stays."""
    if folder.name.startswith(SOCKET_FOLDER_PREFIX) and layout.root not in folder.parents:
        shutil.rmtree(folder, ignore_errors=True)

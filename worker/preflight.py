"""What must be true before a miner starts: each answer is a line with the next step, none of them raises."""

import uuid
from collections.abc import Callable
from typing import Any, Final

from eth_account.signers.local import LocalAccount
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from protocol.blobs import open_blob_store
from protocol.chain.contracts import Contracts
from protocol.chain.market import TaskStatus
from protocol.checks import Check, checked
from protocol.errors import ConfigurationError, Refused, ServiceUnreachable, VerificationFailed
from protocol.ids import Address, TaskId, parse_address
from worker.api_client import CoordinatorClient
from worker.config import MinerConfig
from worker.coverage import Arithmetic, covered_tasks
from worker.journal import SigningJournal
from worker.trainer import resolve_device, warm_up

#: A claim and an unbonding with room to spare.
GAS_NEEDED: Final = 500_000
TASKS_LOOKED_AT: Final = 16
BROKER_TIMEOUT_S: Final = 3.0
POLICY_FIX: Final = "Compute on another device (POT_DEVICE=cpu), or wait for tasks measured for this one."


def miner_checks(config: MinerConfig, open_account: Callable[[], LocalAccount]) -> list[Check]:
    """All checks, in the order in which a newcomer repairs things; ``open_account`` opens the keystore.

    Takes a few seconds: torch is imported and every service is asked once.
    """
    checks = [checked("keystore", lambda: open_account().address, "Create one with `pot miner init`.")]
    account = parse_address(checks[0].detail) if checks[0].ok else None
    chain = checked("chain", lambda: _chain(config), "Set POT_CHAIN_URL and use the network's contracts.")
    checks.append(chain)
    if chain.ok:
        contracts = Contracts.connect(config.chain_url, config.deployment)
        checks.append(
            checked("contracts", lambda: _contracts(contracts), "Take the addresses from the network's file.")
        )
        checks.append(checked("policy", lambda: _policy(config, contracts), POLICY_FIX))
        if account is not None:
            checks.append(
                checked("stake", lambda: _stake(contracts, account), "Deposit with `pot miner stake`.")
            )
            checks.append(
                checked("gas", lambda: _gas(contracts, account), f"Send some native coin to {account}.")
            )
    return [
        *checks,
        checked("broker", lambda: _broker(config.broker_url), "Set POT_BROKER_URL; start Redis."),
        checked("blob store", lambda: _blobs(config.blob_url), "Set POT_BLOB_URL to a store you can write."),
        checked("coordinator", lambda: _coordinator(config.api_url), "Set POT_API_URL; ask its operator."),
        checked("journal", lambda: _journal(config), "Choose a state directory that you can write."),
        checked("torch", lambda: _torch(config), "Choose another device, or repair the installation."),
    ]


def _policy(config: MinerConfig, contracts: Contracts) -> str:
    try:
        arithmetic = Arithmetic.here(resolve_device(config.device))
    except ImportError as error:
        raise ConfigurationError(f"torch cannot be imported: {error}.") from error
    return covered_tasks(contracts.market, open_blob_store(config.blob_url), arithmetic)


def _chain(config: MinerConfig) -> str:
    contracts = Contracts.connect(config.chain_url, config.deployment)
    return f"chain {config.deployment.chain_id} at block {contracts.client.block().number}"


def _contracts(contracts: Contracts) -> str:
    market, expected = contracts.market, contracts.deployment.domain.separator
    if market.domain_separator() != expected:
        raise VerificationFailed("market", "its EIP-712 domain is not that of this project's contracts")
    contracts.vault.unbonding_delay_s()
    return f"market {market.address} with {market.task_count()} tasks"


def _stake(contracts: Contracts, account: Address) -> str:
    stake = contracts.vault.stake_of(account)
    last = contracts.market.task_count()
    tasks = [contracts.market.task(TaskId(i)) for i in range(max(1, last - TASKS_LOOKED_AT + 1), last + 1)]
    asked = [task.miner_stake for task in tasks if task.status is TaskStatus.OPEN]
    enough_for = sum(stake >= needed for needed in asked)
    if stake == 0 or (asked and not enough_for):
        needed = f"the open tasks ask for at least {min(asked)}" if asked else "no task pays without stake"
        raise Refused(f"{account} has staked {stake} units; {needed}.", "InsufficientStake")
    return f"{stake} units, enough for {enough_for} of {len(asked)} open tasks"


def _gas(contracts: Contracts, account: Address) -> str:
    balance, needed = contracts.client.balance(account), 2 * GAS_NEEDED * contracts.client.block().base_fee
    if balance <= needed:
        raise Refused(
            f"{account} has {balance} wei for gas; claims need about {needed}.", "InsufficientFunds"
        )
    return f"{balance} wei"


def _broker(url: str) -> str:
    options = {"socket_connect_timeout": BROKER_TIMEOUT_S, "socket_timeout": BROKER_TIMEOUT_S}
    try:
        wire: Any = Connection  # kombu has no types
        with wire(url, connect_timeout=BROKER_TIMEOUT_S, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=BROKER_TIMEOUT_S)
            connection.default_channel.close()
            name: str = connection.transport_cls
    except (OperationalError, OSError) as error:
        raise ServiceUnreachable("the broker", url, str(error)[:200]) from error
    except (KeyError, ImportError, ValueError) as error:
        raise ConfigurationError(f"{url!r} names no broker: {error}.") from error
    return f"answers ({name})"


def _blobs(url: str) -> str:
    store, data = open_blob_store(url), f"preflight {uuid.uuid4()}".encode()
    if store.get(store.put(data), len(data)) != data:
        raise VerificationFailed("blob store", "it does not give back what was stored")
    return "written and read back"


def _coordinator(url: str) -> str:
    CoordinatorClient(url).healthz()
    return "answers"


def _journal(config: MinerConfig) -> str:
    path = config.state_dir / "preflight.sqlite"
    SigningJournal(path).close()
    path.unlink()
    return str(config.state_dir)


def _torch(config: MinerConfig) -> str:
    try:
        device = resolve_device(config.device)
        warm_up(config.threads, device)
    except ImportError as error:
        raise ConfigurationError(f"torch cannot be imported: {error}.") from error
    return f"device {device}, {config.threads} thread(s)"

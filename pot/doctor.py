"""What is missing here, and the command that fixes it: one check per thing that can be missing."""

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from pot.amounts import format_amount
from pot.client import Client
from pot.keys import keystore_path
from pot.output import Reply, Table
from pot.session import Session
from protocol.errors import ConfigurationError, PotError, ServiceUnreachable

Role = Literal["all", "miner", "validator"]
BROKER_TIMEOUT_S: Final = 3.0
API_TIMEOUT_S: Final = 3.0
MAX_PAGE_BYTES: Final = 1 << 20
LOCAL: Final = "`pot network up` starts a local network and writes .pot/network.json"

POLICY_FIX: Final = "set POT_DEVICE=cpu, or wait for tasks measured for this machine"
KEY_FIX: Final = (
    "set POT_KEYSTORE and POT_PASSWORD_FILE; `pot keystore create FILE --password-file FILE` makes a new key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. ``fix`` is the command to run when it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail, "fix": self.fix}


def doctor_reply(session: Session, role: Role) -> Reply:
    """Run every check of ``role``; ``ok`` False when one fails."""
    checks = [*_local_checks(role), *_network_checks(session, role)]
    rows = [("ok" if check.ok else "MISSING", check.name, check.detail) for check in checks]
    fixes = [f"{check.name}: {check.fix}" for check in checks if not check.ok]
    text: list[str | Table] = [Table(columns=("", "what", "found"), rows=rows)]
    text += ["To fix:", *fixes] if fixes else ["Nothing is missing."]
    return Reply(
        data={"role": role, "ok": not fixes, "checks": [c.to_json() for c in checks]}, text=text, ok=not fixes
    )


def _local_checks(role: Role) -> list[Check]:
    found = [_python(), _torch()]
    return found if role != "all" else [*found, *_tools()]


def _python() -> Check:
    version = platform.python_version()
    return Check(
        name="python", ok=sys.version_info >= (3, 11), detail=version, fix="install Python 3.11 or newer"
    )


def _torch() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Check(name="torch", ok=True, detail=version("torch"))
    except PackageNotFoundError:
        return Check(name="torch", ok=False, detail="not installed", fix="`pip install -e .` in the clone")


def _tools() -> list[Check]:
    from anvil.toolchain import inspect_tools

    return [
        Check(
            name=status.name,
            ok=status.ok,
            detail=status.problem if status.tool is None else f"{status.tool.version} ({status.tool.source})",
            fix=status.fix,
        )
        for status in inspect_tools()
    ]


def _network_checks(session: Session, role: Role) -> list[Check]:
    settings = session.settings
    if settings.chain_url is None and role == "all":
        return [Check(name="network", ok=True, detail=f"none is configured; {LOCAL}")]
    client = session.client(role)
    checks = [
        _check("chain", lambda: _chain(client), f"start the chain or set POT_CHAIN_URL; {LOCAL}"),
        _check("contracts", lambda: _contracts(client), f"set the deployment's addresses; {LOCAL}"),
        _check("blob store", lambda: _blobs(client), "set POT_BLOB_URL to a store that everybody reaches"),
    ]
    if role in ("all", "miner"):
        checks.append(_check("policy", lambda: _policy(client), POLICY_FIX))
        checks.append(_check("broker", lambda: _broker(client), "start Redis or set POT_BROKER_URL"))
        checks.append(
            _check("coordinator", lambda: _api(client), "`pot coordinator run`, or set POT_API_URL")
        )
    if role == "all" and settings.api_url is not None:
        fix = "run `make tools`, then start the coordinator anew with this network's settings"
        checks.append(_check("page and wallet", lambda: _page(client), fix))
    if role != "all":
        checks += _account_checks(client, role)
    return checks


def _account_checks(client: Client, role: Role) -> list[Check]:
    stake = '`pot miner stake "1000 POT"`' if role == "miner" else "`pot validator stake --endpoint ws://...`"
    checks = [
        _check("key", lambda: _key(client, role), KEY_FIX),
    ]
    if checks[0].ok and client.settings.chain_url is not None:
        checks.append(
            _check("coin", lambda: _coin(client), f"`pot faucet {client.address}` on a local network")
        )
        checks.append(_check("stake", lambda: _stake(client, role), stake))
    return checks


def _check(name: str, look: Callable[[], str], fix: str) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except PotError as error:
        return Check(name=name, ok=False, detail=str(error), fix=fix)


def _chain(client: Client) -> str:
    contracts = client.contracts
    block = contracts.client.block()
    return f"{contracts.client.rpc_url}, chain {contracts.deployment.chain_id}, block {block.number}"


def _contracts(client: Client) -> str:
    market = client.contracts.market
    if market.domain_separator() != client.deployment.domain.separator:
        raise ConfigurationError(f"The market at {market.address} signs for another chain or address.")
    epoch = client.contracts.committee.current_epoch()
    return f"market {market.address}, epoch {epoch}, {market.task_count()} tasks"


def _blobs(client: Client) -> str:
    name = client.blobs.put(b"pot doctor\n")
    client.blobs.get(name)
    return f"{client.settings.blob_url}: a blob was written and read back"


def _policy(client: Client) -> str:
    from worker.coverage import Arithmetic, covered_tasks
    from worker.trainer import resolve_device

    arithmetic = Arithmetic.here(resolve_device(client.settings.device))
    return covered_tasks(client.contracts.market, client.blobs, arithmetic)


def _broker(client: Client) -> str:
    from kombu.connection import Connection
    from kombu.exceptions import KombuError

    connect: Any = Connection
    with connect(client.settings.need("broker_url"), connect_timeout=BROKER_TIMEOUT_S) as connection:
        shown = str(connection.as_uri())  # without its password
        try:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        except (KombuError, OSError) as error:
            raise ServiceUnreachable("the broker", shown, str(error)) from error
    return shown


def _api(client: Client) -> str:
    import urllib.error
    import urllib.request

    url = client.settings.need("api_url").rstrip("/")
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=API_TIMEOUT_S) as response:
            return f"{url} answers {response.status}"
    except (OSError, ValueError) as error:
        raise ServiceUnreachable("the coordinator", url, str(error)) from error


def _page(client: Client) -> str:
    """Whether a browser gets a page that leads a wallet to this chain."""
    import html
    import json
    import re
    import urllib.request

    url = client.settings.need("api_url").rstrip("/")
    try:
        asked = urllib.request.Request(f"{url}/", headers={"Accept": "text/html"})
        with urllib.request.urlopen(asked, timeout=API_TIMEOUT_S) as response:
            text = response.read(MAX_PAGE_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise ServiceUnreachable("the page", url, str(error)) from error
    found = re.search(r'data-network="([^"]*)"', text)
    told = json.loads(html.unescape(found[1])) if found else {}
    if told.get("chainId") != client.deployment.chain_id:
        raise ConfigurationError(
            f"{url}/ leads wallets to chain {told.get('chainId', 'unknown')}, but these settings are for "
            f"chain {client.deployment.chain_id}."
        )
    if "/vendor/ethers.js" not in text:
        raise ConfigurationError(f"{url}/ has no wallet library: the npm packages are not installed there.")
    return f"{url}/; a browser wallet has to be on chain {told['chainId']} ({told['chainId']:#x})"


def _key(client: Client, role: str) -> str:
    return f"{client.address} from {keystore_path(client.settings, role)}"


def _coin(client: Client) -> str:
    balance = client.contracts.client.balance(client.address)
    if balance == 0:
        raise ConfigurationError(f"{client.address} has no coin to pay gas with.")
    return f"{balance / 1e18:g} for gas"


def _stake(client: Client, role: Role) -> str:
    stake = client.contracts.vault.stake_of(client.address)
    least = client.contracts.committee.validator_stake() if role == "validator" else 1
    if stake == 0:
        raise ConfigurationError("nothing is at stake; each task names the stake that its miners need.")
    if stake < least:
        raise ConfigurationError(
            f"{format_amount(stake)} at stake, at least {format_amount(least)} are needed."
        )
    joined = role == "miner" or client.contracts.committee.is_validator(client.address)
    if not joined:
        raise ConfigurationError(f"{client.address} has the stake but is not in the pool.")
    return format_amount(stake) if role == "miner" else f"{format_amount(stake)}, {_place(client)}"


def _place(client: Client) -> str:
    committee, address = client.contracts.committee, client.address
    epoch = committee.current_epoch()
    inside = epoch > 0 and address in committee.members_of(epoch)
    where = f"in the pool under {committee.endpoint_of(address)}"
    return f"{where}, {'a member' if inside else 'not yet a member'} of epoch {epoch}"

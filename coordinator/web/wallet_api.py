"""What scripts ask while a wallet signs: balances, dry runs, the fate of transactions, and the desk.

Nothing here needs to know who asks: everything told is public, and everything that moves money is signed.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from coordinator.web.deps import AddressPath, Web, WebDep
from coordinator.web.desk import Answer
from coordinator.web.explorer import Explorer, TxView
from protocol.chain.reverts import decode_revert
from protocol.errors import InvalidInput, Refused
from protocol.ids import Address, parse_address, parse_hex_bytes

router = APIRouter(prefix="/wallet", tags=["wallet"])

MAX_DATASET_BYTES: Final = 32 * 1024 * 1024
MAX_NONCE: Final = 2**53
HexData = Annotated[str, Field(max_length=40_000, pattern="^0x([0-9a-fA-F]{2})*$")]
AddressText = Annotated[str, Field(max_length=42)]


class Told(BaseModel):
    """``data`` for programs, ``lines`` for people: what the ``pot`` command would print."""

    data: Any
    lines: list[str]
    ok: bool


class AccountState(BaseModel):
    """An account at the newest block; amounts in smallest units, ``nonce`` counts its transactions,
    ``permit_nonce`` its permits."""

    address: str
    token: str
    coin: str
    stake: str
    unbonding: str
    unlocks_at: int
    nonce: int
    permit_nonce: str
    token_name: str
    now: int


class DryRun(BaseModel):
    """A call that somebody is about to sign."""

    model_config = ConfigDict(extra="forbid")

    sender: AddressText
    to: AddressText
    data: HexData
    value: str = Field(default="0", pattern="^[0-9]{1,38}$")


class Gas(BaseModel):
    """What the call would use, and what a unit costs now, in wei; or why it would be ``refused``."""

    gas: int = 0
    gas_price: str = "0"
    refused: str | None = None


class DraftIn(BaseModel):
    """A draft as ``pot task post`` takes it; ``detect`` asks for a sampling rate (0.95 or 95%)."""

    model_config = ConfigDict(extra="forbid")

    draft: dict[str, Any]
    detect: str | None = Field(default=None, max_length=16)


class Fate(BaseModel):
    """What became of a transaction. ``status``: pending, mined, reverted, replaced, or unknown."""

    status: str
    hash: str
    reason: str = ""
    block: int | None = None
    task_id: str | None = None
    data: str = ""


def _told(ask: Callable[[], Answer]) -> Told:
    """A no is an answer here: the page shows it, and nothing has failed."""
    try:
        answer = ask()
    except (InvalidInput, Refused) as no:
        return Told(data=None, lines=[str(no)], ok=False)
    return Told(data=answer.data, lines=list(answer.lines), ok=answer.ok)


@router.get("/accounts/{address}")
def get_account(web: WebDep, address: AddressPath) -> AccountState:
    """Balances, stake and nonces."""
    contracts, chain = web.contracts, web.contracts.client
    unbonding, unlocks_at = contracts.vault.unbonding_of(address)
    return AccountState(
        address=address,
        token=str(contracts.token.balance_of(address)),
        coin=str(chain.balance(address)),
        stake=str(contracts.vault.stake_of(address)),
        unbonding=str(unbonding),
        unlocks_at=unlocks_at,
        nonce=chain.quantity("eth_getTransactionCount", address, "pending"),
        permit_nonce=str(contracts.token.view("nonces", address)),
        token_name=str(contracts.token.view("name")),
        now=chain.pending_time(),
    )


@router.get("/allowances/{address}")
def get_allowance(
    web: WebDep, address: AddressPath, spender: Annotated[str, Query(max_length=42)]
) -> dict[str, str]:
    """How many token units ``spender`` may move."""
    return {"allowance": str(web.contracts.token.allowance(address, parse_address(spender)))}


@router.post("/dry-runs")
def post_dry_run(web: WebDep, body: DryRun) -> Gas:
    """Whether a call would work now, and the gas it would take."""
    sender, to = parse_address(body.sender), parse_address(body.to)
    data = bytes.fromhex(body.data[2:])
    try:
        gas = Explorer(web.contracts).simulate(sender, to, data, int(body.value))
    except Refused as refused:
        return Gas(refused=str(refused))
    return Gas(gas=gas, gas_price=str(web.contracts.client.quantity("eth_gasPrice")))


@router.get("/reverts/{data}")
def get_revert(data: str) -> dict[str, str]:
    """Revert data as the sentence that the command line prints."""
    if len(data) > 4_000:
        raise InvalidInput("The revert data is too long.")
    refused = decode_revert(_hex(data))
    return {"error": refused.reason, "message": str(refused)}


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise InvalidInput("The revert data is not hex.") from error


@router.get("/transactions/{tx_hash}")
def get_fate(
    web: WebDep,
    tx_hash: str,
    sender: Annotated[str | None, Query(max_length=42)] = None,
    nonce: Annotated[int, Query(ge=0, le=MAX_NONCE)] = 0,
) -> Fate:
    """The fate of a transaction; with ``sender`` and ``nonce``, also of the one that took its place."""
    explorer = Explorer(web.contracts)
    try:
        return _fate(explorer.transaction(parse_hex_bytes(tx_hash, 32)))
    except Refused:
        if sender is None:
            return Fate(status="unknown", hash=tx_hash)
        found = _by_nonce(explorer, parse_address(sender), nonce)
        return found.model_copy(update={"status": "replaced"}) if found.status != "unknown" else found


@router.get("/accounts/{address}/nonces/{nonce}")
def get_by_nonce(web: WebDep, address: AddressPath, nonce: int) -> Fate:
    """What an account sent under a nonce; for a page that was reloaded while the wallet signed."""
    if not 0 <= nonce <= MAX_NONCE:
        raise InvalidInput(f"{nonce} is no nonce.")
    return _by_nonce(Explorer(web.contracts), address, nonce)


def _by_nonce(explorer: Explorer, sender: Address, nonce: int) -> Fate:
    found = explorer.replaced_by(sender, nonce)
    if not found:
        return Fate(status="unknown" if found is None else "replaced", hash="")
    return _fate(explorer.transaction(bytes.fromhex(found[2:])))


def _fate(view: TxView) -> Fate:
    created = [event for event in view.events if event is not None and event.name == "TaskCreated"]
    task = next((a.value for event in created for a in event.arguments if a.name == "taskId"), None)
    return Fate(
        status=view.status,
        hash=view.hash,
        reason=view.reason,
        block=view.block_number,
        task_id=task,
        data=view.data,
    )


@router.post("/quotes")
def post_quote(web: WebDep, body: DraftIn) -> Told:
    """``pot task quote``."""
    return _told(lambda: web.desk.quote(body.draft, detect=body.detect))


@router.post("/drafts")
def post_draft(web: WebDep, body: DraftIn) -> Told:
    """Check a draft, store its blobs, and tell the arguments of ``createTask``."""
    return _told(lambda: web.desk.prepare(body.draft))


@router.put("/datasets/{name}")
async def put_dataset(
    web: WebDep,
    request: Request,
    name: str,
    label: Annotated[str, Query(max_length=200)] = "label",
    scale: Annotated[str, Query(pattern="^(standard|none)$")] = "standard",
) -> Told:
    """Bring a CSV or text file into canonical form and store it."""
    data = await _bounded(request, web)
    asked = partial(web.desk.ingest, name[:200], data, label=label, scale=scale)
    return await run_in_threadpool(_told, asked)


async def _bounded(request: Request, web: Web) -> bytes:
    limit = min(MAX_DATASET_BYTES, web.config.max_upload_bytes)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise InvalidInput(f"A data set of at most {limit:,} bytes can be uploaded here.")
        parts.append(part)
    return b"".join(parts)


@router.get("/accounts/{address}/actions")
def get_actions(web: WebDep, address: AddressPath) -> Told:
    """What the account can claim or appeal against, as calls."""
    return _told(lambda: web.desk.actions(address))


@router.post("/faucet/{address}")
def post_faucet(web: WebDep, address: AddressPath) -> Told:
    """``pot faucet``; refused on every chain that is no local one."""
    return _told(lambda: web.desk.drip(address))

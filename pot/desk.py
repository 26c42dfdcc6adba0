"""What the coordinator's pages ask, answered by the code of the ``pot`` command.

It has no key: whatever is signed is signed by the reader's wallet. A call that a wallet is to sign is told as
contract, function and arguments in the order of the ABI, so that the page encodes it itself.
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from coordinator.web.desk import Answer
from pot.amounts import format_amount
from pot.claims import Claimable
from pot.client import Client
from pot.disputes.challenge import Challenge, faults_of
from pot.draft import Draft, build_draft
from pot.earning import wait_line
from pot.explaining import explain
from pot.faucet import drip
from pot.output import Reply, Table
from pot.posting import dialed, quote_reply
from pot.settings import Settings
from protocol.chain.docket import read_docket
from protocol.chain.market import TaskParams
from protocol.chain.records import proof_of
from protocol.errors import InvalidInput, Refused
from protocol.ids import Address
from worker.training.ingest import from_file

MAX_DRAFTS: Final = 2
"""Drafts that are worked on at a time: each builds a first model."""
BUSY_S: Final = 20.0
MAX_PARAM: Final = 4096
"""Of a model that is drafted here; the command line drafts larger ones."""
_HASH: Final = re.compile("[0-9a-f]{64}")


class PotDesk:
    """Implements ``coordinator.web.desk.Desk``; thread-safe, as each answer has a client of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._drafting = threading.BoundedSemaphore(MAX_DRAFTS)

    def _client(self) -> Client:
        return Client(self._settings)

    def explain(
        self, task_id: int, *, account: str | None, round_number: int | None, tx: str | None
    ) -> Answer:
        """``pot why``."""
        return _answer(explain(self._client(), task_id, account=account, round_number=round_number, tx=tx))

    def quote(self, document: dict[str, Any], *, detect: str | None) -> Answer:
        """``pot task quote``, without timing a shard here: this is not the poster's machine."""
        client = self._client()
        quote = client.quote(self._draft(client, document), measure=False)
        return _answer(quote_reply(dialed(quote, detect=detect)))

    def prepare(self, document: dict[str, Any]) -> Answer:
        """The blobs are stored before anything is signed: whoever reads the new task finds them."""
        client = self._client()
        draft = self._draft(client, document)
        client.terms(draft)
        for blob in draft.blobs:
            client.blobs.put(blob)
        starts_at = client.contracts.client.pending_time()
        params = TaskParams.of(draft.spec, draft.genesis, starts_at)
        data = {
            "params": plain(params.argument()),
            "escrow": str(params.escrow),
            "spec_hash": draft.spec.hash.hex(),
            "spec": draft.spec.blob.decode(),
        }
        return Answer(data=data, lines=(f"The escrow is {format_amount(params.escrow)}.",))

    def ingest(self, name: str, data: bytes, *, label: str, scale: str) -> Answer:
        """Raises InvalidInput when the file is no data set."""
        blob = from_file(name, data, label=label, scale="none" if scale == "none" else "standard")
        stored = self._client().blobs.put(blob)
        kind = "text" if name.endswith((".txt", ".md")) else "classification"
        found = {"sha256": stored.hex(), "kind": kind, "name": name[:200]}
        return Answer(data=found, lines=(f"{name}: {len(blob):,} bytes in canonical form.",))

    def actions(self, account: Address) -> Answer:
        """Claims of all tasks, and appeals while their windows are open."""
        client = self._client()
        known = client.claimable(account)
        claims = [action for item in known for action in _claims(item)]
        appeals = [action for item in known for action in _appeals(client, item, account)]
        lines = tuple(wait_line(item) for item in known if item.waiting)
        return Answer(data={"claims": claims, "appeals": appeals}, lines=lines)

    def drip(self, account: Address) -> Answer:
        """``pot faucet``."""
        given, coin = drip(self._client(), account, None)
        line = f"{account} got {format_amount(given)} and has {coin / 1e18:g} coin."
        return Answer(data={"given": str(given), "coin": str(coin)}, lines=(line,))

    def _draft(self, client: Client, document: dict[str, Any]) -> Draft:
        """Raises InvalidInput for what a stranger may not ask of this machine: its files, a huge model."""
        _require_no_files(document)
        if not self._drafting.acquire(timeout=BUSY_S):
            raise Refused("Too many tasks are being drafted here: try again in a moment.", "Busy")
        try:
            draft = build_draft(document, Path("/nonexistent"), "A task", client.blobs)
        finally:
            self._drafting.release()
        return draft


def _require_no_files(document: dict[str, Any]) -> None:
    dataset, checks, model = (document.get(name) for name in ("dataset", "verification", "model"))
    if isinstance(dataset, dict) and "file" in dataset:
        raise InvalidInput("dataset.file names a file of your machine: upload it, or name its sha256.")
    policy = checks.get("policy") if isinstance(checks, dict) else None
    if policy is not None and _HASH.fullmatch(str(policy)) is None:
        raise InvalidInput("verification.policy names a file: only the sha256 of a stored policy works here.")
    params = model.get("params") if isinstance(model, dict) else None
    if isinstance(params, dict) and any(isinstance(v, int) and v > MAX_PARAM for v in params.values()):
        raise InvalidInput("model.params is too large for this page. Post the task with `pot task post`.")


def plain(value: Any) -> Any:
    """Contract arguments for JSON: bytes as 0x hex, numbers as decimal strings."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | str) else str(value)


def _claims(item: Claimable) -> list[dict[str, Any]]:
    found = []
    task = str(item.task_id)
    if item.due and item.record is not None:
        arguments = [task, item.record.payout_argument(), item.account, item.cumulative, item.proof]
        label = f"Claim {format_amount(item.due)} of task {task}"
        found.append(_action("market", "claim", arguments, label, task))
    if item.signing_fee and item.last_record is not None:
        arguments = [task, item.last_record.argument(), item.account]
        label = f"Claim the signing fee of {format_amount(item.signing_fee)} of task {task}"
        found.append(_action("market", "claimSigningFee", arguments, label, task))
    return found


def _appeals(client: Client, item: Claimable, account: Address) -> list[dict[str, Any]]:
    """What a miner can appeal against and has not, with the approval of the bond that comes first."""
    if client.task(item.task_id).challenge_window_s == 0:
        return []
    try:
        found = faults_of(client, item.task_id, miner=account, place=None)
    except Refused:
        return []
    return [_appeal(client, challenge) for challenge in found if not _is_brought(client, challenge)]


def _is_brought(client: Client, challenge: Challenge) -> bool:
    """Whether somebody has taken the same fault to the court that it would join."""
    if challenge.joins is None:
        return False
    docket = read_docket(client.contracts, challenge.task_id, challenge.joins)
    return any(case.leaf == challenge.matter.leaf_hash for case in docket.cases)


def _appeal(client: Client, challenge: Challenge) -> dict[str, Any]:
    task, matter = str(challenge.task_id), challenge.matter
    proof = proof_of(challenge.record, matter, client.deployment.domain)
    arguments = [task, challenge.event.record.argument(), tuple(matter.leaf), proof]
    number, shard, _ = challenge.place
    label = f"Appeal against the fault in task {task}, round {number} shard {shard}"
    return {
        **_action("appeals", "challengeFault", arguments, label, task),
        "allowance": str(challenge.bond),
        "until": challenge.closes_at,
    }


def _action(contract: str, function: str, arguments: list[Any], label: str, task: str) -> dict[str, Any]:
    call = {"contract": contract, "function": function, "arguments": plain(arguments)}
    return {**call, "label": label, "task_id": task}


def _answer(reply: Reply) -> Answer:
    return Answer(data=reply.data, lines=_lines(reply.text), ok=reply.ok)


def _lines(text: Sequence[str | Table]) -> tuple[str, ...]:
    """Tables are for terminals; the page draws its own from the data."""
    return tuple(item for item in text if isinstance(item, str))

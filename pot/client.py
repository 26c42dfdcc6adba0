"""The SDK: what the ``pot`` commands do, for Python programs. ``from pot import Client``.

client = Client(load_settings())
posted = client.post(client.draft("examples/digits-mlp.yaml"))
client.wait(posted.task_id)
client.fetch(posted.task_id, Path("model.safetensors"))
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eth_account.signers.local import LocalAccount

from pot.claims import Claimable, claim, claimable
from pot.draft import Draft, read_draft
from pot.endings import require_cancellable, require_closable
from pot.funding import create_task, deposit_stake, require_funds
from pot.keys import keystore_path
from pot.quote import Quote, make_quote
from pot.settings import Settings
from pot.task_events import TaskEvents, events_of, read_events
from pot.terms import Terms, read_terms
from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.contracts import Contracts
from protocol.chain.deployment import Deployment
from protocol.chain.events import TaskCancelled, TaskClosed, TaskCreated
from protocol.chain.history import read_spec
from protocol.chain.market import OnchainTask, TaskParams, TaskStatus
from protocol.chain.sender import Receipt, Sender
from protocol.errors import ConfigurationError, InvalidInput, Refused, VerificationFailed
from protocol.ids import Address, Sha256, TaskId, parse_address, sha256
from protocol.keystore import open_keystore
from protocol.spec import TaskSpec

if TYPE_CHECKING:
    from pot.audit.report import AuditReport

WAIT_POLL_S: Final = 0.5
DEFAULT_COMMITTEE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A task that is on the chain. ``gas_used`` of the creating transaction; ``escrow`` in smallest units."""

    task_id: TaskId
    spec_hash: Sha256
    genesis_model: Sha256
    escrow: int
    tx_hash: bytes
    gas_used: int

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": str(self.task_id),
            "spec_hash": self.spec_hash.hex(),
            "genesis_model": self.genesis_model.hex(),
            "escrow": str(self.escrow),
            "tx_hash": "0x" + self.tx_hash.hex(),
            "gas_used": self.gas_used,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A certified model that was downloaded and checked."""

    task_id: TaskId
    round: int
    model: Sha256
    path: Path
    size: int


class Client:
    """One account's view of one network. Connects on first use; ``role`` chooses the keystore of a local
    network when none is named. Every method raises ConfigurationError, ServiceUnreachable or Refused."""

    def __init__(self, settings: Settings, *, role: str = "poster") -> None:
        self.settings = settings
        self._role = role

    # Who and where -----------------------------------------------------------------------------------------

    @cached_property
    def deployment(self) -> Deployment:
        """The contracts' addresses, from the settings."""
        contracts = self.settings.contracts
        if contracts is None:
            raise ConfigurationError(
                "contracts is not set. Write [contracts] market, vault, committee, appeals, canaries, token "
                "into pot.toml, or run this where `pot network up` has written .pot/network.json."
            )
        chain_id = self.settings.chain_id
        if chain_id is None:
            raise ConfigurationError("chain_id is not set: set POT_CHAIN_ID to the id of the chain.")
        return Deployment.from_json({"chain_id": chain_id, **contracts.model_dump()})

    @cached_property
    def contracts(self) -> Contracts:
        """The contracts, on a chain whose id was checked."""
        return Contracts.connect(self.settings.need("chain_url"), self.deployment)

    @cached_property
    def blobs(self) -> BlobStore:
        """The blob store."""
        return open_blob_store(self.settings.need("blob_url"))

    @cached_property
    def account(self) -> LocalAccount:
        """The key this client signs with."""
        path = keystore_path(self.settings, self._role)
        return open_keystore(path, self.settings.password_file)

    @property
    def address(self) -> Address:
        return parse_address(self.account.address)

    @cached_property
    def sender(self) -> Sender:
        """Sends this account's transactions."""
        return Sender(self.contracts.client, self.account)

    # Posters -----------------------------------------------------------------------------------------------

    def draft(self, path: Path | str) -> Draft:
        """Read and check a YAML draft. Raises InvalidInput."""
        store = self.blobs if self.settings.blob_url is not None else None
        return read_draft(Path(path), store)

    def quote(self, draft: Draft, *, measure: bool = True) -> Quote:
        """What ``draft`` would cost on this network. Raises InvalidInput when the network cannot carry it."""
        terms = self.terms(draft)
        gas_price = self.contracts.client.block().base_fee
        return make_quote(draft, members=terms.members, gas_price=gas_price, measure=measure, terms=terms)

    def terms(self, draft: Draft, *, start_in_s: int = 0) -> Terms:
        """What this network says about ``draft``: its committee, and how long stakes have to stay. Raises
        InvalidInput, with what to change, when it cannot carry the task."""
        terms = read_terms(self.contracts, draft.spec, start_in_s=start_in_s)
        terms.check()
        return terms

    def check_funds(self, draft: Draft) -> None:
        """Raises Refused, saying how much is missing, when the account cannot fund ``draft``."""
        require_funds(self.contracts, self.address, draft.spec.escrow_wei, "The escrow")

    def post(self, draft: Draft, *, start_in_s: int = 0, approve: bool = False) -> Posted:
        """Store the blobs, fund the escrow and create the task, which begins ``start_in_s`` seconds from now.

        Until it begins the poster may cancel it. Raises InvalidInput for a task that this network cannot
        carry.
        """
        spec = draft.spec
        self.check_funds(draft)
        self.terms(draft, start_in_s=start_in_s)
        for blob in draft.blobs:
            self.blobs.put(blob)
        starts_at = self.contracts.client.pending_time() + start_in_s
        params = TaskParams.of(spec, draft.genesis, starts_at)
        receipt = create_task(self.contracts, self.account, self.sender, params, approve=approve)
        return self._posted(draft, receipt)

    def _posted(self, draft: Draft, receipt: Receipt) -> Posted:
        events = read_events(self.contracts)
        created = [e for e in events if isinstance(e, TaskCreated) and e.where.tx_hash == receipt.tx_hash]
        if len(created) != 1:
            raise VerificationFailed(f"transaction 0x{receipt.tx_hash.hex()}", "it created no task")
        return Posted(
            task_id=created[0].task_id,
            spec_hash=draft.spec.hash,
            genesis_model=draft.genesis,
            escrow=created[0].escrow,
            tx_hash=receipt.tx_hash,
            gas_used=receipt.gas_used,
        )

    def task(self, task_id: TaskId) -> OnchainTask:
        """The chain's state of a task. Raises InvalidInput when there is none."""
        task = self.contracts.market.task(task_id)
        if task.status is TaskStatus.NONE:
            raise InvalidInput(f"There is no task {task_id} here. `pot task list` shows those there are.")
        return task

    def tasks(self) -> list[OnchainTask]:
        """All tasks of the deployment, the oldest first."""
        count = self.contracts.market.task_count()
        return [self.contracts.market.task(TaskId(number)) for number in range(1, count + 1)]

    def events(self, task_id: TaskId) -> TaskEvents:
        """The task's events."""
        return events_of(read_events(self.contracts), task_id)

    def spec(self, task_id: TaskId) -> TaskSpec:
        """The task's spec, from the blob store, by the hash on the chain."""
        return read_spec(self.events(task_id).created, self.blobs)

    def wait(
        self, task_id: TaskId, *, timeout_s: float, on_change: Callable[[OnchainTask], None] | None = None
    ) -> OnchainTask:
        """Wait until all rounds are certified, the task ended, or its deadline passed; ``on_change`` hears of
        each new state. Returns the last state seen, also when ``timeout_s`` ran out."""
        give_up = time.monotonic() + timeout_s
        seen: OnchainTask | None = None
        while True:
            task = self.task(task_id)
            if task != seen and on_change is not None:
                on_change(task)
            seen = task
            # The work goes on while certificates are disputed.
            working = task.status in (TaskStatus.OPEN, TaskStatus.DISPUTED) and task.last_round < task.rounds
            over = not working or self.contracts.client.pending_time() > task.deadline
            if over or time.monotonic() >= give_up:
                return task
            time.sleep(WAIT_POLL_S)

    def cancel(self, task_id: TaskId) -> tuple[int, Receipt]:
        """Withdraw a task that has not begun; (refund, receipt)."""
        require_cancellable(self.task(task_id), self.address, self.contracts.client.pending_time())
        return self._ended(task_id, self.sender.send(self.contracts.market.cancel(task_id)))

    def close(self, task_id: TaskId) -> tuple[int, Receipt]:
        """End a task whose rounds are certified or whose deadline passed; (refund, receipt)."""
        require_closable(self.task(task_id), self.contracts.client.pending_time())
        return self._ended(task_id, self.sender.send(self.contracts.market.close(task_id)))

    def _ended(self, task_id: TaskId, receipt: Receipt) -> tuple[int, Receipt]:
        for event in reversed(self.events(task_id).events):
            if isinstance(event, TaskClosed | TaskCancelled):
                return event.refund, receipt
        raise VerificationFailed(f"transaction 0x{receipt.tx_hash.hex()}", f"it did not end task {task_id}")

    def fetch(self, task_id: TaskId, path: Path) -> Fetched:
        """Download the certified model, check its hash, tensors and round, and write it to ``path``.

        Raises VerificationFailed for a model that is not what the chain names, Refused while there is none.
        """
        from worker.training.checkpoint import load_checkpoint

        task = self.task(task_id)
        if task.last_round == 0:
            raise Refused(
                f"Task {task_id} has no certified round yet. Follow it with `pot task watch {task_id}`."
            )
        spec = self.spec(task_id)
        blob = self.blobs.get(task.model, spec.limits.max_blob_bytes)
        checkpoint = load_checkpoint(spec, blob, f"model {task.model.hex()}")
        if checkpoint.round != task.last_round:
            raise VerificationFailed(
                f"model {task.model.hex()}", f"it is of round {checkpoint.round}, not of {task.last_round}"
            )
        write_file(path, blob)
        return Fetched(task_id=task_id, round=checkpoint.round, model=sha256(blob), path=path, size=len(blob))

    # Earners -----------------------------------------------------------------------------------------------

    def claimable(self, account: Address, task_id: TaskId | None = None) -> list[Claimable]:
        """What ``account`` can claim, of one task or of all of them."""
        events = read_events(self.contracts)
        ids = (
            [event.task_id for event in events if isinstance(event, TaskCreated)]
            if task_id is None
            else [task_id]
        )
        return [claimable(self.contracts, self.blobs, events_of(events, number), account) for number in ids]

    def claim(self, *items: Claimable) -> dict[TaskId, list[bytes]]:
        """Claim what is due, of several tasks in one transaction; the transactions' hashes, by task. Anyone
        may claim for anybody."""
        return claim(self.contracts, self.sender, items)

    def mine(self) -> None:
        """Mine with this account until SIGTERM or SIGINT. From the main thread."""
        from pot.services import run_miner

        run_miner(self, None, appeal=False)

    # Anybody -----------------------------------------------------------------------------------------------

    def audit(self, task_id: TaskId, *, rounds: Collection[int] | None = None) -> "AuditReport":
        """Rebuild a task from the chain and the blobs alone, and re-execute ``rounds`` (None: all that are
        certified). ``report.ok`` is False when something is not true; ``report.lie`` says what."""
        from pot.audit.audit import audit_task

        def choose(certified: int) -> Collection[int]:
            return range(1, certified + 1) if rounds is None else rounds

        return audit_task(self.contracts, self.blobs, task_id, choose)

    def draw(self, task_id: TaskId) -> Receipt:
        """Draw the committee of a task, where its validators have not. Raises Refused when it is too early or
        done."""
        return self.sender.send(self.contracts.committee.draw_committee(task_id))

    def stake(self, amount: int, *, approve: bool = False) -> Receipt:
        """Deposit ``amount`` smallest units as stake."""
        return deposit_stake(self.contracts, self.account, self.sender, amount, approve=approve)


def write_file(path: Path, data: bytes) -> None:
    """Write ``path`` whole or not at all. Raises InvalidInput when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from error

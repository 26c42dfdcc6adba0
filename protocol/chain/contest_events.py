"""Everything that the contest contracts tell by their events, whatever kinds they have: decoded by the
committed ABIs into one shape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from web3.types import LogReceipt

from protocol.chain.abi import load_abi
from protocol.chain.contract import ContractClient
from protocol.chain.contracts import Contracts
from protocol.chain.event_base import Args, Event, EventRef
from protocol.ids import Address, Wei, parse_address
from protocol.learning_block import ZERO_ADDRESS, Block, require_hash

BLOCK_APPENDED: Final = "BlockAppended"
#: Whose event it is, and how much of that account's money it moved: the first of these that an event has.
_ACCOUNTS: Final = ("poster", "miner", "challenger", "signer", "account", "winner")
_AMOUNTS: Final = ("escrow", "taken", "amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestEvent(Event):
    """``data`` holds the event's arguments by their Solidity names; ``block`` the learning chain's block that
    it appended. ``contest_id`` is null where an event is about no contest."""

    kind: str
    contest_id: int | None
    account: Address | None
    amount: Wei | None
    data: Mapping[str, Any]
    block: Block | None = None


class ContestEventReader:
    """Decodes the logs of one deployment's contests and panels."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._known: dict[tuple[str, bytes], tuple[str, Callable[[LogReceipt], Args]]] = {}

    @property
    def addresses(self) -> list[Address]:
        """The contracts whose logs are read. Raises ServiceUnreachable, Refused."""
        return [Address(name) for name in sorted({address for address, _ in self._decoders()})]

    def read(self, first_block: int, last_block: int) -> list[ContestEvent]:
        """All events of ``first_block..last_block`` in chain order. Raises ServiceUnreachable, Refused, and
        PeerMisbehaved for a block whose hash is not the one it was appended under."""
        logs = self._contracts.client.logs(self.addresses, first_block, last_block)
        events = (self._decode(log) for log in logs)
        return [event for event in events if event is not None]

    def _decoders(self) -> dict[tuple[str, bytes], tuple[str, Callable[[LogReceipt], Args]]]:
        if not self._known:
            contest = self._contracts.contest
            parts: tuple[ContractClient, ...] = (contest, contest.panels())
            for contract in parts:
                for item in load_abi(contract.NAME):
                    if item["type"] == "event":
                        topic, decode = contract.event(item["name"])
                        self._known[(contract.address, topic)] = (item["name"], decode)
        return self._known

    def _decode(self, log: LogReceipt) -> ContestEvent | None:
        key = (parse_address(log["address"]), bytes(log["topics"][0]))
        if key not in self._known:
            return None
        kind, decode = self._known[key]
        args = decode(log)
        block = None
        if kind == BLOCK_APPENDED:
            block = Block.parse(bytes(log["data"]))
            require_hash(block, bytes(log["topics"][1]))
        where = EventRef(
            block_number=int(log["blockNumber"]),
            block_hash=bytes(log["blockHash"]),
            tx_hash=bytes(log["transactionHash"]),
            log_index=int(log["logIndex"]),
        )
        return _event(where, kind, args, block)


def _event(where: EventRef, kind: str, args: Args, block: Block | None) -> ContestEvent:
    # A certificate's winner is a place, not an account.
    account = next((args[name] for name in _ACCOUNTS if isinstance(args.get(name), str)), None)
    amount = next((args[name] for name in _AMOUNTS if name in args), None)
    contest = args.get("contestId")
    if block is not None:
        account, contest = block.winner, block.task or None
    return ContestEvent(
        where=where,
        kind=kind,
        contest_id=None if contest is None else int(contest),
        account=None if account in (None, ZERO_ADDRESS) else Address(account),
        amount=None if amount is None else Wei(amount),
        data=args,
        block=block,
    )

"""The learning chain in people's hands: read it, put payloads on it, keep it going by puzzles."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pot.payload_client import PayloadClient
from protocol.blobs import DEFAULT_MAX_BYTES, BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge
from protocol.chain.contracts import Contracts
from protocol.chain.learning_log import LearningLog, order_payloads
from protocol.chain.sender import Receipt, Sender
from protocol.errors import PeerMisbehaved, Refused, VerificationFailed
from protocol.hash_work import PUZZLE_TARGET
from protocol.ids import Address, Sha256
from protocol.learning_block import Block, Kind
from protocol.learning_payload import (
    Ordered,
    SignedPayload,
    follow,
    list_root,
    payload_list,
    sign_payload,
)
from protocol.payload_offer import OfferAnswer
from protocol.signing import Signer
from worker.hash_miner import HashMiner

MAX_MINED_BYTES: Final = 64 * 1024
"""A puzzle's list travels in its transaction: up to 40 gas a byte."""
FIND_S: Final = 600.0
"""A puzzle takes 2^18 hashes on average; who finds none for so long has too little to hash with."""
LOOK_S: Final = 1.0
LOST: Final = frozenset({"StaleParent", "HeightOutOfOrder"})
"""Somebody else's block came first."""
MAX_LOST: Final = 100
EARLY_S: Final = 120.0
"""How long a block waits for the chain's clock; a chain's blocks are seldom further apart."""
EARLY_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The chain from its genesis on; ``ordered`` is what the list of each block comes to, the genesis'
    empty."""

    blocks: tuple[Block, ...]
    ordered: tuple[Ordered, ...]

    @property
    def numbers(self) -> Mapping[Address, int]:
        """Each author's next number."""
        return self.ordered[-1].sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A payload, and what each validator said of it: its answer, or why nothing was heard."""

    payload: SignedPayload
    answers: tuple[tuple[Address, OfferAnswer | str], ...]

    @property
    def kept(self) -> int:
        return sum(1 for _, said in self.answers if isinstance(said, OfferAnswer) and said.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """A puzzle that the contract took."""

    block: Block
    payloads: int
    receipt: Receipt


def read_blocks(contracts: Contracts, contest: Address | None = None) -> LearningLog:
    """The chain as the contract at ``contest`` tells it; the deployment's if None. Raises PeerMisbehaved
    where events, hashes and head do not agree, ServiceUnreachable, Refused."""
    deployment = contracts.deployment
    log = LearningLog(
        client=contracts.client,
        contest=contest or deployment.contest,
        domain=replace(deployment.contest_domain, market=contest or deployment.contest),
        first_block=deployment.block,
    )
    log.read()
    return log


def walk(log: LearningLog, blobs: BlobStore) -> Walk:
    """With the payloads of every block. Raises PeerMisbehaved, naming the block whose list is not to be
    had."""
    ordered = order_payloads(log.blocks, log.shown, blobs, log.domain)
    return Walk(blocks=tuple(log.blocks), ordered=(Ordered(), *ordered))


def check_models(blocks: Sequence[Block], blobs: BlobStore) -> None:
    """Raises PeerMisbehaved, naming the block, unless each winner's model is stored under its hash."""
    for block in blocks:
        if block.kind is not Kind.CONTEST:
            continue
        try:
            blobs.get(Sha256(block.model), DEFAULT_MAX_BYTES)
        except (BlobMissing, BlobCorrupt, BlobTooLarge) as error:
            raise PeerMisbehaved(f"block {block.height}", f"its model: {error}") from error


def submit(contracts: Contracts, blobs: BlobStore, signer: Signer, data: bytes) -> Submitted:
    """Sign ``data`` with its author's next number, after what the chain holds and what waits at validators
    by the author's own signature, and hand it to all of them, those that wait before it. Raises
    ServiceUnreachable when nobody answers."""
    log = read_blocks(contracts)
    client = PayloadClient(contracts)
    numbers = walk(log, blobs).numbers
    waiting = follow(numbers, client.waiting(signer.address), log.domain)
    number = waiting.sequences.get(signer.address, 0)
    payload = sign_payload(signer, log.domain, number, data)
    return Submitted(payload=payload, answers=tuple(client.offer([*waiting.taken, payload])))


def mine(
    contracts: Contracts,
    blobs: BlobStore,
    sender: Sender,
    *,
    blocks: int,
    processes: int,
    gather: bool,
    say: Callable[[str], None],
) -> list[Mined]:
    """Append ``blocks`` puzzles, each with the payloads that wait at validators if ``gather``; whose block
    comes too late begins again. Raises Refused while a contest is open, ServiceUnreachable."""
    found: list[Mined] = []
    lost = 0
    log = read_blocks(contracts)
    with HashMiner() as miner:
        miner.resize(processes)
        while len(found) < blocks:
            payloads = _gathered(log, contracts, blobs) if gather else ()
            listed = payload_list(payloads)
            block = _find(miner, next_puzzle(contracts, sender.address, listed))
            try:
                receipt = append_puzzle(contracts, sender, block, listed)
            except Refused as error:
                lost += 1
                if error.reason not in LOST or lost > MAX_LOST:
                    raise
                say(f"{error} Beginning again.")
                continue
            found.append(Mined(block=block, payloads=len(payloads), receipt=receipt))
            say(f"Block {block.height}: {block.hash.hex()} with {len(payloads)} payloads.")
    return found


def append_puzzle(
    contracts: Contracts,
    sender: Sender,
    block: Block,
    listed: bytes,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Receipt:
    """Hand in a solved puzzle. Times of blocks rise by at least a second, so one found sooner after its
    parent is still in the future for the chain and waits, at most EARLY_S. Raises Refused,
    ServiceUnreachable."""
    waited = 0.0
    while True:
        try:
            return sender.send(contracts.contest.append_puzzle(block, listed))
        except Refused as error:
            # The contract looks at the parent first: what follows the head and has a wrong time is early.
            if error.reason != "BlockTimeOutOfRange" or waited >= EARLY_S:
                raise
        sleep(EARLY_LOOK_S)
        waited += EARLY_LOOK_S


def next_puzzle(contracts: Contracts, solver: Address, listed: bytes) -> Block:
    """The puzzle that follows the newest block, unsolved. Raises Refused while a contest is open."""
    contest, at = contracts.contest, contracts.client.block()
    still_open = contest.open_contests(at.number)
    if still_open:
        raise Refused(
            f"Contests are open ({still_open}): the learning chain's next block is to be won by training.",
            "ContestsOpen",
        )
    return Block(
        kind=Kind.PUZZLE,
        parent=contest.head(at.number),
        height=contest.height(at.number) + 1,
        winner=solver,
        transactions=list_root(listed),
        time=max(contest.head_time(at.number) + 1, at.timestamp),
        target=PUZZLE_TARGET,
    )


def _gathered(log: LearningLog, contracts: Contracts, blobs: BlobStore) -> tuple[SignedPayload, ...]:
    """What waits and may stand in the next block, up to MAX_MINED_BYTES."""
    log.read()
    taken = follow(walk(log, blobs).numbers, PayloadClient(contracts).waiting(None), log.domain).taken
    count = len(taken)
    while len(payload_list(taken[:count])) > MAX_MINED_BYTES:
        count //= 2
    return taken[:count]


def _find(miner: HashMiner, block: Block) -> Block:
    miner.begin(block)
    waited = 0.0
    while (solved := miner.result(LOOK_S)) is None:
        waited += LOOK_S
        if waited >= FIND_S:
            raise VerificationFailed("puzzle", f"no nonce was found in {FIND_S:.0f} s")
    return solved

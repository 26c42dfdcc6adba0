"""Read models of the learning chain: its blocks, and the payloads that they carry."""

from dataclasses import dataclass

from coordinator.store.contest_tables import LearningBlockRow
from coordinator.store.unit_of_work import Transaction
from coordinator.view_models import Page
from coordinator.views import page_limit
from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge
from protocol.errors import PeerMisbehaved
from protocol.ids import ZERO32
from protocol.learning_block import Block, Kind, genesis
from protocol.learning_payload import MAX_LIST_BYTES, SignedPayload, blob_name, parse_payloads
from protocol.typed_data import Domain

MAX_PAYLOADS_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningBlockView:
    """One block; hashes in hex, null where the header has none. ``tx_hash`` and ``block_number`` say where it
    was appended; the genesis was not. ``linked``: its parent is the block below."""

    height: int
    kind: str
    hash: str
    parent: str
    winner: str | None
    contest_id: int | None
    model: str | None
    correct: int
    answers: int
    transactions: str | None
    time: int
    next_contest: int | None
    target: int
    nonce: int
    work: int
    header: str
    linked: bool
    tx_hash: str | None = None
    block_number: int | None = None

    @property
    def accuracy(self) -> float | None:
        return self.correct / self.answers if self.answers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadView:
    """What somebody put on the chain; ``text`` is its data where that is readable text."""

    author: str
    sequence: int
    data: str
    text: str | None
    signed: bool


def list_blocks(tx: Transaction, domain: Domain, *, upto: int | None, limit: int) -> Page[LearningBlockView]:
    """Blocks down from height ``upto``, the genesis last; ``next`` is the height of the rest."""
    height = tx.contests.height()
    top, count = height if upto is None else min(upto, height), page_limit(limit)
    rows = tx.contests.blocks_down(top, count + 1)
    first = genesis(domain.separator)
    blocks = [Block.parse(row.header) for row in rows]
    chain = blocks if len(rows) > count else [*blocks, first]
    found: list[LearningBlockView] = []
    for place, block in enumerate(chain[:count]):
        below = chain[place + 1].hash if place + 1 < len(chain) else None
        row = rows[place] if place < len(rows) else None
        found.append(_view(block, row, block.height == 0 or below == block.parent))
    more = len(chain) > count
    return Page(items=found, next=str(chain[count].height) if more else None)


def block_at(tx: Transaction, domain: Domain, height: int) -> LearningBlockView | None:
    """One block; None when the chain is not so high."""
    first = genesis(domain.separator)
    if height == 0:
        return _view(first, None, True)
    row = tx.contests.block(height)
    if row is None:
        return None
    below = tx.contests.block(height - 1)
    parent = first.hash if height == 1 else None if below is None else below.hash
    block = Block.parse(row.header)
    return _view(block, row, block.parent == parent)


def _view(block: Block, row: LearningBlockRow | None, linked: bool) -> LearningBlockView:
    bare = block.kind is Kind.GENESIS or not block.winner.strip("0x")
    return LearningBlockView(
        height=block.height,
        kind=block.kind.name.lower(),
        hash=block.hash.hex(),
        parent=block.parent.hex(),
        winner=None if bare else block.winner,
        contest_id=block.task or None,
        model=None if block.model == ZERO32 else block.model.hex(),
        correct=block.correct,
        answers=block.answers,
        transactions=None if block.transactions == ZERO32 else block.transactions.hex(),
        time=block.time,
        next_contest=block.next_task or None,
        target=block.target,
        nonce=block.nonce,
        work=block.work,
        header=block.header.hex(),
        linked=linked,
        tx_hash=None if row is None else "0x" + row.tx_hash.hex(),
        block_number=None if row is None else row.block_number,
    )


def payloads_of(
    blobs: BlobStore, domain: Domain, block: LearningBlockView
) -> tuple[list[PayloadView], int, str]:
    """(the first payloads of a block, how many there are, why they cannot be shown)."""
    root = None if block.transactions is None else blob_name(bytes.fromhex(block.transactions))
    if root is None:
        return [], 0, ""
    try:
        found = parse_payloads(blobs.get(root, MAX_LIST_BYTES))
    except (BlobMissing, BlobCorrupt, BlobTooLarge, PeerMisbehaved) as error:
        return [], 0, str(error)
    return [_payload(item, domain) for item in found[:MAX_PAYLOADS_SHOWN]], len(found), ""


def _payload(item: SignedPayload, domain: Domain) -> PayloadView:
    try:
        item.verify(domain)
        signed = True
    except PeerMisbehaved:
        signed = False
    return PayloadView(
        author=item.author,
        sequence=item.sequence,
        data="0x" + item.data.hex(),
        text=_text(item.data),
        signed=signed,
    )


def _text(data: bytes) -> str | None:
    """Printable UTF-8, or None."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text and all(letter.isprintable() or letter in "\n\t" for letter in text) else None

"""Users' payloads that wait for a block of the learning chain: bounded, checked, and forgotten with the
process.

The event loop owns the pool. Each author's payloads stand in it without a gap from the author's next number
at the head of the chain on, so whatever is listed is what the next block may carry.
"""

from collections.abc import Mapping
from typing import Final

from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.learning_payload import MAX_PAYLOADS, SignedPayload
from protocol.payload_offer import (
    OFFER_KIND,
    WAITING_KIND,
    OfferAnswer,
    decode_offer,
    decode_wanted,
    encode_waiting,
)
from protocol.typed_data import Domain

MAX_WAITING: Final = 4 * MAX_PAYLOADS
MAX_PER_AUTHOR: Final = 64
MAX_POOL_BYTES: Final = 2 * 1024 * 1024
"""Data of all payloads that wait."""


class PayloadRefused(PeerMisbehaved):
    """The pool does not take a payload; the text is for its author."""

    def __init__(self, why: str) -> None:
        super().__init__("payload", why)
        self.why = why


class PayloadPool:
    """One validator's. ``numbers`` are each author's next number at the head; None until the chain was
    read."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._numbers: Mapping[Address, int] | None = None
        self._waiting: dict[tuple[Address, int], SignedPayload] = {}
        self._authors: dict[Address, int] = {}  # how many wait of each
        self._bytes = 0

    @property
    def numbers(self) -> Mapping[Address, int] | None:
        return self._numbers

    def moved(self, numbers: Mapping[Address, int] | None) -> None:
        """The chain has another head. Payloads that it holds leave; so do those that do not follow it any
        more, when a reorganisation took it back."""
        self._numbers = numbers
        if numbers is None:
            return
        waiting, self._waiting, self._authors, self._bytes = self._waiting, {}, {}, 0
        for payload in waiting.values():
            if payload.sequence == self._next(payload.author):
                self._keep(payload)

    def add(self, payload: SignedPayload) -> None:
        """Keep a payload; once more is no harm. Raises PayloadRefused."""
        if self._numbers is None:
            raise PayloadRefused("this validator has not read the learning chain yet; try again later")
        key, expected = (payload.author, payload.sequence), self._next(payload.author)
        if self._waiting.get(key) == payload:
            return
        if payload.sequence < expected:
            raise PayloadRefused(f"number {payload.sequence} is taken, the next one is {expected}")
        if payload.sequence > expected:
            raise PayloadRefused(f"number {payload.sequence} leaves a gap, the next one is {expected}")
        if self._authors.get(payload.author, 0) >= MAX_PER_AUTHOR:
            raise PayloadRefused(f"{MAX_PER_AUTHOR} payloads of this author wait; try again later")
        if len(self._waiting) >= MAX_WAITING or self._bytes + len(payload.data) > MAX_POOL_BYTES:
            raise PayloadRefused("this validator's pool is full; try again after the next block")
        try:
            payload.verify(self._domain)
        except PeerMisbehaved as error:
            raise PayloadRefused(
                f"it is not signed by {payload.author} for this deployment's contests"
            ) from error
        self._keep(payload)

    def listed(self) -> list[SignedPayload]:
        """What the next block may carry, in the order in which it came."""
        return list(self._waiting.values())[:MAX_PAYLOADS]

    def of(self, author: Address) -> list[SignedPayload]:
        """What waits of one author, by number."""
        return [payload for payload in self._waiting.values() if payload.author == author]

    def answer(self, kind: str, body: bytes) -> bytes:
        """The answer to a client's message. Raises PeerMisbehaved for one that is none; a payload that is
        refused is answered."""
        if kind == WAITING_KIND:
            author = decode_wanted(body)
            return encode_waiting(self.listed() if author is None else self.of(author))
        if kind != OFFER_KIND:
            raise PeerMisbehaved("message of a client", f"its kind {kind!r} is unknown")
        payload = decode_offer(body)
        digest = payload.digest(self._domain)
        try:
            self.add(payload)
        except PayloadRefused as refused:
            return OfferAnswer(digest=digest, kept=False, why=refused.why).encode()
        return OfferAnswer(digest=digest, kept=True).encode()

    def _next(self, author: Address) -> int:
        """The number of the author's next payload: after the chain, and after what waits."""
        assert self._numbers is not None
        return self._numbers.get(author, 0) + self._authors.get(author, 0)

    def _keep(self, payload: SignedPayload) -> None:
        self._waiting[payload.author, payload.sequence] = payload
        self._authors[payload.author] = self._authors.get(payload.author, 0) + 1
        self._bytes += len(payload.data)

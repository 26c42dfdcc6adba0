"""Users' payloads on their way to the validators, whose endpoints the chain tells.

Every validator is told by itself, and none is believed: a payload that one of them shows is worth its
author's signature, and whether a payload was ordered is read from the learning chain.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from coordinator.chain.committee_client import MAX_LINKS, greet_validator, is_endpoint
from protocol.chain.contracts import Contracts
from protocol.errors import PeerMisbehaved, ServiceUnreachable
from protocol.frames import MAX_FRAME_BYTES, App, decode_frame, encode_frame
from protocol.ids import Address
from protocol.learning_payload import SignedPayload
from protocol.payload_offer import (
    OFFER_KIND,
    WAITING_KIND,
    OfferAnswer,
    decode_waiting,
    encode_offer,
    encode_wanted,
)
from protocol.typed_data import Domain

ANSWER_S: Final = 10.0
"""For all that is said to one validator."""
MAX_NAMED: Final = 4
MAX_FRAMES_HEARD: Final = 10_000
"""A validator tells its clients many things; an answer is among so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one validator answered, or why nothing was heard of it."""

    validator: Address
    bodies: tuple[bytes, ...] = ()
    problem: str = ""


class PayloadClient:
    """Talks to all validators of one deployment."""

    def __init__(self, contracts: Contracts) -> None:
        self._separator = contracts.deployment.domain.separator
        self._domain = contracts.deployment.contest_domain
        committee = contracts.committee
        found = {member: committee.endpoint_of(member) for member in committee.pool()[:MAX_LINKS]}
        self.endpoints = {member: url for member, url in found.items() if is_endpoint(url)}

    def waiting(self, author: Address | None) -> list[SignedPayload]:
        """What waits at the validators, of one author or in all: signed, by number, each once. Raises
        ServiceUnreachable when no validator answers."""
        return sort_waiting(self._ask([(WAITING_KIND, encode_wanted(author))]), author, self._domain)

    def offer(self, payloads: Sequence[SignedPayload]) -> list[tuple[Address, OfferAnswer | str]]:
        """Offer payloads of one author in their order; what each validator said of the last one, or why
        nothing was heard of it. Raises ServiceUnreachable as ``waiting``."""
        digest = payloads[-1].digest(self._domain)
        said: list[tuple[Address, OfferAnswer | str]] = []
        for told in self._ask([(OFFER_KIND, encode_offer(payload)) for payload in payloads]):
            if told.problem:
                said.append((told.validator, told.problem))
                continue
            try:
                answer = OfferAnswer.decode(told.bodies[-1])
                said.append(
                    (told.validator, answer if answer.digest == digest else "it answers something else")
                )
            except PeerMisbehaved as error:
                said.append((told.validator, str(error)))
        return said

    def _ask(self, messages: Sequence[tuple[str, bytes]]) -> list[Told]:
        async def all_of_them() -> list[Told]:
            asked = (self._tell(member, url, messages) for member, url in self.endpoints.items())
            return list(await asyncio.gather(*asked))

        told = asyncio.run(all_of_them())
        if all(one.problem for one in told):
            where = ", ".join(list(self.endpoints.values())[:MAX_NAMED]) or "no endpoint"
            why = told[0].problem if told else "the chain names no validator that can be reached"
            raise ServiceUnreachable("Every validator", where, why)
        return told

    async def _tell(self, member: Address, url: str, messages: Sequence[tuple[str, bytes]]) -> Told:
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                connect(
                    url, max_size=MAX_FRAME_BYTES, compression=None, close_timeout=1, proxy=None
                ) as connection,
            ):
                await greet_validator(connection, self._separator, member)
                bodies = [await _exchange(connection, kind, body) for kind, body in messages]
                return Told(validator=member, bodies=tuple(bodies))
        except (
            OSError,
            TimeoutError,
            InvalidHandshake,
            InvalidURI,
            ConnectionClosed,
            PeerMisbehaved,
        ) as error:
            return Told(validator=member, problem=str(error) or type(error).__name__)


async def _exchange(connection: Connection, kind: str, body: bytes) -> bytes:
    await connection.send(encode_frame(App(kind=kind, body=body)))
    for _ in range(MAX_FRAMES_HEARD):
        match decode_frame(await connection.recv()):
            case App(kind=said, body=answer) if said == kind:
                return answer
    raise PeerMisbehaved("validator", "it answers nothing")


def sort_waiting(told: Sequence[Told], author: Address | None, domain: Domain) -> list[SignedPayload]:
    """The payloads that validators show, each once and by number, without those that nobody signed."""
    found: dict[tuple[int, Address], SignedPayload] = {}
    for one in told:
        try:
            shown = [payload for body in one.bodies for payload in decode_waiting(body)]
        except PeerMisbehaved:
            continue
        for payload in shown:
            if author in (None, payload.author) and _is_signed(payload, domain):
                found.setdefault((payload.sequence, payload.author), payload)
    return [found[key] for key in sorted(found)]


def _is_signed(payload: SignedPayload, domain: Domain) -> bool:
    try:
        payload.verify(domain)
    except PeerMisbehaved:
        return False
    return True

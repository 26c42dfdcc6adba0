"""Where members are reached: their endpoints, as the chain publishes them."""

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from typing import Final

from committee.errands import Errands
from committee.transport import Transport
from protocol.chain.contracts import Contracts
from protocol.errors import PotError
from protocol.ids import Address

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0


class Directory:
    """``wanted`` names those that this validator has to talk to; ``reader`` is the thread that reads the
    chain by ``contracts``."""

    def __init__(
        self,
        *,
        contracts: Contracts,
        reader: Executor,
        transport: Transport,
        wanted: Callable[[], AbstractSet[Address]],
    ) -> None:
        self._contracts = contracts
        self._reader = reader
        self._transport = transport
        self._wanted = wanted
        self._endpoints: dict[Address, str] = {}
        self._due_at = 0.0
        self._read_at: tuple[bytes, frozenset[Address]] | None = None
        self._errands = Errands()

    def meet(self, members: AbstractSet[Address]) -> None:
        """Members not known yet: their endpoints are read before long."""
        if members - set(self._endpoints):
            self._errands.spawn(self._refresh())

    async def refresh_when_due(self, head: bytes) -> None:
        """Members move: read all endpoints again from time to time, when they are others or the
        newest block, ``head``, is."""
        now = asyncio.get_running_loop().time()
        wanted = frozenset(self._wanted())
        if now >= self._due_at and wanted and (head, wanted) != self._read_at:
            self._due_at = now + EVERY_S
            if await self._refresh():
                self._read_at = (head, wanted)

    async def _refresh(self) -> bool:
        """Whether they could be read."""
        wanted = sorted(self._wanted())

        def read() -> dict[Address, str]:
            return {member: self._contracts.committee.endpoint_of(member) for member in wanted}

        try:
            found = await asyncio.get_running_loop().run_in_executor(self._reader, read)
        except PotError as error:
            log.warning("endpoints not read: %s", error)
            return False
        if found != self._endpoints:
            self._endpoints = found
            self._transport.set_members(found)
        return True

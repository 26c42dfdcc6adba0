"""The learning chain as a validator follows it, for each author's next number at its head."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from protocol.blobs import BlobStore
from protocol.chain.contracts import Contracts
from protocol.chain.learning_log import LearningLog, list_of
from protocol.errors import PeerMisbehaved
from protocol.ids import Address
from protocol.learning_block import Block
from protocol.learning_payload import order_list

log = logging.getLogger(__name__)

Numbers = Mapping[Address, int]


class LearningWatch:
    """Reads the chain of one deployment from the thread that reads the contracts."""

    def __init__(self, contracts: Contracts, blobs: BlobStore) -> None:
        deployment = contracts.deployment
        self._blobs = blobs
        self._domain = deployment.contest_domain
        self._log = LearningLog(
            client=contracts.client,
            contest=deployment.contest,
            domain=self._domain,
            first_block=deployment.block,
        )
        self._at: Block | None = None
        self._numbers: Numbers = MappingProxyType({})
        self._told: str | None = None

    def poll(self) -> Numbers | None:
        """Each author's next number; None while a list that the chain names cannot be had, or what the
        endpoint shows is no chain: then nothing is known of payloads, and nothing else suffers. Raises
        ServiceUnreachable, Refused."""
        try:
            self._log.read()
            self._walk()
        except PeerMisbehaved as error:
            if str(error) != self._told:
                log.warning("no payloads are ordered: %s", error)
                self._told = str(error)
            return None
        return self._numbers

    def _walk(self) -> None:
        blocks = self._log.blocks
        at = self._at
        if at is None or at.height >= len(blocks) or blocks[at.height] != at:
            at = self._at = blocks[0]
            self._numbers = MappingProxyType({})
        for block in blocks[at.height + 1 :]:
            listed = list_of(block, self._log.shown, self._blobs)
            self._numbers = order_list(self._numbers, listed, self._domain).sequences
            self._at = block

"""Seats of one validator in the agreements of drawn panels: courts, and the committees of contests.

A panel is a PBFT instance of its own, which decides once. A seat is taken from its log if there is one; where
that log cannot be read, what was signed is not known any more, and nothing is signed again.
"""

import logging
from collections.abc import Sequence
from typing import Final

from committee.errors import LogCorrupt
from committee.host import Host
from committee.state import Crypto, EndorsementDigest, ReplicaConfig
from protocol.ids import Address
from protocol.members import Members
from protocol.pbft_messages import Instance
from protocol.signing import Signer, is_signed_by, is_statement_of
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

CHECK_VIEWS: Final = 4
"""A primary that has not made up its mind is passed over after so many view timeouts: the members judge
before they agree, and one that abstains must not hold the others up."""


class Seating:
    """``most`` seats at one time, all for endorsements under ``domain``; further panels wait."""

    def __init__(
        self, *, host: Host, signer: Signer, domain: Domain, view_timeout_ticks: int, most: int
    ) -> None:
        self._host = host
        self._signer = signer
        self._domain = domain
        self._view_timeout_ticks = view_timeout_ticks
        self._most = most
        self._taken: set[int] = set()
        self._silent: set[int] = set()  # agreements in which nothing may be signed any more

    def take(self, instance: int, panel: Sequence[Address], digest: EndorsementDigest, name: str) -> None:
        """Take part in the agreement of a panel that this validator is on; ``name`` is for the log."""
        taken = sum(1 for other in self._taken if other in self._host.tasks)
        if instance in self._host.tasks or instance in self._silent or taken >= self._most:
            return
        members = Members.of(panel)
        index = members.index(self._signer.address)
        assert index is not None
        config = ReplicaConfig(
            instance=Instance(domain=self._domain.separator, task=instance, members=members),
            me=index,
            view_timeout_ticks=self._view_timeout_ticks,
            max_check_ticks=CHECK_VIEWS * self._view_timeout_ticks,
        )
        crypto = Crypto(
            signer=self._signer,
            verifier=is_signed_by,
            statement_verifier=is_statement_of,
            endorsement_digest=digest,
        )
        try:
            self._host.add(config, crypto)
        except LogCorrupt as error:
            log.error("%s: no part is taken: %s", name, error)
            self._silent.add(instance)
            return
        self._taken.add(instance)
        log.info("%s: member %s of %s", name, index, members.n)

    def leave(self, instance: int) -> None:
        """Leave an agreement, if this validator takes part in it; its log stays on disk."""
        self._taken.discard(instance)
        if instance in self._host.tasks:
            self._host.remove(instance)

    def forget(self, instance: int) -> None:
        """The panel has no work any more: whether it was silent does not matter."""
        self._silent.discard(instance)

"""The sign of life: a thread that signs the time and posts it, whatever the job thread does."""

import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog
from eth_account.signers.local import LocalAccount

from protocol.contribution import Heartbeat
from protocol.errors import PotError
from protocol.ids import Address, parse_address
from protocol.typed_data import Domain

MAX_BACKOFF: Final = 4
JOIN_TIMEOUT_S: Final = 10.0
log = structlog.get_logger("worker.heartbeat")


class BeatSink(Protocol):
    """Where heartbeats go. Raises Refused or ServiceUnreachable."""

    def beat(self, miner: Address, document: dict[str, Any]) -> None: ...


class HeartbeatThread(threading.Thread):
    """Posts one Heartbeat every ``every_s`` seconds; after failures the pause doubles, up to MAX_BACKOFF
    times.

    A beat is never posted twice: the next one says more.
    """

    def __init__(
        self,
        *,
        account: LocalAccount,
        domain: Domain,
        device: str,
        sink: BeatSink,
        now_s: Callable[[], float],
        every_s: float,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._account = account
        self._domain = domain
        self._device = device
        self._sink = sink
        self._now_s = now_s
        self._every_s = every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        pause = self._every_s
        while True:
            reached = self.beat_once()
            pause = self._every_s if reached else min(2 * pause, MAX_BACKOFF * self._every_s)
            if self._stopping.wait(pause):
                return

    def beat_once(self) -> bool:
        """Whether the coordinator took the beat; a failure is logged and is nobody's end."""
        miner = parse_address(self._account.address)
        beat = Heartbeat(miner=miner, time_s=int(self._now_s()), device=self._device)
        try:
            self._sink.beat(miner, beat.sign(self._domain, self._account))
        except PotError as error:
            log.warning("heartbeat not taken", why=str(error))
            return False
        return True

    def stop(self) -> None:
        """End the thread and wait for it, at most JOIN_TIMEOUT_S."""
        self._stopping.set()
        if self.is_alive():
            self.join(JOIN_TIMEOUT_S)

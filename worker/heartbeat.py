"""The sign of life: a thread that signs the time and posts it, whatever the job thread does."""

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog
from eth_account.signers.local import LocalAccount

from protocol.contribution import Heartbeat
from protocol.errors import PotError
from protocol.ids import Address, parse_address
from protocol.typed_data import Domain

LONGEST_PAUSE_S: Final = 60.0
MAX_BACKOFF: Final = 4
JOIN_TIMEOUT_S: Final = 10.0
log = structlog.get_logger("worker.heartbeat")


class BeatSink(Protocol):
    """Where heartbeats go; answers after how many seconds the next one is asked for, None where it does not
    say. Raises Refused or ServiceUnreachable."""

    def beat(self, miner: Address, document: dict[str, Any]) -> float | None: ...


class Pace:
    """How long to wait between signs of life: ``shortest_s``, or as long as the coordinator says, at most
    LONGEST_PAUSE_S; after failures the pause is ``shortest_s`` again and doubles, up to MAX_BACKOFF times."""

    def __init__(self, shortest_s: float) -> None:
        self._shortest_s = shortest_s
        self._failures = 0

    def heard(self, next_s: float | None) -> float:
        """The pause after a sign of life that was taken with the answer ``next_s``."""
        self._failures = 0
        if next_s is None or not math.isfinite(next_s):
            return self._shortest_s
        return max(self._shortest_s, min(next_s, LONGEST_PAUSE_S))

    def failed(self) -> float:
        """The pause after one that was not taken."""
        self._failures += 1
        return self._shortest_s * min(1 << min(self._failures - 1, 16), MAX_BACKOFF)


class HeartbeatThread(threading.Thread):
    """Posts Heartbeats at the Pace of ``every_s`` seconds. A beat is never posted twice: the next one says
    more.
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
        self._pace = Pace(every_s)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._beat_whatever_happens()):
            pass

    def _beat_whatever_happens(self) -> float:
        """A miner without signs of life gets no work, so a defect here must not end them."""
        try:
            return self.beat_once()
        except Exception:
            with suppress(OSError):  # the log itself, on a disk that is full
                log.exception("heartbeat failed")
            return self._pace.failed()

    def beat_once(self) -> float:
        """Post one and return the pause after it; a failure is logged and is nobody's end."""
        miner = parse_address(self._account.address)
        beat = Heartbeat(miner=miner, time_s=int(self._now_s()), device=self._device)
        try:
            return self._pace.heard(self._sink.beat(miner, beat.sign(self._domain, self._account)))
        except PotError as error:
            log.warning("heartbeat not taken", why=str(error))
            return self._pace.failed()

    def stop(self) -> None:
        """End the thread and wait for it, at most JOIN_TIMEOUT_S."""
        self._stopping.set()
        if self.is_alive():
            self.join(JOIN_TIMEOUT_S)

"""A client of validators, as a coordinator is one: asks for a value, reads what comes back."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from protocol.attestation import Attestation
from protocol.evidence import FaultReport
from protocol.frames import (
    ATTESTATION_KIND,
    App,
    Ask,
    Frame,
    Hello,
    Status,
    Welcome,
    decode_frame,
    encode_frame,
)
from protocol.pbft_messages import Request

ASK_AGAIN_S: Final = 2.0


class CommitteeClient:
    """One websocket to each endpoint; ``seen`` are all frames received, in order of arrival.

    The newest request is repeated while something is waited for: a validator that has not yet heard of the
    task refuses the first one.
    """

    def __init__(self, domain: bytes, endpoints: list[str]) -> None:
        self._links: list[ClientConnection] = []
        self.seen: list[Frame] = []
        self._asked = b""
        for endpoint in endpoints:
            link = connect(endpoint, compression=None, open_timeout=30, proxy=None, legacy=True)
            link.send(encode_frame(Hello(domain=domain, address="", nonce=secrets.token_bytes(32))))
            assert isinstance(decode_frame(link.recv(timeout=30)), Welcome)
            self._links.append(link)

    def ask(self, task: int, seq: int, value: bytes) -> None:
        """Send a request to everybody."""
        self._asked = encode_frame(Ask(request=Request(task=task, seq=seq, value=value)))
        self._repeat()

    def _repeat(self) -> None:
        for link in list(self._links):
            try:
                link.send(self._asked)
            except ConnectionClosed:
                self._links.remove(link)

    def read_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Collect frames until ``condition`` holds; False when it does not in time."""
        now = time.monotonic()
        give_up, ask_again = now + timeout_s, now + ASK_AGAIN_S
        while (now := time.monotonic()) < give_up:
            if condition():
                return True
            if self._asked and now >= ask_again:
                self._repeat()
                ask_again = now + ASK_AGAIN_S
            for link in list(self._links):
                try:
                    self.seen.append(decode_frame(link.recv(timeout=0.02)))
                except TimeoutError:
                    continue
                except ConnectionClosed:
                    self._links.remove(link)
        return condition()

    @property
    def reports(self) -> list[FaultReport]:
        """The fault reports heard so far."""
        return [
            FaultReport.from_json(json.loads(frame.body))
            for frame in self.seen
            if isinstance(frame, App) and frame.kind == "fault"
        ]

    @property
    def attestations(self) -> list[Attestation]:
        """What validators have said that they executed."""
        return [
            Attestation.from_json(json.loads(frame.body))
            for frame in self.seen
            if isinstance(frame, App) and frame.kind == ATTESTATION_KIND
        ]

    @property
    def statuses(self) -> list[str]:
        return [frame.status for frame in self.seen if isinstance(frame, Status)]

    def close(self) -> None:
        for link in self._links:
            link.close()

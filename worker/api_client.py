"""The miner's side of the coordinator's HTTP API: signed documents out, a short answer back."""

import json
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from protocol.contribution import SignedContribution
from protocol.errors import ConfigurationError, Refused, ServiceUnreachable
from protocol.ids import Address
from protocol.job import ShardJob

TIMEOUT_S: Final = 5.0
MAX_ATTEMPTS: Final = 12
MAX_DELAY_S: Final = 30.0
MAX_WAIT_S: Final = 4.0
MAX_REASON: Final = 300


class Coordinator(Protocol):
    """Where contributions go."""

    def deliver(self, signed: SignedContribution, job: ShardJob) -> None: ...


class CoordinatorClient:
    """A client of one coordinator; use one per thread.

    ``max_delay_s`` bounds how long ``deliver`` tries again while the coordinator is away or answers 5xx.
    """

    def __init__(self, api_url: str, max_delay_s: float = MAX_DELAY_S) -> None:
        if urlsplit(api_url).scheme not in ("http", "https"):
            raise ConfigurationError(f"POT_API_URL = {api_url!r} is not an http(s) URL.")
        self._url = api_url.rstrip("/")
        self._session = requests.Session()
        self._retrying = Retrying(
            stop=stop_after_attempt(MAX_ATTEMPTS) | stop_after_delay(max_delay_s),
            wait=wait_random_exponential(multiplier=0.1, max=MAX_WAIT_S),
            retry=retry_if_exception_type(ServiceUnreachable),
            reraise=True,
        )

    def deliver(self, signed: SignedContribution, job: ShardJob) -> None:
        """Post a contribution with the attempt and fencing token of its job, tried again within the bounds.

        Raises Refused when the coordinator says no (a stale fence, a shard already filled),
        ServiceUnreachable when it did not answer.
        """
        body = {**signed.to_json(), "attempt": job.attempt, "fence": job.fence}
        self._retrying(self._request, "POST", "/contributions", body)

    def beat(self, miner: Address, document: dict[str, Any]) -> float | None:
        """Post one signed heartbeat, once; returns after how many seconds the coordinator asks for the next
        one, None where it does not say. Raises Refused or ServiceUnreachable."""
        answer = self._request("POST", f"/miners/{miner}/heartbeat", document)
        try:
            return float(json.loads(answer)["next_s"])
        except (ValueError, TypeError, KeyError):
            return None

    def healthz(self) -> None:
        """Raises ServiceUnreachable unless the coordinator answers that it is well."""
        self._request("GET", "/healthz", None)

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> bytes:
        try:
            with self._session.request(
                method, self._url + path, json=body, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            ) as response:
                status = response.status_code
                head: bytes = next(response.iter_content(MAX_REASON), b"")
        except requests.RequestException as error:
            raise ServiceUnreachable("the coordinator", self._url, type(error).__name__) from error
        if status >= 500 or status == 429:
            raise ServiceUnreachable("the coordinator", self._url, f"HTTP {status}")
        if status >= 300:
            text = head.decode(errors="replace").strip()
            raise Refused(f"The coordinator refused {method} {path}: HTTP {status} {text}", str(status))
        return head

"""JSON-RPC 2.0 over HTTP: one endpoint, connections that stay open, every wait bounded.

urllib3 and not web3's provider on top of ``requests``: a network looks at the chain many times a second, and
a look costs a quarter of the processor time this way (``benchmarks/chain_views.py``).
"""

import json
import os
from itertools import count
from typing import Any, Final

import certifi
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError, LocationValueError, NewConnectionError
from urllib3.exceptions import TimeoutError as TookTooLong
from urllib3.util import make_headers, parse_url

from protocol.errors import ServiceUnreachable

_HEADERS: Final = {"content-type": "application/json", "user-agent": "proof-of-training"}
MAX_KEPT: Final = 16
"""Connections that stay open, for as many threads."""
_STRANGE: Final = "what listens there does not answer like one"


class RpcEndpoint:
    """``timeout_s`` bounds each request. A name and password in ``url`` are sent as HTTP Basic; a proxy named
    by the environment is used."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        self._numbers = count(1)
        try:
            self._headers = {**_HEADERS, **make_headers(basic_auth=parse_url(url).auth)}
            self._pool = _pool(url, Timeout(connect=timeout_s, read=timeout_s))
        except HTTPError as error:
            raise self.unreachable(f"that is no address: {error}") from error

    def call(self, method: str, params: list[Any]) -> Any:
        """The response: an object with ``result`` or ``error`` where a chain listens. Raises
        ServiceUnreachable when nobody answers in time, or not in JSON."""
        request = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        try:
            response = self._pool.request(
                "POST", self.url, body=json.dumps(request).encode(), headers=self._headers, redirect=False
            )
        except (HTTPError, OSError) as error:
            raise self.unreachable(_reason(error)) from error
        if response.status >= 400:
            raise self.unreachable(f"HTTP {response.status}")
        try:
            return json.loads(response.data)
        except (ValueError, RecursionError) as error:
            raise self.unreachable(_STRANGE) from error

    def unreachable(self, reason: str) -> ServiceUnreachable:
        return ServiceUnreachable("the chain", self.url, reason[:200])


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for ``url``, as ``requests`` reads it (``no_proxy`` with networks,
    ``all_proxy``)."""
    found: str | None = select_proxy(url, get_environ_proxies(url))
    return found


def _pool(url: str, timeout: Timeout) -> PoolManager:
    if parse_url(url).scheme not in ("http", "https"):
        raise LocationValueError("it begins neither with http:// nor with https://")
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    trusted = next(filter(None, named), certifi.where())
    options: dict[str, Any] = {
        "timeout": timeout, "retries": False, "maxsize": MAX_KEPT, "ca_certs": trusted
    }  # fmt: skip
    proxy = proxy_of(url)
    if proxy is None:
        return PoolManager(**options)
    return ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=parse_url(proxy).auth), **options)


def _reason(error: Exception) -> str:
    if isinstance(error, TookTooLong) and not isinstance(error, NewConnectionError):
        return "no answer in time"
    return "connection refused or cut"

"""Is it up yet? Cheap questions to the parts of a local network; False means "not yet"."""

import json
import socket
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from anvil.errors import ProgramFailed
from protocol.chain.client import ChainClient
from protocol.errors import ServiceUnreachable

PROBE_TIMEOUT_S: Final = 2.0
MAX_ANSWER_BYTES: Final = 1 << 20
MINERS_PER_PAGE: Final = 100


def listens(url: str) -> bool:
    """Whether somebody accepts connections at the URL's port."""
    place = urlsplit(url)
    try:
        with socket.create_connection((place.hostname, place.port), timeout=PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


def is_chain(client: ChainClient, chain_id: int) -> bool:
    """Whether the chain with that id answers. Raises ProgramFailed when another one does."""
    try:
        found = client.chain_id()
    except ServiceUnreachable:
        return False
    if found != chain_id:
        raise ProgramFailed("chain", f"lost its port to another chain ({found})", "")
    return True


def live_miners(api_url: str) -> frozenset[str]:
    """The miners whose heartbeats the coordinator hears; nobody while it does not answer."""
    found: set[str] = set()
    after: str | None = ""
    while after is not None:
        page = get_json(f"{api_url}/miners?limit={MINERS_PER_PAGE}&after={after}")
        if page is None:
            return frozenset()
        found.update(item["address"] for item in page["items"] if item["live"])
        after = page["next"]
    return frozenset(found)


def get_json(url: str) -> dict[str, Any] | None:
    """What a service of this machine answers, None when it does not answer with an object."""
    # Loopback is never asked through a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PROBE_TIMEOUT_S) as answer:
            return dict(json.loads(answer.read(MAX_ANSWER_BYTES)))
    except (urllib.error.URLError, OSError, ValueError):
        return None

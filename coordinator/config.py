"""What one coordinator process is told, parsed once at the edge and frozen."""

from dataclasses import dataclass
from typing import Final

from protocol.chain.deployment import Deployment
from protocol.errors import ConfigurationError

QUIET_S: Final = 1.0
PARTS: Final = ("api", "indexer", "rounds")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorConfig:
    """Addresses of the network's parts and the bounds of this process; ``_s`` are seconds, ``_bytes`` bytes.

    ``host`` and ``port`` are where the API listens; ``api_url`` is how miners reach it (default: there).
    ``parts`` says what this process does. Raises ConfigurationError, naming the setting, when one is wrong.
    """

    deployment: Deployment
    rpc_url: str
    broker_url: str
    database_url: str
    blob_url: str
    host: str = "127.0.0.1"
    port: int = 8080
    api_url: str = ""
    index_poll_s: float = 0.1
    rounds_poll_s: float = 0.1
    max_upload_bytes: int = 256 * 1024 * 1024
    max_streams: int = 256
    parts: tuple[str, ...] = PARTS

    def __post_init__(self) -> None:
        for name in ("rpc_url", "broker_url", "database_url", "blob_url", "host"):
            if not getattr(self, name):
                raise ConfigurationError(f"{name} is empty.")
        for name, value, low, high in (
            ("port", self.port, 1, 65_535),
            ("index_poll_s", self.index_poll_s, 0.01, 60.0),
            ("rounds_poll_s", self.rounds_poll_s, 0.01, 60.0),
            ("max_upload_bytes", self.max_upload_bytes, 1024, 1 << 34),
            ("max_streams", self.max_streams, 1, 10_000),
        ):
            if not low <= value <= high:
                raise ConfigurationError(f"{name} is {value}; allowed are {low} to {high}.")
        strangers = [part for part in self.parts if part not in PARTS]
        if strangers or not self.parts:
            raise ConfigurationError(f"parts is {list(self.parts)}; known are {', '.join(PARTS)}.")
        if self.blob_url.startswith(("http://", "https://")) and "api" in self.parts:
            raise ConfigurationError(
                "blob_url is a gateway; the coordinator's API is one, it needs a real store."
            )

    def pause_s(self, asking_s: float) -> float:
        """How long to wait for the bell: ``asking_s`` where other processes write to the database too,
        QUIET_S where every part is in this one, which hears of all but the passing of time."""
        whole = set(self.parts) == set(PARTS)
        return max(QUIET_S, asking_s) if whole else asking_s

    @property
    def public_url(self) -> str:
        """How miners reach the API."""
        return self.api_url or f"http://{self.host}:{self.port}"

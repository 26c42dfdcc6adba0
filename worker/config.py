"""What one miner process is told, parsed once at the edge and frozen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol.chain.deployment import Deployment
from protocol.errors import ConfigurationError

MAX_THREADS: Final = 256
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerConfig:
    """Addresses of the network's parts, and this machine's bounds; ``_s`` are seconds, ``_bytes`` bytes.

    ``heartbeat_s`` is the shortest pause between signs of life, the coordinator may ask for longer ones;
    ``state_dir`` keeps what was signed; ``device`` is ``auto``, ``cpu`` or a torch device such as ``cuda:0``;
    ``adversary`` names a kind of wrong-doing (``worker.adversary.KINDS``) for demonstrations and tests;
    ``canary``: a poster's own miner, whose every gradient is marked (``worker.canary``).
    Raises ConfigurationError, naming the setting, when one is out of range.
    """

    deployment: Deployment
    chain_url: str
    broker_url: str
    blob_url: str
    api_url: str
    state_dir: Path
    threads: int = 1
    device: str = "auto"
    heartbeat_s: float = 2.0
    visibility_timeout_s: int = 120
    cache_bytes: int = 128 * MIB
    max_blob_bytes: int = 1024 * MIB
    adversary: str | None = None
    canary: bool = False

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("threads", self.threads, 1, MAX_THREADS),
            ("heartbeat_s", self.heartbeat_s, 0.1, 3600.0),
            ("visibility_timeout_s", self.visibility_timeout_s, 1, 86_400),
            ("cache_bytes", self.cache_bytes, 0, 1 << 40),
            ("max_blob_bytes", self.max_blob_bytes, 1024, 1 << 40),
        ):
            if not low <= value <= high:
                raise ConfigurationError(f"{name} is {value}; allowed are {low} to {high}.")
        for name, url in (
            ("chain_url", self.chain_url),
            ("broker_url", self.broker_url),
            ("blob_url", self.blob_url),
        ):
            if not url:
                raise ConfigurationError(f"{name} is empty: set POT_{name.upper()}.")

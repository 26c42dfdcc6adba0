"""What a validator needs to know, parsed once at the edge and handed down."""

from dataclasses import dataclass
from pathlib import Path

from committee.scheme import AGGREGATE_FROM
from protocol.chain.deployment import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorConfig:
    """``host`` and ``port`` are listened on; peers find this validator by the endpoint published on-chain.
    ``state_dir`` holds the write-ahead logs, the one thing a validator must not lose. One tick lasts
    ``tick_s``; the chain is asked for new blocks every ``poll_s``. In committees of ``aggregate_from``
    members and more, certificates are endorsed by BLS as well; a number below the usual one has the sum
    posted whatever it costs."""

    rpc_url: str
    deployment: Deployment
    blob_url: str
    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    tick_s: float = 0.1
    poll_s: float = 0.1
    view_timeout_ticks: int = 30
    retransmit_ticks: int = 2
    max_check_ticks: int = 1200
    threads: int = 1
    device: str = "cpu"
    aggregate_from: int = AGGREGATE_FROM

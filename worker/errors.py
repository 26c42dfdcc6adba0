"""Why a miner does not do a job."""

from protocol.errors import PotError


class JobRefused(PotError):
    """The job contradicts the chain, the spec or the clock; ``reason`` is a short code for logs and tests."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason

"""What the coordinator's pages ask, answered by the code of the ``pot`` command.

It has no key: whatever is signed is signed by the reader's wallet.
"""

from collections.abc import Sequence

from coordinator.web.desk import Answer
from pot.client import Client
from pot.explaining import explain
from pot.output import Reply, Table
from pot.settings import Settings


class PotDesk:
    """Implements ``coordinator.web.desk.Desk``; thread-safe, as each answer has a client of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def _client(self) -> Client:
        return Client(self._settings)

    def explain(
        self, task_id: int, *, account: str | None, round_number: int | None, tx: str | None
    ) -> Answer:
        """``pot why``."""
        return _answer(explain(self._client(), task_id, account=account, round_number=round_number, tx=tx))


def _answer(reply: Reply) -> Answer:
    return Answer(data=reply.data, lines=_lines(reply.text), ok=reply.ok)


def _lines(text: Sequence[str | Table]) -> tuple[str, ...]:
    """Tables are for terminals; the page draws its own from the data."""
    return tuple(item for item in text if isinstance(item, str))

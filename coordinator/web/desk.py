"""What the pages ask of the people's side: the same code answers the ``pot`` command.

The coordinator may not import that side; whoever composes the process hands it in (ADR 0040).
"""

from dataclasses import dataclass
from typing import Any, Protocol

from protocol.errors import Refused
from protocol.ids import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``data`` is the JSON document, ``lines`` say the same to people; ``ok`` False: the answer is no."""

    data: Any
    lines: tuple[str, ...]
    ok: bool = True


class Desk(Protocol):
    """Every method raises InvalidInput, Refused, BlobMissing, VerificationFailed or ServiceUnreachable, with
    the sentence that the ``pot`` command would print."""

    def explain(
        self, task_id: int, *, account: str | None, round_number: int | None, tx: str | None
    ) -> Answer:
        """``pot why``: each unit earned, withheld or slashed, with evidence."""
        ...

    def quote(self, document: dict[str, Any], *, detect: str | None) -> Answer:
        """``pot task quote`` for a draft; with ``detect``, at the sampling rate that gives it."""
        ...

    def prepare(self, document: dict[str, Any]) -> Answer:
        """Check a draft against the network and store its blobs; the data holds the arguments of
        ``createTask``: what is left is to sign."""
        ...

    def ingest(self, name: str, data: bytes, *, label: str, scale: str) -> Answer:
        """Bring a poster's file into canonical form and store it; the data names it."""
        ...

    def actions(self, account: Address) -> Answer:
        """What ``account`` can claim or appeal against, as calls that anybody may sign."""
        ...

    def drip(self, account: Address) -> Answer:
        """``pot faucet``: development tokens and coin, on a local chain."""
        ...


class NoDesk:
    """For a coordinator that was started without the people's side."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object, **__: object) -> None:
            raise Refused("This coordinator serves no desk: start it with `pot coordinator run`.", "NoDesk")

        return refuse

"""Evidence against members, on disk: one JSON document per line, appended, never changed, bounded."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from committee.equivocation import Endorsement, Equivocation
from protocol.certificate import RoundCertificate
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, parse_address
from protocol.parsing import peer_value
from protocol.pbft_messages import Evidence, encode
from protocol.signing import from_compact

log = logging.getLogger(__name__)

NAME: Final = "evidence.jsonl"
MAX_BYTES: Final = 4 * 1024 * 1024
"""What comes beyond it is not written: the first words of a liar convict it as well as its last."""


class EvidenceFile:
    """``folder`` is the validator's state folder. The same document is written once, also across restarts.

    Lines of kind "contradiction" hold two signed messages (hex of their canonical encoding) and the encodings
    of the certificates they name, null where unknown; lines of kind "proof" what ``proveEquivocation`` takes.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        text = self.path.read_bytes() if self.path.exists() else b""
        self._size = len(text)
        self._torn = bool(text) and not text.endswith(b"\n")
        self._lines = set(text.split(b"\n")) - {b""}

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._lines)

    def contradiction(
        self, task: int, member: Address, evidence: Evidence, values: tuple[bytes | None, bytes | None]
    ) -> None:
        """Export what a member of ``task`` (or of a court, by its instance's number) said twice."""
        self._append(
            {
                "kind": "contradiction",
                "task": str(task),
                "member": member,
                "seq": evidence.first.seq,
                "phase": evidence.first.phase.name,
                "messages": [encode(evidence.first).hex(), encode(evidence.second).hex()],
                "certificates": [None if value is None else value.hex() for value in values],
            }
        )

    def proof(self, proof: Equivocation) -> None:
        """Export a proof: whoever holds it can send it."""
        self._append(
            {
                "kind": "proof",
                "task": str(proof.task_id),
                "member": proof.signer,
                "certificates": [one.certificate.encode().hex() for one in (proof.first, proof.second)],
                "signatures": [one.compact.hex() for one in (proof.first, proof.second)],
            }
        )

    def proofs(self) -> Iterator[Equivocation]:
        """The proofs written before; what is damaged is passed over."""
        for line in sorted(self._lines):
            try:
                with peer_value("evidence"):
                    document = json.loads(line)
                    if document["kind"] == "proof":
                        yield _proof_of(document)
            except PeerMisbehaved as error:
                log.warning("a line of %s is passed over: %s", self.path, error)

    def _append(self, document: dict[str, Any]) -> None:
        line = json.dumps(document, sort_keys=True).encode()
        if line in self._lines:
            return
        if self._size + len(line) + 2 > MAX_BYTES:
            log.error("%s is full: evidence against %s is not kept", self.path, document["member"])
            return
        data = (b"\n" if self._torn else b"") + line + b"\n"
        try:
            with self.path.open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            # Evidence is no promise: without it this validator is less useful, and as safe.
            log.error("evidence against %s is not kept: %s", document["member"], error)
            return
        self._torn = False
        self._size += len(data)
        self._lines.add(line)


def _proof_of(document: dict[str, Any]) -> Equivocation:
    first, second = (
        Endorsement(
            certificate=RoundCertificate.decode(bytes.fromhex(value)),
            signature=from_compact(bytes.fromhex(signature)),
        )
        for value, signature in zip(document["certificates"], document["signatures"], strict=True)
    )
    return Equivocation(signer=parse_address(document["member"]), first=first, second=second)

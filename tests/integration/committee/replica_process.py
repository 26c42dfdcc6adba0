"""One validator of a tiny application, as its own process: a value is true unless it starts with ``bad``.

``python -m tests.integration.committee.replica_process CONFIG.json`` with {"me", "keys", "ports", "folder",
"view_timeout_ticks", "tick_s"}; it appends one line per decision to ``folder/decided.txt``.
"""

import asyncio
import hashlib
import json
import random
import sys
from pathlib import Path

from committee.host import Host
from committee.state import Crypto, Decided, Rejected, ReplicaConfig, Verify
from committee.transport import Transport, TransportConfig
from protocol.ids import Address
from protocol.members import Members
from protocol.pbft_messages import Evidence, Instance, value_digest
from protocol.signing import KeySigner, is_signed_by, is_statement_of

DOMAIN = hashlib.sha256(b"a deployment for tests").digest()
TASK = 7


def endorsement_digest(seq: int, value: bytes) -> bytes:
    return hashlib.sha256(b"endorsed" + seq.to_bytes(8, "big") + value).digest()


def signers_of(keys: list[str]) -> list[KeySigner]:
    """In member order."""
    signers = [KeySigner(bytes.fromhex(key)) for key in keys]
    return sorted(signers, key=lambda signer: int(signer.address, 16))


class TinyApplication:
    """Checks by prefix, counts a decision as final at once."""

    def __init__(self, folder: Path) -> None:
        self._out = (folder / "decided.txt").open("a", buffering=1)
        self.host: Host | None = None

    def verify(self, task: int, question: Verify) -> None:
        assert self.host is not None
        ok = not question.value.startswith(b"bad")
        self.host.verdict(task, question.seq, question.digest, ok)

    def decided(self, task: int, decided: Decided) -> None:
        assert self.host is not None
        self._out.write(f"{decided.seq} {value_digest(decided.value).hex()} {len(decided.signers)}\n")

    def rejected(self, task: int, rejected: Rejected) -> None:
        self._out.write(f"rejected {rejected.seq} {rejected.digest.hex()} {list(rejected.members)}\n")

    def evidence(self, task: int, evidence: Evidence) -> None:
        self._out.write(f"evidence {evidence}\n")

    def behind(self, task: int, seq: int) -> None:
        self._out.write(f"behind {seq}\n")

    def message(self, peer: Address, kind: str, body: bytes) -> None:
        self._out.write(f"app {peer} {kind} {body.hex()}\n")

    def tick(self) -> None:
        pass

    def offered(self, kind: str, body: bytes) -> bytes:
        self._out.write(f"offer {kind} {body.hex()}\n")
        return body


async def main(path: str) -> None:
    config = json.loads(Path(path).read_text())
    me, folder = config["me"], Path(config["folder"])
    signers = signers_of(config["keys"])
    members = Members.of(signer.address for signer in signers)
    application = TinyApplication(folder)
    host = application.host = Host(application, folder, tick_s=config["tick_s"])
    port = config["ports"][me]
    transport = Transport(
        TransportConfig(
            domain=DOMAIN,
            listen_host="127.0.0.1" if port else None,
            listen_port=port,
            second_dialler_after_s=0.5,
            reconnect_max_s=0.5,
        ),
        signers[me],
        host,
        random.Random(me).random,
    )
    await transport.start()
    transport.set_members(
        {
            a: f"ws://127.0.0.1:{p}" if p else ""
            for a, p in zip(members.addresses, config["ports"], strict=True)
        }
    )
    host.start(transport)
    host.add(
        ReplicaConfig(
            instance=Instance(domain=DOMAIN, task=TASK, members=members),
            me=me,
            view_timeout_ticks=config["view_timeout_ticks"],
        ),
        Crypto(
            signer=signers[me],
            verifier=is_signed_by,
            statement_verifier=is_statement_of,
            endorsement_digest=endorsement_digest,
        ),
    )
    print("ready", flush=True)
    try:
        await host.failed
    finally:
        await transport.stop()
        await host.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

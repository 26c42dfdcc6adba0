"""One validator of the tiny application, beside a chain that is a file: what is decided goes there, once, and
what is older than ``FINALITY`` values is final.

``python -m tests.support.chaos_replica CONFIG.json``, see ``tests/integration/committee/replica_process.py``.
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

from committee.host import Host
from committee.state import Crypto, Decided, ReplicaConfig
from committee.transport import Transport, TransportConfig
from protocol.members import Members
from protocol.pbft_messages import Instance, value_digest
from protocol.signing import is_signed_by
from tests.integration.committee.replica_process import (
    DOMAIN,
    TASK,
    TinyApplication,
    endorsement_digest,
    signers_of,
)

FINALITY = 4


class ChainFile:
    """Appends whole lines, so that several processes may; read by whoever is behind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, seq: int, digest: str) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(handle, f"{seq} {digest}\n".encode())
        os.close(handle)

    def read(self) -> dict[int, str]:
        """seq -> digest. Fails when one sequence number has two."""
        values: dict[int, str] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            seq, digest = line.split()
            assert values.setdefault(int(seq), digest) == digest
        return values


class ChainedApplication(TinyApplication):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._chain = ChainFile(folder.parent / "chain.txt")

    def decided(self, task: int, decided: Decided) -> None:
        assert self.host is not None
        # First: who has read that all have decided looks here.
        self._chain.publish(decided.seq, value_digest(decided.value).hex())
        super().decided(task, decided)
        if decided.seq > FINALITY:
            self.host.finalized(task, decided.seq - FINALITY)

    def behind(self, task: int, seq: int) -> None:
        super().behind(task, seq)
        final = max(self._chain.read(), default=0) - FINALITY
        if self.host is not None and final > 0:
            self.host.finalized(task, final)
            self._out.write(f"final {final}\n")


async def main(path: str) -> None:
    config = json.loads(Path(path).read_text())
    me, folder = config["me"], Path(config["folder"])
    signers = signers_of(config["keys"])
    members = Members.of(signer.address for signer in signers)
    application = ChainedApplication(folder)
    host = application.host = Host(application, folder, tick_s=config["tick_s"])
    transport = Transport(
        TransportConfig(
            domain=DOMAIN,
            listen_port=config["listen"],
            second_dialler_after_s=0.5,
            reconnect_max_s=0.3,
        ),
        signers[me],
        host,
        random.Random(me).random,
    )
    await transport.start()
    endpoints = (f"ws://127.0.0.1:{port}" for port in config["ports"])
    transport.set_members(dict(zip(members.addresses, endpoints, strict=True)))
    host.start(transport)
    replica = ReplicaConfig(
        instance=Instance(domain=DOMAIN, task=TASK, members=members),
        me=me,
        view_timeout_ticks=config["view_timeout_ticks"],
    )
    host.add(
        replica, Crypto(signer=signers[me], verifier=is_signed_by, endorsement_digest=endorsement_digest)
    )
    print("ready", flush=True)
    try:
        await host.failed
    finally:
        await transport.stop()
        await host.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

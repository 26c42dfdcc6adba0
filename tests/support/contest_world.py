"""Contests on a real chain, step by step: what a test does in the place of posters, miners and onlookers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eth_account.signers.local import LocalAccount

from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.contest import ContestParams, ContestStatus, OnchainContest
from protocol.chain.contest_log import accepted_certificates, signatures_behind
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Receipt, Sender
from protocol.contest import Commitment
from protocol.contest_spec import ContestSpec
from protocol.ids import ZERO32, Address, Sha256, parse_address, sha256
from protocol.score_record import ScoreRecord
from protocol.sealed import key_hash
from tests.support.contests import KEY, publish
from tests.support.court_nodes import Nodes
from tests.support.miner_network import eventually
from worker.contest_journal import ContestJournal
from worker.contestant import Contestant
from worker.training.data import DatasetCache

PATIENCE_S: Final = 120.0
BLOCK_S: Final = 0.5


@dataclass(kw_only=True)
class ContestWorld:
    """One deployment and everybody's keys: contests as their posters, miners and onlookers handle them."""

    folder: Path
    contracts: Contracts
    accounts: Mapping[str, LocalAccount]
    blobs: BlobStore
    nodes: Nodes = field(default_factory=Nodes)

    def address(self, name: str) -> Address:
        return parse_address(self.accounts[name].address)

    def send(self, name: str, call: Call) -> Receipt:
        return Sender(self.contracts.client, self.accounts[name]).send(call)

    def travel_to(self, second: int) -> None:
        """The next block, mined at once, is of Unix second ``second`` or later."""
        ahead = second - self.contracts.client.block().timestamp
        if ahead > 0:
            self.contracts.client.rpc("evm_increaseTime", ahead)
        self.contracts.client.rpc("anvil_mine", "0x1")

    def state(self, contest_id: int) -> OnchainContest:
        return self.contracts.contest.contest(contest_id)

    def contestant(self, name: str) -> Contestant:
        private = self.folder / "private" / name
        private.mkdir(parents=True, exist_ok=True)
        return Contestant(
            miner=self.address(name),
            contracts=self.contracts,
            sender=Sender(self.contracts.client, self.accounts[name]),
            blobs=self.blobs,
            private=open_blob_store(private.as_uri()),
            datasets=DatasetCache(),
            journal=ContestJournal(self.folder / "private" / f"{name}.sqlite"),
            max_blob_bytes=1 << 30,
        )

    def post(self, spec: ContestSpec, key: bytes = KEY) -> int:
        publish(spec, self.blobs)
        contest = self.contracts.contest
        params = ContestParams.of(spec, key_hash(key), self.contracts.client.block().timestamp)
        self.send("poster", self.contracts.token.approve(contest.address, params.escrow))
        self.send("poster", contest.post(params))
        return contest.count()

    def commit_by_hand(self, name: str, contest_id: int, model: Sha256) -> Commitment:
        made = Commitment(
            contest_id=contest_id, miner=self.address(name), model=model, trace=ZERO32, salt=sha256(b"salt")
        )
        digest = made.digest(self.contracts.deployment.contest_domain)
        self.send(name, self.contracts.contest.commit(contest_id, digest))
        return made

    def reveal_by_hand(self, name: str, made: Commitment) -> None:
        self.send(name, self.contracts.contest.reveal(made.contest_id, made.model, made.trace, made.salt))

    def release(self, contest_id: int, key: bytes = KEY) -> None:
        self.travel_to(self.contracts.contest.params(contest_id).commit_deadline + 1)
        self.send("poster", self.contracts.contest.release(contest_id, key))

    def until(self, contest_id: int, status: ContestStatus) -> OnchainContest:
        """Wait for a status, while blocks are mined as on a live chain: every node reads everything again at
        each of them."""
        mined_at = 0.0

        def reached() -> bool:
            nonlocal mined_at
            if time.monotonic() - mined_at >= BLOCK_S:
                self.contracts.client.rpc("anvil_mine", "0x1")
                mined_at = time.monotonic()
            return self.state(contest_id).status is status

        eventually(reached, f"contest {contest_id} to become {status.name}", PATIENCE_S)
        return self.state(contest_id)

    def record_of(self, contest_id: int) -> ScoreRecord:
        """The score record behind the last certificate, whose signatures are checked."""
        accepted = accepted_certificates(self.contracts, contest_id)[-1]
        signed = signatures_behind(self.contracts, accepted)
        panel = self.contracts.contest.panels().members(contest_id, signed.certificate.instance)
        signed.verify(self.contracts.deployment.contest_domain, panel)
        return ScoreRecord.parse(self.blobs.get(signed.certificate.record))

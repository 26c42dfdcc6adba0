"""A chain with deployed contracts, keys and blobs, as `pot network up` describes it, and a committee and
miners in this process that really train and certify.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eth_account.signers.local import LocalAccount

from anvil.deploy import DeploySettings, deploy
from anvil.network import COIN_WEI, stake_everybody
from protocol.blobs import BlobStore, open_blob_store
from protocol.certificate import SignedCertificate
from protocol.chain.client import ChainClient
from protocol.chain.contracts import Contracts
from protocol.chain.history import read_task
from protocol.chain.sender import Sender
from protocol.evidence import FaultReport
from protocol.ids import TaskId, parse_address
from protocol.keystore import LIGHT_ITERATIONS, create_keystore
from protocol.ledger import TaskLedger
from protocol.members import max_faulty, quorum
from protocol.segment import RoundRecord, SegmentRecord
from protocol.signing import sign, to_compact
from tests.support.rounds import train_round

EVERYBODY = ("deployer", "poster", "miner-1", "miner-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class PotNetwork:
    """One deployment and everybody's keys; ``folder`` holds `.pot/network.json`."""

    folder: Path
    contracts: Contracts
    accounts: Mapping[str, LocalAccount]
    blobs: BlobStore

    @classmethod
    def build(cls, folder: Path, client: ChainClient, validators: int = 4) -> "PotNetwork":
        names = (*EVERYBODY, *(f"validator-{i}" for i in range(1, validators + 1)))
        accounts = {
            name: create_keystore(folder / "keys" / f"{name}.json", "secret", LIGHT_ITERATIONS)
            for name in names
        }
        for account in accounts.values():
            client.rpc("anvil_setBalance", account.address, hex(COIN_WEI))
        deployment = deploy(client, accounts["deployer"], DeploySettings())
        contracts = Contracts.at(client, deployment)
        endpoints = {
            name: f"ws://127.0.0.1:{i}" for i, name in enumerate(names, 9000) if name.startswith("val")
        }
        stake_everybody(contracts, accounts, endpoints)
        blob_url = (folder / "blobs").as_uri()
        (folder / "password").write_text("secret\n")
        where = deployment.to_json()
        document = {
            "rpc_url": client.rpc_url,
            "chain_id": where.pop("chain_id"),
            "contracts": where,
            "blob_url": blob_url,
            "keystores": {name: str(folder / "keys" / f"{name}.json") for name in names},
            "password_file": str(folder / "password"),
        }
        (folder / ".pot").mkdir()
        (folder / ".pot" / "network.json").write_text(json.dumps(document))
        return cls(folder=folder, contracts=contracts, accounts=accounts, blobs=open_blob_store(blob_url))

    def mine(self, blocks: int = 1) -> None:
        """Let the chain go on by so many empty blocks."""
        self.contracts.client.rpc("anvil_mine", hex(blocks))

    def pass_time(self, seconds: int) -> None:
        """Let the chain's clock go on."""
        self.contracts.client.rpc("evm_increaseTime", seconds)
        self.mine()

    def certify_round(self, task_id: TaskId, signers: int | None = None) -> None:
        """Train the next round on both miners, and certify it with the first ``signers`` members of its
        committee (default: as few as are enough)."""
        sender = Sender(self.contracts.client, self.accounts["validator-1"])
        sender.send(self.contracts.market.certify(self.signed_round(task_id, signers)))

    def signed_round(
        self, task_id: TaskId, signers: int | None = None, *, rounds: int = 1
    ) -> SignedCertificate:
        """The next ``rounds`` rounds trained on both miners, and their certificate, not posted."""
        certified = ahead = read_task(self.contracts, self.blobs, task_id).ledger
        records: list[RoundRecord] = []
        for _ in range(rounds):
            records.append(self._train(ahead, (0, 1)))
            ahead = replace(ahead, last_round=records[-1].round, model=records[-1].model)
        return self._signed(certified, certified.extend(tuple(records)), signers)

    def signed_fault(self, task_id: TaskId) -> SignedCertificate:
        """The next round without shard 1, whose miner handed in zeros: the certificate declares its fault."""
        ledger, domain = (
            read_task(self.contracts, self.blobs, task_id).ledger,
            self.contracts.deployment.domain,
        )
        lazy = train_round(ledger, self.blobs, domain, self._miner, shards=(0, 1), zeros=(1,))
        keys = {parse_address(account.address): account for account in self.accounts.values()}
        reporters = [keys[member] for member in ledger.members[: max_faulty(len(ledger.members)) + 1]]
        reports = tuple(FaultReport.signed(lazy.contributions[1], domain, key) for key in reporters)
        return self._signed(ledger, ledger.extend((self._train(ledger, (0,)),), reports), None)

    def _signed(self, ledger: TaskLedger, record: SegmentRecord, signers: int | None) -> SignedCertificate:
        self.blobs.put(record.blob)
        domain = self.contracts.deployment.domain
        certificate = record.certificate(domain, ledger.epoch)
        keys = {parse_address(account.address): account for account in self.accounts.values()}
        signers = signers or quorum(len(ledger.members))
        digest = certificate.digest(domain)
        joined = b"".join(to_compact(sign(digest, keys[member])) for member in ledger.members[:signers])
        return SignedCertificate(certificate=certificate, signers=(1 << signers) - 1, signatures=joined)

    def _miner(self, shard: int) -> LocalAccount:
        return self.accounts[f"miner-{shard % 2 + 1}"]

    def _train(self, ledger: TaskLedger, shards: tuple[int, ...]) -> RoundRecord:
        return train_round(ledger, self.blobs, self.contracts.deployment.domain, self._miner, shards=shards)

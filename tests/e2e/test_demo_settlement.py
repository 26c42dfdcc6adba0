"""The demo's books on a real chain: work, a fault and certificates are signed by hand here, everything after
them is done by the demo's own stages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from anvil.layout import NetworkFile
from anvil.network import LocalNetwork, NetworkPlan
from pot.audit.audit import audit_task
from pot.client import Client, Posted
from pot.demo.baseline import centralized_accuracy, replay
from pot.demo.collect import collect
from pot.demo.follow import Follower
from pot.demo.plan import DemoPlan, demo_draft
from pot.demo.run import client_of
from pot.demo.settle import claim_everything, close, slash_faults
from pot.draft import Draft
from pot.report.document import Report
from protocol.certificate import SignedCertificate
from protocol.chain.history import read_task
from protocol.contribution import Contribution, SignedContribution
from protocol.evidence import FaultReport
from protocol.ids import RoundNo, Sha256, ShardNo, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.segment import RoundRecord
from protocol.signing import sign, to_compact
from tests.support.shards import forged_parts, put_parts
from worker.training.checkpoint import load_checkpoint
from worker.training.parts import Vector
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

ROUNDS = 3


@dataclass
class Hands:
    """Every role of a network, played by one test process with the real keys."""

    network: NetworkFile
    draft: Draft
    posted: Posted
    clients: dict[str, Client]
    said: list[str] = field(default_factory=list)

    @property
    def poster(self) -> Client:
        return self.clients["poster"]

    def contribution(
        self,
        ledger: TaskLedger,
        shard: int,
        miner: str,
        gradient: bytes,
        parts: tuple[Vector, ...] | None = None,
    ) -> SignedContribution:
        client, spec = self.clients[miner], self.draft.spec
        parts = parts or forged_parts(spec, gradient)
        contribution = Contribution(
            task_id=self.posted.task_id,
            round=RoundNo(ledger.last_round + 1),
            shard=ShardNo(shard),
            miner=client.address,
            spec_hash=self.draft.spec.hash,
            parent_model=ledger.model,
            gradient=client.blobs.put(gradient),
            batches=put_parts(spec, client.blobs, parts),
            samples=self.draft.spec.recipe.samples_per_shard,
            loss_micros=1_000_000 // (ledger.last_round + 1),
        )
        digest = contribution.digest(client.deployment.domain)
        return SignedContribution(contribution=contribution, signature=sign(digest, client.account))

    def certify_round(self, miners: list[str], evidence: tuple[FaultReport, ...] = ()) -> None:
        """Train one round honestly, and have three validators sign it."""
        poster, spec = self.poster, self.draft.spec
        ledger = read_task(poster.contracts, poster.blobs, self.posted.task_id).ledger
        parent = poster.blobs.get(ledger.model)
        number = ledger.last_round + 1
        done = {
            shard: shard_gradient(spec, load_checkpoint(spec, parent), self.draft.dataset, number, shard)
            for shard in range(spec.recipe.shards)
        }
        gradients = {shard: encode_gradient(spec, result.gradient) for shard, result in done.items()}
        model = apply_round(spec, parent, gradients)
        poster.blobs.put(model)
        contributions = tuple(
            self.contribution(ledger, shard, miners[shard % len(miners)], gradient, done[shard].parts)
            for shard, gradient in gradients.items()
        )
        record = ledger.extend(
            (
                RoundRecord(
                    round=RoundNo(number),
                    parent_model=ledger.model,
                    model=Sha256(sha256(model)),
                    contributions=contributions,
                ),
            ),
            evidence,
        )
        poster.blobs.put(record.blob)
        certificate = record.certificate(poster.deployment.domain, ledger.epoch)
        digest = certificate.digest(poster.deployment.domain)
        by_address = {client.address: client.account for client in self.clients.values()}
        signers = ledger.members[:3]
        signed = SignedCertificate(
            certificate=certificate,
            signers=0b111,
            signatures=b"".join(to_compact(sign(digest, by_address[member])) for member in signers),
        )
        self.clients["validator-1"].sender.send(poster.contracts.market.certify(signed))

    def reported_zeros(self, miner: str) -> tuple[FaultReport, ...]:
        """What two validators report about a miner's zeros in the round to come."""
        poster, spec = self.poster, self.draft.spec
        ledger = read_task(poster.contracts, poster.blobs, self.posted.task_id).ledger
        size = load_checkpoint(spec, poster.blobs.get(ledger.model)).parameters.size
        zeros = encode_gradient(spec, np.zeros(size, dtype=np.float32))
        lie = self.contribution(ledger, 0, miner, zeros)
        domain = poster.deployment.domain
        reporters = [self.clients[f"validator-{number}"].account for number in (1, 2)]
        return tuple(FaultReport.signed(lie, domain, account) for account in reporters)


@pytest.fixture
def hands(tmp_path: Path) -> Iterator[Hands]:
    local = LocalNetwork(tmp_path / "network", attached=True, say=lambda line: None)
    try:
        network = local.build(NetworkPlan())
        draft = demo_draft(DemoPlan(out=tmp_path, rounds=ROUNDS))
        clients = {name: client_of(network, name) for name in network.accounts}
        posted = clients["poster"].post(draft)
        yield Hands(network=network, draft=draft, posted=posted, clients=clients)
    finally:
        local.supervisor.stop()


def earners(hands: Hands) -> list[Client]:
    return [client for name, client in hands.clients.items() if name.startswith(("miner-", "validator-"))]


def test_settlement__honest_rounds__the_books_balance_and_one_process_agrees(hands: Hands) -> None:
    follower = Follower(hands.poster, hands.posted.task_id, hands.draft)
    history = follower.poll()
    for _ in range(ROUNDS):
        hands.certify_round(["miner-1", "miner-2", "miner-3", "miner-4"])
        history += follower.poll()
    assert [item.round for item in history] == [1, 2, 3]
    assert [item.miners for item in history] == [4, 4, 4]
    assert not close(hands.poster, hands.posted.task_id)
    claim_everything(earners(hands), hands.posted.task_id)
    report = Report()
    collect(hands.poster, hands.posted.task_id, report)
    assert report.escrow.balances
    assert int(report.escrow.paid) == hands.posted.escrow - int(report.escrow.refunded)
    assert hands.poster.contracts.market.held(hands.posted.task_id) == 0
    assert [len(item.signers) for item in report.certificates] == [3, 3, 3]
    assert all(item.posted_by == hands.network.accounts["validator-1"] for item in report.certificates)
    assert replay(hands.draft, history, follower.miners).identical
    assert abs(centralized_accuracy(hands.draft) - history[-1].accuracy) <= 0.02
    found = audit_task(
        hands.poster.contracts, hands.poster.blobs, hands.posted.task_id, lambda n: range(1, n + 1)
    )
    assert found.lie is None
    assert found.rounds_replayed == ROUNDS


def test_settlement__a_certified_fault_nobody_slashed__the_poster_slashes(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pot.demo.settle.SLASH_WAIT_S", 0.0)
    evidence = hands.reported_zeros("miner-1")
    hands.certify_round(["miner-2", "miner-3", "miner-4"], evidence)
    slash_faults(hands.poster, hands.posted.task_id, hands.said.append)
    slash_faults(hands.poster, hands.posted.task_id, hands.said.append)
    assert len(hands.said) == 1
    report = Report()
    collect(hands.poster, hands.posted.task_id, report)
    assert [(slash.miner, slash.amount) for slash in report.slashes] == [
        (hands.network.accounts["miner-1"], str(500 * 10**18))
    ]
    assert report.slashes[0].sent_by == parse_address(hands.poster.address)


def test_settlement__an_unfinished_task__is_closed_at_its_deadline_and_balances(hands: Hands) -> None:
    hands.certify_round(["miner-1", "miner-2"])
    assert close(hands.poster, hands.posted.task_id)
    claim_everything(earners(hands), hands.posted.task_id)
    report = Report()
    collect(hands.poster, hands.posted.task_id, report)
    assert report.rounds == 1
    assert report.escrow.balances
    assert int(report.escrow.refunded) > 0

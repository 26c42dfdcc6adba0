"""Real validators say what they executed; one of them executed nothing, and the audit names it."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from anvil.network import NetworkPlan
from pot.audit.audit import audit_task
from pot.audit.report import AuditReport
from protocol.attestation import Attestation
from protocol.chain.market import TaskParams
from protocol.chain.sender import Sender
from protocol.ids import Address, TaskId, parse_address
from protocol.ledger import TaskLedger
from tests.integration.test_validators import CERTIFIED_S, Stage, staged
from tests.support.miner_network import digits, digits_spec
from worker.training.checkpoint import initial_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LAZY = "lazy-validator"
ROUNDS = 3
HEARD_S = 20.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, TaskId, Address]]:
    """A task of three rounds, all certified, each record with what was heard about the one before."""
    plan = NetworkPlan(miners=2, wrong_validators=(LAZY,))
    with staged(tmp_path_factory.mktemp("net"), plan) as stage:
        yield stage, run(stage), parse_address(stage.accounts[stage.wrong(LAZY)].address)


def post(stage: Stage) -> TaskId:
    made = digits_spec()
    spec = structs.replace(
        made,
        recipe=structs.replace(made.recipe, rounds=ROUNDS),
        verification=structs.replace(made.verification, sample_ppm=1_000_000),
    )
    stage.blobs.put(digits())
    stage.blobs.put(spec.blob)
    genesis = stage.blobs.put(initial_checkpoint(spec))
    now = stage.contracts.client.block().timestamp
    params, poster = TaskParams.of(spec, genesis, now), stage.accounts["poster"]
    market = stage.contracts.market
    permit = stage.contracts.token.sign_permit(poster, market.address, params.escrow, now + 3600)
    Sender(stage.contracts.client, poster).send(market.create_task_with_permit(params, permit))
    return TaskId(market.task_count())


def run(stage: Stage) -> TaskId:
    task = post(stage)
    for number in range(1, ROUNDS + 1):
        ledger = stage.ledger(task)

        given = heard(stage, ledger) if number > 1 else ()
        stage.propose(ledger, ledger.extend((stage.train(ledger),), (), given))
        stage.certified(task, number, timeout_s=60)
    return task


def heard(stage: Stage, ledger: TaskLedger) -> tuple[Attestation, ...]:
    """What every signer of the last certificate says; waits for all of them."""
    domain = stage.contracts.deployment.domain

    def by_signer() -> dict[Address, Attestation]:
        return {item.validator(domain): item for item in stage.client.attestations if ledger.attests(item)}

    everybody = set(ledger.last_signers)
    assert stage.client.read_until(lambda: everybody <= set(by_signer()), HEARD_S), said(stage)
    return tuple(by_signer()[signer] for signer in ledger.last_signers)


def said(stage: Stage) -> str:
    return "\n".join(stage.network.supervisor.log_tail(f"validator-{i}") for i in range(1, 5))


def on_record(stage: Stage, task: TaskId) -> list[Attestation]:
    return [item for s in stage.history(task).segments for item in s.record.attestations]


def shown(stage: Stage, task: TaskId) -> bool:
    return all(stage.blobs.has(item.evidence) for item in on_record(stage, task))


def audit(stage: Stage, task: TaskId) -> AuditReport:
    return audit_task(stage.contracts, stage.blobs, task, lambda certified: range(1, certified + 1))


def test_verdicts__all_signers_heard__stand_in_the_next_record(scene: tuple[Stage, TaskId, Address]) -> None:
    stage, task, _ = scene
    segments = stage.history(task).segments
    assert [len(s.record.attestations) for s in segments] == [0, 3, 3]
    for before, after in pairwise(segments):
        names = {item.segment for item in after.record.attestations}
        assert names == {before.event.certificate.segment}


def test_audit__one_validator_executed_nothing__names_it_and_nobody_else(
    scene: tuple[Stage, TaskId, Address],
) -> None:
    stage, task, lazy = scene
    assert stage.client.read_until(lambda: shown(stage, task), CERTIFIED_S), said(stage)
    report = audit(stage, task)
    signed = {item.validator(stage.contracts.deployment.domain) for item in on_record(stage, task)}
    assert report.false_verdicts == ([lazy] if lazy in signed else [])
    assert lazy in signed, "it answers at once, so it is among the first to sign"
    by = {item["validator"]: item for item in report.verdicts}
    assert by[lazy]["checked"] == by[lazy]["shards"] == len(by[lazy]["false"]) > 0
    honest = [item for name, item in by.items() if name != lazy and item["attested"]]
    assert honest
    assert all(item["checked"] == 2 * item["shown"] > 0 and not item["false"] for item in honest)
    assert all(line.ok for line in report.lines if line.validator is None)


@pytest.mark.parametrize("damage", ["other bytes", "gone"])
def test_audit__evidence_lost_or_damaged_in_the_store__is_not_held_against_its_validator(
    damage: str, scene: tuple[Stage, TaskId, Address]
) -> None:
    stage, task, lazy = scene
    assert stage.client.read_until(lambda: shown(stage, task), CERTIFIED_S), said(stage)
    domain = stage.contracts.deployment.domain
    item = next(a for a in on_record(stage, task) if a.validator(domain) != lazy)
    path = blob_path(stage, item)
    true = path.read_bytes()
    try:
        path.unlink()
        if damage == "other bytes":
            path.write_bytes(true[:-1] + b" ")
        report = audit(stage, task)
    finally:
        path.write_bytes(true)
    assert item.validator(domain) not in report.false_verdicts
    own = next(one for one in report.verdicts if one["validator"] == item.validator(domain))
    assert own["shown"] < own["attested"]


def blob_path(stage: Stage, item: Attestation) -> Path:
    name = item.evidence.hex()
    return stage.network.layout.blobs / name[:2] / name

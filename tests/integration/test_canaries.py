"""Four validator processes on a real chain, one of which looks at nothing: a canary costs it stake, whoever
else looked; honest members that signed for a canary outside their samples clear themselves.
"""

from collections.abc import Iterator

import pytest
from msgspec import structs

from anvil.network import NetworkPlan
from protocol.canary_mark import canary_root, canary_salt, mark_of
from protocol.chain.canaries import CanaryPlan
from protocol.chain.canary_events import MemberAccused, MemberCleared, MemberPunished, SeedCommitted
from protocol.chain.history import TaskHistory
from protocol.chain.market import TaskParams
from protocol.chain.sender import Sender
from protocol.ids import Address, TaskId, Wei, parse_address
from protocol.ledger import TaskLedger
from protocol.policy import default_policy
from protocol.segment import SegmentRecord
from protocol.signing import KeySigner
from tests.integration.test_validators import Stage, staged
from tests.support.miner_network import digits, digits_spec
from tests.support.rounds import train_round
from worker.canary import canary_of
from worker.training.checkpoint import initial_checkpoint
from worker.training.step import ShardResult
from worker.training.tolerance import limits_of

VALIDATORS = tuple(f"validator-{number}" for number in range(1, 5))
LAZY = "lazy-validator"
CANARY = "miner-2"
PENALTY = Wei(100 * 10**18)
START_IN_S = 600
SOON_S = 90.0


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """A network, and the name of the validator that looks at nothing."""
    plan = NetworkPlan(miners=2, wrong_validators=(LAZY,))
    with staged(tmp_path_factory.mktemp("net"), plan) as stage:
        yield stage, stage.wrong(LAZY)


def address(stage: Stage, name: str) -> Address:
    return parse_address(stage.accounts[name].address)


def stakes(stage: Stage) -> dict[str, int]:
    return {name: stage.contracts.vault.stake_of(address(stage, name)) for name in VALIDATORS}


def planted(stage: Stage, sample_ppm: int) -> tuple[TaskId, list[tuple[Address, bytes]]]:
    """A task that has not begun, with miner-2 as its canary."""
    made = digits_spec()
    spec = structs.replace(made, verification=structs.replace(made.verification, sample_ppm=sample_ppm))
    stage.blobs.put(digits())
    stage.blobs.put(spec.blob)
    genesis = stage.blobs.put(initial_checkpoint(spec))
    contracts, poster = stage.contracts, stage.accounts["poster"]
    params = TaskParams.of(spec, genesis, contracts.client.pending_time() + START_IN_S)
    permit = contracts.token.sign_permit(
        poster, contracts.market.address, params.escrow, params.starts_at + 3600
    )
    sender = Sender(contracts.client, poster)
    sender.send(contracts.market.create_task_with_permit(params, permit))
    task = TaskId(contracts.market.task_count())
    signer = KeySigner(bytes(stage.accounts[CANARY].key))
    canaries = [(signer.address, bytes(canary_salt(signer, contracts.deployment.domain, spec.hash)))]
    plan = CanaryPlan(root=canary_root(canaries), sample_ppm=sample_ppm, penalty=PENALTY)
    sender.send(contracts.canaries.plant(task, plan))
    return task, canaries


def with_canary(stage: Stage, ledger: TaskLedger, salt: bytes) -> SegmentRecord:
    """The next round, trained, with the second shard's gradient marked."""
    spec, number = ledger.spec, ledger.last_round + 1

    def mark(shard: int, honest: ShardResult) -> ShardResult:
        if not shard:
            return honest
        bits = mark_of(salt, spec.hash, number, shard)
        made = canary_of(spec, limits_of(spec, default_policy()), honest, bits)
        assert made is not None
        return made

    domain = stage.contracts.deployment.domain
    keys = [stage.accounts[f"miner-{shard + 1}"] for shard in range(spec.recipe.shards)]
    return ledger.extend((train_round(ledger, stage.blobs, domain, keys.__getitem__, bend=mark),))


def said(stage: Stage) -> str:
    return "\n".join(stage.network.supervisor.log_tail(name) for name in VALIDATORS)


def began(stage: Stage, task: TaskId, commitments: int) -> TaskHistory:
    """The task's start, to which the chain's clock is moved once so many members have committed to a seed."""

    def committed() -> bool:
        return sum(isinstance(e, SeedCommitted) for e in stage.history(task).canaries) == commitments

    assert stage.client.read_until(committed, SOON_S), said(stage)
    client = stage.contracts.client
    wait = stage.history(task).created.params.starts_at - client.pending_time()
    client.rpc("evm_increaseTime", max(1, wait))
    client.rpc("evm_mine")
    return stage.history(task)


def opened(stage: Stage, task: TaskId, canaries: list[tuple[Address, bytes]]) -> None:
    sender = Sender(stage.contracts.client, stage.accounts["poster"])
    sender.send(stage.contracts.canaries.open(task, canaries, 0))


def test_canary__everybody_else_looks__costs_only_the_one_that_slept(network: tuple[Stage, str]) -> None:
    stage, lazy = network
    task, canaries = planted(stage, 1_000_000)
    before, ledger = stakes(stage), began(stage, task, 0).ledger
    record = with_canary(stage, ledger, canaries[0][1])
    reports = len(stage.client.reports)

    def reported() -> bool:
        stage.propose(ledger, record)
        return len(stage.client.reports) > reports

    assert stage.client.read_until(reported, SOON_S), said(stage)
    opened(stage, task, canaries)

    def punished() -> list[MemberPunished]:
        return [e for e in stage.history(task).canaries if isinstance(e, MemberPunished)]

    assert stage.client.read_until(lambda: bool(punished()), SOON_S), said(stage)
    (event,) = punished()
    assert (event.member, event.amount) == (address(stage, lazy), PENALTY)
    assert stakes(stage) == {**before, lazy: before[lazy] - PENALTY}


def test_canary__in_nobodys_sample__is_certified_and_everybody_clears_itself(
    network: tuple[Stage, str],
) -> None:
    stage, _ = network
    task, canaries = planted(stage, 0)
    before, ledger = stakes(stage), began(stage, task, len(VALIDATORS)).ledger
    record = with_canary(stage, ledger, canaries[0][1])

    def certified() -> bool:
        stage.propose(ledger, record)
        return stage.history(task).ledger.last_round == 1

    assert stage.client.read_until(certified, SOON_S), said(stage)
    opened(stage, task, canaries)

    def cleared() -> bool:
        events = stage.history(task).canaries
        accused = {e.key for e in events if isinstance(e, MemberAccused)}
        return len(accused) >= 3 and accused == {e.key for e in events if isinstance(e, MemberCleared)}

    assert stage.client.read_until(cleared, SOON_S), said(stage)
    assert stakes(stage) == before

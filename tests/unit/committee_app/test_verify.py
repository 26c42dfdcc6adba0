"""A judgement is a statement or an abstention; nothing a stranger sends makes it anything else."""

from dataclasses import replace

import numpy as np
import pytest

from committee.noise_book import NoiseBook
from committee.verify import Checker, Finding
from protocol.batches import SUM, WHOLE
from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore, open_blob_store
from protocol.contribution import Contribution, SignedContribution
from protocol.errors import PeerMisbehaved, Refused, ServiceUnreachable
from protocol.evidence import Fault
from protocol.ids import Address, EpochNo, RoundNo, Sha256, ShardNo, TaskId, parse_address, sha256
from protocol.ledger import TaskLedger
from protocol.sampling import SamplePlan, sample_seed
from protocol.segment import RoundRecord, SegmentRecord
from protocol.signing import KeySigner
from tests.support.miner_network import digits, digits_spec
from tests.support.shards import forged_parts, put_parts
from tests.unit.protocol.builders import DOMAIN, TASK, account, members
from worker.training import replay
from worker.training.bias import Suspicion
from worker.training.checkpoint import initial_checkpoint, load_checkpoint
from worker.training.data import DatasetCache, load_dataset
from worker.training.errors import Diverged
from worker.training.parts import Vector
from worker.training.rounds import apply_round
from worker.training.step import encode_gradient, shard_gradient

SPEC = digits_spec()


class World:
    """A blob store with a task in it, and its ledger."""

    def __init__(
        self, name: str, sample_ppm: int = 1_000_000, lr: str = "0.1", momentum: str | None = None
    ) -> None:
        value = SPEC.to_value()
        if momentum is not None:
            value["recipe"]["aggregation"] = {"rule": "median", "f": 0, "momentum": momentum}
        value["recipe"]["optimizer"]["lr"] = lr
        value["verification"]["sample_ppm"] = sample_ppm
        self.spec = type(SPEC).from_value(value)
        self.blobs: BlobStore = open_blob_store(f"memory://{name}")
        self.blobs.put(digits())
        self.parts: dict[bytes, tuple[Vector, ...]] = {}
        self.genesis = self.blobs.put(initial_checkpoint(self.spec))
        self.ledger = TaskLedger(
            task_id=TASK,
            spec_hash=self.spec.hash,
            spec=self.spec,
            epoch=EpochNo(1),
            members=members(),
            last_round=RoundNo(0),
            model=self.genesis,
            payouts={},
        )

    def checker(self, blobs: BlobStore | None = None, stake: int | Exception = 10**30) -> Checker:
        def stake_of(miner: Address) -> int:
            if isinstance(stake, Exception):
                raise stake
            return stake

        return Checker(
            domain=DOMAIN,
            blobs=blobs or self.blobs,
            stake_of=stake_of,
            slashable_of=stake_of,
            signer=KeySigner(bytes(account(100).key)),
            datasets=DatasetCache(),
        )

    def gradient(self, shard: int) -> bytes:
        dataset = load_dataset(digits(), self.spec.dataset)
        checkpoint = load_checkpoint(self.spec, self.blobs.get(self.genesis))
        result = shard_gradient(self.spec, checkpoint, dataset, 1, shard)
        gradient = encode_gradient(self.spec, result.gradient)
        self.parts[gradient] = result.parts
        return gradient

    def signed(
        self, shard: int, gradient: bytes, parts: tuple[Vector, ...] | None = None
    ) -> SignedContribution:
        parts = parts or self.parts.get(gradient) or forged_parts(self.spec, gradient)
        return Contribution(
            task_id=TASK,
            round=RoundNo(1),
            shard=ShardNo(shard),
            miner=parse_address(account(shard + 1).address),
            spec_hash=self.spec.hash,
            parent_model=self.genesis,
            gradient=self.blobs.put(gradient),
            batches=put_parts(self.spec, self.blobs, parts),
            samples=self.spec.recipe.samples_per_shard,
            loss_micros=1,
        ).sign(DOMAIN, account(shard + 1))

    def record(self, gradients: dict[int, bytes], model: bytes | None = None) -> SegmentRecord:
        if model is None:
            miners = {shard: parse_address(account(shard + 1).address) for shard in gradients}
            model = apply_round(self.spec, self.blobs.get(self.genesis), gradients, miners)
        item = RoundRecord(
            round=RoundNo(1),
            parent_model=self.genesis,
            model=self.blobs.put(model),
            contributions=tuple(self.signed(shard, blob) for shard, blob in sorted(gradients.items())),
        )
        record = self.ledger.extend((item,))
        self.blobs.put(record.blob)
        return record


def judge(world: World, record: SegmentRecord, checker: Checker | None = None) -> tuple[Finding, str]:
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    judged = (checker or world.checker()).judge(world.ledger, certificate, frozenset())
    return judged.finding, judged.reason


def honest(world: World) -> dict[int, bytes]:
    return {shard: world.gradient(shard) for shard in range(world.spec.recipe.shards)}


def test_judge__honest_round__is_valid() -> None:
    world = World("honest")
    assert judge(world, world.record(honest(world))) == (Finding.VALID, "")


def test_judge__running_means_of_the_miners_who_signed__are_valid_and_of_others_invalid() -> None:
    world = World("running", momentum="0.9")
    gradients = honest(world)
    assert judge(world, world.record(gradients)) == (Finding.VALID, "")
    swapped = {shard: parse_address(account(2 - shard).address) for shard in gradients}
    model = apply_round(world.spec, world.blobs.get(world.genesis), gradients, swapped)
    finding, reason = judge(world, world.record(gradients, model=model))
    assert (finding, "the update leads to model" in reason) == (Finding.INVALID, True)


@pytest.mark.parametrize(
    "error",
    [
        ServiceUnreachable("the chain", "http://x", "no answer"),
        Refused("The chain refused: too many requests.", "Node"),
    ],
)
def test_judge__vault_cannot_be_read__abstains(error: Exception) -> None:
    world = World("vault")
    assert judge(world, world.record(honest(world)), world.checker(stake=error))[0] is Finding.UNKNOWN


def test_judge__stake_too_small__is_invalid() -> None:
    world = World("poor")
    finding, reason = judge(world, world.record(honest(world)), world.checker(stake=1))
    assert (finding, "stake" in reason) == (Finding.INVALID, True)


def test_judge__store_returns_other_bytes__abstains() -> None:
    """A store that lies says nothing about the miner or the coordinator."""
    world = World("corrupt")
    record = world.record(honest(world))
    gradient = record.rounds[0].contributions[0].contribution.gradient

    class Lying:
        def put(self, data: bytes) -> Sha256:
            return world.blobs.put(data)

        def has(self, name: Sha256) -> bool:
            return world.blobs.has(name)

        def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
            if name == gradient:
                raise BlobCorrupt(name, sha256(b"?"))
            return world.blobs.get(name, max_bytes)

    assert judge(world, record, world.checker(blobs=Lying()))[0] is Finding.UNKNOWN


def test_judge__gradient_that_leaves_the_range__is_traced_to_its_miner() -> None:
    """Unsampled, it makes the update impossible: that is a fault of the miner, not a reason to abstain."""
    world = World("huge", sample_ppm=0, lr="1000")
    gradients = honest(world)
    layout = load_checkpoint(world.spec, world.blobs.get(world.genesis)).parameters
    huge = np.full(layout.shape, 3.0e38, dtype=np.float64)
    huge[::2] *= -1
    gradients = dict.fromkeys(gradients, encode_gradient(world.spec, huge))
    with pytest.raises(Diverged):
        apply_round(world.spec, world.blobs.get(world.genesis), gradients)
    record = world.record(gradients, model=b"whatever it claims")
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    judged = world.checker().judge(world.ledger, certificate, frozenset())
    assert judged.finding is Finding.INVALID
    assert len(judged.faults) == 1


@pytest.mark.parametrize("header", [b"[" * 60_000, b'{"a":' * 20_000, b"{}", b"\xff" * 100])
def test_judge__gradient_blob_of_a_madman__is_a_fault_and_nothing_worse(header: bytes) -> None:
    world = World("madman", sample_ppm=0)
    gradients = honest(world)
    model = apply_round(world.spec, world.blobs.get(world.genesis), gradients)
    gradients[1] = len(header).to_bytes(8, "little") + header
    record = world.record(gradients, model=model)
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    judged = world.checker().judge(world.ledger, certificate, frozenset())
    assert judged.finding is Finding.INVALID
    assert [Fault.of(signed).shard for signed in judged.faults] == [1]


def test_confirm__parent_is_no_checkpoint__nobody_is_framed() -> None:
    """Whoever chose the parent model, the miner only computed on what it was given."""
    world = World("framed")
    signed = world.signed(0, world.gradient(0))
    nonsense = world.blobs.put(b"no checkpoint")
    moved = replace(signed, contribution=replace(signed.contribution, parent_model=nonsense))
    assert world.checker().confirm(world.ledger, moved).finding is Finding.UNKNOWN
    late = replace(signed, contribution=replace(signed.contribution, round=RoundNo(10**6)))
    assert world.checker().confirm(world.ledger, late).finding is not Finding.INVALID
    stranger = replace(signed, contribution=replace(signed.contribution, shard=ShardNo(10**6)))
    assert world.checker().confirm(world.ledger, stranger).finding is not Finding.INVALID


def test_examine__report_about_a_miner_without_stake__is_not_worth_the_work() -> None:
    world = World("unstaked")
    bad = world.signed(0, world.gradient(1))
    assert world.checker(stake=0).examine(world.ledger, bad).finding is Finding.UNKNOWN
    assert world.checker().examine(world.ledger, bad).finding is Finding.INVALID


def test_judge__part_of_the_shards_sampled__executes_exactly_its_own_sample() -> None:
    world = World("half", sample_ppm=500_000)
    record = world.record(honest(world))
    judged = world.checker().judge(world.ledger, record.certificate(DOMAIN, world.ledger.epoch), frozenset())
    recipe = world.spec.recipe
    plan = SamplePlan(
        seed=sample_seed(KeySigner(bytes(account(100).key)), DOMAIN, TASK, world.spec.hash),
        rounds=recipe.rounds,
        shards=recipe.shards,
        share_ppm=500_000,
    )
    assert judged.executed == sum(plan.holds(1, shard) for shard in range(recipe.shards))


def test_judge__device_that_nobody_measured__abstains() -> None:
    """The wrong hardware is never a rejection."""
    world = World("meta")
    gradients = honest(world)
    gradients[0] = gradients[1]
    record = world.record(gradients)
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    judged = replace(world.checker(), device="cuda").judge(world.ledger, certificate, frozenset())
    assert judged.finding is Finding.UNKNOWN
    assert "no limits for mlp" in judged.reason


def test_judge__a_suspected_miner__is_looked_at_outside_the_sample() -> None:
    world = World("suspect", sample_ppm=0)
    record = world.record(honest(world))
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    watched = parse_address(account(2).address)

    class Suspicious(NoiseBook):
        def suspicions(self, task: TaskId, miner: Address) -> tuple[Suspicion, ...]:
            return (Suspicion.PAST,) if miner == watched else ()

    assert world.checker().judge(world.ledger, certificate, frozenset()).executed == 0
    judged = replace(world.checker(), noise=Suspicious()).judge(world.ledger, certificate, frozenset())
    assert (judged.finding, judged.executed) == (Finding.VALID, 1)


def doubled(world: World, shard: int) -> SignedContribution:
    """Honest work but for the last of its two micro-batches."""
    world.gradient(shard)
    dataset = load_dataset(digits(), world.spec.dataset)
    checkpoint = load_checkpoint(world.spec, world.blobs.get(world.genesis))
    result = shard_gradient(world.spec, checkpoint, dataset, 1, shard)
    first, last = result.parts
    return world.signed(shard, encode_gradient(world.spec, result.gradient + last), (first, last + last))


def test_judge__one_micro_batch_is_false__its_number_goes_with_the_fault() -> None:
    world = World("bisected")
    bad, good = doubled(world, 1), world.signed(0, world.gradient(0))
    gradients = {c.shard: world.blobs.get(c.gradient) for c in (good.contribution, bad.contribution)}
    model = apply_round(world.spec, world.blobs.get(world.genesis), {int(k): v for k, v in gradients.items()})
    item = RoundRecord(
        round=RoundNo(1), parent_model=world.genesis, model=world.blobs.put(model), contributions=(good, bad)
    )
    record = world.ledger.extend((item,))
    world.blobs.put(record.blob)
    certificate = record.certificate(DOMAIN, world.ledger.epoch)
    judged = world.checker().judge(world.ledger, certificate, frozenset())
    assert (judged.finding, judged.found) == (Finding.INVALID, ((bad, 1),))


def test_examine__report_that_names_the_micro_batch__executes_no_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("narrow")
    bad, checker = doubled(world, 1), world.checker()
    monkeypatch.setattr(replay, "replay_shard", None)
    judged = checker.examine(world.ledger, bad, 1)
    assert (judged.finding, judged.found, judged.executed) == (Finding.INVALID, ((bad, 1),), 0)
    assert judged.reason.startswith("micro-batch 1: ")


@pytest.mark.parametrize("hint", [0, 7, SUM, WHOLE])
def test_examine__report_that_names_something_else__finds_the_truth_all_the_same(hint: int) -> None:
    world = World(f"hint-{hint}")
    bad = doubled(world, 1)
    judged = world.checker().examine(world.ledger, bad, hint)
    assert (judged.finding, judged.found, judged.executed) == (Finding.INVALID, ((bad, 1),), 1)
    honest_work = world.signed(0, world.gradient(0))
    assert world.checker().examine(world.ledger, honest_work, hint).finding is Finding.VALID


def test_examine__named_micro_batch_is_withheld__the_whole_decides() -> None:
    world = World("withheld")
    bad = doubled(world, 1)

    class Withholding:
        def put(self, data: bytes) -> Sha256:
            return world.blobs.put(data)

        def has(self, name: Sha256) -> bool:
            return world.blobs.has(name)

        def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
            if name in bad.contribution.batches:
                raise BlobMissing(name)
            return world.blobs.get(name, max_bytes)

    judged = world.checker(blobs=Withholding()).examine(world.ledger, bad, 1)
    assert (judged.finding, judged.found) == (Finding.INVALID, ((bad, WHOLE),))


def test_judge__micro_batches_false_under_a_right_gradient__is_a_fault() -> None:
    """Whoever looks at one micro-batch and whoever looks at the whole must come to the same."""
    world = World("swapped")
    gradient = world.gradient(1)
    first, last = world.parts[gradient]
    swapped = world.signed(1, gradient, (last, first))
    judged = world.checker().confirm(world.ledger, swapped)
    assert (judged.finding, judged.found) == (Finding.INVALID, ((swapped, 0),))
    assert world.checker().confirm(world.ledger, swapped, 1).found == ((swapped, 1),)


def test_check__contribution_with_too_few_micro_batches__is_not_accepted() -> None:
    world = World("few")
    gradient = world.gradient(1)
    short = world.signed(1, gradient, world.parts[gradient][:1])
    item = RoundRecord(
        round=RoundNo(1),
        parent_model=world.genesis,
        model=world.genesis,
        contributions=(world.signed(0, world.gradient(0)), short),
    )
    with pytest.raises(PeerMisbehaved, match="for other work"):
        world.ledger.check(world.ledger.extend((item,)), DOMAIN)

"""What each bad entry, and each bad test set, comes to when it is judged."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from committee.contest_judge import ContestJudge, Findings
from protocol.blobs import BlobMissing, BlobStore, open_blob_store
from protocol.chain.contest import ContestParams, ContestStatus, OnchainContest, OnchainEntry, Outcome
from protocol.chain.contest_log import ContestView, Released
from protocol.contest import NO_SCORE
from protocol.contest_spec import ContestSpec
from protocol.ids import ZERO32, Address, EpochNo, Sha256, sha256
from protocol.policy import Limits, default_policy
from protocol.score_record import Standing
from protocol.sealed import key_hash, seal
from tests.support.contests import KEY, contest_spec, public_and_secret, publish
from worker.training.contest_model import save_model
from worker.training.contest_step import Job, State, advance, initial_state, save_state
from worker.training.data import Classification, canonical_classification, parse_dataset
from worker.training.sml import MappedModel, contest_seed
from worker.training.trace import Trace, record

MINER, THIEF = Address("0x" + "21" * 20), Address("0x" + "31" * 20)
PARENT = sha256(b"head")
TIME_S = 1_000_000


@pytest.fixture
def blobs(tmp_path: Any) -> BlobStore:
    return open_blob_store(tmp_path.as_uri())


def seed_of(miner: Address, contest_id: int = 1) -> bytes:
    return contest_seed(PARENT, contest_id, miner)


def job_of(spec: ContestSpec, seed: bytes) -> Job:
    dataset = parse_dataset(public_and_secret()[0], "classification")
    model = MappedModel(model=spec.model, mapping=spec.recipe.mapping)
    return Job(recipe=spec.recipe, model=model, dataset=dataset, seed=seed)


def trained(spec: ContestSpec, seed: bytes) -> bytes:
    job = job_of(spec, seed)
    return save_model(job.model, seed, advance(job, initial_state(job), spec.recipe.steps).parameters)


def view_of(spec: ContestSpec, *models: tuple[Address, bytes, bytes], now_s: int = TIME_S) -> ContestView:
    """A contest whose entries are all revealed: (miner, model's name, trace's name)."""
    entries = tuple(
        OnchainEntry(place=place, miner=miner, committed_at=0, commitment=ZERO32, model=model, trace=trace)
        for place, (miner, model, trace) in enumerate(models)
    )
    state = OnchainContest(
        contest_id=1,
        poster=MINER,
        status=ContestStatus.RELEASED,
        outcome=Outcome.NONE,
        epoch=EpochNo(1),
        entries=len(entries),
        bad_test_set=False,
        decided_by=0,
        winner=None,
        winner_correct=0,
        revealed=(1 << len(entries)) - 1,
        frauds=0,
        ends_at=TIME_S,
        challenger=MINER,
        parent=PARENT,
    )
    return ContestView(
        state=state,
        params=ContestParams.of(spec, key_hash(KEY), TIME_S - 1000),
        entries=entries,
        released=Released(key=KEY, block_hash=sha256(b"block")),
        instance=0,
        panel=(),
        draw_block=None,
        court_term_s=600,
        block=1,
        time_s=now_s,
    )


def judged(blobs: BlobStore, view: ContestView, now_s: int = TIME_S + 1) -> Findings:
    return ContestJudge(blobs=blobs).judge(view, now_s)


LATE_S = TIME_S + 590


def test_judge__honest_model__is_counted(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"trace": None})
    publish(spec, blobs)
    name = blobs.put(trained(spec, seed_of(MINER)))
    found = judged(blobs, view_of(spec, (MINER, name, ZERO32)))
    assert found.record.entries[0].standing is Standing.SCORED
    assert found.certificate.scores[0] > 0.7 * spec.test_set.answers


def with_nan(blob: bytes) -> bytes:
    return blob[:-4] + np.float32("nan").tobytes()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(with_nan, id="NaN weights"),
        pytest.param(lambda blob: blob[:-4], id="cut off"),
        pytest.param(lambda blob: b"no model", id="no model"),
        pytest.param(lambda blob: blob + bytes(1 << 20), id="larger than its shapes"),
    ],
)
def test_judge__model_that_is_none__is_unusable(blobs: BlobStore, spoil: Callable[[bytes], bytes]) -> None:
    spec = contest_spec(recipe={"trace": None, "steps": 1, "mapping": None})
    publish(spec, blobs)
    name = blobs.put(spoil(trained(spec, seed_of(MINER))))
    found = judged(blobs, view_of(spec, (MINER, name, ZERO32)))
    assert found.record.entries[0].standing is Standing.UNUSABLE
    assert found.certificate.scores == (NO_SCORE,)
    assert found.certificate.frauds == 0


def test_judge__another_miners_z_or_another_contests__is_unusable(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"trace": None, "steps": 1})
    publish(spec, blobs)
    stolen = blobs.put(trained(spec, seed_of(MINER)))
    elsewhere = blobs.put(trained(spec, seed_of(THIEF, contest_id=2)))
    found = judged(blobs, view_of(spec, (THIEF, stolen, ZERO32), (THIEF, elsewhere, ZERO32)))
    assert [entry.standing for entry in found.record.entries] == [Standing.UNUSABLE] * 2


class Giant:
    """A store that announces ten gigabytes for one name, and would send them."""

    def __init__(self, inner: BlobStore, name: Sha256) -> None:
        self._inner = inner
        self._name = name
        self.asked: list[int] = []

    def put(self, data: bytes) -> Sha256:
        return self._inner.put(data)

    def has(self, name: Sha256) -> bool:
        return self._inner.has(name)

    def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
        if name == self._name:
            from protocol.blobs import BlobTooLarge

            self.asked.append(max_bytes)
            raise BlobTooLarge(f"blob {name.hex()}", f"{10 << 30} bytes exceed the limit of {max_bytes}")
        return self._inner.get(name, max_bytes)


def test_judge__ten_gigabytes_announced__nothing_of_it_is_read(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"trace": None, "steps": 1})
    publish(spec, blobs)
    name = sha256(b"giant")
    store = Giant(blobs, name)
    found = judged(store, view_of(spec, (MINER, name, ZERO32)))
    assert found.record.entries[0].standing is Standing.UNUSABLE
    assert store.asked
    assert max(store.asked) < 1 << 20


def test_judge__withheld_model__is_waited_for_and_then_not_counted(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"trace": None, "steps": 1})
    publish(spec, blobs)
    view = view_of(spec, (MINER, sha256(b"nowhere"), ZERO32))
    with pytest.raises(BlobMissing):
        judged(blobs, view)
    assert judged(blobs, view, LATE_S).record.entries[0].standing is Standing.WITHHELD


def secret_with(**changes: Any) -> bytes:
    found = parse_dataset(public_and_secret()[1], "classification")
    assert isinstance(found, Classification)
    arrays = {name: getattr(found, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    return canonical_classification(**{**arrays, **changes})


def bad_sets() -> dict[str, bytes]:
    found = parse_dataset(public_and_secret()[1], "classification")
    assert isinstance(found, Classification)
    return {
        "other classes": secret_with(y_test=found.y_test + 10),
        "other shapes": canonical_classification(
            found.x_train[:, :9], found.y_train, found.x_test[:, :9], found.y_test
        ),
        "other number of answers": secret_with(x_test=found.x_test[:5], y_test=found.y_test[:5]),
        "no dataset": b"nothing that can be asked",
    }


@pytest.mark.parametrize("kind", ["other classes", "other shapes", "other number of answers", "no dataset"])
def test_judge__test_set_that_fits_no_model__is_the_posters_fault(blobs: BlobStore, kind: str) -> None:
    secret = bad_sets()[kind]
    sealed = blobs.put(seal(secret, KEY))
    spec = contest_spec(
        test_set={"sha256": sha256(secret).hex(), "sealed": sealed.hex()},
        recipe={"trace": None, "steps": 1},
    )
    publish(spec, blobs)
    name = blobs.put(trained(spec, seed_of(MINER)))
    found = judged(blobs, view_of(spec, (MINER, name, ZERO32)))
    assert found.certificate.bad_test_set
    assert found.certificate.scores == ()


def test_judge__key_that_opens_something_else__is_the_posters_fault(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"trace": None, "steps": 1})
    publish(spec, blobs)
    view = view_of(spec, (MINER, sha256(b"model"), ZERO32))
    other = replace(view, released=Released(key=bytes(32), block_hash=sha256(b"block")))
    assert judged(blobs, other).certificate.bad_test_set


def test_judge__sealed_set_that_nobody_has__is_the_posters_fault_in_the_end(blobs: BlobStore) -> None:
    spec = contest_spec(test_set={"sealed": sha256(b"nowhere").hex()}, recipe={"trace": None, "steps": 1})
    publish(spec, blobs)
    view = view_of(spec, (MINER, sha256(b"model"), ZERO32))
    with pytest.raises(BlobMissing):
        judged(blobs, view)
    assert judged(blobs, view, LATE_S).certificate.bad_test_set


def test_judge__honest_trace__is_counted_and_a_foreign_one_is_fraud(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"steps": 20, "trace": {"every": 5, "largest": 1, "random": 1}})
    publish(spec, blobs)
    job = job_of(spec, seed_of(MINER))
    trace, last = record(job, blobs.put)
    honest = (MINER, blobs.put(save_model(job.model, job.seed, last.parameters)), blobs.put(trace.blob))
    # The thief hands the honest weights in behind its own Z, with the honest trace.
    theirs = job_of(spec, seed_of(THIEF))
    copied = (THIEF, blobs.put(save_model(theirs.model, theirs.seed, last.parameters)), sha256(trace.blob))
    found = judged(blobs, view_of(spec, honest, copied))
    assert [entry.standing for entry in found.record.entries] == [Standing.SCORED, Standing.FRAUD]
    assert found.certificate.frauds == 0b10


def test_judge__trace_that_jumps_to_stolen_weights__is_fraud(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"steps": 20, "trace": {"every": 5, "largest": 1, "random": 1}})
    publish(spec, blobs)
    honest = job_of(spec, seed_of(MINER))
    _, stolen = record(honest, blobs.put)
    thief = job_of(spec, seed_of(THIEF))
    trace, own = record(thief, blobs.put)
    last = replace(own, parameters=stolen.parameters)
    names = (*trace.checkpoints[:-1], blobs.put(save_state(thief, last)))
    jump = Trace(checkpoints=names)
    model = blobs.put(save_model(thief.model, thief.seed, stolen.parameters))
    found = judged(blobs, view_of(spec, (THIEF, model, blobs.put(jump.blob))))
    assert found.record.entries[0].standing is Standing.FRAUD


TRACED: dict[str, Any] = {"steps": 20, "trace": {"every": 5, "largest": 1, "random": 1}}


def honest_entry(spec: ContestSpec, blobs: BlobStore) -> tuple[Address, bytes, bytes]:
    job = job_of(spec, seed_of(MINER))
    trace, last = record(job, blobs.put)
    return MINER, blobs.put(save_model(job.model, job.seed, last.parameters)), blobs.put(trace.blob)


def entry_that_leaps(spec: ContestSpec, blobs: BlobStore) -> tuple[Address, bytes, bytes]:
    """Never trained; one number of its momentum goes from one end of float32 to the other."""
    job = job_of(spec, seed_of(THIEF))
    first = initial_state(job)

    def state(step: int, last_momentum: float) -> State:
        momentum = np.concatenate([first.optimizer["momentum"][:-1], np.array([last_momentum], np.float32)])
        return State(step=step, parameters=first.parameters, optimizer={"momentum": momentum})

    leaps = zip(range(0, 21, 5), (0, -3e38, 3e38, 0, 0), strict=True)
    trace = Trace(checkpoints=tuple(blobs.put(save_state(job, state(*leap))) for leap in leaps))
    return THIEF, blobs.put(save_model(job.model, job.seed, first.parameters)), blobs.put(trace.blob)


@pytest.mark.parametrize("now_s", [TIME_S + 1, LATE_S])
def test_judge__checkpoints_that_cannot_be_compared__are_that_entrys_fraud_alone(
    blobs: BlobStore, now_s: int
) -> None:
    spec = contest_spec(recipe=TRACED)
    publish(spec, blobs)
    view = view_of(spec, honest_entry(spec, blobs), entry_that_leaps(spec, blobs))
    found = judged(blobs, view, now_s)
    assert [entry.standing for entry in found.record.entries] == [Standing.SCORED, Standing.FRAUD]


def policy_where(kept: Callable[[Limits], bool]) -> bytes:
    policy = default_policy()
    return msgspec.structs.replace(policy, limits=tuple(filter(kept, policy.limits))).blob


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(b"no policy", id="no policy"),
        pytest.param(bytes(300 * 1024), id="larger than any policy"),
        pytest.param(policy_where(lambda item: item.codec != "int8"), id="says nothing about this work"),
    ],
)
def test_judge__policy_that_judges_nothing__is_the_posters_fault_at_once(
    blobs: BlobStore, policy: bytes
) -> None:
    spec = contest_spec(checks={"policy": blobs.put(policy).hex()}, recipe=TRACED)
    publish(spec, blobs)
    found = judged(blobs, view_of(spec, honest_entry(spec, blobs)))
    assert found.certificate.bad_test_set
    assert found.certificate.scores == ()


class Without:
    """A store in which one blob is not to be had."""

    def __init__(self, inner: BlobStore, name: Sha256) -> None:
        self._inner = inner
        self._name = name

    def put(self, data: bytes) -> Sha256:
        return self._inner.put(data)

    def has(self, name: Sha256) -> bool:
        return name != self._name and self._inner.has(name)

    def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
        if name == self._name:
            raise BlobMissing(name)
        return self._inner.get(name, max_bytes)


@pytest.mark.parametrize("what", ["spec", "policy", "training data"])
def test_judge__what_the_poster_owes_is_not_there__is_waited_for_and_then_its_fault(
    blobs: BlobStore, what: str
) -> None:
    policy = policy_where(lambda item: item.arch == "mlp")
    spec = contest_spec(checks={"policy": blobs.put(policy).hex()}, recipe=TRACED)
    publish(spec, blobs)
    view = view_of(spec, honest_entry(spec, blobs))
    names = {"spec": spec.hash, "policy": sha256(policy), "training data": spec.dataset_sha256}
    store = Without(blobs, names[what])
    with pytest.raises(BlobMissing):
        judged(store, view)
    assert judged(store, view, LATE_S).certificate.bad_test_set


def test_judge__no_trace_asked_for__neither_policy_nor_training_data_is_needed(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"trace": None, "steps": 1}, checks={"policy": sha256(b"nowhere").hex()})
    publish(spec, blobs)
    name = blobs.put(trained(spec, seed_of(MINER)))
    found = judged(Without(blobs, spec.dataset_sha256), view_of(spec, (MINER, name, ZERO32)))
    assert found.record.entries[0].standing is Standing.SCORED


def other_data() -> bytes:
    found = parse_dataset(public_and_secret()[0], "classification")
    assert isinstance(found, Classification)
    return canonical_classification(found.x_train[:, :9], found.y_train, found.x_test[:, :9], found.y_test)


@pytest.mark.parametrize("data", [other_data(), b"no data"], ids=["other shapes", "no data"])
def test_judge__training_data_that_nobody_can_train_on__is_the_posters_fault_at_once(
    blobs: BlobStore, data: bytes
) -> None:
    spec = contest_spec(dataset={"sha256": blobs.put(data).hex()}, recipe=TRACED)
    publish(spec, blobs)
    view = view_of(spec, (MINER, sha256(b"model"), sha256(b"trace")))
    assert judged(blobs, view).certificate.bad_test_set


def test_judge__spec_that_nobody_can_follow__is_the_posters_fault_at_once(blobs: BlobStore) -> None:
    spec = contest_spec()
    publish(spec, blobs)
    view = view_of(spec, (MINER, sha256(b"model"), sha256(b"trace")))
    garbage = replace(view.params, spec_hash=blobs.put(b"no spec"))
    cheaper = replace(view.params, reward=1)
    for params in (garbage, cheaper):
        found = judged(blobs, replace(view, params=params))
        assert found.certificate.bad_test_set
        assert found.certificate.spec_hash == params.spec_hash


class Weighed(bytes):
    """A blob that says when it is let go."""

    held = 0
    most = 0

    @classmethod
    def of(cls, data: bytes) -> "Weighed":
        made = cls(data)
        cls.held += 1
        cls.most = max(cls.most, cls.held)
        return made

    def __del__(self) -> None:
        Weighed.held -= 1


class Scales(Without):
    """A store whose blobs of some names are weighed."""

    def __init__(self, inner: BlobStore, names: frozenset[Sha256]) -> None:
        super().__init__(inner, sha256(b"nowhere"))
        self._names = names

    def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
        data = super().get(name, max_bytes)
        return Weighed.of(data) if name in self._names else data


def test_judge__long_trace__holds_two_checkpoints_at_a_time(blobs: BlobStore) -> None:
    spec = contest_spec(recipe={"steps": 20, "trace": {"every": 1, "largest": 2, "random": 2}})
    publish(spec, blobs)
    entry = honest_entry(spec, blobs)
    names = Trace.parse(blobs.get(Sha256(entry[2])), spec.recipe).checkpoints
    found = judged(Scales(blobs, frozenset(names)), view_of(spec, entry))
    assert found.record.entries[0].standing is Standing.SCORED
    assert (Weighed.most, Weighed.held) == (2, 0)

"""A miner in contests: what it does not train for, and what does not keep it from revealing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.blobs import BlobStore, open_blob_store
from protocol.canonical import canonical_json
from protocol.contest_spec import ContestSpec
from protocol.errors import ServiceUnreachable
from protocol.ids import Sha256, sha256
from protocol.policy import default_policy
from protocol.sealed import seal
from tests.support.contests import KEY, contest_spec, public_and_secret, publish
from tests.unit.worker.contest_chain import MINER, ContestChain
from worker.contest_journal import ContestJournal
from worker.contestant import Contestant
from worker.errors import JobRefused
from worker.training.data import DatasetCache

OWN_POLICY = canonical_json(default_policy().to_value() | {"test_ppb": 7})
EMPTY_POLICY = canonical_json(default_policy().to_value() | {"limits": []})


def contestant(chain: ContestChain, folder: Path) -> Contestant:
    for name in ("blobs", "private"):
        (folder / name).mkdir(exist_ok=True)
    return Contestant(
        miner=MINER,
        contracts=chain.contracts,
        sender=chain,
        blobs=open_blob_store((folder / "blobs").as_uri()),
        private=open_blob_store((folder / "private").as_uri()),
        datasets=DatasetCache(),
        journal=ContestJournal(folder / "journal.sqlite"),
        max_blob_bytes=1 << 30,
    )


def nothing_but(*kept: bytes) -> Callable[[ContestSpec, BlobStore], None]:
    def put(spec: ContestSpec, blobs: BlobStore) -> None:
        for blob in (spec.blob, *kept):
            blobs.put(blob)

    return put


def everything(spec: ContestSpec, blobs: BlobStore) -> None:
    publish(spec, blobs)


PUBLIC, SECRET = public_and_secret()
SEALED = seal(SECRET, KEY)
LARGE = bytes(1 << 20)
OTHER_MODEL = {"params": {"inputs": 32, "hidden": 32, "layers": 1, "classes": 10}}


@pytest.mark.parametrize(
    ("changes", "stored", "reason"),
    [
        ({}, nothing_but(PUBLIC), "no-test-set"),
        (
            {"test_set": {"sealed": sha256(LARGE).hex()}, "limits": {"max_blob_bytes": 1 << 19}},
            nothing_but(PUBLIC, LARGE),
            "no-test-set",
        ),
        ({}, nothing_but(SEALED), "no-dataset"),
        ({"dataset": {"sha256": sha256(SEALED).hex()}}, everything, "no-dataset"),
        ({"model": OTHER_MODEL, "recipe": {"mapping": None}}, everything, "no-dataset"),
        ({"recipe": {"mapping": {"inputs": 60, "outputs": 48}}}, everything, "bad-spec"),
        ({"recipe": {"optimizer": {"kind": "sgd", "lr": "0.1", "momentum": "1"}}}, everything, "bad-spec"),
        ({"recipe": {"trace": {"every": 10, "largest": 4, "random": 3}}}, everything, "bad-spec"),
        ({"checks": {"policy": sha256(OWN_POLICY).hex()}}, everything, "no-policy"),
        ({"checks": {"policy": sha256(b"[]").hex()}}, nothing_but(PUBLIC, SEALED, b"[]"), "no-policy"),
        (
            {"checks": {"policy": sha256(EMPTY_POLICY).hex()}},
            nothing_but(PUBLIC, SEALED, EMPTY_POLICY),
            "no-policy",
        ),
        ({"model": {"params": {"inputs": 64, "hidden": 8192, "layers": 1, "classes": 10}},
          "limits": {"max_blob_bytes": 1 << 20}}, everything, "too-large"),
    ],
)  # fmt: skip
def test_enter__something_that_its_entry_is_judged_by_is_not_there__is_refused_before_training(
    tmp_path: Path,
    changes: dict[str, Any],
    stored: Callable[[ContestSpec, BlobStore], None],
    reason: str,
) -> None:
    chain = ContestChain()
    miner = contestant(chain, tmp_path)
    spec = contest_spec(**changes)
    stored(spec, miner.blobs)
    contest_id = chain.post(spec)
    with pytest.raises(JobRefused) as refused:
        miner.enter(contest_id)
    assert refused.value.reason == reason
    assert not any(path.is_file() for path in (tmp_path / "private").rglob("*"))
    assert (miner.journal.find(contest_id), chain.commitments) == (None, {})


def test_enter__own_policy_that_can_be_had__is_trained_for(tmp_path: Path) -> None:
    chain = ContestChain()
    miner = contestant(chain, tmp_path)
    spec = contest_spec(checks={"policy": sha256(OWN_POLICY).hex()}, recipe={"steps": 20})
    publish(spec, miner.blobs)
    miner.blobs.put(OWN_POLICY)
    contest_id = chain.post(spec)
    miner.enter(contest_id)
    assert list(chain.commitments) == [contest_id]


def test_enter__deadline_too_close__is_refused_before_anything_is_read(tmp_path: Path) -> None:
    chain = ContestChain()
    miner = contestant(chain, tmp_path)
    contest_id = chain.post(contest_spec())
    chain.time_s = chain.terms[contest_id].commit_deadline - 1
    with pytest.raises(JobRefused) as refused:
        miner.enter(contest_id)
    assert refused.value.reason == "late"


def entered(miner: Contestant, chain: ContestChain, *specs: ContestSpec) -> list[int]:
    """Contests that the miner entered, and whose keys are out."""
    made = []
    for spec in specs:
        publish(spec, miner.blobs)
        made.append(chain.post(spec))
        miner.enter(made[-1])
    for contest_id in made:
        chain.release_key(contest_id)
    return made


SHORT = {"trace": None, "steps": 1}


def test_reveal__test_set_is_gone_or_another_one__the_model_is_shown_all_the_same(tmp_path: Path) -> None:
    """Else the committee has nothing to say, and the poster gets the compensation back."""
    chain = ContestChain()
    miner = contestant(chain, tmp_path)
    other = seal(PUBLIC, KEY)
    miner.blobs.put(other)
    gone = contest_spec(recipe=SHORT)
    foreign = contest_spec(recipe=SHORT, test_set={"sealed": sha256(other).hex()})
    contests = entered(miner, chain, gone, foreign)
    for path in (tmp_path / "blobs").rglob(gone.sealed_sha256.hex()):
        path.unlink()
    assert miner.reveal_due() == contests
    assert [chain.states[contest_id].revealed for contest_id in contests] == [1, 1]


class Withheld:
    """A store in which one blob cannot be had, or cannot be put down."""

    def __init__(self, inner: BlobStore, name: Sha256) -> None:
        self._inner, self._name = inner, name

    def put(self, data: bytes) -> Sha256:
        if sha256(data) == self._name:
            raise ServiceUnreachable("the blob gateway", "http://blobs", "HTTP 507")
        return self._inner.put(data)

    def get(self, name: Sha256, max_bytes: int = 1 << 30) -> bytes:
        return self._inner.get(name, max_bytes)

    def has(self, name: Sha256) -> bool:
        return self._inner.has(name)


@pytest.mark.parametrize("how", ["its model is gone", "its model cannot be stored"])
def test_reveal_due__first_contest_cannot_be_revealed__the_later_ones_are(tmp_path: Path, how: str) -> None:
    chain = ContestChain()
    miner = contestant(chain, tmp_path)
    first, second = entered(miner, chain, contest_spec(recipe=SHORT), contest_spec(recipe=SHORT, title="b"))
    entry = miner.journal.find(first)
    assert entry is not None
    model = entry.commitment.model
    if how == "its model is gone":
        for path in (tmp_path / "private").rglob(model.hex()):
            path.unlink()
    else:
        miner = replace(miner, blobs=Withheld(miner.blobs, model))
    assert miner.reveal_due() == [second]
    assert [entry.commitment.contest_id for entry in miner.journal.unrevealed()] == [first]

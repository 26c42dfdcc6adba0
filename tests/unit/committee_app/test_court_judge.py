"""A judge looks first where the challenger says that the lie is, and believes nothing but what it finds."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from committee.court_judge import CourtJudge
from committee.verify import Checker, Finding
from protocol.batches import SUM, WHOLE
from protocol.blobs import BlobStore, open_blob_store
from protocol.chain.appeals import CaseKind, OnchainCase
from protocol.chain.contracts import Contracts
from protocol.chain.records import Certified, matters_of
from protocol.ids import parse_address
from protocol.signing import KeySigner
from tests.support.miner_network import digits, digits_spec
from tests.support.rounds import train_round
from tests.unit.committee_app.histories import at_start, certified
from tests.unit.protocol.builders import DOMAIN, TASK, account, ledger
from worker.training import replay
from worker.training.checkpoint import initial_checkpoint
from worker.training.data import DatasetCache
from worker.training.parts import Vector
from worker.training.step import batches_gradient, part_gradient

LIE = 1
"""The last of a shard's two micro-batches, which the miner of shard 1 counts twice."""


class Trial:
    """A certified round whose shard 1 is false, its judge, and what the judge computes."""

    def __init__(self, name: str, patch: pytest.MonkeyPatch) -> None:
        self.spec = digits_spec()
        self.blobs: BlobStore = open_blob_store(f"memory://court-{name}")
        for blob in (digits(), self.spec.blob):
            self.blobs.put(blob)
        genesis = self.blobs.put(initial_checkpoint(self.spec))
        state = replace(ledger(), spec=self.spec, spec_hash=self.spec.hash, model=genesis)
        trained = train_round(state, self.blobs, DOMAIN, lambda shard: account(shard + 1), doubled=(1,))
        self.record = state.extend((trained,))
        self.blobs.put(self.record.blob)
        self.history = certified(at_start(state), self.record)
        self.shards = 0
        self.batches: list[int] = []
        patch.setattr(replay, "batches_gradient", self._counted_shard(batches_gradient))
        patch.setattr(replay, "part_gradient", self._counted_batch(part_gradient))

    def _counted_shard(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*values: Any, **options: Any) -> Any:
            self.shards += 1
            return compute(*values, **options)

        return counted

    def _counted_batch(self, compute: Callable[..., Vector]) -> Callable[..., Vector]:
        def counted(
            spec: Any, at: Any, batches: Any, index: int, before: Sequence[Vector], **options: Any
        ) -> Vector:
            self.batches.append(index)
            return compute(spec, at, batches, index, before, **options)

        return counted

    def judge(self, shard: int, batch: int) -> Finding:
        """What a judge finds of a case that names ``batch``; it has read the task's certificates before."""
        checker = Checker(
            domain=DOMAIN,
            blobs=self.blobs,
            stake_of=lambda miner: 0,
            slashable_of=lambda miner: 0,
            signer=KeySigner(bytes(account(100).key)),
            datasets=DatasetCache(),
        )
        judge = CourtJudge(
            contracts=cast(Contracts, SimpleNamespace(deployment=SimpleNamespace(domain=DOMAIN))),
            blobs=self.blobs,
            checker=checker,
            _certified={
                TASK: Certified(
                    created=self.history.created,
                    certificates=tuple(segment.event for segment in self.history.segments),
                    standing=1,
                )
            },
        )
        return judge.judge(TASK, self._case(shard, batch)).finding

    def _case(self, shard: int, batch: int) -> OnchainCase:
        matter = matters_of(self.record, CaseKind.CONTRIBUTION, DOMAIN)[shard]
        return OnchainCase(
            number=0,
            challenger=parse_address("0x" + "33" * 20),
            signers=0b0111,
            index=0,
            miner=parse_address(account(shard + 1).address),
            kind=CaseKind.CONTRIBUTION,
            settled=False,
            accepted_at=10,
            leaf=matter.leaf_hash,
            batch=batch,
        )


def test_judge__challenge_names_the_false_micro_batch__executes_that_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = Trial("named", monkeypatch)
    assert trial.judge(1, LIE) is Finding.INVALID
    assert (trial.shards, trial.batches) == (0, [LIE])


def test_judge__challenge_names_nothing__executes_the_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial("whole", monkeypatch)
    assert trial.judge(1, WHOLE) is Finding.INVALID
    assert trial.shards == 1


@pytest.mark.parametrize(("hint", "looked"), [(0, 1), (SUM, 0), (77, 0), (WHOLE - 2, 0)])
def test_judge__challenge_names_another_thing__costs_at_most_one_micro_batch_and_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, hint: int, looked: int
) -> None:
    trial = Trial(f"false-{hint}", monkeypatch)
    assert trial.judge(0, hint) is Finding.VALID
    assert (trial.shards, len(trial.batches)) == (1, looked)
    assert trial.judge(1, hint) is Finding.INVALID
    assert trial.shards == 2


def test_judge__named_micro_batch_of_honest_work__is_not_made_false_by_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = Trial("honest", monkeypatch)
    assert trial.judge(0, LIE) is Finding.VALID
    assert (trial.shards, trial.batches) == (1, [LIE])

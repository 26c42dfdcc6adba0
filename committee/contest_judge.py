"""How good are a contest's models? Counted from events and blobs alone, the same by everybody.

Each member counts for itself before it agrees on anything. What a member cannot find out yet (a blob that is
not there) keeps it from speaking; once half of its time is over, what is still withheld counts as not handed
in, so that nobody stops a contest by hiding a blob.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore
from protocol.chain.contest_log import ContestView, read_contest_spec
from protocol.contest import NO_SCORE, ScoreCertificate
from protocol.contest_spec import ContestSpec
from protocol.errors import InvalidInput, VerificationFailed
from protocol.ids import ZERO32, Sha256, parse_sha256
from protocol.policy import NotCalibrated, Policy, load_policy
from protocol.score_record import EntryResult, ScoreRecord, Standing
from worker.training.contest_check import open_test_set
from worker.training.contest_model import count_correct, load_model, model_manifest
from worker.training.contest_step import Job, State, load_state, state_manifest
from worker.training.data import Dataset, DatasetCache
from worker.training.errors import BlobRejected
from worker.training.optimizer import check_optimizer
from worker.training.sml import MappedModel, contest_seed
from worker.training.tensors import MAX_HEADER_BYTES
from worker.training.trace import MAX_TRACE_BYTES, Trace, check_ends, check_terms, segment_bounds
from worker.training.trace_plan import moves, rank, replay_plan
from worker.training.trace_replay import EVERYWHERE, replay_segment, trace_limits

_REPLAY_DOMAIN: Final = b"ProofOfTraining/contest-replay/1"
_UNREADABLE: Final = (BlobMissing, BlobCorrupt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a member found, as the certificate and the record that it would sign."""

    certificate: ScoreCertificate
    record: ScoreRecord

    def restated(self, results: tuple[EntryResult, ...], *, bad: bool) -> ScoreCertificate:
        """The certificate of the same contest and panel, had these been the results."""
        record = replace(self.record, bad_test_set=bad, entries=results)
        return replace(
            self.certificate,
            frauds=_frauds(results),
            bad_test_set=bad,
            scores=_scores(results),
            record=record.hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """What traces are judged by: all of it the poster's."""

    dataset: Dataset
    policy: Policy
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contest:
    """One contest with all that its entries are judged by; ``training`` where traces are asked for."""

    view: ContestView
    spec: ContestSpec
    model: MappedModel
    test: Dataset
    training: _Training | None
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestJudge:
    """Counts and replays; used by one thread."""

    blobs: BlobStore
    datasets: DatasetCache = field(default_factory=DatasetCache)
    threads: int = 1
    device: str = "cpu"

    def judge(self, view: ContestView, now_s: int) -> Findings:
        """What is true of a contest whose reveals are over. Raises BlobMissing, BlobCorrupt or
        ServiceUnreachable while something is not there; nothing that an entry or the poster hands in raises
        anything else."""
        assert view.released is not None, "the reveals of a contest follow its release"
        contest = self._opened(view, view.is_late(now_s))
        if contest is None:
            return _findings(view, (), bad=True)
        results = tuple(self._entry(contest, place) for place in range(len(view.entries)))
        return _findings(view, results, bad=False)

    # ---------------------------------------------------------------- what the poster owes

    def _opened(self, view: ContestView, late: bool) -> _Contest | None:
        """The contest with all that its poster had to provide: spec, test set, and for traces data and
        policy. None when the poster broke its promise: what cannot be used is bad at once, what cannot be
        had once it is late. No miner answers for either."""
        try:
            spec = read_contest_spec(self.blobs, view)
            test = self._test_set(spec, view)
            if test is None:
                return None
            return _Contest(
                view=view,
                spec=spec,
                model=MappedModel(model=spec.model, mapping=spec.recipe.mapping),
                test=test,
                training=None if spec.recipe.trace is None else self._training(spec),
                late=late,
            )
        except _UNREADABLE:
            if late:
                return None
            raise
        except (InvalidInput, VerificationFailed, NotCalibrated):
            return None

    def _test_set(self, spec: ContestSpec, view: ContestView) -> Dataset | None:
        """The released test set; None when it is not the promised one. Raises BlobMissing, BlobCorrupt,
        BlobTooLarge, ServiceUnreachable."""
        assert view.released is not None
        sealed = self.blobs.get(spec.sealed_sha256, spec.limits.max_blob_bytes)
        return open_test_set(spec, sealed, view.released.key)

    def _training(self, spec: ContestSpec) -> _Training:
        """Raises InvalidInput, BlobTooLarge, BlobRejected or NotCalibrated for what nobody can replay by,
        BlobMissing, BlobCorrupt, ServiceUnreachable."""
        check_terms(spec.recipe)
        check_optimizer(spec.recipe.optimizer)
        policy = load_policy(parse_sha256(spec.checks.policy), self.blobs)
        device = self._replay_device(spec, policy)
        dataset = self.datasets.get(
            spec.dataset, lambda: self.blobs.get(spec.dataset_sha256, spec.limits.max_blob_bytes)
        )
        dataset.require_fit(spec.model)
        return _Training(dataset=dataset, policy=policy, device=device)

    def _replay_device(self, spec: ContestSpec, policy: Policy) -> str:
        """Where to replay: on the own device if the policy has limits for it, else on a CPU, which everybody
        has. Raises NotCalibrated without limits for that: then some could judge and others not, and all must
        find the same."""
        trace_limits(spec.model, spec.recipe, policy, EVERYWHERE)
        try:
            trace_limits(spec.model, spec.recipe, policy, self.device)
        except NotCalibrated:
            return EVERYWHERE
        return self.device

    # ---------------------------------------------------------------- entries

    def _entry(self, contest: _Contest, place: int) -> EntryResult:
        entry, view = contest.view.entries[place], contest.view
        if not view.state.revealed >> place & 1:
            return EntryResult(miner=entry.miner, model=ZERO32, trace=ZERO32, standing=Standing.NOT_REVEALED)
        seed = contest_seed(view.state.parent, view.contest_id, entry.miner)
        standing, correct = self._standing(contest, place, seed)
        return EntryResult(
            miner=entry.miner, model=entry.model, trace=entry.trace, standing=standing, correct=correct
        )

    def _standing(self, contest: _Contest, place: int, seed: bytes) -> tuple[Standing, int]:
        entry, most = contest.view.entries[place], contest.spec.limits.max_blob_bytes
        limit = min(most, model_manifest(contest.model).nbytes + MAX_HEADER_BYTES)
        try:
            blob = self.blobs.get(Sha256(entry.model), limit)
            parameters = load_model(contest.model, seed, blob)
            if contest.training is not None and not self._is_trained(
                contest, contest.training, place, seed, blob
            ):
                return Standing.FRAUD, 0
        except _UNREADABLE:
            if contest.late:
                return Standing.WITHHELD, 0
            raise
        except VerificationFailed:  # too large, no tensors of this shape, not finite, another Z
            return Standing.UNUSABLE, 0
        score = count_correct(
            contest.model, seed, parameters, contest.test, threads=self.threads, device=self.device
        )
        return Standing.SCORED, score.correct

    # ---------------------------------------------------------------- traces

    def _is_trained(
        self, contest: _Contest, training: _Training, place: int, seed: bytes, model_blob: bytes
    ) -> bool:
        """Whether the trace leads from the miner's first weights to its model. Raises VerificationFailed for
        a trace that is none, and as ``judge``."""
        spec, entry = contest.spec, contest.view.entries[place]
        job = Job(recipe=spec.recipe, model=contest.model, dataset=training.dataset, seed=seed)
        trace = Trace.parse(self.blobs.get(Sha256(entry.trace), MAX_TRACE_BYTES), spec.recipe)
        try:
            check_ends(job, trace, self._checkpoint(spec, job, trace.checkpoints[-1]), model_blob)
            order = rank(moves(self._states(spec, job, trace)))
        except BlobRejected:
            return False
        assert spec.recipe.trace is not None
        plan = replay_plan(order, spec.recipe.trace, replay_seed(contest.view, place))
        return all(self._replays(spec, training, job, trace, segment) for segment in plan.segments)

    def _checkpoint(self, spec: ContestSpec, job: Job, name: Sha256) -> bytes:
        limit = min(spec.limits.max_blob_bytes, state_manifest(job).nbytes + MAX_HEADER_BYTES)
        return self.blobs.get(name, limit)

    def _states(self, spec: ContestSpec, job: Job, trace: Trace) -> Iterator[State]:
        """One after the other: all of a trace at once would be thousands of blobs in memory."""
        last = job.recipe.segments
        steps = [segment_bounds(job.recipe, place)[0] for place in range(last)] + [job.recipe.steps]
        for name, step in zip(trace.checkpoints, steps, strict=True):
            yield load_state(job, self._checkpoint(spec, job, name), step)

    def _replays(self, spec: ContestSpec, training: _Training, job: Job, trace: Trace, segment: int) -> bool:
        """All members replay the same segments, which nobody knew before all commitments were closed."""
        before, after = (
            self._checkpoint(spec, job, name) for name in trace.checkpoints[segment : segment + 2]
        )
        return replay_segment(
            job,
            segment,
            before,
            after,
            policy=training.policy,
            threads=self.threads,
            device=training.device,
        ).ok


def replay_seed(view: ContestView, place: int) -> bytes:
    """Which segments of an entry are replayed follows from the key and the block of the release: known to
    everybody afterwards, and to no miner that commits."""
    assert view.released is not None
    parts = (view.released.key, view.released.block_hash, view.contest_id.to_bytes(32, "big"))
    return hashlib.sha256(_REPLAY_DOMAIN + b"".join(parts) + place.to_bytes(4, "big")).digest()


def _findings(view: ContestView, results: tuple[EntryResult, ...], *, bad: bool) -> Findings:
    assert view.released is not None
    record = ScoreRecord(
        contest_id=view.contest_id,
        spec_hash=view.params.spec_hash,
        test_set=view.params.test_set,
        key=view.released.key,
        bad_test_set=bad,
        entries=results,
    )
    certificate = ScoreCertificate(
        contest_id=view.contest_id,
        instance=view.instance,
        epoch=view.state.epoch,
        spec_hash=view.params.spec_hash,
        test_set=view.params.test_set,
        revealed=view.state.revealed,
        frauds=_frauds(results),
        bad_test_set=bad,
        scores=_scores(results),
        transactions=ZERO32,
        record=record.hash,
    )
    return Findings(certificate=certificate, record=record)


def _scores(results: Sequence[EntryResult]) -> tuple[int, ...]:
    """What a certificate says of entries of these standings."""
    return tuple(r.correct if r.standing is Standing.SCORED else NO_SCORE for r in results)


def _frauds(results: Sequence[EntryResult]) -> int:
    """The bits of the entries whose traces are false."""
    return sum(1 << place for place, r in enumerate(results) if r.standing is Standing.FRAUD)

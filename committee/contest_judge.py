"""How good are a contest's models? Counted from events and blobs alone, the same by everybody.

Each member counts for itself before it agrees on anything. What a member cannot find out yet (a blob that is
not there) keeps it from speaking; once half of its time is over, what is still withheld counts as not handed
in, so that nobody stops a contest by hiding a blob.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from protocol.blobs import BlobCorrupt, BlobMissing, BlobStore, BlobTooLarge
from protocol.chain.contest_log import ContestView, read_contest_spec
from protocol.contest import NO_SCORE, ScoreCertificate
from protocol.contest_spec import ContestSpec
from protocol.errors import VerificationFailed
from protocol.ids import ZERO32, Sha256, parse_sha256
from protocol.policy import load_policy
from protocol.score_record import EntryResult, ScoreRecord, Standing
from worker.training.contest_check import open_test_set
from worker.training.contest_model import count_correct, load_model, model_manifest
from worker.training.contest_step import Job, State, load_state, state_manifest
from worker.training.data import Dataset, DatasetCache
from worker.training.errors import TrainingError
from worker.training.sml import MappedModel, contest_seed
from worker.training.tensors import MAX_HEADER_BYTES
from worker.training.trace import MAX_TRACE_BYTES, Trace, check_ends, segment_bounds
from worker.training.trace_plan import moves, rank, replay_plan
from worker.training.trace_replay import replay_segment

_REPLAY_DOMAIN: Final = b"ProofOfTraining/contest-replay/1"
_UNREADABLE: Final = (BlobMissing, BlobCorrupt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a member found, as the certificate and the record that it would sign."""

    certificate: ScoreCertificate
    record: ScoreRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contest:
    """One contest with all that its entries are judged by."""

    view: ContestView
    spec: ContestSpec
    model: MappedModel
    test: Dataset
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
        ServiceUnreachable while something is not there, NotCalibrated where a replay decides nothing, and
        InvalidInput for a contest whose spec nobody can follow."""
        assert view.released is not None, "the reveals of a contest follow its release"
        late = view.is_late(now_s)
        spec = read_contest_spec(self.blobs, view)
        model = MappedModel(model=spec.model, mapping=spec.recipe.mapping)
        test = self._test_set(spec, view, late)
        if test is None:
            return _findings(view, spec, (), bad=True)
        contest = _Contest(view=view, spec=spec, model=model, test=test, late=late)
        results = tuple(self._entry(contest, place) for place in range(len(view.entries)))
        return _findings(view, spec, results, bad=False)

    def _test_set(self, spec: ContestSpec, view: ContestView, late: bool) -> Dataset | None:
        """The released test set; None when the poster broke its promise."""
        assert view.released is not None
        try:
            sealed = self.blobs.get(spec.sealed_sha256, spec.limits.max_blob_bytes)
        except BlobTooLarge:
            return None
        except _UNREADABLE:
            if late:
                return None
            raise
        return open_test_set(spec, sealed, view.released.key)

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
            if contest.spec.recipe.trace is not None and not self._is_trained(contest, place, seed, blob):
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

    def _is_trained(self, contest: _Contest, place: int, seed: bytes, model_blob: bytes) -> bool:
        """Whether the trace leads from the miner's first weights to its model. Raises VerificationFailed for
        a trace that is none, and as ``judge``."""
        spec, entry = contest.spec, contest.view.entries[place]
        train = self.datasets.get(
            spec.dataset, lambda: self.blobs.get(spec.dataset_sha256, spec.limits.max_blob_bytes)
        )
        job = Job(recipe=spec.recipe, model=contest.model, dataset=train, seed=seed)
        trace = Trace.parse(self.blobs.get(Sha256(entry.trace), MAX_TRACE_BYTES), spec.recipe)
        limit = min(spec.limits.max_blob_bytes, state_manifest(job).nbytes + MAX_HEADER_BYTES)
        blobs = [self.blobs.get(name, limit) for name in trace.checkpoints]
        try:
            check_ends(job, trace, blobs[-1], model_blob)
            states = self._states(job, blobs)
        except TrainingError:
            return False
        return self._replays(contest, place, job, blobs, states)

    @staticmethod
    def _states(job: Job, blobs: list[bytes]) -> list[State]:
        last = job.recipe.segments
        steps = [segment_bounds(job.recipe, place)[0] for place in range(last)] + [job.recipe.steps]
        return [load_state(job, blob, step) for blob, step in zip(blobs, steps, strict=True)]

    def _replays(
        self, contest: _Contest, place: int, job: Job, blobs: list[bytes], states: list[State]
    ) -> bool:
        """All members replay the same segments, which nobody knew before all commitments were closed."""
        terms = contest.spec.recipe.trace
        assert terms is not None
        plan = replay_plan(rank(moves(states)), terms, replay_seed(contest.view, place))
        policy = load_policy(parse_sha256(contest.spec.checks.policy), self.blobs)
        return all(
            replay_segment(
                job,
                segment,
                blobs[segment],
                blobs[segment + 1],
                policy=policy,
                threads=self.threads,
                device=self.device,
            ).ok
            for segment in plan.segments
        )


def replay_seed(view: ContestView, place: int) -> bytes:
    """Which segments of an entry are replayed follows from the key and the block of the release: known to
    everybody afterwards, and to no miner that commits."""
    assert view.released is not None
    parts = (view.released.key, view.released.block_hash, view.contest_id.to_bytes(32, "big"))
    return hashlib.sha256(_REPLAY_DOMAIN + b"".join(parts) + place.to_bytes(4, "big")).digest()


def _findings(
    view: ContestView, spec: ContestSpec, results: tuple[EntryResult, ...], *, bad: bool
) -> Findings:
    assert view.released is not None
    record = ScoreRecord(
        contest_id=view.contest_id,
        spec_hash=spec.hash,
        test_set=spec.test_set_sha256,
        key=view.released.key,
        bad_test_set=bad,
        entries=results,
    )
    frauds = sum(1 << place for place, r in enumerate(results) if r.standing is Standing.FRAUD)
    certificate = ScoreCertificate(
        contest_id=view.contest_id,
        instance=view.instance,
        epoch=view.state.epoch,
        spec_hash=spec.hash,
        test_set=spec.test_set_sha256,
        revealed=view.state.revealed,
        frauds=frauds,
        bad_test_set=bad,
        scores=tuple(r.correct if r.standing is Standing.SCORED else NO_SCORE for r in results),
        transactions=ZERO32,
        record=record.hash,
    )
    return Findings(certificate=certificate, record=record)

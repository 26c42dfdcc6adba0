"""A miner in contests: train a whole model, commit to it, and reveal it when the test set is released.

Nothing of a model leaves this machine before the commitments are closed: models and checkpoints lie in a
private store until then. Every step can be repeated after a crash: what was committed to is in the journal
before the chain sees it.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from protocol.blobs import BlobStore
from protocol.chain.contest import ContestStatus
from protocol.chain.contest_log import ContestView, read_contest, read_contest_spec
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Receipt
from protocol.contest import Commitment
from protocol.errors import PotError, ServiceUnreachable
from protocol.ids import ZERO32, Address, Sha256, parse_sha256, sha256
from protocol.policy import load_policy
from worker.contest_journal import ContestJournal, JournalEntry
from worker.errors import JobRefused
from worker.training.contest_model import save_model
from worker.training.contest_step import Job, advance, initial_state, save_state
from worker.training.data import DatasetCache
from worker.training.optimizer import check_optimizer
from worker.training.sml import MappedModel, contest_seed
from worker.training.trace import Trace, check_terms, checkpoint_names, record
from worker.training.trace_replay import EVERYWHERE, trace_limits

log = structlog.get_logger("worker")

SALT_BYTES: Final = 32
MARGIN_S: Final = 2
"""A commitment is not sent so late that the next block may be beyond the deadline."""


class Sends(Protocol):
    """The side of ``protocol.chain.sender.Sender`` that is used here."""

    def send(self, call: Call) -> Receipt: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training leads to: the model's blob and, where the contest asks for one, its trace."""

    model: bytes
    trace: Trace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One miner's part in contests. ``private`` keeps what must not be seen yet, ``blobs`` is everybody's;
    ``threads`` and ``device`` are for torch."""

    miner: Address
    contracts: Contracts
    sender: Sends
    blobs: BlobStore
    private: BlobStore
    datasets: DatasetCache
    journal: ContestJournal
    max_blob_bytes: int
    threads: int = 1
    device: str = "cpu"
    salt: Callable[[], bytes] = lambda: secrets.token_bytes(SALT_BYTES)

    def enter(self, contest_id: int) -> JournalEntry:
        """Train for a contest and commit to the model; does nothing that was done before.

        Accepted when: the contest is open and its deadline ahead; the spec agrees with the chain; all that a
        committee needs to score an honest entry can be had (the sealed test set, the training data, the
        policy of replays) and fits the spec. Raises JobRefused otherwise, and what chain, blob store and
        training raise.
        """
        view = read_contest(self.contracts, contest_id, None)
        entry = self.journal.find(contest_id)
        if entry is None:
            _require_open(view)
            trained = self.train(self.prepare(view))
            # Training takes time: the contest may have closed meanwhile.
            view = read_contest(self.contracts, contest_id, None)
            _require_open(view)
            entry = self.journal.record(self._commitment(contest_id, trained))
        if self.contracts.contest.entry_number(contest_id, self.miner) == 0:
            _require_open(view)
            digest = entry.commitment.digest(self.contracts.deployment.contest_domain)
            self.sender.send(self.contracts.contest.commit(contest_id, digest))
            log.info("committed", contest=contest_id, commitment=digest.hex())
        return entry

    def prepare(self, view: ContestView) -> Job:
        """This miner's training, once everything that its entry will be judged by is known to be there: a
        model that nobody can score is work for nothing. Raises JobRefused, ServiceUnreachable."""
        with _needed("bad-spec", "Its spec cannot be used"):
            spec = read_contest_spec(self.blobs, view)
            model = MappedModel(model=spec.model, mapping=spec.recipe.mapping)
            check_optimizer(spec.recipe.optimizer)
            if spec.recipe.trace is not None:
                check_terms(spec.recipe)
        limit = min(spec.limits.max_blob_bytes, self.max_blob_bytes)
        with _needed("no-test-set", "The sealed test set cannot be had, and its key would open nothing"):
            self.blobs.get(spec.sealed_sha256, limit)
        with _needed("no-dataset", "The training data cannot be used"):
            dataset = self.datasets.get(spec.dataset, lambda: self.blobs.get(spec.dataset_sha256, limit))
            dataset.require_fit(spec.model)
        job = Job(
            recipe=spec.recipe,
            model=model,
            dataset=dataset,
            seed=contest_seed(view.state.parent, view.contest_id, self.miner),
        )
        if spec.recipe.trace is not None:
            with _needed("no-policy", "Its traces cannot be judged"):
                policy = load_policy(parse_sha256(spec.checks.policy), self.blobs)
                trace_limits(spec.model, spec.recipe, policy, EVERYWHERE)
        _require_size(job, limit)
        return job

    def train(self, job: Job) -> Trained:
        """A whole model from this miner's own seed. Raises InvalidDataset, InvalidRecipe, Diverged, and what
        the blob store raises."""
        trace = None
        if job.recipe.trace is None:
            first = initial_state(job)
            last = advance(job, first, job.recipe.steps, threads=self.threads, device=self.device)
        else:
            trace, last = record(job, self.private.put, threads=self.threads, device=self.device)
        return Trained(model=save_model(job.model, job.seed, last.parameters), trace=trace)

    def reveal_due(self) -> list[int]:
        """Reveal in every contest whose test set was released; the contests that were revealed now. What goes
        wrong in one is logged and does not stop the others: any poster could stop them all."""
        revealed = []
        for entry in self.journal.unrevealed():
            contest_id = entry.commitment.contest_id
            try:
                if self.reveal(entry):
                    revealed.append(contest_id)
            except PotError as error:
                log.warning("not revealed", contest=contest_id, error=type(error).__name__, why=str(error))
        return revealed

    def reveal(self, entry: JournalEntry) -> bool:
        """Show what was committed to, once the key is out; whether that was done now.

        Not looked at here: whether the key opens the promised test set. Only a committee can find that it
        does not, and it speaks where somebody revealed: a contest in which nobody did gives the poster
        everything back, the miners' compensation with it.
        """
        c = entry.commitment
        view = read_contest(self.contracts, c.contest_id, None)
        if view.state.status is ContestStatus.OPEN:
            return False
        place = self.contracts.contest.entry_number(c.contest_id, self.miner) - 1
        over = view.state.status is not ContestStatus.RELEASED or view.time_s > view.state.ends_at
        if over or place < 0 or view.state.revealed >> place & 1:
            self.journal.finish(c.contest_id)
            return False
        self._publish(c)
        self.sender.send(self.contracts.contest.reveal(c.contest_id, c.model, c.trace, c.salt))
        self.journal.finish(c.contest_id)
        log.info("revealed", contest=c.contest_id, model=c.model.hex())
        return True

    def _commitment(self, contest_id: int, trained: Trained) -> Commitment:
        model = self.private.put(trained.model)
        trace = ZERO32 if trained.trace is None else self.private.put(trained.trace.blob)
        return Commitment(contest_id=contest_id, miner=self.miner, model=model, trace=trace, salt=self.salt())

    def _publish(self, c: Commitment) -> None:
        """Put everything that the reveal names where everybody finds it."""
        self.blobs.put(self.private.get(c.model))
        if c.trace == ZERO32:
            return
        blob = self.private.get(Sha256(c.trace))
        for name in checkpoint_names(blob):
            self.blobs.put(self.private.get(name))
        assert self.blobs.put(blob) == sha256(blob)


@contextmanager
def _needed(reason: str, sentence: str) -> Iterator[None]:
    """Something that an entry is judged by: without it the contest is refused, except where the service that
    has it does not answer. Raises JobRefused, ServiceUnreachable."""
    try:
        yield
    except ServiceUnreachable:
        raise
    except PotError as error:
        raise JobRefused(reason, f"{sentence}: {error}") from error


def _require_size(job: Job, limit: int) -> None:
    """Raises JobRefused when what an honest miner hands in is too large for anybody to read."""
    first = initial_state(job)
    needed = len(save_model(job.model, job.seed, first.parameters))
    if job.recipe.trace is not None:
        needed = max(needed, len(save_state(job, first)))
    if needed > limit:
        raise JobRefused(
            "too-large", f"An honest entry has blobs of {needed:,} bytes, and at most {limit:,} are read."
        )


def _require_open(view: ContestView) -> None:
    if view.state.status is not ContestStatus.OPEN:
        raise JobRefused("closed", f"Contest {view.contest_id} takes no entries any more.")
    if view.time_s + MARGIN_S > view.params.commit_deadline:
        raise JobRefused("late", f"The deadline of contest {view.contest_id} is too close.")

"""A miner in contests: train a whole model, commit to it, and reveal it when the test set is released.

Nothing of a model leaves this machine before the commitments are closed: models and checkpoints lie in a
private store until then. Every step can be repeated after a crash: what was committed to is in the journal
before the chain sees it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from protocol.blobs import BlobStore
from protocol.chain.contest import ContestStatus
from protocol.chain.contest_log import ContestView, read_contest, read_contest_spec, release_of
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Receipt
from protocol.contest import Commitment
from protocol.contest_spec import ContestSpec
from protocol.errors import Refused
from protocol.ids import ZERO32, Address, Sha256, sha256
from worker.contest_journal import ContestJournal, JournalEntry
from worker.errors import JobRefused
from worker.training.contest_check import open_test_set
from worker.training.contest_model import save_model
from worker.training.contest_step import Job, advance, initial_state
from worker.training.data import DatasetCache
from worker.training.sml import MappedModel, contest_seed
from worker.training.trace import Trace, checkpoint_names, record

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

        Accepted when: the contest is open and its deadline ahead; the spec agrees with the chain; the sealed
        test set can be had, so that its key will open it for everybody. Raises JobRefused otherwise, and what
        chain, blob store and training raise.
        """
        view = read_contest(self.contracts, contest_id, None)
        entry = self.journal.find(contest_id)
        if entry is None:
            _require_open(view)
            spec = self._spec(view)
            trained = self.train(spec, view)
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

    def train(self, spec: ContestSpec, view: ContestView) -> Trained:
        """A whole model from this miner's own seed. Raises InvalidDataset, InvalidRecipe, InvalidModel,
        Diverged, and what the blob store raises."""
        limit = min(spec.limits.max_blob_bytes, self.max_blob_bytes)
        model = MappedModel(model=spec.model, mapping=spec.recipe.mapping)
        seed = contest_seed(view.state.parent, view.contest_id, self.miner)
        dataset = self.datasets.get(spec.dataset, lambda: self.blobs.get(spec.dataset_sha256, limit))
        job = Job(recipe=spec.recipe, model=model, dataset=dataset, seed=seed)
        trace = None
        if spec.recipe.trace is None:
            first = initial_state(job)
            last = advance(job, first, spec.recipe.steps, threads=self.threads, device=self.device)
        else:
            trace, last = record(job, self.private.put, threads=self.threads, device=self.device)
        return Trained(model=save_model(model, seed, last.parameters), trace=trace)

    def reveal_due(self) -> list[int]:
        """Reveal in every contest whose test set was released; the contests that were revealed now. A refusal
        of one is logged and does not stop the others."""
        revealed = []
        for entry in self.journal.unrevealed():
            contest_id = entry.commitment.contest_id
            try:
                if self.reveal(entry):
                    revealed.append(contest_id)
            except Refused as error:
                log.warning("not revealed", contest=contest_id, why=str(error))
        return revealed

    def reveal(self, entry: JournalEntry) -> bool:
        """Show what was committed to, once the promised test set is there; whether that was done now."""
        c = entry.commitment
        view = read_contest(self.contracts, c.contest_id, None)
        if view.state.status is ContestStatus.OPEN:
            return False
        place = self.contracts.contest.entry_number(c.contest_id, self.miner) - 1
        over = view.state.status is not ContestStatus.RELEASED or view.time_s > view.state.ends_at
        if over or place < 0 or view.state.revealed >> place & 1:
            self.journal.finish(c.contest_id)
            return False
        if not self._is_promised(view):
            log.warning("another test set was released; nothing is revealed", contest=c.contest_id)
            return False
        self._publish(c)
        self.sender.send(self.contracts.contest.reveal(c.contest_id, c.model, c.trace, c.salt))
        self.journal.finish(c.contest_id)
        log.info("revealed", contest=c.contest_id, model=c.model.hex())
        return True

    def _spec(self, view: ContestView) -> ContestSpec:
        spec = read_contest_spec(self.blobs, view)
        if not self.blobs.has(spec.sealed_sha256):
            raise JobRefused("no-test-set", "The sealed test set is not there: its key would open nothing.")
        return spec

    def _is_promised(self, view: ContestView) -> bool:
        """Whether the key opens the test set that the spec names: else a model would be shown for nothing."""
        released = release_of(self.contracts, view.contest_id)
        if released is None:
            return False
        spec = read_contest_spec(self.blobs, view)
        sealed = self.blobs.get(spec.sealed_sha256, min(spec.limits.max_blob_bytes, self.max_blob_bytes))
        return open_test_set(spec, sealed, released.key) is not None

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


def _require_open(view: ContestView) -> None:
    if view.state.status is not ContestStatus.OPEN:
        raise JobRefused("closed", f"Contest {view.contest_id} takes no entries any more.")
    if view.time_s + MARGIN_S > view.params.commit_deadline:
        raise JobRefused("late", f"The deadline of contest {view.contest_id} is too close.")

"""Is this proposal true? Signatures, stakes, hashes, the exact update, and a secret sample of re-executed
shards.

A judgement has three values. *Valid* and *invalid* are statements; *unknown* (a blob withheld, the chain
out of reach) is an abstention and never counts against anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from committee.noise_book import NoiseBook
from committee.sample_duty import Duty, DutyOf, require_tellable, spec_duty
from protocol.attestation import ReplayEvidence, ShardProof, witness_seed
from protocol.batches import WHOLE
from protocol.blobs import BlobStore
from protocol.certificate import RoundCertificate
from protocol.contribution import SignedContribution
from protocol.errors import PeerMisbehaved, PotError
from protocol.evidence import Fault
from protocol.ids import Address, Sha256, sha256
from protocol.ledger import TaskLedger
from protocol.policy import Limits, load_policy
from protocol.sampling import SamplePlan, sample_seed
from protocol.segment import MAX_RECORD_BYTES, RoundRecord, SegmentRecord
from protocol.signing import Signer
from protocol.spec import TaskSpec
from protocol.typed_data import Domain
from worker.training.checkpoint import load_checkpoint
from worker.training.data import DatasetCache
from worker.training.errors import BlobRejected, Diverged
from worker.training.parts import Opening
from worker.training.replay import Claim, ShardSite
from worker.training.rounds import apply_round
from worker.training.tolerance import limits_of


class Finding(Enum):
    """What a check came to."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """``faults`` are the contributions that failed re-execution, ``executed`` how many shards were replayed,
    ``contained`` what a valid proposal would be guilty of if its contributions turned out to be faults.
    ``batches`` says of each of the ``faults`` where it shows (``protocol.batches``); of those that are not
    there, nothing narrower than the whole shard is known. ``evidence`` shows what a valid proposal was found
    valid by."""

    finding: Finding
    reason: str = ""
    faults: tuple[SignedContribution, ...] = ()
    executed: int = 0
    contained: frozenset[Fault] = frozenset()
    batches: tuple[int, ...] = ()
    evidence: ReplayEvidence | None = None

    @property
    def found(self) -> tuple[tuple[SignedContribution, int], ...]:
        """The faults, each with where it shows."""
        known = len(self.batches)
        return tuple((s, self.batches[i] if i < known else WHOLE) for i, s in enumerate(self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """The ports a check needs. ``stake_of`` (active) and ``slashable_of`` (with what is unbonding) read the
    vault, in smallest token units; one thread uses one checker."""

    domain: Domain
    blobs: BlobStore
    stake_of: Callable[[Address], int]
    slashable_of: Callable[[Address], int]
    signer: Signer
    datasets: DatasetCache
    threads: int = 1
    device: str = "cpu"
    noise: NoiseBook = field(default_factory=NoiseBook)
    duty_of: DutyOf = spec_duty

    def judge(self, ledger: TaskLedger, certificate: RoundCertificate, known: frozenset[Fault]) -> Judgement:
        """Judge a proposal to extend ``ledger``; ``known`` are faults this replica has confirmed already.

        Valid when: the segment record leads to exactly this certificate; the record obeys the ledger's
        rules; every miner's stake is sufficient; no known fault is contained; each round's update is bit
        for bit the one computed here; the declared faults are faults; the sampled shards pass.
        """
        try:
            record = SegmentRecord.from_blob(self.blobs.get(certificate.segment, MAX_RECORD_BYTES))
            if record.certificate(self.domain, ledger.epoch) != certificate:
                raise PeerMisbehaved("proposal", "its certificate is not the one its segment record leads to")
            ledger.check(record, self.domain)
            self._check_stakes(ledger, record)
            found = tuple(s for s in _contributions(record) if Fault.of(s) in known)
            if found:
                return Judgement(finding=Finding.INVALID, reason="it contains a known fault", faults=found)
            return self._execute(ledger, record)
        except PeerMisbehaved as error:
            return Judgement(finding=Finding.INVALID, reason=str(error))
        except PotError as error:
            return Judgement(finding=Finding.UNKNOWN, reason=str(error))

    def examine(self, ledger: TaskLedger, signed: SignedContribution, batch: int = WHOLE) -> Judgement:
        """``confirm`` for a fault that somebody reports. Without stake behind it there is nothing to slash
        and nobody to exclude, so it is not worth the work: unknown."""
        try:
            stake = self.slashable_of(signed.contribution.miner)
        except PotError as error:
            return Judgement(finding=Finding.UNKNOWN, reason=str(error))
        if stake == 0:
            return Judgement(finding=Finding.UNKNOWN, reason=f"{signed.contribution.miner} has no stake")
        return self.confirm(ledger, signed, batch)

    def confirm(self, ledger: TaskLedger, signed: SignedContribution, batch: int = WHOLE) -> Judgement:
        """``reexecute`` for a task that this validator follows."""
        return self.reexecute(ledger.spec, signed, batch)

    def reexecute(self, spec: TaskSpec, signed: SignedContribution, batch: int = WHOLE) -> Judgement:
        """Re-execute one contribution against the parent model its miner signed for. Invalid = a fault.

        Where ``batch`` says what is wrong, that is looked at first, and enough if it is. If it is not, or
        cannot be looked at, the whole shard is executed: a false hint costs time and decides nothing.
        """
        try:
            parent = self.blobs.get(signed.contribution.parent_model, spec.limits.max_blob_bytes)
            claim = self._claim(spec, parent, signed)
            if reason := claim.spot_fault(batch):
                return _guilty(signed, reason, batch, executed=0)
            verdict = claim.replay()
        except PotError as error:
            return Judgement(finding=Finding.UNKNOWN, reason=str(error))
        if verdict.ok:
            return Judgement(finding=Finding.VALID, executed=1)
        return _guilty(signed, verdict.reason, verdict.batch, executed=1)

    def _check_stakes(self, ledger: TaskLedger, record: SegmentRecord) -> None:
        needed = ledger.spec.money.miner_stake_wei
        for miner in sorted({signed.contribution.miner for signed in _contributions(record)}):
            stake = self.stake_of(miner)
            if stake < needed:
                raise PeerMisbehaved("proposal", f"{miner} has a stake of {stake}, the task needs {needed}")

    def _execute(self, ledger: TaskLedger, record: SegmentRecord) -> Judgement:
        executed = 0
        for report in {r.fault: r for r in record.fault_evidence}.values():
            judgement = self.confirm(ledger, report.contribution, report.batch)
            executed += 1
            if judgement.finding is Finding.VALID:
                raise PeerMisbehaved("proposal", f"it blames {report.fault.miner} for honest work")
            if judgement.finding is Finding.UNKNOWN:
                return judgement
        seed = sample_seed(self.signer, self.domain, ledger.task_id, ledger.spec_hash)
        duty = self.duty_of(ledger, seed)
        if duty.charged:
            require_tellable(ledger, self._limits(ledger.spec))
        plan, proofs = _plan(ledger, seed, duty), list[ShardProof]()
        for item in record.rounds:
            parent = self.blobs.get(item.parent_model, ledger.spec.limits.max_blob_bytes)
            looked = [signed for signed in item.contributions if self._looks_at(ledger, plan, signed)]
            faults = self._faults(ledger, plan.seed, parent, looked, proofs)
            executed += len(looked)
            if faults:
                return Judgement(
                    finding=Finding.INVALID,
                    reason="a shard failed",
                    faults=tuple(signed for signed, _ in faults),
                    batches=tuple(batch for _, batch in faults),
                    executed=executed,
                )
            unreadable = self._check_update(ledger.spec, parent, item)
            if unreadable is not None:
                return Judgement(
                    finding=Finding.INVALID, reason="a gradient is unusable", faults=(unreadable,)
                )
        contained = frozenset(Fault.of(signed) for signed in _contributions(record))
        evidence = ReplayEvidence.of(ledger.task_id, sha256(record.blob), seed, tuple(proofs))
        return Judgement(finding=Finding.VALID, executed=executed, contained=contained, evidence=evidence)

    def _looks_at(self, ledger: TaskLedger, plan: SamplePlan, signed: SignedContribution) -> bool:
        """Its own sample, and everything by a miner whose noise points somewhere."""
        c = signed.contribution
        return plan.holds(c.round, c.shard) or bool(self.noise.suspicions(ledger.task_id, c.miner))

    def _faults(
        self,
        ledger: TaskLedger,
        secret: bytes,
        parent: bytes,
        looked: list[SignedContribution],
        proofs: list[ShardProof],
    ) -> tuple[tuple[SignedContribution, int], ...]:
        """The shards that fail; of those that pass, what shows that they were executed goes to ``proofs``."""
        if not looked:
            return ()
        policy = load_policy(ledger.spec.policy_sha256, self.blobs)
        limits = self._limits(ledger.spec)
        faults = []
        for signed in looked:
            c = signed.contribution
            witness = witness_seed(self.domain, self.signer.address, ledger.task_id, c.round, c.shard)
            verdict = self._claim(ledger.spec, parent, signed, (witness,)).replay()
            who, place = (ledger.task_id, c.miner), (int(c.round), int(c.shard))
            self.noise.observe(who, place, verdict, limits, policy.test_ppb, secret)
            if not verdict.ok:
                faults.append((signed, verdict.batch))
            proofs += [ShardProof(round=c.round, shard=c.shard, proof=proof) for proof in verdict.proofs]
        return tuple(faults)

    def _limits(self, spec: TaskSpec) -> Limits:
        return limits_of(spec, load_policy(spec.policy_sha256, self.blobs), self.device)

    def _claim(
        self, spec: TaskSpec, parent: bytes, signed: SignedContribution, witnesses: tuple[bytes, ...] = ()
    ) -> Claim:
        c = signed.contribution
        dataset = self.datasets.get(spec.dataset, lambda: self.blobs.get(spec.dataset_sha256))
        site = ShardSite(
            spec=spec,
            checkpoint=load_checkpoint(spec, parent),
            dataset=dataset,
            round=c.round,
            shard=c.shard,
            policy=load_policy(spec.policy_sha256, self.blobs),
            threads=self.threads,
            device=self.device,
            witnesses=witnesses,
        )
        return Claim(
            site=site,
            gradient=self._gradient(spec, c.gradient),
            opening=Opening(names=c.batches, fetch=lambda name: self._gradient(spec, name)),
        )

    def _check_update(self, spec: TaskSpec, parent: bytes, item: RoundRecord) -> SignedContribution | None:
        """Recompute the round's model and keep it in the blob store. Returns a contribution that makes the
        update impossible (its blob cannot be decoded, its numbers leave the range), if one fails
        re-execution; raises PeerMisbehaved when the model is another one or there can be none."""
        gradients: dict[int, bytes] = {
            s.contribution.shard: self._gradient(spec, s.contribution.gradient) for s in item.contributions
        }
        try:
            model = apply_round(spec, parent, gradients, item.miners)
        except (BlobRejected, Diverged) as error:
            for signed in item.contributions:
                if not self._claim(spec, parent, signed).replay().ok:
                    return signed
            raise PeerMisbehaved(f"round {item.round}", str(error)) from error
        if sha256(model) != item.model:
            raise PeerMisbehaved(
                f"round {item.round}",
                f"the update leads to model {sha256(model).hex()}, not to {item.model.hex()}",
            )
        self.blobs.put(model)
        return None

    def _gradient(self, spec: TaskSpec, name: Sha256) -> bytes:
        return self.blobs.get(name, spec.limits.max_blob_bytes)


def _guilty(signed: SignedContribution, reason: str, batch: int, *, executed: int) -> Judgement:
    return Judgement(
        finding=Finding.INVALID, reason=reason, faults=(signed,), batches=(batch,), executed=executed
    )


def _plan(ledger: TaskLedger, seed: bytes, duty: Duty) -> SamplePlan:
    recipe = ledger.spec.recipe
    return SamplePlan(seed=seed, rounds=recipe.rounds, shards=recipe.shards, share_ppm=duty.share_ppm)


def _contributions(record: SegmentRecord) -> list[SignedContribution]:
    return [signed for item in record.rounds for signed in item.contributions]

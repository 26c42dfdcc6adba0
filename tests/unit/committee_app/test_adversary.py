"""What the wrong validators say: signed by their keys, and wrong."""

from typing import cast

import pytest
from eth_account import Account
from msgspec import structs

from committee.adversary import (
    Bend,
    Tongue,
    equivocating,
    false_findings,
    false_value,
    lying,
    run,
    silent,
)
from committee.config import ValidatorConfig
from committee.contest_judge import Findings
from protocol.certificate import RoundCertificate
from protocol.chain.deployment import Deployment
from protocol.contest import NO_SCORE, ScoreCertificate, winner_of
from protocol.errors import ConfigurationError
from protocol.ids import Address, EpochNo, RoundNo, Sha256, TaskId
from protocol.pbft_messages import Phase, Prepare, PrePrepare, Reply, Request, value_digest
from protocol.score_record import EntryResult, ScoreRecord, Standing
from protocol.signing import KeySigner, is_signed_by
from protocol.typed_data import Domain

KEYS = [KeySigner(bytes([number]) * 32) for number in range(1, 5)]
TO = tuple(sorted((key.address for key in KEYS), key=lambda a: int(a, 16)))
ME = TO.index(KEYS[0].address)
ZERO = Sha256(bytes(32))
CERTIFICATE = RoundCertificate(
    task_id=TaskId(1),
    first_round=RoundNo(1),
    last_round=RoundNo(1),
    epoch=EpochNo(1),
    spec_hash=ZERO,
    parent_model=ZERO,
    model=ZERO,
    contributions_root=bytes(32),
    faults_root=bytes(32),
    payouts_root=bytes(32),
    paid_total=0,
    segment=ZERO,
)
VALUE = CERTIFICATE.encode()


class Place:
    """The one thing that a tongue reads of a deployment."""

    domain = Domain(chain_id=1, market=Address(TO[0]))


@pytest.fixture
def tongue() -> Tongue:
    return Tongue(cast(Deployment, Place()), KEYS[0])


def proposal(tongue: Tongue) -> PrePrepare:
    digest = value_digest(VALUE)
    signed = tongue.instance(1, TO).signing_digest(Phase.PRE_PREPARE, 0, 1, digest, ME)
    return PrePrepare(
        task=1, view=0, seq=1, digest=digest, sender=ME, signature=KEYS[0].sign(signed), value=VALUE
    )


def assert_votes_pass(bend: Bend, tongue: Tongue) -> None:
    vote = Prepare.signed(
        tongue.instance(1, TO), KEYS[0], sender=ME, view=0, seq=1, digest=value_digest(VALUE)
    )
    assert bend(TO, vote) == [(TO, vote)]


def test_false_value__a_certificate__is_the_same_but_for_its_model() -> None:
    lie = false_value(VALUE, "x")
    assert lie is not None
    assert lie != VALUE
    decoded = RoundCertificate.decode(lie)
    assert (decoded.first_round, decoded.segment) == (1, ZERO)
    assert false_value(b"a verdict", "x") is None


def test_silent__proposals__are_swallowed_and_votes_are_not(tongue: Tongue) -> None:
    bend = silent(tongue)
    assert bend(TO, proposal(tongue)) == []
    assert_votes_pass(bend, tongue)


def test_lying__a_proposal__is_another_one_for_each_member_and_signed(tongue: Tongue) -> None:
    bend = lying(tongue)
    said = bend(TO, proposal(tongue))
    assert {target for targets, _ in said for target in targets} == set(TO) - {KEYS[0].address}
    lies = [message for _, message in said if isinstance(message, PrePrepare)]
    assert len({lie.digest for lie in lies} - {value_digest(VALUE)}) == 3
    assert all(lie.verify(tongue.instance(1, TO), is_signed_by) for lie in lies)
    assert_votes_pass(bend, tongue)


def test_equivocating__a_reply__is_followed_by_one_for_another_value_once(tongue: Tongue) -> None:
    tongue.remember(VALUE)
    bend, instance = equivocating(tongue), tongue.instance(1, TO)
    digest = value_digest(VALUE)
    first = Reply(
        task=1,
        seq=1,
        digest=digest,
        sender=ME,
        signature=KEYS[0].sign(instance.signing_digest(Phase.REPLY, 0, 1, digest, ME)),
        endorsement=KEYS[0].sign(CERTIFICATE.digest(tongue.domain)),
    )
    (_, true), (_, request), (_, second) = bend(TO, first)
    assert true == first
    assert isinstance(request, Request)
    assert isinstance(second, Reply)
    assert second.digest == value_digest(request.value) != first.digest
    assert second.verify(instance, is_signed_by)
    lie = RoundCertificate.decode(request.value)
    assert is_signed_by(lie.digest(tongue.domain), second.endorsement, KEYS[0].address)
    assert bend(TO, first) == [(TO, first)]
    unknown = structs.replace(first, seq=2, digest=bytes(32))
    assert bend(TO, unknown) == [(TO, unknown)]


def test_run__unknown_kind__lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="lying-primary"):
        run(cast(ValidatorConfig, None), Account.from_key(bytes([1]) * 32), "honest")


def scores_of(*correct: int | None) -> Findings:
    """Findings about entries with so many right answers of ten; None for one that is no model."""
    entries = tuple(
        EntryResult(
            miner=KEYS[0].address,
            model=bytes(32),
            trace=bytes(32),
            standing=Standing.UNUSABLE if count is None else Standing.SCORED,
            correct=count or 0,
        )
        for count in correct
    )
    record = ScoreRecord(
        contest_id=1, spec_hash=ZERO, test_set=ZERO, key=bytes(32), bad_test_set=False, entries=entries
    )
    certificate = ScoreCertificate(
        contest_id=1,
        instance=0,
        epoch=EpochNo(1),
        spec_hash=ZERO,
        test_set=ZERO,
        revealed=(1 << len(correct)) - 1,
        frauds=0,
        bad_test_set=False,
        scores=tuple(NO_SCORE if count is None else count for count in correct),
        transactions=bytes(32),
        record=record.hash,
    )
    return Findings(certificate=certificate, record=record)


def test_lying_scorer__any_entries__worst_usable_one_wins_and_every_liar_says_the_same() -> None:
    lie = false_findings(scores_of(7, None, 3, 10, 3), 10)
    assert lie == false_findings(scores_of(7, None, 3, 10, 3), 10)
    assert lie.certificate.scores == (7, NO_SCORE, 3, 9, 10)
    assert winner_of(lie.certificate.scores, 10, 1) == 4
    assert lie.certificate.record == lie.record.hash
    assert [entry.correct for entry in lie.record.entries] == [7, 0, 3, 9, 10]


def test_lying_scorer__nothing_to_lie_about__says_what_is_true() -> None:
    assert false_findings(scores_of(None), 10) == scores_of(None)

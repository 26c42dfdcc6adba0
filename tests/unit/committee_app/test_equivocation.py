"""Which words of a member convict it before the contract, and which do not; all that is kept is bounded."""

from dataclasses import replace

import pytest

from committee.equivocation import MAX_VALUES, MAX_WORDS, Dossier, Equivocation, contradict
from committee.state import Decided
from protocol.bls import BlsSecret
from protocol.certificate import RoundCertificate
from protocol.endorsement import endorse
from protocol.ids import RoundNo, TaskId, sha256
from protocol.members import Members
from protocol.pbft_messages import Evidence, Instance, Phase, Prepare, Reply, value_digest
from protocol.signing import KeySigner
from tests.unit.committee_app.histories import at_start, decision, key_of, next_record
from tests.unit.protocol.builders import DOMAIN, TASK, members

LIAR = 2
TRUE = next_record(at_start()).certificate(DOMAIN, at_start().ledger.epoch)
FALSE = replace(TRUE, model=sha256(b"another model"))
LATER = replace(FALSE, first_round=RoundNo(2), last_round=RoundNo(3))


def reply(
    certificate: RoundCertificate, *, seq: int = 1, key: int = LIAR, secret: BlsSecret | None = None
) -> Reply:
    """The liar's reply, endorsed with the key of member ``key``."""
    instance = Instance(domain=DOMAIN.separator, task=TASK, members=Members.of(members()))
    digest = value_digest(certificate.encode())
    signed = instance.signing_digest(Phase.REPLY, 0, seq, digest, LIAR)
    return Reply(
        task=TASK,
        seq=seq,
        digest=digest,
        sender=LIAR,
        signature=KeySigner(key_of(LIAR)).sign(signed),
        endorsement=endorse(certificate.digest(DOMAIN), KeySigner(key_of(key)), secret),
    )


def dossier(*known: RoundCertificate) -> Dossier:
    made = Dossier(TASK, members(), DOMAIN)
    for certificate in known:
        made.learn(certificate.encode())
    return made


def proof(made: Dossier) -> Equivocation | None:
    return made.proof(LIAR)


def test_proof__two_endorsed_replies_with_known_values__holds() -> None:
    made = dossier(TRUE, FALSE)
    assert made.accuse(Evidence(first=reply(TRUE), second=reply(FALSE)))
    found = proof(made)
    assert found is not None
    assert found.holds(DOMAIN)
    assert (found.signer, found.task_id) == (members()[LIAR], TASK)
    assert {found.first.certificate, found.second.certificate} == {TRUE, FALSE}
    assert made.unproven == ()


def test_proof__endorsements_with_a_bls_part__takes_the_ecdsa_part() -> None:
    made, secret = dossier(TRUE, FALSE), BlsSecret.derived_from(key_of(LIAR))
    made.accuse(Evidence(first=reply(TRUE, secret=secret), second=reply(FALSE, secret=secret)))
    found = proof(made)
    assert found is not None
    assert found.holds(DOMAIN)
    assert len(found.first.compact) == 64


def test_proof__value_known_later__is_found_then() -> None:
    made = dossier(TRUE)
    evidence = Evidence(first=reply(TRUE), second=reply(FALSE))
    made.accuse(evidence)
    assert proof(made) is None
    assert made.unproven == (LIAR,)
    assert "not known" in made.why_unproven(evidence)
    assert made.learn(FALSE.encode())
    assert proof(made) is not None


def test_proof__endorsement_of_somebody_else__is_none() -> None:
    made = dossier(TRUE, FALSE)
    evidence = Evidence(first=reply(TRUE), second=reply(FALSE, key=0))
    made.accuse(evidence)
    assert proof(made) is None
    assert "did not sign" in made.why_unproven(evidence)


def test_proof__rounds_without_one_in_common__is_none() -> None:
    made = dossier(TRUE, LATER)
    made.accuse(Evidence(first=reply(TRUE), second=reply(LATER)))
    assert proof(made) is None


def test_proof__words_of_different_pieces_of_evidence__are_put_together() -> None:
    secret = replace(TRUE, model=sha256(b"never shown"))
    made = dossier(TRUE, FALSE)
    made.accuse(Evidence(first=reply(secret), second=reply(TRUE)))
    assert proof(made) is None
    made.accuse(Evidence(first=reply(secret), second=reply(FALSE)))
    assert proof(made) is not None


def test_proof__a_word_against_what_was_decided_with_its_endorsement__is_found() -> None:
    made = dossier(FALSE)
    secret = replace(TRUE, model=sha256(b"never shown"))
    made.accuse(Evidence(first=reply(secret), second=reply(FALSE)))
    start = at_start()
    decided = decision(start, next_record(start))
    assert LIAR in decided.signers
    assert made.decided(decided)
    found = proof(made)
    assert found is not None
    assert found.holds(DOMAIN)


def test_accuse__votes__are_nothing_for_the_contract() -> None:
    instance = Instance(domain=DOMAIN.separator, task=TASK, members=Members.of(members()))
    first, second = (
        Prepare.signed(
            instance, KeySigner(key_of(LIAR)), sender=LIAR, view=0, seq=1, digest=value_digest(one.encode())
        )
        for one in (TRUE, FALSE)
    )
    made, evidence = dossier(TRUE, FALSE), Evidence(first=first, second=second)
    assert not made.accuse(evidence)
    assert made.unproven == ()
    assert "no signatures" in made.why_unproven(evidence)


@pytest.mark.parametrize("value", [b"no certificate", replace(TRUE, task_id=TaskId(99)).encode()])
def test_learn__no_certificate_of_the_task__is_not_kept(value: bytes) -> None:
    made = dossier()
    assert not made.learn(value)
    assert made.certificate(value_digest(value)) is None


def test_learn__values_without_end__keeps_the_newest_and_what_the_accused_signed() -> None:
    made = dossier(TRUE, FALSE)
    made.accuse(Evidence(first=reply(TRUE), second=reply(FALSE, key=0)))
    for number in range(MAX_VALUES + 1):
        made.learn(replace(TRUE, paid_total=number).encode())
    made.learn(FALSE.encode())
    assert made.certificate(value_digest(TRUE.encode())) == TRUE
    assert made.certificate(value_digest(replace(TRUE, paid_total=0).encode())) is None


def test_accuse__words_without_end__keeps_the_first() -> None:
    made = dossier()
    for number in range(MAX_WORDS):
        made.accuse(Evidence(first=reply(TRUE), second=reply(replace(TRUE, paid_total=number))))
    made.accuse(Evidence(first=reply(TRUE), second=reply(FALSE)))
    made.learn(TRUE.encode())
    made.learn(FALSE.encode())
    assert proof(made) is None


def test_decided__nobody_accused__asks_for_nothing() -> None:
    made = dossier()
    for seq in range(1, 100):
        assert not made.decided(Decided(seq, TRUE.encode(), (0,), (b"",)))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (FALSE, True),
        (TRUE, False),
        (LATER, False),
        (replace(FALSE, task_id=TaskId(99)), False),
        (replace(FALSE, last_round=RoundNo(9)), True),
    ],
)
def test_contradict__as_the_contract_sees_it(other: RoundCertificate, expected: bool) -> None:
    assert contradict(TRUE, other) is contradict(other, TRUE) is expected

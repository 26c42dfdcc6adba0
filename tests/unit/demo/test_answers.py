"""What the verdict says of each wrong-doer, from the report alone."""

import pytest

from pot.demo.answers import answer, honest_unharmed
from pot.report.document import Audit, Certificate, Disturbance, Report, Slash

MINER, MEMBER = "0x" + "11" * 20, "0x" + "22" * 20


def report(
    *,
    slashed: str | None = None,
    payouts: dict[str, str] | None = None,
    signers: int = 3,
    false_verdicts: tuple[str, ...] = (),
) -> Report:
    accounts = {MINER: "miner-1", MEMBER: "validator-1"}
    others = [f"0x{number:040x}" for number in range(1, 4)]
    accounts |= {address: f"validator-{number}" for number, address in enumerate(others, start=2)}
    slash = Slash(miner=slashed or "", round=1, shard=0, amount="5", bounty="0", sent_by="", tx_hash="")
    return Report(
        accounts=accounts,
        payouts=payouts or {},
        audit=Audit(ok=True, false_verdicts=list(false_verdicts)),
        slashes=[slash] if slashed else [],
        certificates=[
            Certificate(
                first_round=1,
                last_round=1,
                tx_hash="",
                block_number=1,
                signers=[MEMBER, *others[: signers - 1]],
                gas_used=1,
            )
        ],
    )


def wrong(kind: str, target: str = "validator-1", **facts: int) -> Disturbance:
    item = Disturbance(kind=kind, target=target, acts=facts.get("acts", 1), noticed=facts.get("noticed", 0))
    item.slashed = str(facts.get("slashed", 0))
    return item


def test_answer__a_miner_that_was_slashed_and_unpaid__is_caught() -> None:
    item = wrong("alie", "miner-1")
    assert answer(report(slashed=MINER), item) == []
    assert item.outcome.startswith("caught")


def test_answer__a_miner_that_was_paid_for_lies__is_a_problem() -> None:
    assert len(answer(report(payouts={MINER: "1"}), wrong("ipm", "miner-1"))) == 2


@pytest.mark.parametrize("kind", ["late", "selective-abort", "inside-tolerance"])
def test_answer__a_miner_that_signed_nothing_provable__is_harmless(kind: str) -> None:
    item = wrong(kind, "miner-1")
    assert answer(report(), item) == []
    assert item.outcome.startswith("harmless")


@pytest.mark.parametrize("kind", ["silent-primary", "lying-primary", "tampered-blob"])
def test_answer__noticed_by_others__ends_well_and_unnoticed_does_not(kind: str) -> None:
    assert answer(report(), wrong(kind, noticed=1)) == []
    assert len(answer(report(), wrong(kind))) == 1


def test_answer__two_signatures__are_caught_when_slashed_and_harmless_when_only_noticed() -> None:
    slashed, noticed = (
        wrong("equivocating-validator", slashed=10**18),
        wrong("equivocating-validator", noticed=1),
    )
    assert answer(report(), slashed) == answer(report(), noticed) == []
    assert slashed.outcome.startswith("caught")
    assert noticed.outcome.startswith("harmless")
    assert len(answer(report(), wrong("equivocating-validator"))) == 1


def test_answer__a_blind_signer__is_caught_by_a_canary_while_f_plus_one_others_signed() -> None:
    caught = wrong("lazy-validator", slashed=10**18)
    caught.tx_hash = "0xab"
    assert answer(report(signers=3, false_verdicts=(MEMBER,)), caught) == []
    assert caught.outcome.startswith("caught")
    assert "0xab" in caught.outcome
    alone = report(signers=2, false_verdicts=(MEMBER,))
    assert len(answer(alone, wrong("lazy-validator", slashed=10**18))) == 1


def test_answer__a_blind_signer_whose_evidence_the_audit_believes__is_a_problem() -> None:
    (problem,) = answer(report(signers=3), wrong("lazy-validator", slashed=10**18))
    assert "audit" in problem


def test_answer__a_blind_signer_that_lost_nothing__is_a_problem() -> None:
    assert len(answer(report(signers=3), wrong("lazy-validator"))) == 1


def test_answer__a_canary__is_harmless_unless_it_is_certified() -> None:
    assert answer(report(), wrong("canary", "miner-1")) == []
    assert len(answer(report(payouts={MINER: "1"}), wrong("canary", "miner-1"))) == 1


def test_answer__a_censored_miner__has_to_earn_in_the_end() -> None:
    item = wrong("censoring-coordinator", "coordinator")
    item.victim = "miner-1"
    assert answer(report(payouts={MINER: "7"}), item) == []
    assert len(answer(report(), item)) == 1


def test_answer__nothing_was_done__the_run_shows_nothing() -> None:
    assert "shows nothing" in answer(report(), wrong("silent-primary", acts=0, noticed=1))[0]


def test_honest_unharmed__somebody_who_was_not_told_to_cheat_is_slashed__is_named() -> None:
    assert honest_unharmed(report(slashed=MINER)) == ["miner-1 is honest and was slashed."]


def test_honest_unharmed__somebody_honest_is_named_by_the_audit__is_named() -> None:
    found = honest_unharmed(report(false_verdicts=(MEMBER,)))
    assert found == ["validator-1 is honest and the audit calls its verdicts false."]

"""A proof is exported, sent in turn until it is done, and survives task and process; the rest is exported."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from committee import evidence_file, prosecution
from committee.due import MAX_RETRY_TICKS
from committee.equivocation import Equivocation
from committee.evidence_file import EvidenceFile
from committee.prosecution import STAGGER_TICKS, Prosecution
from committee.submitter import Outcome
from protocol.chain.history import TaskHistory
from protocol.pbft_messages import Evidence
from tests.unit.committee_app.histories import at_start, certified, decision, next_record
from tests.unit.committee_app.test_equivocation import FALSE, LATER, LIAR, TRUE, reply
from tests.unit.protocol.builders import DOMAIN, TASK, members

EVIDENCE = Evidence(first=reply(TRUE), second=reply(FALSE))
ACCUSED = members()[LIAR]


@dataclass
class Sent:
    """What is handed in; a test says what becomes of it."""

    proofs: list[tuple[Equivocation, Callable[[Outcome], None]]] = field(default_factory=list)

    def prove(self, proof: Equivocation, done: Callable[[Outcome], None]) -> None:
        self.proofs.append((proof, done))


def made(folder: Path, desk: Sent, me: int = 0, history: TaskHistory | None = None) -> Prosecution:
    one = Prosecution(me=members()[me], domain=DOMAIN, file=EvidenceFile(folder), desk=desk)
    one.open(history or at_start(), ())
    return one


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "evidence.jsonl").read_text().splitlines()]


def ticks(one: Prosecution, number: int) -> None:
    for _ in range(number):
        one.tick()


def test_evidence__both_values_known__is_sent_once_and_exported(tmp_path: Path) -> None:
    desk = Sent()
    one = made(tmp_path, desk)
    one.learn(TASK, TRUE.encode())
    one.learn(TASK, FALSE.encode())
    one.accuse(TASK, ACCUSED, EVIDENCE)
    one.accuse(TASK, ACCUSED, EVIDENCE)
    ticks(one, 5 * STAGGER_TICKS)
    ((proof, done),) = desk.proofs
    assert proof.holds(DOMAIN)
    assert proof.signer == ACCUSED
    done(Outcome.DONE)
    ticks(one, 2 * MAX_RETRY_TICKS)
    assert len(desk.proofs) == 1
    assert one.cases == ()
    assert [line["kind"] for line in lines(tmp_path)] == ["proof", "contradiction"]
    assert lines(tmp_path)[1]["certificates"] == [TRUE.encode().hex(), FALSE.encode().hex()]


def test_members__with_one_proof__take_turns(tmp_path: Path) -> None:
    first_sent = set()
    for me in (0, 1, 3):
        desk = Sent()
        one = made(tmp_path / str(me), desk, me)
        (tmp_path / str(me)).mkdir()
        one.learn(TASK, FALSE.encode())
        one.learn(TASK, TRUE.encode())
        one.accuse(TASK, ACCUSED, EVIDENCE)
        waited = 0
        while not desk.proofs and waited < 100:
            one.tick()
            waited += 1
        first_sent.add(waited // STAGGER_TICKS)
    assert first_sent == {0, 1, 2}


def test_value__learned_from_a_decision_or_the_chain__completes_the_proof(tmp_path: Path) -> None:
    start = at_start()
    record = next_record(start)
    for source in ("decision", "chain before", "chain after"):
        folder, desk = tmp_path / source, Sent()
        folder.mkdir()
        history = certified(start, record)
        one = made(folder, desk, history=history if source == "chain before" else start)
        one.learn(TASK, FALSE.encode())
        one.accuse(TASK, ACCUSED, EVIDENCE)
        if source == "decision":
            one.decided(TASK, decision(start, record))
        elif source == "chain after":
            one.moved(history)
        assert [proof.signer for proof in one.cases] == [ACCUSED], source


def test_evidence__value_unknown__is_exported_and_said_to_be_unprovable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = made(tmp_path, Sent())
    one.accuse(TASK, ACCUSED, EVIDENCE)
    assert one.cases == ()
    assert "not provable on-chain" in caplog.text
    assert lines(tmp_path)[0]["certificates"] == [None, None]
    one.close(TASK)
    one.learn(TASK, TRUE.encode())
    assert "cannot be proved on-chain" in caplog.text


def test_evidence__of_another_agreement__is_exported(tmp_path: Path) -> None:
    one = made(tmp_path, Sent())
    one.accuse(1 << 48 | TASK, ACCUSED, EVIDENCE)
    assert [line["task"] for line in lines(tmp_path)] == [str(1 << 48 | TASK)]


def test_proof__not_accepted_yet__is_tried_again_even_after_the_task(tmp_path: Path) -> None:
    desk = Sent()
    one = made(tmp_path, desk)
    one.learn(TASK, TRUE.encode())
    one.learn(TASK, FALSE.encode())
    one.accuse(TASK, ACCUSED, EVIDENCE)
    one.close(TASK)
    for tries in range(1, 6):
        ticks(one, MAX_RETRY_TICKS)
        assert len(desk.proofs) == tries
        desk.proofs[-1][1](Outcome.UNREACHABLE)
    ticks(one, MAX_RETRY_TICKS)
    desk.proofs[-1][1](Outcome.POINTLESS)
    assert one.cases == ()


def test_restart__with_a_proof_in_the_file__sends_it_and_writes_nothing_twice(tmp_path: Path) -> None:
    before = made(tmp_path, Sent())
    before.learn(TASK, TRUE.encode())
    before.learn(TASK, FALSE.encode())
    before.accuse(TASK, ACCUSED, EVIDENCE)
    written = lines(tmp_path)
    with (tmp_path / "evidence.jsonl").open("ab") as file:
        file.write(b'{"kind": "proof", "torn')
    desk = Sent()
    after = Prosecution(me=members()[0], domain=DOMAIN, file=EvidenceFile(tmp_path), desk=desk)
    after.open(at_start(), (EVIDENCE,))
    after.tick()
    ((proof, _),) = desk.proofs
    assert proof.holds(DOMAIN)
    assert proof.signer == ACCUSED
    text = (tmp_path / "evidence.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in text[: len(written)]] == written
    third = EvidenceFile(tmp_path)
    third.contradiction(TASK, ACCUSED, Evidence(first=reply(TRUE), second=reply(LATER)), (None, None))
    assert json.loads((tmp_path / "evidence.jsonl").read_text().splitlines()[-1])["kind"] == "contradiction"


def test_proof__against_this_validators_own_key__is_not_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = made(tmp_path, Sent(), me=LIAR)
    one.learn(TASK, TRUE.encode())
    one.learn(TASK, FALSE.encode())
    one.accuse(TASK, ACCUSED, EVIDENCE)
    assert one.cases == ()
    assert "this validator's key" in caplog.text


def test_cases__full__keep_further_proofs_in_the_file_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prosecution, "MAX_CASES", 0)
    one = made(tmp_path, Sent())
    one.learn(TASK, TRUE.encode())
    one.learn(TASK, FALSE.encode())
    one.accuse(TASK, ACCUSED, EVIDENCE)
    assert one.cases == ()
    assert "proof" in {line["kind"] for line in lines(tmp_path)}


def test_file__full_or_unwritable__goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = EvidenceFile(tmp_path / "missing")
    nowhere.contradiction(TASK, ACCUSED, EVIDENCE, (None, None))
    assert "is not kept" in caplog.text
    assert len(nowhere) == 0
    monkeypatch.setattr(evidence_file, "MAX_BYTES", 100)
    full = EvidenceFile(tmp_path)
    full.contradiction(TASK, ACCUSED, EVIDENCE, (None, None))
    assert "is full" in caplog.text
    assert not full.path.exists()

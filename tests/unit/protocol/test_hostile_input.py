"""What strangers may write into records, reports and specs: everything malformed is their fault, by name."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from protocol import merkle
from protocol.batches import SUM, WHOLE
from protocol.canonical import canonical_json
from protocol.contribution import SignedContribution
from protocol.errors import InvalidInput, PeerMisbehaved
from protocol.evidence import FaultReport
from protocol.ids import parse_address, sha256
from protocol.segment import SegmentRecord
from protocol.spec import TaskSpec
from tests.unit.protocol.builders import DOMAIN, account, contribution, ledger, round_record, spec, spec_value


def signed_json(**changes: Any) -> dict[str, Any]:
    state = ledger()
    return contribution(state, 1, 0, state.model, 1).to_json() | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 1 << 32},
        {"shard": 1 << 32},
        {"samples": 1 << 32},
        {"loss_micros": 1 << 64},
        {"task_id": str(1 << 256)},
        {"task_id": "-1"},
        {"task_id": "01"},
        {"task_id": 1},
        {"task_id": "9" * 5000},
        {"round": True},
        {"round": 1.0},
        {"miner": 7},
        {"gradient": "../../etc/passwd"},
        {"signature": "0x00"},
        {"batches": []},
        {"batches": "ab" * 32},
        {"batches": ["ab" * 31]},
        {"batches": ["ab" * 32] * 1025},
    ],
)
def test_contribution__field_out_of_range__is_the_senders_fault(changes: dict[str, Any]) -> None:
    value = signed_json(**changes)
    with pytest.raises(PeerMisbehaved):
        SignedContribution.from_json(value)
    with pytest.raises(PeerMisbehaved):
        FaultReport.from_json({"contribution": value, "batch": 0, "signature": "0x" + "00" * 65})


@pytest.mark.parametrize("batch", [-1, 1024, 2**32 - 3, 2**32, True, "0", None])
def test_fault_report__micro_batch_that_no_shard_has__is_the_senders_fault(batch: object) -> None:
    value = {"contribution": signed_json(), "batch": batch, "signature": "0x" + "00" * 65}
    with pytest.raises(PeerMisbehaved):
        FaultReport.from_json(value)


@pytest.mark.parametrize("batch", [0, 1023, SUM, WHOLE])
def test_fault_report__where_it_shows__is_signed(batch: int) -> None:
    state = ledger()
    report = FaultReport.signed(contribution(state, 1, 0, state.model, 1), DOMAIN, account(100), batch)
    assert FaultReport.from_json(report.to_json()) == report
    assert report.reporter(DOMAIN) == parse_address(account(100).address)
    assert replace(report, batch=1).reporter(DOMAIN) != parse_address(account(100).address)


def test_contribution__micro_batches_changed__are_not_what_the_miner_signed() -> None:
    """There is no way to show other leaves than those under the signed root."""
    value = signed_json()
    SignedContribution.from_json(value).verify(DOMAIN)
    value["batches"] = [*reversed(value["batches"]), "00" * 32]
    with pytest.raises(PeerMisbehaved, match="signed it"):
        SignedContribution.from_json(value).verify(DOMAIN)


def test_contribution__largest_values__still_have_a_digest() -> None:
    value = signed_json(
        round=(1 << 32) - 1, shard=(1 << 32) - 1, samples=(1 << 32) - 1, loss_micros=(1 << 64) - 1
    )
    assert len(SignedContribution.from_json(value).contribution.digest(DOMAIN)) == 32


def test_segment_record__number_beyond_its_type__is_refused_while_parsing() -> None:
    state = ledger()
    record = state.extend((round_record(state, 1, state.model, {0: 1, 1: 2}),))
    value = json.loads(record.blob)
    value["rounds"][0]["contributions"][0]["loss_micros"] = 1 << 70
    with pytest.raises(PeerMisbehaved):
        SegmentRecord.from_blob(canonical_json(value))
    value = json.loads(record.blob)
    value["rounds"][0]["round"] = 1 << 40
    with pytest.raises(PeerMisbehaved):
        SegmentRecord.from_blob(canonical_json(value))


def test_segment_record__nested_beyond_reason__is_refused() -> None:
    for bomb in (b"[" * 200_000, b'{"a":' * 200_000):
        with pytest.raises(PeerMisbehaved):
            SegmentRecord.from_blob(bomb)


def test_recursion_limit__everything_imported__still_guards_the_stack() -> None:
    """A library lifts the limit beyond the stack: nested JSON would end the process, not raise."""
    modules = "protocol.keystore, protocol.chain.contracts, committee.node, worker.training.replay"
    program = f"""
import json, sys, threading, {modules}
found = []
def read():
    for parse in (json.loads, {"__import__('msgspec').json.decode"}):
        try:
            parse(b'{{"a":' * 200_000)
        except RecursionError:
            found.append(parse)
threads = [threading.Thread(target=read), threading.Thread(target=read)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(0 if len(found) == 4 else 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


def test_segment_record__same_values_in_another_form__lead_to_another_certificate() -> None:
    """Duplicate keys, escapes and lower-case addresses are other bytes, so they are not the record."""
    state = ledger()
    record = state.extend((round_record(state, 1, state.model, {0: 1, 1: 2}),))
    twice = record.blob.replace(b'"version":2', b'"version":2,"version":2')
    with pytest.raises(PeerMisbehaved):
        SegmentRecord.from_blob(twice)
    lower = json.loads(record.blob)
    lower["payouts"] = [[name.lower(), wei] for name, wei in lower["payouts"]]
    reread = SegmentRecord.from_blob(canonical_json(lower))
    assert reread.certificate(DOMAIN, state.epoch).segment != sha256(canonical_json(lower))


def test_canonical_json__text_that_is_no_unicode__is_invalid_input() -> None:
    with pytest.raises(InvalidInput):
        canonical_json({"title": "\ud800"})


def test_spec__title_of_a_lone_surrogate__is_invalid_input() -> None:
    with pytest.raises(InvalidInput):
        TaskSpec.from_value(spec_value(title="\ud800"))
    with pytest.raises(InvalidInput):
        TaskSpec.parse(spec().blob.replace(b'"title":"digits"', b'"title":"\\ud800"'))


def test_spec__duplicate_key_or_huge_number__is_invalid_input() -> None:
    blob = spec().blob
    for bad in (
        blob.replace(b'"version":1', b'"version":1,"version":1'),
        blob.replace(b'"rounds":20', b'"rounds":' + b"9" * 5000),
        blob.replace(b'"rounds":20', b'"rounds":2e1'),
        b"[" * 60_000,
    ):
        with pytest.raises(InvalidInput):
            TaskSpec.parse(bad)


def test_merkle_leaf__the_pair_of_an_inner_node__is_no_leaf() -> None:
    """A payout leaf is 64 bytes like an inner node; hashing leaves twice keeps the two apart."""
    names = [account(number).address for number in range(1, 5)]
    leaves = [(name, 10) for name in names]
    root = merkle.root(leaves, merkle.PAYOUT_LEAF)
    hashes = [merkle.leaf_hash(leaf, merkle.PAYOUT_LEAF) for leaf in leaves]
    for index in range(4):
        sibling = merkle.proof(leaves, merkle.PAYOUT_LEAF, index)[0]
        low, high = sorted((hashes[index], sibling))
        # The inner node, presented as (account, amount): its words must be an address and an integer.
        forged = ("0x" + low[12:].hex(), int.from_bytes(high, "big"))
        assert merkle.leaf_hash(forged, merkle.PAYOUT_LEAF) not in (root, *hashes)


def test_fault_report__same_shard_on_another_parent__is_another_fault_with_its_own_report() -> None:
    state = ledger()
    first = contribution(state, 1, 0, state.model, 1)
    second = contribution(state, 1, 0, sha256(b"rolled back"), 1)
    report = FaultReport.signed(first, DOMAIN, account(100))
    moved = replace(report, contribution=second)
    assert moved.reporter(DOMAIN) != report.reporter(DOMAIN)

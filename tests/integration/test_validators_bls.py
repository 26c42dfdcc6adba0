"""Four real validator processes whose certificates carry one BLS aggregate, down to the audit of it."""

import time
from collections.abc import Iterator

import pytest

from protocol import bls
from protocol.bls import BlsSecret
from protocol.chain.contracts import KeyBook
from protocol.chain.events import certificate_behind
from protocol.chain.sender import Sender
from protocol.errors import PeerMisbehaved, Refused
from protocol.ids import TaskId, parse_address
from tests.integration.test_validators import Stage, staged


def register(stage: Stage, name: str) -> None:
    account = stage.accounts[name]
    chain_id = stage.contracts.deployment.chain_id
    secret = BlsSecret.derived_from(bytes(account.key))
    call = stage.contracts.bls_keys().register(parse_address(account.address), secret, chain_id)
    Sender(stage.contracts.client, account).send(call)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("net"), environment={"POT_AGGREGATE_FROM": "4"}) as running:
        yield running


def certify(stage: Stage, rounds: int) -> list[bytes]:
    """A task's first ``rounds`` certificates; the signatures of each as they were posted."""
    task = stage.post()
    time.sleep(1.0)  # a request for a task that a validator has not heard of yet is refused, not kept
    for number in range(1, rounds + 1):
        ledger = stage.ledger(task)
        stage.propose(ledger, ledger.extend((stage.train(ledger),)))
        stage.certified(task, number)
    posted = []
    history = stage.history(task)
    keys = KeyBook(stage.contracts)
    for segment in history.segments:
        signed = certificate_behind(stage.contracts, segment.event)
        signers = signed.verify(stage.contracts.deployment.domain, history.ledger.members, keys)
        assert len(signers) >= 3
        posted.append(signed.signatures)
    return posted


def test_validators__keys_missing_then_there__post_signatures_then_one_aggregate(stage: Stage) -> None:
    register(stage, "validator-1")
    assert [len(signatures) for signatures in certify(stage, 1)] == [3 * 64]
    with pytest.raises(Refused, match="registered its BLS key before"):
        register(stage, "validator-1")
    for name in ("validator-2", "validator-3", "validator-4"):
        register(stage, name)
    assert [len(signatures) for signatures in certify(stage, 2)] == [bls.SIGNATURE_BYTES] * 2


def test_aggregate__read_without_keys_or_with_wrong_ones__is_refused(stage: Stage) -> None:
    history = stage.history(TaskId(stage.contracts.market.task_count()))
    domain, members = stage.contracts.deployment.domain, history.ledger.members
    signed = certificate_behind(stage.contracts, history.segments[-1].event)
    with pytest.raises(PeerMisbehaved, match="96 bytes"):
        signed.verify(domain, members)
    wrong = KeyBook(stage.contracts)(members[0])
    with pytest.raises(PeerMisbehaved, match="not the sum"):
        signed.verify(domain, members, lambda member: wrong)

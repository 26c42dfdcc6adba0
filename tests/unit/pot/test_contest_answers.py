"""What people are told of a contest whose scores were posted through another contract."""

from types import SimpleNamespace
from typing import cast

import pytest

from pot.client import Client
from pot.contests import audit, views
from protocol.chain.contest_log import accepted_certificates
from protocol.errors import PotError, Refused, VerificationFailed
from tests.unit.protocol.test_contest_log import LIE, SIGNED, WRAPPER, ContestNode, call_of


def client_of(node: ContestNode) -> Client:
    return cast(Client, SimpleNamespace(contracts=node.contracts))


def test_show__certificate_without_a_transaction__scores_are_those_of_the_event() -> None:
    assert views._scores(client_of(ContestNode(SIGNED, None)), 7) == SIGNED.certificate.scores
    assert views._scores(client_of(ContestNode(SIGNED, None)), 8) == ()


@pytest.mark.parametrize(
    ("calls", "ok"), [(None, None), ([call_of(LIE)], False)], ids=["no traces", "another call"]
)
def test_audit__signatures_that_cannot_be_had__are_no_lie(calls: list[bytes] | None, ok: bool | None) -> None:
    client = client_of(ContestNode(SIGNED, WRAPPER, calls))
    accepted = accepted_certificates(client.contracts, 7)[0]
    assert audit._line("signatures", lambda: audit._signatures(client, accepted)).ok is ok


@pytest.mark.parametrize(
    ("error", "ok"),
    [
        (Refused("no traces", "NoTrace"), None),
        (Refused("it reverts", "PanelNotDrawn"), False),
        (VerificationFailed("scores", "they differ"), False),
    ],
)
def test_audit__what_fails__is_a_lie_unless_it_cannot_be_looked_up(error: PotError, ok: bool | None) -> None:
    def check() -> str:
        raise error

    assert audit._line("it", check).ok is ok

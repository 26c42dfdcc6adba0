"""A contest's certificates from events, and their signatures from wherever the transaction holds them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from eth_abi.abi import encode as abi_encode
from hexbytes import HexBytes

from protocol.chain.abi import load_abi
from protocol.chain.client import ChainClient
from protocol.chain.contest import ContestPanels, LearningContest
from protocol.chain.contest_log import accepted_certificates, signatures_behind
from protocol.chain.contracts import Contracts
from protocol.contest import SignedScores
from protocol.errors import Refused, VerificationFailed
from protocol.ids import Address
from tests.unit.protocol.test_contest import certificate

CONTRACT = Address("0x" + "22" * 20)
WRAPPER = bytes.fromhex("ac9650d8") + bytes(60)
"""What another contract's call begins with."""
SIGNED = SignedScores(certificate=certificate(), signers=0b111, signatures=bytes(range(192)))
LIE = SignedScores(certificate=certificate(scores=(1, 2, 3)), signers=0b111, signatures=bytes(192))


class EmptyPanels(LearningContest):
    """Nobody sits on its panels."""

    def panels(self) -> ContestPanels:
        return cast(ContestPanels, SimpleNamespace(members=lambda *about: ()))


class ContestNode:
    """Answers as a chain on which scores were accepted in one transaction. ``data`` is its calldata, None for
    an endpoint that has forgotten it; ``calls`` what it called the contract with, None where there are no
    traces."""

    def __init__(self, signed: SignedScores, data: bytes | None, calls: list[bytes] | None = None) -> None:
        self.contest = EmptyPanels(cast(ChainClient, self), CONTRACT)
        self._signed, self._data, self._calls = signed, data, calls

    @property
    def contracts(self) -> Contracts:
        deployment = SimpleNamespace(contest=CONTRACT, block=0)
        return cast(Contracts, SimpleNamespace(contest=self.contest, client=self, deployment=deployment))

    def block(self) -> Any:
        return SimpleNamespace(number=9)

    def logs(self, addresses: list[Address], first: int, last: int) -> list[dict[str, Any]]:
        return [scores_accepted(self.contest, self._signed)]

    def transaction_input(self, tx_hash: bytes) -> bytes:
        if self._data is None:
            raise Refused("The transaction does not exist.", "NoTransaction")
        return self._data

    def calls_to(self, contract: Address, tx_hash: bytes) -> list[bytes]:
        if self._calls is None:
            raise Refused("The endpoint gives no traces.", "NoTrace")
        return self._calls


def scores_accepted(contest: LearningContest, signed: SignedScores) -> dict[str, Any]:
    """The log of a certificate without a winner."""
    made = signed.certificate
    item = next(i for i in load_abi("LearningContest") if i.get("name") == "ScoresAccepted")
    values = {
        "contestId": made.contest_id,
        "instance": made.instance,
        "certificate": tuple(made.typed_values().values()),
        "scores": list(made.scores),
        "signers": signed.signers,
        "winner": 255,
    }
    topics = [contest.event("ScoresAccepted")[0]]
    topics += [int(cast(int, values[i["name"]])).to_bytes(32, "big") for i in item["inputs"] if i["indexed"]]
    shown = [i for i in item["inputs"] if not i["indexed"]]
    return {
        "address": CONTRACT,
        "topics": [HexBytes(topic) for topic in topics],
        "data": HexBytes(abi_encode([type_of(i) for i in shown], [values[i["name"]] for i in shown])),
        "blockNumber": 5,
        "blockHash": HexBytes(bytes(32)),
        "transactionHash": HexBytes(b"t" * 32),
        "transactionIndex": 0,
        "logIndex": 0,
        "removed": False,
    }


def type_of(item: Any) -> str:
    """An ABI type as ``eth_abi`` names it."""
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return f"({','.join(type_of(part) for part in item['components'])}){item['type'].removeprefix('tuple')}"


def call_of(signed: SignedScores) -> bytes:
    return LearningContest(cast(ChainClient, None), CONTRACT).certify(signed).data


def signed_by(node: ContestNode) -> SignedScores:
    """The one accepted certificate of ``node`` with its signatures."""
    (accepted,) = accepted_certificates(node.contracts, 7)
    return signatures_behind(node.contracts, accepted)


@pytest.mark.parametrize(
    ("data", "calls"),
    [
        (call_of(SIGNED), None),
        (WRAPPER + call_of(SIGNED) + bytes(28), None),
        (WRAPPER + call_of(LIE) + call_of(SIGNED), None),
        (WRAPPER, [b"", call_of(LIE), call_of(SIGNED)]),
    ],
    ids=["sent directly", "through a contract", "after a decoy", "built by a contract"],
)
def test_signatures_behind__wherever_the_call_is__its_signatures_are_found(
    data: bytes, calls: list[bytes] | None
) -> None:
    assert signed_by(ContestNode(SIGNED, data, calls)) == SIGNED


def test_signatures_behind__no_call_with_them__is_a_lie_or_not_to_be_had() -> None:
    with pytest.raises(VerificationFailed, match="no `certify` call with the scores of contest 7"):
        signed_by(ContestNode(SIGNED, WRAPPER, [call_of(LIE)]))
    with pytest.raises(Refused, match="no traces"):
        signed_by(ContestNode(SIGNED, WRAPPER))


def test_accepted_certificates__transaction_cannot_be_had__are_read_from_events_alone() -> None:
    found = accepted_certificates(ContestNode(SIGNED, None).contracts, 7)
    assert [(accepted.certificate, accepted.signers) for accepted in found] == [(SIGNED.certificate, 0b111)]
    assert accepted_certificates(ContestNode(SIGNED, None).contracts, 8) == []

"""Which form of a certificate is posted: the sum when it is there, true and worth it; else signatures."""

import hashlib
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from committee.aggregation import Aggregation, Endorsed
from committee.scheme import AGGREGATE_FROM
from committee.state import Decided
from protocol.bls import BlsSecret
from protocol.certificate import RoundCertificate
from protocol.chain.contracts import Contracts
from protocol.chain.sender import Sender
from protocol.endorsement import endorse, own_part
from protocol.errors import Refused
from protocol.ids import Address, RoundNo
from protocol.members import quorum
from protocol.signing import KeySigner
from tests.unit.committee_app.histories import at_start, next_record
from tests.unit.protocol.builders import DOMAIN

STORED = Address("0x" + "77" * 20)
CERTIFICATE = next_record(at_start()).certificate(DOMAIN, at_start().ledger.epoch)
PRIVATE = [hashlib.sha256(bytes([i])).digest() for i in range(64)]
ACCOUNTS = {KeySigner(key).address: key for key in PRIVATE}
SECRETS = {name: BlsSecret.derived_from(key) for name, key in ACCOUNTS.items()}


@dataclass
class World:
    """The chain as an ``Aggregation`` sees it."""

    size: int = 4
    rounds: int = 1
    gathered: bool = False
    refusal: str = ""
    keys: dict[Address, bytes] = field(default_factory=dict)
    sent: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members = tuple(sorted(ACCOUNTS, key=str.lower))[: self.size]
        self.keys = {member: SECRETS[member].key for member in self.members}

    def aggregation(self, aggregate_from: int = AGGREGATE_FROM) -> Aggregation:
        keys = SimpleNamespace(
            key_of=lambda account: self.keys.get(account, b""),
            is_gathered=lambda stored: self.gathered,
            gather=lambda stored: ("gather", stored),
        )
        contracts = SimpleNamespace(
            bls_keys=lambda: keys,
            committee=SimpleNamespace(
                members_of_task=lambda task: self.members, stored_members=lambda task: STORED
            ),
            market=SimpleNamespace(task=lambda task: SimpleNamespace(rounds=self.rounds)),
            deployment=SimpleNamespace(domain=DOMAIN),
        )
        sender = SimpleNamespace(send=self._send)
        return Aggregation(cast(Contracts, contracts), cast(Sender, sender), aggregate_from)

    def _send(self, call: Any) -> Any:
        self.sent.append(call)
        if self.refusal:
            raise Refused("refused", self.refusal)
        self.gathered = True
        return SimpleNamespace(gas_used=1)

    def endorsed(self, certificate: RoundCertificate = CERTIFICATE, garbage: bool = False) -> Endorsed:
        """A quorum's endorsements; with ``garbage``, the last one's BLS part is over something else."""
        digest, signers = certificate.digest(DOMAIN), range(quorum(self.size))
        given = [
            endorse(digest, KeySigner(ACCOUNTS[self.members[i]]), SECRETS[self.members[i]]) for i in signers
        ]
        if garbage:
            given[-1] = own_part(given[-1]) + SECRETS[self.members[0]].sign(bytes(32))
        return Endorsed.of(
            Decided(seq=1, value=certificate.encode(), signers=tuple(signers), endorsements=tuple(given))
        )


def test_endorsed__somebody_gave_signatures_alone__has_no_sum_and_the_same_signatures() -> None:
    world = World()
    digest = CERTIFICATE.digest(DOMAIN)
    alone = tuple(own_part(endorse(digest, KeySigner(ACCOUNTS[name]), None)) for name in world.members[:3])
    plain = Endorsed.of(Decided(seq=1, value=CERTIFICATE.encode(), signers=(0, 1, 2), endorsements=alone))
    assert plain.aggregate is None
    assert plain.signed == world.endorsed().signed
    assert plain.signed.verify(DOMAIN, world.members) == list(world.members[:3])
    assert world.aggregation(4).best(plain) == plain.signed


def test_best__small_committee__posts_signatures_and_sends_nothing() -> None:
    world = World(rounds=10**6)
    endorsed = world.endorsed()
    assert endorsed.aggregate is not None
    assert world.aggregation().best(endorsed) == endorsed.signed
    assert not world.sent


def test_best__wanted_at_any_price__gathers_once_and_posts_what_counts() -> None:
    world = World()
    aggregation, endorsed = world.aggregation(4), world.endorsed()
    for _ in range(2):
        posted = aggregation.best(endorsed)
        assert posted.signatures == endorsed.aggregate
        assert posted.verify(DOMAIN, world.members, world.keys.__getitem__) == list(world.members[:3])
    assert world.sent == [("gather", STORED)]


def test_best__one_key_missing__posts_signatures_until_it_is_there() -> None:
    world = World()
    aggregation, endorsed = world.aggregation(4), world.endorsed()
    key = world.keys.pop(world.members[3])
    assert aggregation.best(endorsed) == endorsed.signed
    world.keys[world.members[3]] = key
    assert aggregation.best(endorsed).signatures == endorsed.aggregate


def test_best__false_part__posts_signatures_before_anything_is_paid() -> None:
    world = World()
    endorsed = world.endorsed(garbage=True)
    assert endorsed.aggregate is not None
    assert world.aggregation(4).best(endorsed) == endorsed.signed
    assert not world.sent


@pytest.mark.parametrize(("refusal", "joint"), [("KeysGatheredBefore", True), ("KeyMissing", False)])
def test_best__gathering_refused__is_joint_only_if_somebody_was_quicker(refusal: str, joint: bool) -> None:
    world = World(refusal=refusal)
    endorsed = world.endorsed()
    assert (world.aggregation(4).best(endorsed).signatures == endorsed.aggregate) is joint


@pytest.mark.parametrize(
    ("gathered", "rounds", "joint"), [(True, 1, True), (False, 100, False), (False, 200, True)]
)
def test_best__largest_committee__gathers_when_the_certificates_to_come_pay(
    gathered: bool, rounds: int, joint: bool
) -> None:
    world = World(size=64, gathered=gathered, rounds=rounds)
    endorsed = world.endorsed()
    assert (world.aggregation().best(endorsed).signatures == endorsed.aggregate) is joint
    assert bool(world.sent) is (joint and not gathered)


def test_best__certificates_over_many_rounds__fewer_of_them_are_to_come() -> None:
    world = World(size=64, rounds=200)
    wide = replace(CERTIFICATE, last_round=RoundNo(CERTIFICATE.first_round + 15))
    endorsed = world.endorsed(wide)
    assert world.aggregation().best(endorsed) == endorsed.signed

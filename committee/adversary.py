"""Validators that do wrong, for demonstrations and tests: an honest node whose mouth or eyes are bent.

Nothing in the honest path knows of them; what they say is signed with their real keys and sent over real
sockets. Each wrong act leaves a line that begins with ``WRONG`` in the log.
"""

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from eth_account.signers.local import LocalAccount
from msgspec import structs

from committee.blind import WRONG, BlindChecker
from committee.config import ValidatorConfig
from committee.contest_judge import ContestJudge, Findings
from committee.node import ValidatorNode, serve
from committee.state import Verify
from committee.transport import Receiver, Transport, TransportConfig
from protocol.certificate import RoundCertificate
from protocol.chain.contest_log import ContestView
from protocol.chain.deployment import Deployment
from protocol.endorsement import endorse
from protocol.errors import ConfigurationError, PeerMisbehaved
from protocol.ids import Address, Sha256
from protocol.members import Members
from protocol.pbft_messages import Instance, Message, NewView, Phase, PrePrepare, Reply, Request, value_digest
from protocol.score_record import Standing
from protocol.signing import KeySigner
from protocol.typed_data import Domain

log = logging.getLogger(__name__)

MAX_VALUES: Final = 64
"""Proposed values an equivocator remembers, to contradict them."""


class BentTransport(Transport):
    """A transport that says something else than what it is given. ``bend`` returns what leaves: messages and
    to whom; an empty list is silence."""

    def __init__(self, honest: TransportConfig, signer: KeySigner, receiver: Receiver, bend: "Bend") -> None:
        super().__init__(honest, signer, receiver, random.SystemRandom().random)
        self._bend = bend

    def send(self, to: Sequence[Address], message: Message) -> None:
        for target, said in self._bend(to, message):
            super().send(target, said)


Bend = Callable[[Sequence[Address], Message], list[tuple[Sequence[Address], Message]]]


class Tongue:
    """What a liar needs to sign things of its own: its key, the deployment, and the values it was asked
    about."""

    def __init__(self, deployment: Deployment, signer: KeySigner) -> None:
        self.domain: Domain = deployment.domain
        self.signer = signer
        self.values: dict[bytes, bytes] = {}
        self.spoken: set[tuple[int, int]] = set()

    def instance(self, task: int, to: Sequence[Address]) -> Instance:
        """The agreement on ``task`` among ``to``, which are all of its members."""
        return Instance(domain=self.domain.separator, task=task, members=Members.of(tuple(to)))

    def remember(self, value: bytes) -> None:
        """Keep a value that was proposed; the oldest is dropped."""
        self.values[value_digest(value)] = value
        if len(self.values) > MAX_VALUES:
            del self.values[next(iter(self.values))]


def false_value(value: bytes, salt: str) -> bytes | None:
    """A certificate for another model than ``value`` names; None when it is no certificate (a court's)."""
    try:
        certificate = RoundCertificate.decode(value)
    except PeerMisbehaved:
        return None
    lie = hashlib.sha256(certificate.model + salt.encode()).digest()
    return replace(certificate, model=Sha256(lie)).encode()


def silent(_: Tongue) -> Bend:
    """Never proposes: neither in its first view nor when it opens a later one."""

    def bend(to: Sequence[Address], message: Message) -> list[tuple[Sequence[Address], Message]]:
        if isinstance(message, PrePrepare | NewView):
            log.warning("%s: %s of view %s is not sent", WRONG, type(message).__name__, message.view)
            return []
        return [(to, message)]

    return bend


def lying(tongue: Tongue) -> Bend:
    """Proposes another false value to each member."""

    def bend(to: Sequence[Address], message: Message) -> list[tuple[Sequence[Address], Message]]:
        if not isinstance(message, PrePrepare):
            return [(to, message)]
        said: list[tuple[Sequence[Address], Message]] = []
        for target in (address for address in to if address != tongue.signer.address):
            value = false_value(message.value, target)
            if value is None or len(to) < 2:
                continue
            digest, instance = value_digest(value), tongue.instance(message.task, to)
            signed = instance.signing_digest(
                Phase.PRE_PREPARE, message.view, message.seq, digest, message.sender
            )
            lie = structs.replace(message, digest=digest, value=value, signature=tongue.signer.sign(signed))
            said.append(((target,), lie))
        log.warning("%s: %s different values proposed for number %s", WRONG, len(said), message.seq)
        return said

    return bend


def equivocating(tongue: Tongue) -> Bend:
    """Endorses a second certificate for each number, and shows everybody both."""

    def bend(to: Sequence[Address], message: Message) -> list[tuple[Sequence[Address], Message]]:
        if not isinstance(message, Reply) or (message.task, message.seq) in tongue.spoken or len(to) < 2:
            return [(to, message)]
        true = tongue.values.get(message.digest)
        value = None if true is None else false_value(true, "again")
        if value is None:
            return [(to, message)]
        tongue.spoken.add((message.task, message.seq))
        request = Request(task=message.task, seq=message.seq, value=value)
        log.warning("%s: two replies signed for number %s", WRONG, message.seq)
        return [(to, message), (to, request), (to, _second_reply(tongue, to, message, value))]

    return bend


def _second_reply(tongue: Tongue, to: Sequence[Address], first: Reply, value: bytes) -> Reply:
    digest, instance = value_digest(value), tongue.instance(first.task, to)
    signed = instance.signing_digest(Phase.REPLY, 0, first.seq, digest, first.sender)
    certificate = RoundCertificate.decode(value)
    return structs.replace(
        first,
        digest=digest,
        signature=tongue.signer.sign(signed),
        endorsement=endorse(certificate.digest(tongue.domain), tongue.signer, None),
    )


class BentNode(ValidatorNode):
    """A node whose transport is bent, whatever the honest node builds."""

    def __init__(
        self, config: ValidatorConfig, account: LocalAccount, kind: Callable[[Tongue], Bend]
    ) -> None:
        super().__init__(config, account)
        self._key = KeySigner(bytes(account.key))
        self._tongue = Tongue(config.deployment, self._key)
        self._kind = kind

    def _make_transport(self) -> Transport:
        honest = super()._make_transport()
        return BentTransport(honest.config, self._key, self._host, self._kind(self._tongue))

    def verify(self, task: int, question: Verify) -> None:
        self._tongue.remember(question.value)
        super().verify(task, question)


class BlindNode(ValidatorNode):
    """A node that finds everything true, executes nothing, and attests that it has."""

    checker_type = BlindChecker


class LyingJudge(ContestJudge):
    """A judge that counts, and then says that the worst of the usable entries got everything right: the same
    lie by everybody who tells it, so that a quorum of liars agrees on it."""

    def judge(self, view: ContestView, now_s: int) -> Findings:
        return false_findings(super().judge(view, now_s), view.params.test_answers)


def false_findings(found: Findings, answers: int) -> Findings:
    """``found`` with the worst usable entry, the last of equals, raised above all others; as it is where
    there is none."""
    entries = list(found.record.entries)
    usable = [place for place, entry in enumerate(entries) if entry.standing is Standing.SCORED]
    if not usable:
        return found
    for place in usable:
        entries[place] = replace(entries[place], correct=min(entries[place].correct, answers - 1))
    worst = min(usable, key=lambda place: (found.record.entries[place].correct, -place))
    entries[worst] = replace(entries[worst], correct=answers)
    record = replace(found.record, entries=tuple(entries))
    scores = list(found.certificate.scores)
    for place in usable:
        scores[place] = entries[place].correct
    log.warning("%s: entry %s is said to be the best", WRONG, worst)
    certificate = replace(found.certificate, scores=tuple(scores), record=record.hash)
    return Findings(certificate=certificate, record=record)


class LyingScorer(ValidatorNode):
    """A node that signs false scores in contests, and is honest about everything else."""

    def _make_contest_judge(self) -> ContestJudge:
        honest = super()._make_contest_judge()
        return LyingJudge(
            blobs=honest.blobs, datasets=honest.datasets, threads=honest.threads, device=honest.device
        )


Build = Callable[[ValidatorConfig, LocalAccount], ValidatorNode]


def _bent(kind: Callable[[Tongue], Bend]) -> Build:
    return lambda config, account: BentNode(config, account, kind)


KINDS: Final[Mapping[str, Build]] = {
    "equivocating-validator": _bent(equivocating),
    "lazy-validator": BlindNode,
    "silent-primary": _bent(silent),
    "lying-primary": _bent(lying),
}
CONTEST_KINDS: Final[Mapping[str, Build]] = {"lying-scorer": LyingScorer}
"""Those that do wrong in contests alone."""


def run(config: ValidatorConfig, account: LocalAccount, kind: str) -> None:
    """Run a wrong-doer of that kind until SIGTERM or SIGINT. Raises ConfigurationError when there is none,
    and what ``serve`` raises."""
    kinds = {**KINDS, **CONTEST_KINDS}
    if kind not in kinds:
        raise ConfigurationError(f"{kind!r} is no adversary; known are {', '.join(kinds)}.")
    asyncio.run(serve(kinds[kind](config, account)))

"""Which contradictions of a member the contract punishes: two signed certificates of overlapping rounds.

Pure. A reply's endorsement is the signature that the contract takes (docs/adr/0007), over the certificate
that the reply names by its sha256; so a proof needs the certificates, which nobody has to disclose.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from committee.state import Decided
from protocol.certificate import RoundCertificate
from protocol.endorsement import is_endorsed_by, own_part
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, TaskId
from protocol.pbft_messages import Evidence, Reply, value_digest
from protocol.signing import is_signed_by, to_compact
from protocol.typed_data import Domain

MAX_VALUES: Final = 256
"""Values of a task that are kept in case a member is found to have signed them; the oldest are dropped first.
What an accused member has signed is kept beside them."""
MAX_DECIDED: Final = 64
"""Decisions of a task whose endorsements are kept; the lowest numbers are dropped first."""
MAX_WORDS: Final = 16
"""Endorsements of one accused member that are kept; the first ones stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsement:
    """A certificate and a member's 65-byte signature over it."""

    certificate: RoundCertificate
    signature: bytes

    @property
    def compact(self) -> bytes:
        """The 64-byte EIP-2098 form."""
        return to_compact(self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivocation:
    """What ``Committee.proveEquivocation`` takes: two contradicting certificates signed by ``signer``."""

    signer: Address
    first: Endorsement
    second: Endorsement

    @property
    def task_id(self) -> TaskId:
        return self.first.certificate.task_id

    def holds(self, domain: Domain) -> bool:
        """True when the contract finds the same, given that the signer is of the task's committee."""
        return contradict(self.first.certificate, self.second.certificate) and all(
            is_signed_by(one.certificate.digest(domain), one.signature, self.signer)
            for one in (self.first, self.second)
        )


def contradict(a: RoundCertificate, b: RoundCertificate) -> bool:
    """True when no honest member signs both: one task, a round in common, different content."""
    return (
        a.task_id == b.task_id and a != b and a.first_round <= b.last_round and b.first_round <= a.last_round
    )


class Dossier:
    """What is known about one task: its values, who endorsed what was decided, what accused members signed.
    Bounded, whatever arrives."""

    def __init__(self, task: TaskId, members: tuple[Address, ...], domain: Domain) -> None:
        self._task = task
        self._members = members
        self._domain = domain
        self._values: OrderedDict[bytes, RoundCertificate] = OrderedDict()
        self._decided: dict[int, Decided] = {}
        self._words: dict[int, dict[bytes, bytes]] = {}  # accused member -> digest -> endorsement
        self._named: dict[bytes, RoundCertificate] = {}  # certificates that those words are about
        self._found: set[int] = set()

    @property
    def members(self) -> tuple[Address, ...]:
        return self._members

    @property
    def unproven(self) -> tuple[int, ...]:
        """Accused members of whom no proof was found yet."""
        return tuple(member for member in self._words if member not in self._found)

    def learn(self, value: bytes) -> bool:
        """Some certificate's encoding. True when it is fresh and an accused member has signed it."""
        digest = value_digest(value)
        if digest in self._values:
            self._values.move_to_end(digest)
            return False
        try:
            certificate = RoundCertificate.decode(value)
        except PeerMisbehaved:
            return False
        if certificate.task_id != self._task:
            return False
        self._values[digest] = certificate
        while len(self._values) > MAX_VALUES:
            self._values.popitem(last=False)
        return self._name(digest)

    def decided(self, decided: Decided) -> bool:
        """A decision: a value, and who endorsed it. True when an accused member did."""
        self._decided[decided.seq] = decided
        while len(self._decided) > MAX_DECIDED:
            del self._decided[min(self._decided)]
        named = self.learn(decided.value)
        return named or any(member in self._words for member in decided.signers)

    def accuse(self, evidence: Evidence) -> bool:
        """A member's two words for one number. True when they are of the kind that the contract punishes."""
        accused = False
        for word in (evidence.first, evidence.second):
            if isinstance(word, Reply) and word.sender < len(self._members):
                self._keep(word.sender, word.digest, word.endorsement)
                accused = True
        return accused

    def certificate(self, digest: bytes) -> RoundCertificate | None:
        """The value of this sha256, if it is known."""
        return self._named.get(digest) or self._values.get(digest)

    def why_unproven(self, evidence: Evidence) -> str:
        """What is missing for the contract, in words."""
        if not isinstance(evidence.first, Reply):
            return "votes and proposals are no signatures over certificates"
        if any(self.certificate(word.digest) is None for word in (evidence.first, evidence.second)):
            return "a certificate that it signed is not known here"
        return "it did not sign two certificates with a round in common"

    def proof(self, member: int) -> Equivocation | None:
        """Two certificates by which the contract convicts the member; None while none are known."""
        signed = list(self._signed_by(member))
        for first, second in combinations(signed, 2):
            if contradict(first.certificate, second.certificate):
                self._found.add(member)
                return Equivocation(signer=self._members[member], first=first, second=second)
        return None

    def _keep(self, member: int, digest: bytes, endorsement: bytes) -> None:
        words = self._words.setdefault(member, {})
        if digest not in words and len(words) < MAX_WORDS:
            words[digest] = endorsement
            self._name(digest)

    def _name(self, digest: bytes) -> bool:
        """Keep the certificate for as long as the accusation."""
        if not any(digest in words for words in self._words.values()):
            return False
        if digest in self._values:
            self._named[digest] = self._values[digest]
        return True

    def _signed_by(self, member: int) -> Iterator[Endorsement]:
        """The certificates that the member is known to have signed. A reply whose endorsement is not its
        signature over the certificate proves nothing to the contract."""
        for digest, endorsement in self._words.get(member, {}).items():
            certificate = self.certificate(digest)
            if certificate is not None and self._is_signed(member, certificate, endorsement):
                yield Endorsement(certificate=certificate, signature=own_part(endorsement))
        for decided in self._decided.values():
            if member in decided.signers:
                endorsement = decided.endorsements[decided.signers.index(member)]
                certificate = RoundCertificate.decode(decided.value)
                if self._is_signed(member, certificate, endorsement):
                    yield Endorsement(certificate=certificate, signature=own_part(endorsement))

    def _is_signed(self, member: int, certificate: RoundCertificate, endorsement: bytes) -> bool:
        return is_endorsed_by(certificate.digest(self._domain), endorsement, self._members[member])

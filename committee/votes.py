"""Counting votes: one per member, the first one counts, a different second one is evidence."""

from enum import Enum


class Cast(Enum):
    """What became of a vote."""

    COUNTED = 1
    REPEATED = 2
    CONFLICTING = 3


class VoteSet:
    """The votes of one phase at one place: member -> digest, with what each member sent along (a signature).

    Bounded by the number of members, whatever arrives.
    """

    __slots__ = ("_by_digest", "by_member")

    def __init__(self) -> None:
        self.by_member: dict[int, bytes] = {}  # to be read only
        self._by_digest: dict[bytes, dict[int, bytes]] = {}

    def add(self, member: int, digest: bytes, proof: bytes) -> Cast:
        """Count the member's vote for ``digest`` unless it has voted."""
        voted = self.by_member.get(member)
        if voted is not None:
            return Cast.REPEATED if voted == digest else Cast.CONFLICTING
        self.by_member[member] = digest
        self._by_digest.setdefault(digest, {})[member] = proof
        return Cast.COUNTED

    def vote_of(self, member: int) -> tuple[bytes, bytes] | None:
        """(digest, proof) of the member's vote."""
        digest = self.by_member.get(member)
        return None if digest is None else (digest, self._by_digest[digest][member])

    def proof_of(self, member: int) -> bytes:
        """What the member, which has voted, sent along."""
        return self._by_digest[self.by_member[member]][member]

    def count(self, digest: bytes) -> int:
        """How many members voted for ``digest``."""
        votes = self._by_digest.get(digest)
        return 0 if votes is None else len(votes)

    def agreed(self, quorum: int) -> bytes | None:
        """The digest that has at least ``quorum`` votes, if any."""
        if len(self.by_member) >= quorum:
            for digest, votes in self._by_digest.items():
                if len(votes) >= quorum:
                    return digest
        return None

    def proof(self, digest: bytes, quorum: int) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
        """The ``quorum`` lowest members that voted for ``digest``, ascending, and what they sent along."""
        votes = self._by_digest[digest]
        members = sorted(votes)[:quorum]
        return tuple(members), tuple([votes[member] for member in members])

    def __len__(self) -> int:
        return len(self.by_member)

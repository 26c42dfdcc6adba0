"""What a new view inherits, against a search through everything that can have happened."""

import itertools

import pytest

from committee.view_change import ViewVotes, choose, floor_of
from protocol.members import max_faulty, quorum
from protocol.pbft_messages import Claim, ViewChange, ViewVote

A, B = b"a" * 32, b"b" * 32
Lock = tuple[int, bytes] | None  # the view and value of a member's last Commit at sequence number 1


def vote(sender: int, lock: Lock, *, decided: int = 0, view: int = 9) -> ViewVote:
    claims = () if lock is None else (Claim(seq=1, view=lock[0], digest=lock[1]),)
    return ViewVote(view=view, decided=decided, claims=claims, sender=sender, signature=bytes(65))


def possible_decisions(n: int, honest_locks: dict[int, Lock]) -> set[tuple[int, bytes]]:
    """(view, value) that a quorum may have committed: members that are silent here, and up to f of those that
    speak, may have committed anything; an honest member that locked at a later view may have committed at any
    earlier one."""
    f, q = max_faulty(n), quorum(n)
    found = set()
    for view in range(3):
        for value in (A, B):
            unknown = n - len(honest_locks)
            agree = sum(
                1
                for lock in honest_locks.values()
                if lock is not None and (lock == (view, value) or lock[0] > view)
            )
            if agree + unknown + min(f, len(honest_locks) - agree) >= q:
                found.add((view, value))
    return found


LOCKS: tuple[Lock, ...] = (None, (0, A), (1, A), (1, B), (2, A), (2, B))


@pytest.mark.parametrize("speakers", [3, 4])
def test_choose__every_set_of_votes_of_four_members__keeps_what_may_be_decided(speakers: int) -> None:
    """Two certificates of one view name one value (two quorums of Prepares share an honest member), so sets
    that break this cannot occur. If the highest possible decision is supported by a claim, it must be
    chosen; what nobody claims cannot be decided, since every quorum of votes meets every quorum of Commits
    in an honest member."""
    checked = 0
    for locks in itertools.product(LOCKS, repeat=speakers):
        real = [lock for lock in locks if lock is not None]
        if any(a[0] == b[0] and a[1] != b[1] for a in real for b in real):
            continue
        votes = tuple(vote(i, lock) for i, lock in enumerate(locks))
        chosen = choose(votes, quorum(4))
        possible = possible_decisions(4, dict(enumerate(locks))) & set(real)
        if possible:
            highest = max(possible)
            assert chosen, locks
            assert (chosen[0].view, chosen[0].digest) >= highest or chosen[0].digest == highest[1], locks
        checked += 1
    assert checked > 100


def test_choose__exactly_a_quorum__follows_the_highest_certificate() -> None:
    votes = (vote(0, (0, A)), vote(1, (1, B)), vote(2, None))
    assert [claim.digest for claim in choose(votes, 3)] == [B]


def test_choose__a_quorum_against_a_lone_claim__drops_it() -> None:
    votes = (vote(0, None), vote(1, None), vote(2, None), vote(3, (4, B)))
    assert choose(votes, 3) == ()


def test_choose__lone_claim_dropped__an_older_one_that_stands_is_taken() -> None:
    votes = (vote(0, (0, A)), vote(1, (0, A)), vote(2, None), vote(3, (4, B)))
    assert [claim.digest for claim in choose(votes, 3)] == [A]


def test_choose__claims_below_the_floor__do_not_count() -> None:
    votes = (vote(0, (0, A)), vote(1, None, decided=1), vote(2, None))
    assert floor_of(votes) == 1
    assert choose(votes, 3) == ()


def change(sender: int, view: int) -> ViewChange:
    return ViewChange(task=1, vote=vote(sender, None, view=view), decision=None, certificates=(), values=())


def test_view_votes__newest_per_member__decides_what_is_wanted() -> None:
    votes = ViewVotes()
    assert votes.wanted(2) == 0
    for sender, view in ((0, 3), (1, 5), (1, 4), (2, 1)):
        votes.add(change(sender, view))
    assert [votes.view_of(member) for member in range(4)] == [3, 5, 1, 0]
    assert votes.wanted(1) == 5
    assert votes.wanted(2) == 3
    assert votes.at_least(3) == 2
    assert [c.vote.sender for c in votes.for_view(5)] == [1]

"""One contest at one validator: count, agree with the panel on the scores, see the contest through.

Everything here runs on the event loop's thread and returns at once. A panel is a PBFT instance of its own
whose only value is the score certificate: what this module adds is which certificate is true here, and when.

Around the half of a panel's time members may differ in what they could fetch: then they look again, and
accept of each other what they once found themselves (``committee.contest_sightings``).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from committee.contest_judge import Findings
from committee.contest_sightings import Sightings, is_arguable
from committee.due import Due
from committee.state import Decided, Verify
from committee.submitter import Outcome, turn
from protocol.chain.contest_log import ContestView
from protocol.contest import ScoreCertificate, SignedScores
from protocol.errors import PeerMisbehaved
from protocol.ids import ZERO32, Address
from protocol.pbft_messages import value_digest
from protocol.signing import to_compact

log = logging.getLogger(__name__)

SEQ: Final = 1
"""A panel decides once."""
STAGGER_TICKS: Final = 5
"""How long each member lets the one before it go first in sending."""
LAST_BLOCK_S: Final = 15
"""A block is seen so long after its time, on a chain of 12-second slots."""
MAX_QUESTIONS: Final = 64
_NUMBER_BITS: Final = 48
_FIRST: Final = (1 << 15) - 2
"""Above the number of any dispute (``committee.court``)."""


def contest_instance(contest_id: int, instance: int) -> int:
    """The number of a panel's agreement, apart from those of tasks and their courts. Raises ValueError for
    numbers that no chain reaches."""
    if not 0 < contest_id < 1 << _NUMBER_BITS or instance not in (0, 1):
        raise ValueError(f"instance {instance} of contest {contest_id} has no place among the agreements")
    return (_FIRST + instance) << _NUMBER_BITS | contest_id


def is_contest(instance: int) -> bool:
    """Whether an agreement is about a contest."""
    return instance >> _NUMBER_BITS >= _FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Execute the draw of the panel that is due."""

    instance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """End a contest whose time has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certify:
    """Post the panel's scores."""

    signed: SignedScores


Act = Draw | Close | Certify


class Agreement(Protocol):
    """The side of ``committee.host.Host`` that a seat answers to."""

    def request(self, task: int, seq: int, value: bytes) -> None: ...
    def verdict(self, task: int, seq: int, digest: bytes, ok: bool) -> None: ...


class SeatDesk(Protocol):
    """Where a seat sends what takes time or leaves the process. ``judge`` tells what is found true here, its
    certificate with the list of payloads that this member would order; ``vouch`` whether another member's
    list, by its root, may stand in a block. Both answer None when something is not known yet, and return
    False when too much is to be checked."""

    def now_s(self) -> int: ...
    def judge(self, view: ContestView, done: Callable[[Findings | None], None]) -> bool: ...
    def vouch(self, root: bytes, done: Callable[[bool | None], None]) -> bool: ...
    def act(self, view: ContestView, act: Act, done: Callable[[Outcome], None]) -> None: ...


@dataclass(slots=True)
class _List:
    """Another member's list: ``true`` once it is known whether it may stand in a block."""

    due: Due
    true: bool | None = None


@dataclass(slots=True)
class _Question:
    """Another member's scores. ``since``: how many counts had begun here when they turned out to differ only
    in what may be withheld from one of us; ``refused``: the count after which they were called false."""

    wanted: Verify
    since: int | None = None
    refused: int | None = None


class ContestSeat:
    """Glue for one contest; see the module. ``view`` moves on with the chain."""

    def __init__(self, view: ContestView, agreement: Agreement, desk: SeatDesk, me: Address) -> None:
        self.view = view
        self._agreement = agreement
        self._desk = desk
        self._me = me
        self._now = 0
        self._instance = view.instance
        self._own: Findings | None = None
        self._seen = Sightings()
        self._begun = 0
        self._counted = 0
        self._judging = Due(at=0)
        self._asked = Due(at=0)
        self._questions: dict[bytes, _Question] = {}
        self._lists: dict[bytes, _List] = {}
        self._decided: SignedScores | None = None
        self._acts: dict[Act, Due] = {}
        self._pointless: set[Act] = set()

    @property
    def instance(self) -> int:
        return contest_instance(self.view.contest_id, self._instance)

    @property
    def sits(self) -> bool:
        """Whether this validator is a member of the panel that has to speak."""
        return self._me in self.view.panel

    @property
    def speaks(self) -> bool:
        """Whether the panel may certify, and this validator is on it."""
        return self.sits and self._can_certify

    @property
    def _can_certify(self) -> bool:
        """Reveals are over when the chain says so, or a clock that leaves their last block time to be seen: a
        chain on which nothing happens tells no time. The end of the panel's term is by whichever is later."""
        view, now_s = self.view, self._desk.now_s()
        seen_s = max(view.time_s, now_s - min(LAST_BLOCK_S, view.params.score_s // 4))
        return view.can_certify(seen_s) and view.can_certify(now_s)

    # ---------------------------------------------------------------- inputs

    def moved(self, view: ContestView) -> None:
        """The chain has moved on. A challenge begins anew: the court counts for itself."""
        before, self.view = self.view, view
        known = (before.entries, before.released, before.panel, before.instance)
        if known != (view.entries, view.released, view.panel, view.instance):
            self._instance, self._own, self._decided = view.instance, None, None
            self._seen = Sightings()
            self._judging, self._asked = Due(at=self._now), Due(at=self._now)
            self._questions.clear()
            self._lists.clear()

    def tick(self) -> None:
        """Time goes on: everything that waits for another try."""
        self._now += 1
        if self.speaks:
            self._judge_due()
            self._propose()
            self._answer()
        self._act_due()

    def verify(self, wanted: Verify) -> None:
        """The agreement asks whether proposed scores are true."""
        while len(self._questions) >= MAX_QUESTIONS:
            del self._questions[next(iter(self._questions))]
        self._questions[wanted.digest] = _Question(wanted)
        self._answer()

    def decided(self, decided: Decided) -> None:
        """The agreement hands out scores with their quorum."""
        self._decided = SignedScores(
            certificate=ScoreCertificate.decode(decided.value),
            signers=sum(1 << index for index in decided.signers),
            signatures=b"".join(to_compact(signature) for signature in decided.endorsements),
        )

    # ---------------------------------------------------------------- what is true

    @property
    def _is_split(self) -> bool:
        """Whether members differ in what was withheld from them: not before the half-time, since until then
        nobody calls anything withheld."""
        argued = any(question.since is not None for question in self._questions.values())
        return argued and self._decided is None and self.view.is_late(self._desk.now_s())

    def _judge_due(self) -> None:
        """Count, and once more, ever less often, while the members are split."""
        if self._judging.busy or self._judging.at > self._now:
            return
        if self._own is not None and not self._is_split:
            return
        self._begun += 1
        self._judging.busy = self._desk.judge(self.view, self._judged(self.view, self._begun))
        if not self._judging.busy:
            self._judging.postpone(self._now)

    def _judged(self, view: ContestView, number: int) -> Callable[[Findings | None], None]:
        due = self._judging

        def done(found: Findings | None) -> None:
            due.postpone(self._now)
            if found is None or due is not self._judging:
                return
            self._counted = number
            self._take(found)
            log.info("contest %s: scores %s", view.contest_id, list(found.certificate.scores))
            # First, so that a primary's own list comes before one that a client asks for.
            if self.speaks:
                self._propose()
            self._answer()

        return done

    def _take(self, found: Findings) -> None:
        """What is found last is what is proposed, with the list of payloads that was proposed before: each
        value more takes one of the few places of the agreement."""
        if self._own is not None:
            listed = self._own.certificate.transactions
            found = replace(found, certificate=replace(found.certificate, transactions=listed))
            if found != self._own:
                self._asked = Due(at=self._now)
        self._own = found
        self._seen.add(found.record)

    def _answer(self) -> None:
        """Tell the agreement which scores are true, as far as that is known. Everything must be as it is
        found here, but for the list of payloads: each member knows others, and the proposer's counts."""
        if self._own is None:
            return
        for digest, question in list(self._questions.items()):
            if question.refused == self._counted:
                continue
            ok = self._is_true(question, self._own) if question.wanted.seq == SEQ else False
            if ok is None:
                continue
            if ok or question.since is None:
                del self._questions[digest]
            else:
                question.refused = self._counted
            self._agreement.verdict(self.instance, question.wanted.seq, digest, ok)

    def _is_true(self, question: _Question, own: Findings) -> bool | None:
        try:
            certificate = ScoreCertificate.decode(question.wanted.value)
        except PeerMisbehaved:
            return False
        root, mine = certificate.transactions, own.certificate.transactions
        if replace(certificate, transactions=mine) == own.certificate or self._seen.admits(own, certificate):
            return True if root in (ZERO32, mine) else self._may_stand(root)
        return self._disputed(question) if is_arguable(own, certificate) else False

    def _disputed(self, question: _Question) -> bool | None:
        """Another member's scores which may only be found at another time: no word before there was a look
        of our own after they came, and a refusal is taken back should a later look agree."""
        if question.since is None:
            question.since = self._begun
        return None if self._is_split and self._counted <= question.since else False

    def _may_stand(self, root: bytes) -> bool | None:
        """Whether another's list may stand in the block; looked for again while it is not there."""
        if root not in self._lists and len(self._lists) >= MAX_QUESTIONS:
            del self._lists[next(iter(self._lists))]
        found = self._lists.setdefault(root, _List(due=Due(at=self._now)))
        if found.true is None and not found.due.busy and found.due.at <= self._now:
            found.due.busy = self._desk.vouch(root, self._vouched(found))
            if not found.due.busy:
                found.due.postpone(self._now)
        return found.true

    def _vouched(self, found: "_List") -> Callable[[bool | None], None]:
        def done(true: bool | None) -> None:
            found.due.postpone(self._now)
            found.true = true
            self._answer()

        return done

    def _propose(self) -> None:
        """Ask the agreement for the scores that are true here, again and again: its places may be full."""
        if self._own is None or self._decided is not None or self._asked.at > self._now:
            return
        value = self._own.certificate.encode()
        self._asked.postpone(self._now)
        self._agreement.request(self.instance, SEQ, value)
        self._agreement.verdict(self.instance, SEQ, value_digest(value), True)

    # ---------------------------------------------------------------- what follows

    def _steps(self) -> list[Act]:
        found: list[Act] = []
        if self.view.due_draw:
            found.append(Draw(instance=self.view.instance))
        if self._decided is not None and self._can_certify:
            found.append(Certify(signed=self._decided))
        if self.view.can_close(self.view.time_s):
            found.append(Close())
        return [step for step in found if step not in self._pointless]

    def _act_due(self) -> None:
        """Send what is due, each member in its turn, until the chain shows it."""
        wanted = self._steps()
        self._acts = {act: due for act, due in self._acts.items() if act in wanted or due.busy}
        for act in wanted:
            due = self._acts.setdefault(act, Due(at=self._now + self._before_me() * STAGGER_TICKS))
            if not due.busy and due.at <= self._now:
                due.busy = True
                self._desk.act(self.view, act, self._acted(act, due))

    def _before_me(self) -> int:
        """How many go first; whoever is not on the panel waits for all of it."""
        panel = self.view.panel
        if self._me in panel:
            return turn(panel.index(self._me), len(panel), self.view.contest_id)
        return len(panel) + int(self._me[-2:], 16) % 8

    def _acted(self, act: Act, due: Due) -> Callable[[Outcome], None]:
        def done(outcome: Outcome) -> None:
            due.postpone(self._now)
            if outcome is Outcome.POINTLESS:
                self._pointless.add(act)

        return done

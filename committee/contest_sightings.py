"""What a member found about a contest's entries at any time, and what of another member's word fits it.

A blob may be there for one member and withheld from another. Both found what was true for them: a member
accepts what it found itself at some time, never a score that it did not count, nor a withholding that it did
not see.
"""

from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Final

from committee.contest_judge import Findings
from protocol.contest import NO_SCORE, ScoreCertificate
from protocol.score_record import EntryResult, ScoreRecord, Standing

MAX_READINGS: Final = 64
"""Ways to read a certificate that are compared with it: an entry without a score may be withheld or
unusable."""


@dataclass(slots=True)
class Sightings:
    """All that was ever found here: each entry's results, and whether the test set was bad."""

    bad: bool = False
    entries: list[set[EntryResult]] = field(default_factory=list)

    def add(self, record: ScoreRecord) -> None:
        if record.bad_test_set:
            self.bad = True
            return
        if not self.entries:
            self.entries = [set() for _ in record.entries]
        for known, result in zip(self.entries, record.entries, strict=True):
            known.add(result)

    def admits(self, own: Findings, claimed: ScoreCertificate) -> bool:
        """Whether all that ``claimed`` says of the contest was found here, each entry at its own time."""
        claimed = replace(claimed, transactions=own.certificate.transactions)
        if claimed.bad_test_set:
            return self.bad and claimed == own.restated((), bad=True)
        if not self.entries or len(self.entries) != len(claimed.scores):
            return False
        fitting = [
            [found for found in known if _word(found) == _claim(claimed, place)]
            for place, known in enumerate(self.entries)
        ]
        readings = islice(product(*fitting), MAX_READINGS)
        return any(claimed == own.restated(results, bad=False) for results in readings)


def _word(result: EntryResult) -> tuple[int, bool]:
    """What a certificate says of an entry: its score, and whether its trace is false."""
    scored = result.standing is Standing.SCORED
    return (result.correct if scored else NO_SCORE), result.standing is Standing.FRAUD


def _claim(certificate: ScoreCertificate, place: int) -> tuple[int, bool]:
    return certificate.scores[place], bool(certificate.frauds >> place & 1)


def is_arguable(own: Findings, claimed: ScoreCertificate) -> bool:
    """Whether ``claimed`` could be true of the same bytes for a member that some were withheld from, or were
    not: it differs in nothing else."""
    mine = own.certificate
    alike = replace(
        claimed,
        frauds=mine.frauds,
        bad_test_set=mine.bad_test_set,
        scores=mine.scores,
        transactions=mine.transactions,
        record=mine.record,
    )
    if alike != mine:
        return False
    if claimed.bad_test_set or mine.bad_test_set:
        return claimed.bad_test_set != mine.bad_test_set
    if len(claimed.scores) != len(mine.scores):
        return False
    pairs = [(result, _claim(claimed, place)) for place, result in enumerate(own.record.entries)]
    open_to = [_may_be_withheld(result, claim) for result, claim in pairs]
    same = [claim == _word(result) for result, claim in pairs]
    return any(open_to) and all(a or b for a, b in zip(open_to, same, strict=True))


def _may_be_withheld(result: EntryResult, claim: tuple[int, bool]) -> bool:
    """Whether one side of an entry's result and another member's claim may not have had its blobs."""
    if result.standing is Standing.NOT_REVEALED:
        return False
    return result.standing is Standing.WITHHELD or claim == (NO_SCORE, False)

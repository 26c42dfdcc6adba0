"""What a demo may do to itself: miners that cheat, processes that are killed."""

from collections.abc import Sequence
from typing import Final, Literal, get_args

from protocol.errors import InvalidInput

Victim = Literal["miner", "primary", "coordinator", "broker"]
VICTIMS: Final[tuple[Victim, ...]] = get_args(Victim)


def parse_adversaries(texts: Sequence[str], miners: int) -> dict[int, str]:
    """``["lazy:2", "stale"]`` -> miners 1 and 2 are lazy, 3 is stale. Raises InvalidInput for an unknown
    kind, a number that is none, or more cheats than would leave one honest miner.
    """
    from worker.adversary import KINDS

    cheats: list[str] = []
    for text in texts:
        kind, colon, number = text.partition(":")
        if kind not in KINDS:
            raise InvalidInput(f"{kind!r} is no kind of adversary; known are {', '.join(KINDS)}.")
        if colon and not (number.isascii() and number.isdecimal() and 1 <= int(number) <= miners):
            raise InvalidInput(f"{text!r}: {number!r} is no number of miners between 1 and {miners}.")
        cheats += [kind] * (int(number) if colon else 1)
    if len(cheats) >= miners:
        raise InvalidInput(
            f"{len(cheats)} of {miners} miners would cheat: leave at least one honest miner (--miners)."
        )
    return dict(enumerate(cheats, start=1))


def parse_victims(texts: Sequence[str]) -> list[Victim]:
    """Raises InvalidInput, listing what can be killed, for anything else."""
    for text in texts:
        if text not in VICTIMS:
            raise InvalidInput(f"{text!r} cannot be killed; {', '.join(VICTIMS)} can.")
    return [victim for text in texts for victim in VICTIMS if victim == text]

"""Who misbehaves in a demo: the ``KIND[:N]`` of ``--adversary``, sorted by who does it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pot.demo.disturbances import parse_adversaries
from protocol.errors import InvalidInput

#: Named here and not imported: what defines them takes seconds to load, and every demo begins here.
VALIDATORS: Final = ("equivocating-validator", "lazy-validator", "silent-primary", "lying-primary")
COORDINATORS: Final = ("censoring-coordinator",)
TAMPERED: Final = "tampered-blob"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """``miners`` maps miner numbers to kinds, ``validators`` are the kinds of the first primaries,
    ``coordinator`` is its kind; ``vandal``: somebody overwrites blobs."""

    miners: dict[int, str] = field(default_factory=dict)
    validators: tuple[str, ...] = ()
    coordinator: str | None = None
    vandal: bool = False


def parse_cast(texts: Sequence[str], miners: int, validators: int) -> Cast:
    """``["lazy:2", "silent-primary"]`` -> two lazy miners, one silent validator. Raises InvalidInput for an
    unknown kind, listing the known ones, for a number that is none, and for more wrong-doers than the network
    promises to survive."""
    from worker.adversary import KINDS as MINERS

    known = (*MINERS, *VALIDATORS, *COORDINATORS, TAMPERED)
    mining: list[str] = []
    members: list[str] = []
    single: set[str] = set()
    for text in texts:
        kind, colon, number = text.partition(":")
        if kind not in known:
            raise InvalidInput(f"{kind!r} is no kind of adversary; known are {', '.join(known)}.")
        if kind in MINERS:
            mining.append(text)
        elif kind in VALIDATORS:
            members += [kind] * _number(text, colon, number, validators)
        elif colon:
            raise InvalidInput(f"{text!r}: there is one of these; leave {colon + number!r} out.")
        else:
            single.add(kind)
    tolerated = (validators - 1) // 3
    if len(members) > tolerated:
        raise InvalidInput(
            f"{len(members)} of {validators} validators would misbehave; {validators} of them survive "
            f"{tolerated} (--validators)."
        )
    return Cast(
        miners=parse_adversaries(mining, miners),
        validators=tuple(members),
        coordinator=next((kind for kind in COORDINATORS if kind in single), None),
        vandal=TAMPERED in single,
    )


def _number(text: str, colon: str, number: str, most: int) -> int:
    if colon and not (number.isascii() and number.isdecimal() and 1 <= int(number) <= most):
        raise InvalidInput(f"{text!r}: {number!r} is no number of validators between 1 and {most}.")
    return int(number) if colon else 1

"""Which signatures a certificate carries: a quorum's own ones, or their sum (docs/adr/0014).

The gas figures are fitted to what was measured (``contracts/snapshots/bls.json``); a test compares them.
"""

from typing import Final

AGGREGATE_FROM: Final = 41
"""Members from which on the sum can be cheaper: then members sign in both ways."""

_CERTIFICATE: Final = 66_300
_SIGNATURE: Final = 4_600
_AGGREGATE: Final = 194_050
_SOME_ABSENT: Final = 1_900
_ABSENT: Final = 1_160
_GATHER: Final = 132_000
_KEY: Final = 46_660
_MARGIN: Final = 2
"""What is saved later must be this many times what is spent now: tasks end early, and members go."""


def signatures_gas(signers: int) -> int:
    """Gas of a certificate with that many signatures."""
    return _CERTIFICATE + _SIGNATURE * signers


def aggregate_gas(members: int, signers: int) -> int:
    """Gas of a certificate with their sum: the keys of the absent members are taken away."""
    absent = members - signers
    return _AGGREGATE + (_SOME_ABSENT + _ABSENT * absent if absent else 0)


def gather_gas(members: int) -> int:
    """Gas of putting the keys of a committee together, once."""
    return _GATHER + _KEY * members


def saving(members: int, signers: int) -> int:
    """Gas that the sum saves; negative when signatures are cheaper."""
    return signatures_gas(signers) - aggregate_gas(members, signers)


def pays_to_gather(members: int, signers: int, certificates: int) -> bool:
    """Whether so many certificates to come, signed by so many, are worth gathering the keys."""
    return certificates * saving(members, signers) >= _MARGIN * gather_gas(members)

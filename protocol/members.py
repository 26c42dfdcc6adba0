"""Who is on a committee, and how many of them are enough.

The quorum. ``n`` members, at most ``f`` of them Byzantine, with ``n >= 3f + 1``: the most faults n members
can survive is ``f = (n - 1) // 3``. Two quorums of size q share at least ``2q - n`` members; at least one of
those must be honest or two different values could both be agreed on, so ``2q - n >= f + 1``, that is
``q = ceil((n + f + 1) / 2)``. A quorum must also exist when all f faulty members are silent: ``q <= n - f``,
which holds for every n because ``n >= 3f + 1``. For n = 3f + 1 this is the familiar 2f + 1; for other n the
familiar formula is too small (n = 5: 4, not 3; n = 6: 4, not 3).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from protocol.errors import InvalidInput
from protocol.ids import Address, parse_address

MIN_MEMBERS = 4  # fewer than four members survive no fault at all
MAX_MEMBERS = 64  # a certificate's signer bitmap is one uint64


def max_faulty(n: int) -> int:
    """How many of ``n`` members may be Byzantine. Raises ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"a committee of {n} members does not exist")
    return (n - 1) // 3


def quorum(n: int) -> int:
    """ceil((n + f + 1) / 2): any two quorums of ``n`` members share an honest one."""
    return (n + max_faulty(n) + 2) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The members of one epoch, ascending by address value; a member's index is its place here and its bit in
    a certificate's bitmap. Build it with ``of``."""

    addresses: tuple[Address, ...]
    raw: tuple[bytes, ...] = field(init=False, repr=False)
    n: int = field(init=False)
    max_faulty: int = field(init=False)
    quorum: int = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.addresses)
        if not MIN_MEMBERS <= n <= MAX_MEMBERS:
            raise InvalidInput(f"A committee has {MIN_MEMBERS} to {MAX_MEMBERS} members, not {n}.")
        raw = tuple(bytes.fromhex(address[2:]) for address in self.addresses)
        if any(low >= high for low, high in pairwise(raw)):
            raise InvalidInput("Members must be distinct and in ascending order of their addresses.")
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "max_faulty", max_faulty(n))
        object.__setattr__(self, "quorum", quorum(n))

    @classmethod
    def of(cls, addresses: Iterable[str]) -> Self:
        """Members from addresses in any case and order. Raises InvalidInput for a bad or repeated one."""
        return cls(addresses=tuple(sorted((parse_address(a) for a in addresses), key=lambda a: int(a, 16))))

    def index(self, address: str) -> int | None:
        """The member's index, or None for a stranger."""
        try:
            return self.addresses.index(Address(address))
        except ValueError:
            return None

    def primary(self, view: int) -> int:
        """The index of the member that proposes in ``view``: views take turns in member order."""
        return view % self.n

"""What became of the miners' work in one task: taken by the coordinator, certified, paid out, and claimed."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anvil.readiness import get_json
from pot.client import Client
from protocol.chain.history import TaskHistory
from protocol.errors import ServiceUnreachable
from protocol.ids import Address, TaskId, parse_address

PAGE: Final = 100
CLAIMERS: Final = 8
"""So many miners claim what they earned, and look at what they got."""
TRIES: Final = 30
PAUSE_S: Final = 1.0

Work = tuple[int, int, Address]
"""Round, shard, miner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """``taken`` is what the coordinator told miners it had accepted, ``certified`` what certificates name,
    ``covered`` what the last certificate's payouts hold for each miner, in units of ``reward``."""

    taken: frozenset[Work]
    certified: frozenset[Work]
    covered: dict[Address, int]

    @property
    def lost(self) -> frozenset[Work]:
        """Taken, and named by no certificate."""
        return self.taken - self.certified

    @property
    def earned(self) -> Counter[Address]:
        """How many contributions of each miner were taken or certified."""
        return Counter(miner for _, _, miner in self.taken | self.certified)

    @property
    def unpaid(self) -> frozenset[Address]:
        """Miners for whom the payouts hold less than they earned."""
        return frozenset(m for m, count in self.earned.items() if self.covered.get(m, 0) < count)


def tally(history: TaskHistory, taken: Iterable[Work]) -> Tally:
    """Compare what was ``taken`` with a task's certificates and their last payouts."""
    certified = {
        (int(record.round), int(signed.contribution.shard), signed.contribution.miner)
        for segment in history.segments
        for record in segment.record.rounds
        for signed in record.contributions
    }
    reward = history.ledger.spec.money.reward_per_shard_wei
    payouts = dict(history.segments[-1].record.payouts) if history.segments else {}
    covered = {miner: amount // reward for miner, amount in payouts.items()}
    return Tally(taken=frozenset(taken), certified=frozenset(certified), covered=covered)


def taken_of(api_url: str, task_id: TaskId) -> list[Work]:
    """What the coordinator accepted for a task. Raises ServiceUnreachable."""
    found: list[Work] = []
    query = f"{api_url}/tasks/{task_id}/contributions?verdict=accepted&limit={PAGE}"
    before: str | None = ""
    while before is not None:
        page = _patiently(query + (f"&before={before}" if before else ""))
        found += [_work(item) for item in page["items"]]
        before = page["next"]
    return found


def _patiently(url: str) -> dict[str, Any]:
    """It may just be starting again."""
    for _ in range(TRIES):
        answer = get_json(url)
        if answer is not None:
            return answer
        time.sleep(PAUSE_S)
    raise ServiceUnreachable("the coordinator", url, "it does not list contributions")


def _work(item: dict[str, Any]) -> Work:
    return int(item["round"]), int(item["shard"]), parse_address(item["miner"])


def claims_short(
    anybody: Client, tallies: Sequence[Tally], reward: int, say: Callable[[str], None]
) -> frozenset[Address]:
    """Claim all that CLAIMERS of the miners earned; who of them got less. Raises as ``Client.claim``."""
    earned = sum((item.earned for item in tallies), Counter[Address]())
    chosen = sorted(earned)[:: max(1, len(earned) // CLAIMERS)][:CLAIMERS]
    token, short = anybody.contracts.token, set[Address]()
    for miner in chosen:
        before = token.balance_of(miner)
        due = [item for item in anybody.claimable(miner) if item.due]
        if due:
            anybody.claim(*due)
        if token.balance_of(miner) - before < reward * earned[miner]:
            short.add(miner)
    say(f"{len(chosen) - len(short)} of {len(chosen)} miners claimed all that they had earned")
    return frozenset(short)

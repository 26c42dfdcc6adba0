"""Stake of a miner or validator: what is in the vault, what is leaving it, and the way in and out."""

import time
from dataclasses import dataclass
from typing import Any

from pot.amounts import format_amount, format_duration
from pot.client import Client
from protocol.errors import Refused
from protocol.ids import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """Amounts in smallest units; ``unlocks_at`` is a Unix second, 0 when nothing is unbonding."""

    account: Address
    active: int
    unbonding: int
    unlocks_at: int

    def to_json(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "stake": str(self.active),
            "unbonding": str(self.unbonding),
            "unlocks_at": self.unlocks_at,
        }

    def text(self) -> str:
        leaving = f", {format_amount(self.unbonding)} leaving" if self.unbonding else ""
        return f"{self.account} has {format_amount(self.active)} at stake{leaving}."


def read_stake(client: Client, account: Address) -> Stake:
    """The account's stake at the latest block."""
    vault = client.contracts.vault
    unbonding, unlocks_at = vault.unbonding_of(account)
    return Stake(account=account, active=vault.stake_of(account), unbonding=unbonding, unlocks_at=unlocks_at)


def unstake(client: Client, amount: int | None) -> tuple[str, Stake]:
    """Take stake out, in two steps: begin unbonding (``amount``, or all of it), and, when the delay is over,
    withdraw. Returns what was done. Raises Refused when there is nothing to take or it is not yet free."""
    before = read_stake(client, client.address)
    now = client.contracts.client.pending_time()
    if amount is None and before.unbonding and now >= before.unlocks_at:
        client.sender.send(client.contracts.vault.withdraw())
        return f"{format_amount(before.unbonding)} were withdrawn.", read_stake(client, client.address)
    leaving = before.active if amount is None else amount
    if leaving == 0:
        raise Refused(_nothing_to_take(before, now), "NothingToUnstake")
    client.sender.send(client.contracts.vault.unbond(leaving))
    after = read_stake(client, client.address)
    wait = format_duration(max(0, after.unlocks_at - now))
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(after.unlocks_at))
    done = (
        f"{format_amount(leaving)} are leaving; still slashable until {moment} ({wait}). Then run this again."
    )
    return done, after


def _nothing_to_take(stake: Stake, now: int) -> str:
    if stake.unbonding:
        wait = format_duration(stake.unlocks_at - now)
        return f"{format_amount(stake.unbonding)} of {stake.account} are free in {wait}, not yet."
    return f"{stake.account} has no stake."

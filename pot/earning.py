"""What miners and validators have in common, as answers: stake, status, claim, unstake."""

from typing import Any

from pot.amounts import format_amount, format_moment, parse_amount
from pot.claims import Claimable
from pot.client import Client
from pot.output import Reply, Table
from pot.stakes import read_stake, unstake
from protocol.errors import InvalidInput, PotError
from protocol.ids import Address, TaskId, parse_address


def stake_reply(client: Client, amount: str, *, approve: bool) -> Reply:
    """Deposit stake and show what is there."""
    units = parse_amount(amount, "AMOUNT")
    if units == 0:
        raise InvalidInput("AMOUNT is 0: there is nothing to stake.")
    receipt = client.stake(units, approve=approve)
    stake = read_stake(client, client.address)
    return Reply(data={**stake.to_json(), "tx_hash": "0x" + receipt.tx_hash.hex()}, text=[stake.text()])


def unstake_reply(client: Client, amount: str | None) -> Reply:
    """Begin or finish taking stake out."""
    done, stake = unstake(client, None if amount is None else parse_amount(amount, "--amount"))
    return Reply(data=stake.to_json(), text=[done, stake.text()])


def claim_reply(client: Client, task: int | None, account: str | None) -> Reply:
    """Claim what is due to ``account`` (default: the keystore's), of one task or all."""
    whose = client.address if account is None else parse_address(account)
    known = client.claimable(whose, None if task is None else TaskId(task))
    found = [item for item in known if _due(item)]
    sent = client.claim(*found)
    entries = [
        {**item.to_json(), "tx_hashes": ["0x" + tx_hash.hex() for tx_hash in sent[item.task_id]]}
        for item in found
    ]
    total = sum(map(_due, found))
    later = [item for item in known if item.waiting]
    data = {
        "account": whose,
        "paid": str(total),
        "claims": entries,
        "waiting": [item.to_json() for item in later],
    }
    lines = [f"task {item.task_id}: {format_amount(_due(item))}" for item in found]
    done = f"{format_amount(total)} were paid to {whose}." if found else f"Nothing is due to {whose} now."
    return Reply(data=data, text=[*lines, done, *map(wait_line, later)])


def wait_line(item: Claimable) -> str:
    """When the rest of what is certified can be claimed."""
    amount = format_amount(item.waiting)
    if item.claimable_at is None:
        return f"task {item.task_id}: {amount} wait for the end of a dispute."
    return f"task {item.task_id}: {amount} can be claimed from {format_moment(item.claimable_at)} on."


def _due(item: Claimable) -> int:
    return item.due + item.signing_fee


def status_reply(client: Client, account: Address, more: dict[str, Any], lines: list[str]) -> Reply:
    """Stake, balances and dues of an account, with what the role adds."""
    stake = read_stake(client, account)
    dues, problem = _dues(client, account)
    data = {
        **stake.to_json(),
        "token_balance": str(client.contracts.token.balance_of(account)),
        "coin_balance": str(client.contracts.client.balance(account)),
        "tasks": [item.to_json() for item in dues],
        "problem": problem,
        **more,
    }
    rows = [
        (
            str(item.task_id),
            format_amount(item.earned),
            format_amount(item.claimed),
            format_amount(_due(item)),
            _wait(item),
        )
        for item in dues
        if item.earned or item.signing_fee
    ]
    text: list[str | Table] = [stake.text(), *lines]
    if rows:
        text.append(
            Table(title="tasks", columns=("task", "earned", "claimed", "due", "claimable later"), rows=rows)
        )
    return Reply(data=data, text=[*text, problem] if problem else text)


def _wait(item: Claimable) -> str:
    if not item.waiting:
        return ""
    moment = "disputed" if item.claimable_at is None else format_moment(item.claimable_at)
    return f"{format_amount(item.waiting)} ({moment})"


def _dues(client: Client, account: Address) -> tuple[list[Claimable], str | None]:
    try:
        return client.claimable(account), None
    except PotError as error:
        return [], f"Earnings cannot be shown: {error}"

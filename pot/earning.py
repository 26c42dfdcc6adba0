"""What miners and validators have in common, as answers: stake, status, claim, unstake."""

from typing import Any

from pot.amounts import format_amount, parse_amount
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
    found = [item for item in client.claimable(whose, None if task is None else TaskId(task)) if _due(item)]
    entries = []
    for item in found:
        hashes = ["0x" + tx_hash.hex() for tx_hash in client.claim(item)]
        entries.append({**item.to_json(), "tx_hashes": hashes})
    total = sum(map(_due, found))
    data = {"account": whose, "paid": str(total), "claims": entries}
    if not found:
        return Reply(data=data, text=[f"Nothing is due to {whose}."])
    lines = [f"task {item.task_id}: {format_amount(_due(item))}" for item in found]
    return Reply(data=data, text=[*lines, f"{format_amount(total)} were paid to {whose}."])


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
            format_amount(item.cumulative),
            format_amount(item.claimed),
            format_amount(_due(item)),
        )
        for item in dues
        if item.cumulative or item.signing_fee
    ]
    text: list[str | Table] = [stake.text(), *lines]
    if rows:
        text.append(Table(title="tasks", columns=("task", "earned", "claimed", "due"), rows=rows))
    return Reply(data=data, text=[*text, problem] if problem else text)


def _dues(client: Client, account: Address) -> tuple[list[Claimable], str | None]:
    try:
        return client.claimable(account), None
    except PotError as error:
        return [], f"Earnings cannot be shown: {error}"

"""Answers of ``pot why``: the reasons that concern one account, one round or one transaction."""

from committee.noise_file import suspects
from pot.amounts import format_amount
from pot.canary_reasons import canary_reasons
from pot.claims import Claimable
from pot.client import Client
from pot.disputes.reasons import dispute_reasons
from pot.earning import wait_line
from pot.output import Reply
from pot.task_events import read_events
from pot.why import Reason, explains, reasons
from protocol.chain.dispute_log import read_logs
from protocol.chain.events import Event
from protocol.chain.history import TaskHistory, read_task
from protocol.errors import InvalidInput
from protocol.ids import Address, TaskId, parse_address, parse_hex_bytes


def explain(
    client: Client, number: int, *, account: str | None, round_number: int | None, tx: str | None
) -> Reply:
    """Rebuild the task from events and blobs, and select. ``ok`` only when an account's units add up."""
    if sum(choice is not None for choice in (account, round_number, tx)) != 1:
        raise InvalidInput("Choose one of --account ADDR, --round R and --tx HASH.")
    history = read_task(client.contracts, client.blobs, TaskId(number))
    events = read_events(client.contracts)
    found = [*reasons(history), *_disputes(client, history, events), *canary_reasons(history, events)]
    if account is not None:
        return _about_account(client, history, found, parse_address(account))
    if round_number is not None:
        if round_number > history.ledger.spec.recipe.rounds:
            raise InvalidInput(f"Task {number} has {history.ledger.spec.recipe.rounds} rounds.")
        found += _suspicions(client, history)
        chosen = [r for r in found if r.first_round <= round_number <= r.last_round]
        empty = f"Round {round_number} is not certified; the last is {history.ledger.last_round}."
    else:
        tx_hash = parse_hex_bytes(str(tx), 32)
        chosen = [r for r in found if r.tx_hash == tx_hash]
        empty = f"Transaction {tx} moved no money of task {number}."
    return Reply(
        data={"task_id": str(number), "reasons": [r.to_json() for r in chosen]},
        text=[r.sentence for r in chosen] or [empty],
        ok=bool(chosen),
    )


def _waiting(client: Client, history: TaskHistory, account: Address) -> Claimable | None:
    """What of the account's payouts can be claimed only later."""
    if history.created.params.challenge_window_s == 0:
        return None
    (found,) = client.claimable(account, history.ledger.task_id)
    return found if found.waiting else None


def _disputes(client: Client, history: TaskHistory, events: list[Event]) -> list[Reason]:
    """What disputes moved."""
    task_id = history.created.task_id
    logs = read_logs(event for event in events if getattr(event, "task_id", None) == task_id)
    cases = max((len(log.cases) for log in logs), default=0)
    bonds = tuple(client.contracts.appeals.bond_of(case) for case in range(cases))
    return dispute_reasons(history, logs, bonds)


def _suspicions(client: Client, history: TaskHistory) -> list[Reason]:
    """What validators whose state folder is here have noticed: no accusation, and no money moves."""
    task_id, folder = history.created.task_id, client.settings.state_dir
    return [
        Reason(
            kind="suspected",
            account=miner,
            amount=0,
            first_round=0,
            last_round=history.ledger.spec.recipe.rounds,
            tx_hash=None,
            sentence=f"Validator {validator} looks at every shard of {miner}: "
            f"{' and '.join(test.value for test in entry.found)} (over {entry.history.checks} sampled shards "
            f"up to round {entry.last[0]}). This is no accusation and takes nothing.",
            evidence={
                "validator": validator,
                "tests": [test.name.lower() for test in entry.found],
                "checks": entry.history.checks,
                "doubtful": entry.history.doubtful,
            },
        )
        for validator, miner, entry in suspects(folder, history.domain, task_id)
    ]


def _about_account(client: Client, history: TaskHistory, found: list[Reason], account: Address) -> Reply:
    chosen = [r for r in (*found, *_suspicions(client, history)) if r.account == account]
    sums = {
        kind: sum(r.amount for r in chosen if r.kind == kind)
        for kind in dict.fromkeys(r.kind for r in chosen if r.kind != "suspected")
    }
    ok = explains(history, account, found)
    certified = history.ledger.payouts.get(account, 0)
    totals = ", ".join(f"{kind} {format_amount(amount)}" for kind, amount in sums.items())
    verdict = "the reasons add up to it." if ok else "the reasons do NOT add up to it: run `pot audit`."
    last = f"Certified payouts of {account} are {format_amount(certified)}; {verdict}"
    later = _waiting(client, history, account)
    data = {
        "task_id": str(history.ledger.task_id),
        "account": account,
        "certified": str(certified),
        "sums": {kind: str(amount) for kind, amount in sums.items()},
        "adds_up": ok,
        "waiting": "0" if later is None else str(later.waiting),
        "claimable_at": None if later is None else later.claimable_at,
        "reasons": [r.to_json() for r in chosen],
    }
    lines = [r.sentence for r in chosen] or [f"{account} has no part in task {history.ledger.task_id}."]
    text = [*lines, *([f"Together: {totals}."] if totals else []), last]
    return Reply(data=data, text=text if later is None else [*text, wait_line(later)], ok=ok)

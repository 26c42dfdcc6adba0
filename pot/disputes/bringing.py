"""Challenges and appeals as answers: checked here first, confirmed, brought."""

import sys
from dataclasses import replace
from typing import Any

from pot.audit.replay import Replayer
from pot.audit.report import WrongLeaf
from pot.client import Client
from pot.confirm import confirm
from pot.disputes.challenge import Brought, Challenge, bring, contribution_at, faults_of
from pot.output import Reply, print_lines
from pot.session import Session
from protocol.batches import WHOLE
from protocol.chain.appeals import CaseKind
from protocol.chain.records import read_certified, report_of
from protocol.errors import InvalidInput, Refused
from protocol.evidence import FaultReport
from protocol.ids import Address, TaskId, parse_address


def challenge_reply(
    session: Session,
    number: int,
    round_number: int,
    shard: int,
    *,
    batch: int | None,
    assume_yes: bool,
    unchecked: bool,
) -> Reply:
    """Challenge an accepted contribution; ``batch`` is where it is said to be wrong. Raises Refused when
    re-execution here finds it honest."""
    client = session.client("poster")
    found = contribution_at(client, TaskId(number), round_number, shard)
    found = replace(found, batch=WHOLE if batch is None else batch)
    return _bring_all(client, [found], assume_yes=assume_yes, unchecked=unchecked)


def appeal_reply(
    session: Session,
    number: int,
    where: tuple[int | None, int | None],
    miner: str | None,
    *,
    assume_yes: bool,
    unchecked: bool,
) -> Reply:
    """Appeal against declared faults: those of ``miner`` (default: the keystore's), or all at (round, shard)
    ``where``."""
    place = _place(where)
    client = session.client("miner")
    whose: Address | None = parse_address(miner) if miner is not None else None
    if whose is None and place is None:
        whose = client.address
    found = faults_of(client, TaskId(number), miner=whose, place=place)
    if not found:
        what = f"of {whose}" if whose is not None else "there"
        raise InvalidInput(f"No fault {what} is declared in task {number}.")
    return _bring_all(client, found, assume_yes=assume_yes, unchecked=unchecked)


def _place(where: tuple[int | None, int | None]) -> tuple[int, int] | None:
    match where:
        case (int() as round_number, int() as shard):
            return round_number, shard
        case (None, None):
            return None
    raise InvalidInput("Give --round and --shard together, or neither.")


def _bring_all(client: Client, found: list[Challenge], *, assume_yes: bool, unchecked: bool) -> Reply:
    now = client.contracts.client.pending_time()
    if not unchecked:
        found = [require_right(client, challenge) for challenge in found]
    for challenge in found:
        print_lines(challenge.text(now), sys.stderr)
    confirm("Put up the bond?", "the bond", assume_yes=assume_yes)
    brought: list[Brought] = [bring(client, challenge) for challenge in found]
    data = {"task_id": str(found[0].task_id), "cases": [item.to_json() for item in brought]}
    return Reply(data=data, text=[line for item in brought for line in item.text()])


def challenge_lie(
    client: Client, task_id: TaskId, lie: WrongLeaf, *, assume_yes: bool
) -> list[dict[str, Any]]:
    """Challenge what an audit found wrong; the cases that were brought. Raises as ``challenge_reply``."""
    if lie.kind is CaseKind.CONTRIBUTION:
        at = contribution_at(client, task_id, lie.round_number, lie.shard)
        found = [replace(at, batch=lie.batch)]
    else:
        place = (lie.round_number, lie.shard)
        found = faults_of(client, task_id, miner=lie.miner, place=place)
    brought = _bring_all(client, found, assume_yes=assume_yes, unchecked=True)
    cases: list[dict[str, Any]] = brought.data["cases"]
    return cases


def require_right(client: Client, challenge: Challenge) -> Challenge:
    """Re-execute what the challenge is about; the challenge with where it shows. Raises Refused when it would
    be lost, and what the blob store raises when it cannot be re-executed: a court could not judge it
    either."""
    matter, where = challenge.matter, None
    replayer = Replayer(spec=client.spec(challenge.task_id), blobs=client.blobs, rounds=())
    if matter.signed is not None:
        where = replayer.fault_at(matter.signed, challenge.batch)
        wrong = where is not None
    elif (report := _reported(client, challenge)) is not None:
        wrong = replayer.is_fault(report.contribution, report.batch)
    else:
        return challenge  # a fault without the miner's own word is none
    if wrong == (matter.kind is CaseKind.CONTRIBUTION):
        return challenge if where is None else replace(challenge, batch=where)
    found = "honest" if not wrong else "wrong"
    raise Refused(
        f"Re-execution here finds the work behind {challenge.what} {found}: this would be lost, and the bond "
        "with it. Give --unchecked to bring it all the same.",
        "WouldBeLost",
    )


def _reported(client: Client, challenge: Challenge) -> FaultReport | None:
    assert challenge.matter.fault is not None
    certified = read_certified(client.contracts, challenge.task_id)
    return report_of(
        client.blobs, certified, challenge.event.index, challenge.matter.fault, client.deployment.domain
    )

"""Which certificates are final: their challenge window has closed and no dispute freezes them (ADR 0011)."""

import time
from collections.abc import Sequence
from typing import Final

from protocol.chain.contracts import Contracts
from protocol.chain.events import CertificateAccepted
from protocol.chain.history import CertifiedSegment, TaskHistory
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.evidence import Fault

MAX_RECORDS: Final = 64
"""Certificates of one task whose records the market keeps."""


def now_s(contracts: Contracts) -> int:
    """Unix time by the newest block or by this machine, whichever is later: what a transaction that is sent
    now will find."""
    return max(contracts.client.block().timestamp, int(time.time()))


def newest_final(
    contracts: Contracts, task: OnchainTask, standing: Sequence[CertificateAccepted]
) -> CertificateAccepted | None:
    """The newest of the ``standing`` certificates that is final; None if none is. They become final in their
    order, so a handful of questions to the chain is enough. Raises Refused, ServiceUnreachable."""
    frozen = task.disputed_from if task.status is TaskStatus.DISPUTED else task.certificates
    kept = [event for event in standing[-MAX_RECORDS:] if event.index < frozen]
    if task.challenge_window_s == 0:
        return kept[-1] if kept else None
    now = now_s(contracts)
    final, open_ = 0, len(kept)  # how many are final lies between these
    while final < open_:
        middle = (final + open_) // 2
        if contracts.market.matures_at(task.task_id, kept[middle].record) <= now:
            final = middle + 1
        else:
            open_ = middle
    return kept[final - 1] if final else None


def final_at(contracts: Contracts, task: OnchainTask, event: CertificateAccepted) -> int | None:
    """Second from which a certificate that stands is final; None while a dispute freezes it. The window of
    one accepted during a dispute begins when that has to be over. Raises Refused, ServiceUnreachable."""
    if task.status is TaskStatus.DISPUTED and event.index >= task.disputed_from:
        return None
    if task.challenge_window_s and event.index >= task.certificates - MAX_RECORDS:
        return contracts.market.matures_at(task.task_id, event.record)
    # What is no longer kept has been final since then at the latest, unless a dispute moved it.
    return contracts.client.block(event.where.block_number).timestamp + task.challenge_window_s


def slashable_segment(contracts: Contracts, history: TaskHistory, fault: Fault) -> CertifiedSegment | None:
    """A final certificate that declares ``fault``; None while there is none. Raises Refused when the chain
    has moved on from ``history``, ServiceUnreachable."""
    frozen = history.certificates if history.disputed_from is None else history.disputed_from
    declaring = [s for s in history.segments if fault in s.record.faults and s.event.index < frozen]
    if not declaring:
        return None
    window_s = history.created.params.challenge_window_s
    if window_s == 0:
        return declaring[-1]  # only the last two records are kept
    first = declaring[-MAX_RECORDS:][0]
    matures_at = contracts.market.matures_at(history.created.task_id, first.event.record)
    return first if matures_at <= now_s(contracts) else None

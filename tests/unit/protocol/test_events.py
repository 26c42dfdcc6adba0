"""How the raw arguments of a contract's event become a frozen value."""

from hexbytes import HexBytes

from protocol.chain.appeals import CaseKind
from protocol.chain.canary_events import CANARY_EVENTS, MemberAccused
from protocol.chain.dispute_events import APPEALS_EVENTS, COURT_EVENTS, CaseBrought, CourtDrawn
from protocol.chain.event_base import EventRef
from protocol.ids import Address, RoundNo, ShardNo, TaskId

WHERE = EventRef(block_number=7, block_hash=b"block", tx_hash=b"transaction", log_index=2)
ONE, TWO = Address("0x" + "11" * 20), Address("0x" + "22" * 20)


def test_event__solidity_names__become_the_fields_of_the_same_words() -> None:
    args = {
        "taskId": 3, "member": ONE, "key": HexBytes(b"k" * 32), "round": 4, "shard": 5, "miner": TWO,
        "answerBy": 99,
    }  # fmt: skip
    assert CANARY_EVENTS["MemberAccused"](WHERE, args) == MemberAccused(
        where=WHERE,
        task_id=TaskId(3),
        member=ONE,
        key=b"k" * 32,
        round=RoundNo(4),
        shard=ShardNo(5),
        miner=TWO,
        answer_by=99,
    )


def test_event__lists_and_bytes__become_tuples_and_plain_bytes() -> None:
    drawn = COURT_EVENTS["CourtDrawn"](WHERE, {"taskId": 3, "dispute": 1, "members": [ONE, TWO]})
    assert drawn == CourtDrawn(where=WHERE, task_id=TaskId(3), dispute=1, members=(ONE, TWO))
    args = {
        "taskId": 3, "dispute": 1, "number": 2, "challenger": ONE, "kind": 1, "index": 6, "miner": TWO,
        "leaf": HexBytes(b"l" * 32), "batch": 1,
    }  # fmt: skip
    brought = APPEALS_EVENTS["CaseBrought"](WHERE, args)
    assert isinstance(brought, CaseBrought)
    assert brought.kind is CaseKind(1)
    assert type(brought.leaf) is bytes

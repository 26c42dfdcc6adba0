"""What a terminal shows of a running task fits into eighty columns."""

from pot.watching import Progress
from protocol.chain.market import OnchainTask, TaskStatus
from protocol.ids import EpochNo, RoundNo, Sha256, TaskId, Wei, parse_address

TOKEN = 10**18
TASK = OnchainTask(
    task_id=TaskId(12345),
    poster=parse_address("0x" + "11" * 20),
    status=TaskStatus.OPEN,
    spec_hash=Sha256(bytes(32)),
    model=Sha256(bytes(32)),
    paid_total=Wei(TOKEN // 3),
    last_round=RoundNo(99),
    certificates=99,
    challenge_window_s=0,
    disputed_from=0,
    rounds=100,
    shards=64,
    epoch=EpochNo(1),
    starts_at=0,
    deadline=1,
    reward_per_shard=Wei(TOKEN),
    fee_per_round=Wei(TOKEN),
    miner_stake=Wei(TOKEN),
    slash_per_fault=Wei(TOKEN),
    claimed_total=Wei(0),
)


def test_short__long_task_with_odd_amounts__leaves_room_for_bar_and_clock() -> None:
    text = Progress(task=TASK, loss=12.34567, accuracy=0.98765, miners=64).short()
    assert text == "99/100  loss 12.346  acc 98.8%  64 miners  6,499 POT left"
    assert len(text) <= 80 - len("━" * 12 + " ") - len(" 0:00:00")


def test_line__for_logs__stays_exact() -> None:
    line = Progress(task=TASK, loss=None, accuracy=None, miners=0).line()
    assert line == "task 12345: round 99/100, 6,499.666666666666666667 POT of escrow left"

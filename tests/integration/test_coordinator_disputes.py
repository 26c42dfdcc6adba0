"""What drawn committees, challenge windows and disputes make of a coordinator's task."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from msgspec import structs

from coordinator import views
from coordinator.domain.leases import Verdict
from coordinator.services.accept_contribution import HandedIn, accept_contribution
from coordinator.services.handle_committee import handle_answer
from coordinator.services.load_view import load_view
from coordinator.services.prepare_task import UNDRAWN
from coordinator.store.chain_tables import CertificateRow, Task
from protocol.certificate import ENCODED_BYTES
from protocol.chain.dispute_events import DisputeOpened
from protocol.chain.events import (
    CertificatesOverturned,
    CommitteeDrawn,
    DisputeEnded,
    TaskDisputed,
    ValidatorJoined,
    ValidatorLeft,
)
from protocol.chain.finality import MAX_RECORDS
from protocol.errors import PeerMisbehaved
from protocol.ids import Address, RoundNo, parse_address, sha256
from tests.support.coordinator_world import START_S, TASK, World, world

WINDOW_S = 600
LIMITS = {"max_uncertified_rounds": 3, "rounds_per_certificate": 1, "challenge_window_s": WINDOW_S}


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, LIMITS) as made:
        made.post_task()
        made.drive()
        yield made


@pytest.fixture
def seven(tmp_path: Path) -> Iterator[World]:
    """A task for a committee of four from seven validators, not drawn yet."""
    with world(tmp_path, LIMITS) as made:
        made.members = sorted((Account.create() for _ in range(7)), key=lambda a: int(a.address, 16))
        verification = structs.replace(made.spec.verification, committee_size=4)
        made.spec = structs.replace(made.spec, verification=verification)
        made.post_task()
        made.drive()
        yield made


def fill(w: World) -> None:
    for lease in w.leases():
        handed = HandedIn(signed=w.work(lease), attempt=lease.attempt, fence=lease.fence)
        assert accept_contribution(w.ctx, handed) is Verdict.ACCEPTED
    w.drive()


def certified(w: World) -> None:
    """One more round, trained, proposed and accepted."""
    fill(w)
    w.certify(w.asked.requests[-1][3])
    w.drive()


def task_of(w: World) -> Task:
    with w.store.read() as tx:
        task = tx.tasks.get(TASK)
        assert task is not None
        return task


def members_of(w: World) -> tuple[Address, ...]:
    return tuple(parse_address(account.address) for account in w.members)


def dispute(w: World, first: int) -> None:
    w.mine(TaskDisputed(where=w.where(), task_id=TASK, first=first))
    w.drive()


def overturn(w: World, first: int, last_round: int) -> None:
    w.mine(CertificatesOverturned(where=w.where(), task_id=TASK, first=first, last_round=RoundNo(last_round)))
    w.drive()


def test_draw__due__the_task_waits_and_then_asks_the_drawn_members_alone(seven: World) -> None:
    assert (task_of(seven).status, task_of(seven).note) == ("waiting", UNDRAWN)
    assert not seven.leases()
    drawn = members_of(seven)[1:5]
    seven.mine(CommitteeDrawn(where=seven.where(), task_id=TASK, members=drawn))
    seven.drive()
    assert task_of(seven).status == "running"
    fill(seven)
    _, asked, _, value = seven.asked.requests[-1]
    assert asked == drawn
    stranger = members_of(seven)[0]
    with pytest.raises(PeerMisbehaved, match="not on its committee"):
        handle_answer(seven.ctx, TASK, stranger, sha256(value), "rejected", "")
    with seven.store.read() as tx:
        assert views.task_detail(tx, task_of(seven)).members == list(drawn)


def test_draw__undone_by_a_reorganisation__the_task_waits_again(seven: World) -> None:
    drawn = members_of(seven)[:4]
    before = task_of(seven).block_number
    seven.mine(CommitteeDrawn(where=seven.where(), task_id=TASK, members=drawn))
    seven.drive()
    seven.mine(fork=before, salt=b"other")
    seven.drive()
    assert (task_of(seven).status, task_of(seven).members) == ("waiting", None)


def test_endpoints__member_left_the_pool__is_kept_while_it_serves_a_task(w: World) -> None:
    member, stranger = members_of(w)[0], parse_address(Account.create().address)
    for account in (member, stranger):
        w.mine(ValidatorJoined(where=w.where(), account=account, endpoint="ws://127.0.0.1:1"))
        w.mine(ValidatorLeft(where=w.where(), account=account))
    with w.store.read() as tx:
        assert tx.chain.endpoints() == {member: "ws://127.0.0.1:1"}


def test_window__open__payouts_wait_and_the_sheet_adds_up(w: World) -> None:
    certified(w)
    task = task_of(w)
    with w.store.read() as tx:
        (certificate,) = views.list_certificates(tx, task, before=None, limit=10).items
        accounts, sheet = views.accounts_of(tx, task), views.escrow_of(tx, task)
    assert certificate.final_at == certificate.timestamp + WINDOW_S
    assert all(item.claimable == "0" and item.waiting == item.earned for item in accounts)
    assert {item.claimable_at for item in accounts} == {certificate.final_at}
    assert int(sheet.waiting) > 0 == int(sheet.claimable)
    w.pass_time(WINDOW_S)
    certified(w)
    with w.store.read() as tx:
        later = views.accounts_of(tx, task_of(w))
    paid = {item.account: item.earned for item in accounts}
    assert sum(int(item.claimable) for item in later) == sum(map(int, paid.values()))
    assert all(int(item.claimable) + int(item.waiting) == int(item.earned) for item in later)


def test_dispute__running__payouts_wait_and_the_work_goes_on(w: World) -> None:
    certified(w)
    ends = int(START_S) + 10_000
    opened = DisputeOpened(
        where=w.where(), task_id=TASK, dispute=1, join_ends=int(START_S) + WINDOW_S, verdict_ends=ends
    )
    w.mine(opened)
    dispute(w, first=0)
    assert (task_of(w).status, task_of(w).disputed_from) == ("running", 0)
    certified(w)
    assert task_of(w).certified_round == 2
    with w.store.read() as tx:
        frozen = views.list_certificates(tx, task_of(w), before=None, limit=10).items
        assert [item.final_at for item in frozen] == [None, None]
        assert views.escrow_of(tx, task_of(w)).claimable == "0"
    w.mine(DisputeEnded(where=w.where(), task_id=TASK))
    w.drive()
    with w.store.read() as tx:
        after = views.list_certificates(tx, task_of(w), before=None, limit=10).items
    # The window of what was accepted meanwhile begins when the dispute had to be over.
    assert [item.final_at for item in after] == [ends + WINDOW_S, after[1].timestamp + WINDOW_S]


def test_overturned__later_certificates_fall__the_task_ends_with_what_stands(w: World) -> None:
    certified(w)
    standing = task_of(w)
    certified(w)
    dispute(w, first=1)
    overturn(w, first=1, last_round=1)
    task = task_of(w)
    assert (task.status, task.certified_round, task.paid_total) == ("overturned", 1, standing.paid_total)
    assert task.certified_model == standing.certified_model
    with w.store.read() as tx:
        shown = views.list_certificates(tx, task, before=None, limit=10).items
        assert [item.void for item in shown] == [True, False]
        assert sum(tx.tasks.earned(TASK).values()) == standing.paid_total
    assert not w.leases()


def test_overturned__from_the_first_certificate__nobody_has_earned_anything(w: World) -> None:
    certified(w)
    dispute(w, first=0)
    overturn(w, first=0, last_round=0)
    task = task_of(w)
    assert (task.status, task.certified_round, task.paid_total) == ("overturned", 0, 0)
    with w.store.read() as tx:
        assert tx.tasks.earned(TASK) == {}


def test_overturned__undone_by_a_reorganisation__the_task_goes_on(w: World) -> None:
    certified(w)
    certified(w)
    block = w.where().block_number - 1
    dispute(w, first=0)
    overturn(w, first=0, last_round=0)
    w.mine(fork=block, salt=b"other")
    w.drive()
    assert (task_of(w).status, task_of(w).certified_round) == ("running", 2)
    certified(w)
    assert task_of(w).certified_round == 3


def test_ring__fills_up_within_a_window__certificates_cover_more_rounds_and_then_wait(w: World) -> None:
    def note(count: int) -> None:
        with w.store.write() as tx:
            for number in range(count):
                tx.session.merge(
                    CertificateRow(
                        task_id=TASK,
                        last_round=1_000 + number,
                        number=number,
                        void=False,
                        first_round=1_000 + number,
                        encoded=bytes(ENCODED_BYTES),
                        signers=7,
                        block_number=0,
                        tx_hash=bytes(32),
                        gas_used=0,
                        matures_at=int(START_S) + number + WINDOW_S,
                        timestamp=int(START_S) + number,
                    )
                )

    def view() -> tuple[float, bool]:
        with w.store.read() as tx:
            found = load_view(w.ctx, tx, task_of(w), w.clock_s)
        return found.room_at_s, found.crowded

    with pytest.MonkeyPatch.context() as patch:
        ledger = w.ctx.ledgers.of
        with w.store.read() as tx:
            kept = ledger(tx, task_of(w))
        patch.setattr(type(w.ctx.ledgers), "of", lambda *_: kept)
        note(MAX_RECORDS // 2 - 1)
        assert view() == (0.0, False)
        note(MAX_RECORDS // 2)
        assert view() == (0.0, True)
        note(MAX_RECORDS - 1)
        assert view() == (START_S + WINDOW_S, True)
        w.pass_time(WINDOW_S)
        assert view() == (0.0, True)
        w.pass_time(WINDOW_S)
        assert view() == (0.0, False)

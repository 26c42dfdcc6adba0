"""A network of real processes: seven validators, committees drawn from them, members that come and go."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from anvil.layout import NetworkFile
from anvil.network import LocalNetwork, NetworkPlan
from pot.client import Client
from pot.demo.run import client_of
from pot.draft import build_draft
from protocol.chain.draws import expected_committee
from protocol.chain.events import CommitteeDrawn, EventReader
from protocol.chain.history import TaskHistory, read_task, signers_of
from protocol.chain.market import TaskStatus
from protocol.ids import Address, TaskId

POOL, WINDOW_S = 7, 6
TASK_S = 90.0

DOCUMENT: dict[str, Any] = {
    "model": {"arch": "mlp", "params": {"hidden": 8, "layers": 1}},
    "dataset": {"source": "digits"},
    "recipe": {"optimizer": {"kind": "sgd", "lr": "0.5"}, "rounds": 3, "shards": 2, "global_batch": 64},
    "verification": {"sample": "100%"},
    "money": {
        "reward_per_shard": "1 POT",
        "fee_per_round": "1 POT",
        "miner_stake": "100 POT",
        "slash_per_fault": "50 POT",
    },
    "limits": {"task_life": "1h", "round_deadline": "20s"},
}

pytestmark = pytest.mark.slow


@dataclass(kw_only=True)
class Stage:
    """A running network and the poster's client."""

    local: LocalNetwork
    network: NetworkFile
    poster: Client

    def post(self, committee: int = 0, window: str = "0s", start_in_s: int = 0) -> TaskId:
        document = {
            **DOCUMENT,
            "verification": {**DOCUMENT["verification"], "committee_size": committee},
            "limits": {**DOCUMENT["limits"], "challenge_window": window},
        }
        draft = build_draft(document, self.local.layout.root, "small", None)
        return self.poster.post(draft, start_in_s=start_in_s).task_id

    def history(self, task: TaskId) -> TaskHistory:
        return read_task(self.poster.contracts, self.poster.blobs, task)

    def until(self, done: Callable[[], bool], what: str, timeout_s: float = TASK_S) -> None:
        give_up = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > give_up:
                logs = "\n".join(self.local.supervisor.log_tail(name) for name in self.network.endpoints)
                pytest.fail(f"{what} did not happen in {timeout_s:.0f} s:\n{logs[-6000:]}")
            time.sleep(0.2)

    def completed(self, task: TaskId) -> None:
        self.until(lambda: self.poster.task(task).status is TaskStatus.COMPLETED, f"task {task}'s last round")
        read_task(self.poster.contracts, self.poster.blobs, task, at_least=self.poster.task(task).last_round)

    def drawn(self, task: TaskId) -> CommitteeDrawn:
        contracts = self.poster.contracts
        events = EventReader(contracts).read(contracts.deployment.block, contracts.client.block().number)
        return next(e for e in events if isinstance(e, CommitteeDrawn) and e.task_id == task)

    def name_of(self, account: Address) -> str:
        return next(name for name, address in self.network.accounts.items() if address == account)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    local = LocalNetwork(tmp_path_factory.mktemp("net"), attached=True, say=lambda line: None)
    try:
        network = local.up(NetworkPlan(miners=2, validators=POOL, adversaries={}))
        yield Stage(local=local, network=network, poster=client_of(network, "poster"))
    finally:
        local.stop()


def test_committee__four_of_seven__is_drawn_by_a_validator_and_alone_certifies(stage: Stage) -> None:
    task = stage.post(committee=4)
    stage.completed(task)
    history, drawn = stage.history(task), stage.drawn(task)
    assert history.ledger.members == drawn.members
    assert drawn.members == expected_committee(stage.poster.contracts, history.created, drawn)
    for segment in history.segments:
        assert len(signers_of(drawn.members, segment.event.signers)) >= 3
    for name, account in stage.network.accounts.items():
        if name.startswith("validator-"):
            served = f"task {task}: member" in stage.local.supervisor.log_tail(name)
            assert served == (account in drawn.members), name


def test_window__certificates_wait__payouts_follow_when_it_closes(stage: Stage) -> None:
    task = stage.post(committee=4, window=f"{WINDOW_S}s")
    miner = client_of(stage.network, "miner-1")
    stage.until(lambda: stage.poster.task(task).certificates > 0, "the first certificate")
    (early,) = miner.claimable(miner.address, task)
    assert early.due == 0 or early.claimable_at is None or early.waiting
    stage.completed(task)
    (open_,) = miner.claimable(miner.address, task)
    assert open_.waiting > 0
    assert open_.claimable_at is not None
    stage.until(lambda: miner.claimable(miner.address, task)[0].waiting == 0, "the last window's end")
    (final,) = miner.claimable(miner.address, task)
    assert final.due == final.earned > 0
    miner.claim(final)
    assert miner.claimable(miner.address, task)[0].due == 0


def test_epochs__a_member_leaves_in_mid_task__it_finishes_its_task_and_is_not_in_the_next_epoch(
    stage: Stage,
) -> None:
    contracts = stage.poster.contracts
    task = stage.post(start_in_s=3)
    members = contracts.committee.members_of_task(task)
    leaver, *others = members[1:]
    leaving = client_of(stage.network, stage.name_of(leaver))
    leaving.sender.send(contracts.committee.leave())
    leaving.sender.send(contracts.committee.advance_epoch())
    # Five of seven have to sign: without two others, the one that left is needed.
    gone = [stage.name_of(account) for account in others[-2:]]
    for name in gone:
        stage.local.supervisor.kill(name)
    stage.completed(task)
    assert leaver in stage.history(task).ledger.last_signers
    assert leaver not in contracts.committee.members_of(contracts.committee.current_epoch())
    for name in gone:
        stage.local.supervisor.restart(name)
    # Whoever joins is in the next epoch's snapshot, and on its committees.
    leaving.sender.send(contracts.committee.join(stage.network.endpoints[stage.name_of(leaver)]))
    leaving.sender.send(contracts.committee.advance_epoch())
    following = stage.post()
    assert leaver in contracts.committee.members_of_task(following)
    stage.completed(following)

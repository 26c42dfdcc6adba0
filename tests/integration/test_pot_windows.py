"""`pot` on a chain with seven validators: a committee is drawn, certificates wait for their windows."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from pot.cli import main
from pot.funding import PERMIT_LIFE_S
from protocol.chain.client import ChainClient
from protocol.chain.draws import check_draw
from protocol.chain.events import CommitteeDrawn, EventReader, TaskCreated
from protocol.errors import VerificationFailed
from protocol.ids import TaskId
from tests.support.pot_network import PotNetwork

SPEC = """
title: small
model: {arch: mlp, params: {hidden: 8, layers: 1}}
dataset: {source: digits}
recipe: {optimizer: {kind: sgd, lr: 0.5}, rounds: 2, shards: 2, global_batch: 64}
verification: {sample: 25%, committee_size: SIZE}
money: {reward_per_shard: 1 POT, fee_per_round: 0.5 POT, miner_stake: 100 POT, slash_per_fault: 50 POT}
limits: {task_life: LIFE, round_deadline: 20s, challenge_window: WINDOW}
"""
TOKEN = 10**18
WINDOW_S = 600

Pot = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PotNetwork]:
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        yield PotNetwork.build(tmp_path_factory.mktemp("network"), ChainClient(chain.rpc_url), validators=7)


@pytest.fixture
def pot(network: PotNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pot:
    """Run one command in the network's folder; (exit status, the JSON document on stdout)."""
    monkeypatch.chdir(network.folder)

    def call(*arguments: str) -> tuple[int, Any]:
        status = main([*arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return call


def draft(network: PotNetwork, *, size: str = "all", life: str = "1d", window: str = "0s") -> str:
    text = SPEC.replace("SIZE", size).replace("LIFE", life).replace("WINDOW", window)
    (network.folder / "draft.yaml").write_text(text)
    return "draft.yaml"


def post(pot: Pot, network: PotNetwork, **choices: str) -> TaskId:
    status, posted = pot("task", "post", draft(network, **choices), "--yes")
    assert status == 0, posted
    return TaskId(int(posted["task_id"]))


def drawn_of(network: PotNetwork, task: TaskId) -> tuple[TaskCreated, CommitteeDrawn]:
    contracts = network.contracts
    events = EventReader(contracts).read(contracts.deployment.block, contracts.client.block().number)
    of_task = [event for event in events if getattr(event, "task_id", None) == task]
    created, drawn = of_task[0], of_task[1]
    assert isinstance(created, TaskCreated)
    assert isinstance(drawn, CommitteeDrawn)
    return created, drawn


def test_draw__committee_of_four_from_seven__is_drawn_once_by_anybody_and_can_be_repeated(
    pot: Pot, network: PotNetwork
) -> None:
    task = post(pot, network, size="4")
    assert pot("task", "show", str(task))[1]["committee"] == {"size": 4, "members": [], "drawn_in": None}
    status, early = pot("task", "draw", str(task))
    assert (status, "drawn with the hash of block" in early["message"]) == (1, True)
    network.mine(3)
    status, answer = pot("task", "draw", str(task), "--keystore", "miner-1")
    assert (status, len(answer["members"])) == (0, 4)
    assert pot("task", "draw", str(task))[1]["message"] == "The members are drawn already."
    created, drawn = drawn_of(network, task)
    assert answer["members"] == list(drawn.members)
    assert "the draw was repeated" in check_draw(network.contracts, created, drawn)
    network.certify_round(task)
    assert set(pot("task", "show", str(task))[1]["certificates"][0]["signers"]) <= set(drawn.members)


def test_draw__after_the_hash_is_forgotten__falls_back_to_the_snapshots_seed(
    pot: Pot, network: PotNetwork
) -> None:
    task = post(pot, network, size="4")
    network.mine(300)
    assert pot("task", "draw", str(task))[0] == 0
    assert "the draw was repeated" in check_draw(network.contracts, *drawn_of(network, task))


def test_check_draw__another_committee_than_the_drawn_one__is_a_lie(pot: Pot, network: PotNetwork) -> None:
    task = post(pot, network, size="4")
    network.mine(3)
    pot("task", "draw", str(task))
    created, drawn = drawn_of(network, task)
    other = CommitteeDrawn(where=drawn.where, task_id=task, members=drawn.members[::-1])
    with pytest.raises(VerificationFailed, match="committee of task"):
        check_draw(network.contracts, created, other)


def test_claim__window_open__waits_and_is_paid_when_it_has_closed(pot: Pot, network: PotNetwork) -> None:
    task = post(pot, network, window="10m")
    network.certify_round(task)
    status, early = pot("miner", "claim", "--task", str(task), "--keystore", "miner-1")
    assert (status, early["paid"], early["waiting"][0]["waiting"]) == (0, "0", str(TOKEN))
    at = early["waiting"][0]["claimable_at"]
    shown = pot("task", "show", str(task))[1]
    assert (shown["challenge_window"], shown["claimable_at"]) == (WINDOW_S, at)
    assert shown["certificates"][0]["state"].startswith("open until")
    why = pot("why", "--task", str(task), "--account", network.accounts["miner-1"].address)[1]
    assert (why["waiting"], why["claimable_at"]) == (str(TOKEN), at)
    network.pass_time(WINDOW_S + 1)
    network.certify_round(task)  # the second certificate waits while the first one pays
    status, paid = pot("miner", "claim", "--task", str(task), "--keystore", "miner-1")
    assert (status, paid["paid"], paid["waiting"][0]["waiting"]) == (0, str(TOKEN), str(TOKEN))


def test_close__last_window_open__is_refused_in_words_and_possible_after(
    pot: Pot, network: PotNetwork
) -> None:
    task = post(pot, network, window="10m")
    for _ in range(2):
        network.certify_round(task)
    status, refused = pot("task", "close", str(task))
    assert (status, "can be challenged until" in refused["message"]) == (1, True)
    assert pot("task", "watch", str(task), "--timeout", "5s")[0] == 0
    network.pass_time(WINDOW_S + 1)
    assert pot("task", "close", str(task))[0] == 0


def test_claim__several_tasks_due__one_transaction_pays_all_and_anybody_may_send_it(
    pot: Pot, network: PotNetwork
) -> None:
    tasks = [post(pot, network), post(pot, network)]
    for task in tasks:
        network.certify_round(task)
    miner = network.accounts["miner-2"].address
    status, claimed = pot("miner", "claim", "--account", miner, "--keystore", "deployer")
    assert status == 0
    hashes = [entry["tx_hashes"] for entry in claimed["claims"] if TaskId(int(entry["task_id"])) in tasks]
    assert len(hashes) == 2
    assert hashes[0] == hashes[1]
    assert pot("miner", "claim", "--account", miner, "--keystore", "deployer")[1]["paid"] == "0"


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"size": "5"}, "a committee has 4, 7, 10, ... members"),
        ({"size": "10"}, "at most the 7 validators"),
        ({"window": "8d"}, "limits.challenge_window"),
    ],
)
def test_post__what_the_network_cannot_carry__is_refused_before_signing(
    pot: Pot, network: PotNetwork, choices: dict[str, str], said: str
) -> None:
    before = network.contracts.market.task_count()
    status, error = pot("task", "post", draft(network, **choices), "--yes")
    assert (status, said in error["message"]) == (2, True), error
    assert network.contracts.market.task_count() == before


def test_quiet_chain__nobody_has_mined_since__posting_and_closing_go_by_the_next_blocks_time(
    pot: Pot, network: PotNetwork
) -> None:
    """The newest block may be hours old: a permit dated by it is over before it is used, and a task whose
    deadline has passed seems to run."""
    client, task = network.contracts.client, post(pot, network)
    client.rpc("evm_increaseTime", PERMIT_LIFE_S + 60)
    post(pot, network)
    client.rpc("evm_increaseTime", network.contracts.market.task(task).deadline - client.pending_time() + 1)
    assert pot("task", "close", str(task))[0] == 0

"""`pot` against a real chain: a poster, miners and validators do their parts by hand."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anvil.chain import AnvilOptions, AnvilProcess, free_port, fresh_chain_id
from anvil.toolchain import PROJECT_ROOT
from committee.noise_file import Entry, NoiseFile, file_name
from pot.cli import main
from protocol.chain.client import ChainClient
from protocol.ids import TaskId, parse_address
from tests.support.pot_network import PotNetwork
from worker.training.bias import Suspicion

SPEC = """
title: small
model: {arch: mlp, params: {hidden: 8, layers: 1}}
dataset: {source: digits}
recipe: {optimizer: {kind: sgd, lr: 0.5}, rounds: 2, shards: 2, global_batch: 64}
verification: {sample: 25%}
money: {reward_per_shard: 1 POT, fee_per_round: 0.5 POT, miner_stake: 100 POT, slash_per_fault: 50 POT}
limits: {task_life: 1h, round_deadline: 20s}
"""
TOKEN = 10**18

Pot = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PotNetwork]:
    log: Path = tmp_path_factory.mktemp("chain") / "anvil.log"
    with AnvilProcess(AnvilOptions(chain_id=fresh_chain_id()), log=log) as chain:
        folder = tmp_path_factory.mktemp("network")
        (folder / "small.yaml").write_text(SPEC)
        yield PotNetwork.build(folder, ChainClient(chain.rpc_url))


@pytest.fixture
def pot(network: PotNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pot:
    """Run one command in the network's folder; (exit status, the JSON document on stdout)."""
    monkeypatch.chdir(network.folder)

    def call(*arguments: str) -> tuple[int, Any]:
        status = main([*arguments, "--json"])
        out = capsys.readouterr().out
        return status, json.loads(out)

    return call


@pytest.fixture(scope="module")
def trained(network: PotNetwork) -> int:
    """A task that was posted by the command line and certified to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(network.folder)
        assert main(["task", "post", "small.yaml", "--yes"]) == 0
    number = network.contracts.market.task_count()
    network.certify_round(TaskId(number))
    network.certify_round(TaskId(number), signers=4)
    return number


def test_post__funded_poster__task_is_on_the_chain_with_its_blobs(pot: Pot, network: PotNetwork) -> None:
    status, posted = pot("task", "post", "small.yaml", "--yes")
    assert status == 0
    assert posted["escrow"] == str(5 * TOKEN)
    assert posted["quote"]["detection_per_shard"] == pytest.approx(1 - 0.75**3)
    task = network.contracts.market.task(TaskId(int(posted["task_id"])))
    assert task.spec_hash.hex() == posted["spec_hash"]
    assert network.blobs.has(task.spec_hash)
    assert network.blobs.has(task.model)


def test_post__approve_path__creates_the_same_task(pot: Pot) -> None:
    status, posted = pot("task", "post", "small.yaml", "--yes", "--approve")
    assert (status, posted["escrow"]) == (0, str(5 * TOKEN))


def test_post__account_without_tokens__says_how_much_is_missing_and_where_to_get_it(
    pot: Pot, network: PotNetwork
) -> None:
    token, deployer = network.contracts.token, network.accounts["deployer"]
    held = token.balance_of(parse_address(deployer.address))
    expensive = SPEC.replace("1 POT", "10000000 POT").replace("small", "expensive")
    (network.folder / "expensive.yaml").write_text(expensive)
    status, error = pot("task", "post", "expensive.yaml", "--yes", "--keystore", "deployer")
    assert status == 1
    missing = (2 * (2 * 10_000_000 * TOKEN) + TOKEN - held) // TOKEN
    assert f"{missing:,} POT are missing" in error["message"]
    assert f"pot faucet {deployer.address}" in error["message"]


def test_post__nobody_to_confirm__is_refused_before_anything_is_signed(pot: Pot, network: PotNetwork) -> None:
    before = network.contracts.market.task_count()
    status, error = pot("task", "post", "small.yaml")
    assert status == 2
    assert "--yes" in error["message"]
    assert network.contracts.market.task_count() == before


def test_cancel__before_the_start__returns_the_whole_escrow(pot: Pot) -> None:
    _, posted = pot("task", "post", "small.yaml", "--yes", "--start-in", "10m")
    status, ended = pot("task", "cancel", posted["task_id"])
    assert (status, ended["refund"]) == (0, posted["escrow"])


def test_cancel__after_the_start__is_refused_in_words(pot: Pot) -> None:
    _, posted = pot("task", "post", "small.yaml", "--yes")
    status, error = pot("task", "cancel", posted["task_id"])
    assert status == 1
    assert "only be cancelled before" in error["message"]
    status, error = pot("task", "close", posted["task_id"])
    assert (status, "still runs" in error["message"]) == (1, True)


def test_show__unknown_task__is_wrong_usage(pot: Pot) -> None:
    status, error = pot("task", "show", "999")
    assert status == 2
    assert "task 999" in error["message"]


def test_watch__all_rounds_certified__reports_loss_and_accuracy(pot: Pot, trained: int) -> None:
    status, seen = pot("task", "watch", str(trained), "--timeout", "5s")
    assert (status, seen["last_round"]) == (0, 2)
    assert 0 < seen["loss"] < 3
    assert 0 < seen["accuracy"] <= 1
    assert seen["miners"] == 2


def test_fetch__certified_model__has_the_certified_hash_and_exports(
    pot: Pot, trained: int, network: PotNetwork
) -> None:
    status, fetched = pot("task", "fetch", str(trained), "--out", "model.safetensors")
    assert (status, fetched["round"]) == (0, 2)
    assert fetched["model_sha256"] == network.contracts.market.task(TaskId(trained)).model.hex()
    status, exported = pot("export", "model", "--file", "model.safetensors", "--out", "model.npz")
    assert (status, exported["checkpoint_sha256"]) == (0, fetched["model_sha256"])
    with np.load(network.folder / "model.npz", allow_pickle=False) as archive:
        assert archive["hidden0.weight"].shape == (8, 64)
        assert sum(archive[name].size for name in archive) == exported["parameters"]


def test_claims__after_close__empty_the_escrow_to_the_last_unit(
    pot: Pot, trained: int, network: PotNetwork
) -> None:
    status, claimed = pot("miner", "claim", "--task", str(trained), "--keystore", "miner-1")
    assert (status, claimed["paid"]) == (0, str(2 * TOKEN))
    status, again = pot("miner", "claim", "--task", str(trained), "--keystore", "miner-1")
    assert (status, again["paid"]) == (0, "0")
    assert pot("miner", "claim", "--task", str(trained), "--keystore", "miner-2")[0] == 0
    status, closed = pot("task", "close", str(trained))
    assert status == 0
    paid = [
        int(pot("validator", "claim", "--task", str(trained), "--keystore", f"validator-{i}")[1]["paid"])
        for i in range(1, 5)
    ]
    # Two certificates of half a token: three shared the first, four the second; thirds round down.
    assert sum(paid) == 3 * (TOKEN // 2 // 3) + 4 * (TOKEN // 8)
    assert int(closed["refund"]) == 5 * TOKEN - 4 * TOKEN - sum(paid)
    _, shown = pot("task", "show", str(trained))
    balance = {name: int(value) for name, value in shown["balance"].items()}
    assert balance["funded"] == balance["claimed"] + balance["refunded"]
    assert balance["held"] == 0


@pytest.mark.parametrize("name", ["miner-1", "validator-1", "poster"])
def test_why__account__reasons_add_up_to_the_certified_payout(
    pot: Pot, trained: int, network: PotNetwork, name: str
) -> None:
    status, answer = pot("why", "--task", str(trained), "--account", network.accounts[name].address)
    assert status == 0
    assert answer["adds_up"]
    assert answer["reasons"]


def test_why__miner_whom_a_validator_here_suspects__says_who_and_that_it_costs_nothing(
    pot: Pot, trained: int, network: PotNetwork
) -> None:
    miner, validator = (parse_address(network.accounts[name].address) for name in ("miner-1", "validator-1"))
    domain = network.contracts.deployment.domain
    file = NoiseFile(network.folder / ".pot" / "state" / "validator-1" / file_name(domain, validator))
    file.put((TaskId(trained), miner), Entry(last=(2, 0), found=(Suspicion.PAST,)))
    file.close()
    status, answer = pot("why", "--task", str(trained), "--account", miner)
    [suspected] = [reason for reason in answer["reasons"] if reason["kind"] == "suspected"]
    assert (status, answer["adds_up"], suspected["amount"]) == (0, True, "0")
    assert suspected["evidence"] == {"validator": validator, "tests": ["past"], "checks": 0, "doubtful": 0}
    assert "its noise keeps a direction" in suspected["sentence"]
    assert "suspected" not in answer["sums"]


def test_why__round__names_every_shard_and_its_transaction(pot: Pot, trained: int) -> None:
    status, answer = pot("why", "--task", str(trained), "--round", "1")
    earned = [reason for reason in answer["reasons"] if reason["kind"] == "earned"]
    assert status == 0
    assert sorted(reason["evidence"]["shard"] for reason in earned) == [0, 1]
    assert pot("why", "--task", str(trained), "--tx", earned[0]["tx_hash"])[0] == 0


def test_stake__miner__deposits_by_permit_and_begins_to_leave(pot: Pot) -> None:
    _, before = pot("miner", "status")
    status, staked = pot("miner", "stake", "5 POT")
    assert status == 0
    assert int(staked["stake"]) == int(before["stake"]) + 5 * TOKEN
    status, leaving = pot("miner", "unstake", "--amount", "5 POT")
    assert (status, leaving["stake"], leaving["unbonding"]) == (0, before["stake"], str(5 * TOKEN))


def test_validator_status__member__knows_its_epoch_and_endpoint(pot: Pot) -> None:
    status, member = pot("validator", "status")
    assert status == 0
    assert member["in_committee"]
    assert member["endpoint"].startswith("ws://")


def test_validator_stake__member_without_a_bls_key__registers_it_once(pot: Pot) -> None:
    _, member = pot("validator", "status")
    again = ("validator", "stake", "--endpoint", member["endpoint"])
    status, staked = pot(*again, "--no-bls-key")
    assert (status, staked["bls_key"]) == (0, None)
    status, staked = pot(*again)
    assert (status, len(staked["bls_key"])) == (0, 2 * 192)
    assert pot(*again)[1]["bls_key"] == staked["bls_key"]
    assert pot("validator", "status")[1]["bls_key"] == staked["bls_key"]


def test_validator_doctor__member__names_its_endpoint_and_epoch(pot: Pot) -> None:
    _, found = pot("validator", "doctor")
    stake = next(check for check in found["checks"] if check["name"] == "stake")
    assert stake["ok"]
    assert "in the pool under ws://" in stake["detail"]
    assert "a member of epoch" in stake["detail"]


def test_keystore__made_by_a_newcomer__is_funded_by_the_faucet_and_stakes(pot: Pot) -> None:
    own = ("--keystore", "new.json", "--password-file", "new.pw")
    status, made = pot("keystore", "create", "new.json", "--password-file", "new.pw")
    assert status == 0
    status, refused = pot("miner", "stake", "100 POT", *own)
    assert (status, f"pot faucet {made['address']}" in refused["message"]) == (1, True)
    assert pot("faucet", made["address"])[0] == 0
    status, staked = pot("miner", "stake", "100 POT", *own)
    assert (status, staked["stake"]) == (0, str(100 * TOKEN))


def test_audit__blob_folder_that_does_not_exist__is_unreachable_and_no_lie(pot: Pot, trained: int) -> None:
    status, error = pot("audit", str(trained), "--blob-url", "file:///nowhere/blobs")
    assert (status, error["error"]) == (3, "ServiceUnreachable")


def test_faucet__zero_address__is_refused_before_anything_is_sent(pot: Pot) -> None:
    status, error = pot("faucet", "0x" + "00" * 20)
    assert (status, "nobody's account" in error["message"]) == (2, True)


def test_faucet__new_account__gets_tokens_and_coin(pot: Pot) -> None:
    status, given = pot("faucet", "0x" + "42" * 20, "--amount", "1500000 POT")
    assert status == 0
    assert int(given["tokens"]) >= 1_500_000 * TOKEN
    assert int(given["coin_balance"]) > 0


def test_miner_doctor__services_down__names_the_command_that_fixes_each(pot: Pot) -> None:
    status, found = pot(
        "miner", "doctor", "--broker-url", "redis://127.0.0.1:1/0", "--api-url", "http://127.0.0.1:1"
    )
    checks = {check["name"]: check for check in found["checks"]}
    assert status == 1
    assert checks["chain"]["ok"]
    assert checks["contracts"]["ok"]
    assert checks["blob store"]["ok"]
    assert checks["stake"]["ok"]
    assert not checks["broker"]["ok"]
    assert "pot coordinator run" in checks["coordinator"]["fix"]


def test_any_command__chain_down__exits_3(pot: Pot) -> None:
    status, error = pot("task", "list", "--chain-url", "http://127.0.0.1:1")
    assert (status, error["exit_code"]) == (3, 3)
    assert "http://127.0.0.1:1" in error["message"]


def test_contracts_deploy__written_settings__lead_to_the_new_contracts(pot: Pot, network: PotNetwork) -> None:
    status, deployed = pot("contracts", "deploy", "--keystore", "deployer", "--out", "elsewhere/pot.toml")
    assert status == 0
    written = (network.folder / "elsewhere" / "pot.toml").read_text()
    assert deployed["market"] in written
    (network.folder / "pot.toml").write_text(written)
    try:
        status, tasks = pot("task", "list")
        assert (status, tasks) == (0, [])
    finally:
        (network.folder / "pot.toml").unlink()


def test_validator_run__asked_to_stop__ends_with_one_document(network: PotNetwork) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "POT_PORT": str(free_port())}
    command = [sys.executable, "-m", "pot", "validator", "run", "--keystore", "validator-2", "--json"]
    with subprocess.Popen(
        command,
        cwd=network.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            assert "listens on port" in process.stderr.readline()
            process.terminate()
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert json.loads(out)["stopped"]

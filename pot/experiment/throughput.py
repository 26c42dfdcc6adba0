"""How much the whole network does with many miners and tasks: chain, broker, coordinator, four validators.

Miners are identities with their own keys, stakes, queues and journals, shared out over a few processes; the
rest is what ``pot network up`` starts. Everything runs on this machine, so that more identities share the
same processors.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_account.signers.local import LocalAccount

from anvil.layout import NetworkFile
from anvil.network import COIN_WEI, MINER_STAKE, LocalNetwork, NetworkPlan
from anvil.readiness import live_miners
from anvil.supervise import Program
from anvil.transactions import Pipeline, settle
from pot.demo.run import client_of, fresh_folder
from pot.draft import Draft, build_draft
from pot.experiment.multiplex import Identities
from pot.experiment.outages import Outages
from pot.experiment.outcome import (
    CERTIFICATE_TERM_S,
    DEADLINE_S,
    ROUNDS_PER_CERTIFICATE,
    Load,
    Outcome,
    Wait,
    outages_sheet,
    panel,
    runs_sheet,
    waits_of,
)
from pot.experiment.sheets import Experiment
from pot.experiment.tally import Tally, claims_short, taken_of, tally
from protocol.amounts import TOKEN_DECIMALS
from protocol.chain.contracts import Contracts
from protocol.chain.history import read_task
from protocol.ids import parse_address, sha256

SAMPLES_PER_SHARD: Final = 32
STAKES_AT_ONCE: Final = 100
READY_S: Final = 180.0
GIVE_UP_S: Final = 600.0
"""A run is given at least so long."""
REWARD: Final = 1
"""POT for a contribution."""
POLL_S: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputPlan:
    """The runs, one network after the other under ``folder``."""

    loads: tuple[Load, ...]
    folder: Path
    seed: int
    say: Callable[[str], None] = lambda line: None


def measure(plan: ThroughputPlan) -> Experiment:
    """Every run; half a minute and more each."""
    found = []
    for number, load in enumerate(plan.loads):
        found.append(_run(load, plan.folder / f"run-{number}", plan.seed, plan.say))
        plan.say(f"{load}: {found[-1].certified} of {found[-1].due} rounds in {found[-1].seconds:.1f} s")
    return Experiment(
        name="throughput",
        title="Throughput and availability",
        lead="The whole network on this machine: chain, broker, committee, training, certificates, payouts.",
        settings={
            "seed": plan.seed,
            "samples_per_shard": SAMPLES_PER_SHARD,
            "round_deadline_s": DEADLINE_S,
            "certificate_term_s": CERTIFICATE_TERM_S,
            "rounds_per_certificate": ROUNDS_PER_CERTIFICATE,
        },
        sheets=(runs_sheet(found), outages_sheet(found)),
        panels=(panel(found),),
        ok=all(o.ok for o in found),
    )


def _run(load: Load, folder: Path, seed: int, say: Callable[[str], None]) -> Outcome:
    local = LocalNetwork(fresh_folder(folder), attached=True, say=say)
    try:
        network = local.build(NetworkPlan(miners=1))
        identities = _identities(folder, load, seed)
        accounts = [account for group in identities for account in group.accounts()]
        contracts = Contracts.connect(network.rpc_url, network.deployment)
        _stake(contracts, accounts, client_of(network, "deployer").account)
        # Nobody watches the chain before this: thousands of deposits are nobody's news.
        local.start(network)
        local.supervisor.kill("miner-1")
        for place, group in enumerate(identities):
            local.supervisor.start(_program(network, group, folder, place))
        _await_miners(network, accounts, say)
        return _train(local, network, load, seed, say)
    finally:
        local.stop()


def _identities(folder: Path, load: Load, seed: int) -> list[Identities]:
    """Keys of this chain alone, the same for a seed: which miner gets a shard follows from its address."""
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(sha256(f"throughput/{seed}".encode()))
    cuts = [load.miners * place // load.groups for place in range(load.groups + 1)]
    return [
        Identities(secret=secret, first=first, count=cuts[place + 1] - first)
        for place, first in enumerate(cuts[:-1])
    ]


def _stake(contracts: Contracts, accounts: Sequence[LocalAccount], deployer: LocalAccount) -> None:
    """Coin, tokens and stakes for everybody, in bursts that a development chain takes."""
    client, chain_id = contracts.client, contracts.deployment.chain_id
    for first in range(0, len(accounts), STAKES_AT_ONCE):
        burst = accounts[first : first + STAKES_AT_ONCE]
        for account in burst:
            client.rpc("anvil_setBalance", account.address, hex(COIN_WEI))
        giver = Pipeline(client, deployer, chain_id)
        settle(client, [giver.send(contracts.token.faucet(parse_address(a.address))) for a in burst])
        sent = []
        for account in burst:
            pipeline = Pipeline(client, account, chain_id)
            sent.append(pipeline.send(contracts.token.approve(contracts.vault.address, MINER_STAKE)))
            sent.append(pipeline.send(contracts.vault.deposit(MINER_STAKE)))
        settle(client, sent)


def _program(network: NetworkFile, group: Identities, folder: Path, place: int) -> Program:
    state = folder / "state" / f"miners-{place}"
    state.mkdir(parents=True, exist_ok=True)
    plan = folder / f"miners-{place}.json"
    document = {
        "deployment": network.deployment.to_json(),
        "chain_url": network.rpc_url,
        "broker_url": network.broker_url,
        "blob_url": network.blob_url,
        "api_url": network.api_url,
        "state_dir": str(state),
        "secret": str(group.secret),
        "first": group.first,
        "count": group.count,
    }
    plan.write_text(json.dumps(document))
    return Program(
        name=f"miners-{place}",
        command=(sys.executable, "-m", "pot.experiment.multiplex", str(plan)),
        environment={"OMP_NUM_THREADS": "1"},
    )


def _await_miners(network: NetworkFile, accounts: Sequence[LocalAccount], say: Callable[[str], None]) -> None:
    """Until every identity was heard of at least once, or READY_S have passed."""
    waiting = {parse_address(account.address) for account in accounts}
    end = time.monotonic() + READY_S
    while waiting and time.monotonic() < end:
        waiting -= set(live_miners(network.api_url))
        time.sleep(POLL_S)
    say(f"{len(accounts) - len(waiting)} of {len(accounts)} miners were heard of")


def _train(
    local: LocalNetwork, network: NetworkFile, load: Load, seed: int, say: Callable[[str], None]
) -> Outcome:
    poster = client_of(network, "poster")
    began = time.monotonic()
    posted = [poster.post(_draft(load, seed + number)) for number in range(load.tasks)]
    seen = {item.task_id: [began] for item in posted}
    outages = Outages(local.supervisor, load.groups) if load.faults else None
    end = began + max(GIVE_UP_S, load.due_s)
    while any(len(times) <= load.rounds for times in seen.values()) and time.monotonic() < end:
        for item in posted:
            done = poster.contracts.market.task(item.task_id).last_round
            times = seen[item.task_id]
            times += [time.monotonic()] * (done + 1 - len(times))
        if outages is not None:
            certified = sum(len(times) - 1 for times in seen.values())
            outages.advance(certified / (load.tasks * load.rounds), time.monotonic() - began)
        time.sleep(POLL_S)
    waits, tallies = list[Wait](), list[Tally]()
    for item, times in zip(posted, seen.values(), strict=True):
        history = read_task(poster.contracts, poster.blobs, item.task_id, at_least=len(times) - 1)
        spans = [(s.record.rounds[0].round, s.record.rounds[-1].round) for s in history.segments]
        # What was certified after we gave up does not count.
        waits += waits_of([span for span in spans if span[1] < len(times)], times)
        tallies.append(tally(history, taken_of(network.api_url, item.task_id)))
    return Outcome(
        load=load,
        seconds=max(POLL_S, max(times[-1] for times in seen.values()) - began),
        waits=tuple(waits),
        tallies=tuple(tallies),
        short=claims_short(poster, tallies, REWARD * 10**TOKEN_DECIMALS, say),
        outages=tuple(outages.done) if outages is not None else (),
    )


def _draft(load: Load, seed: int) -> Draft:
    shards = min(load.shards, load.miners)
    return build_draft(
        {
            "model": {"arch": "mlp", "params": {"hidden": 32, "layers": 1}},
            "dataset": {"source": "digits"},
            "recipe": {
                "optimizer": {"kind": "sgd", "lr": "0.1"},
                "rounds": load.rounds,
                "shards": shards,
                "global_batch": shards * SAMPLES_PER_SHARD,
                "micro_batch": 32,
                "seed": seed,
            },
            "verification": {"sample": "5%"},
            "money": {
                "reward_per_shard": f"{REWARD} POT",
                "fee_per_round": "1 POT",
                "miner_stake": "10 POT",
                "slash_per_fault": "5 POT",
            },
            "limits": {
                "task_life": f"{max(3_600, 2 * load.due_s)}s",
                "round_deadline": f"{DEADLINE_S}s",
                "min_shards": shards,
                "rounds_per_certificate": ROUNDS_PER_CERTIFICATE,
                "max_uncertified_rounds": 8,
            },
        },
        Path(),
        f"Throughput {seed}",
        None,
    )

"""How much the whole network does with many miners and tasks: chain, broker, coordinator, four validators.

Miners are identities with their own keys, stakes, queues and journals, shared out over a few processes; the
rest is what ``pot network up`` starts. Everything runs on this machine, so that more identities share the
same processors.
"""

import json
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eth_account.signers.local import LocalAccount

from anvil.layout import NetworkFile
from anvil.network import COIN_WEI, MINER_STAKE, LocalNetwork, NetworkPlan
from anvil.readiness import live_miners
from anvil.supervise import Program
from anvil.transactions import Pipeline, settle
from pot.client import Client, Posted
from pot.demo.run import client_of, fresh_folder
from pot.draft import Draft, build_draft
from pot.experiment.multiplex import Identities
from pot.experiment.sheets import Experiment, Sheet
from protocol.chain.contracts import Contracts
from protocol.chain.history import read_task
from protocol.ids import parse_address

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLES_PER_SHARD: Final = 32
STAKES_AT_ONCE: Final = 100
READY_S: Final = 180.0
DEADLINE_S: Final = 60
"""Seconds in which a round is due."""
GIVE_UP_S: Final = 600.0
POLL_S: Final = 0.3
KILLED: Final = "miners-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run: ``miners`` identities on ``processes``, ``tasks`` at the same time, of ``rounds`` rounds. With
    ``faults`` the first of several processes is killed in the middle and comes back."""

    miners: int
    tasks: int
    rounds: int
    processes: int
    shards: int = 8
    faults: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. ``certified`` rounds of those due; ``unpaid`` accepted contributions without a
    payout."""

    load: Load
    seconds: float
    certified: int
    on_time: int
    contributions: int
    identities: int
    unpaid: int

    @property
    def due(self) -> int:
        return self.load.tasks * self.load.rounds


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
        },
        sheets=(_sheet(found),),
        panels=(_panel(found),),
        ok=all(o.certified == o.due and not o.unpaid for o in found),
    )


def _sheet(found: Sequence[Outcome]) -> Sheet:
    rows: list[tuple[Any, ...]] = [
        (
            o.load.miners, o.load.processes, o.load.tasks, min(o.load.shards, o.load.miners), o.load.rounds,
            "a process killed" if o.load.faults else "none",
            round(o.seconds, 1), round(3_600 * o.certified / o.load.rounds / o.seconds, 1),
            round(o.contributions / o.seconds, 2), round(100 * o.on_time / o.due, 2), o.identities, o.unpaid,
        )
        for o in found
    ]  # fmt: skip
    columns = (
        *("miners", "processes", "tasks", "shards", "rounds", "faults", "seconds", "tasks per hour"),
        *("contributions/s", "rounds on time, %", "contributing", "unpaid"),
    )
    note = (
        "Tasks of equal length, posted together. A round is on time when it is certified within "
        f"{DEADLINE_S} s of the one before."
    )
    return Sheet(title="Runs", columns=columns, rows=rows, note=note)


def _run(load: Load, folder: Path, seed: int, say: Callable[[str], None]) -> Outcome:
    local = LocalNetwork(fresh_folder(folder), attached=True, say=say)
    try:
        network = local.up(NetworkPlan(miners=1))
        local.supervisor.kill("miner-1")
        identities = _identities(folder, load)
        accounts = [account for group in identities for account in group.accounts()]
        contracts = Contracts.connect(network.rpc_url, network.deployment)
        _stake(contracts, accounts, client_of(network, "deployer").account)
        for place, group in enumerate(identities):
            local.supervisor.start(_program(network, group, folder, place))
        _await_miners(network, accounts, say)
        return _train(local, network, load, seed)
    finally:
        local.stop()


def _identities(folder: Path, load: Load) -> list[Identities]:
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(secrets.token_bytes(32))
    cuts = [load.miners * place // load.processes for place in range(load.processes + 1)]
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


def _train(local: LocalNetwork, network: NetworkFile, load: Load, seed: int) -> Outcome:
    poster = client_of(network, "poster")
    began = time.monotonic()
    posted = [poster.post(_draft(load, seed + number)) for number in range(load.tasks)]
    seen = {item.task_id: [began] for item in posted}
    killed = not load.faults or load.processes < 2
    end = began + GIVE_UP_S
    while any(len(times) <= load.rounds for times in seen.values()) and time.monotonic() < end:
        for item in posted:
            done = poster.contracts.market.task(item.task_id).last_round
            times = seen[item.task_id]
            times += [time.monotonic()] * (done + 1 - len(times))
        if not killed and max(len(times) for times in seen.values()) > load.rounds // 2:
            local.supervisor.kill(KILLED)
            local.supervisor.restart(KILLED)
            killed = True
        time.sleep(POLL_S)
    last = max(times[-1] for times in seen.values())
    return _outcome(poster, load, posted, list(seen.values()), last - began)


def _outcome(
    poster: Client, load: Load, posted: Sequence[Posted], times: Sequence[Sequence[float]], seconds: float
) -> Outcome:
    """Contributions and payouts as chain and blobs tell them."""
    miners, contributions, unpaid = set[str](), 0, 0
    for item in posted:
        history = read_task(poster.contracts, poster.blobs, item.task_id)
        reward = history.ledger.spec.money.reward_per_shard_wei
        earned: dict[str, int] = {}
        for segment in history.segments:
            for record in segment.record.rounds:
                for signed in record.contributions:
                    miner = signed.contribution.miner
                    earned[miner] = earned.get(miner, 0) + reward
                    contributions += 1
        paid = dict(history.segments[-1].record.payouts) if history.segments else {}
        unpaid += sum(amount > paid.get(parse_address(miner), 0) for miner, amount in earned.items())
        miners |= earned.keys()
    gaps = [b - a for task in times for a, b in pairwise(task)]
    return Outcome(
        load=load,
        seconds=seconds,
        certified=len(gaps),
        on_time=sum(gap <= DEADLINE_S for gap in gaps),
        contributions=contributions,
        identities=len(miners),
        unpaid=unpaid,
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
                "reward_per_shard": "1 POT",
                "fee_per_round": "1 POT",
                "miner_stake": "10 POT",
                "slash_per_fault": "5 POT",
            },
            "limits": {
                "task_life": "1h",
                "round_deadline": f"{DEADLINE_S}s",
                "min_shards": shards,
                "rounds_per_certificate": 2,
                "max_uncertified_rounds": 8,
            },
        },
        Path(),
        f"Throughput {seed}",
        None,
    )


def _panel(found: Sequence[Outcome]) -> "Callable[[Axes], None]":
    def draw(axes: "Axes") -> None:
        for faults, mark in ((False, "o-"), (True, "x--")):
            chosen = sorted(
                (o.load.miners, o.contributions / o.seconds) for o in found if o.load.faults is faults
            )
            label = "a process killed" if faults else "no faults"
            axes.plot([m for m, _ in chosen], [rate for _, rate in chosen], mark, label=label)
        axes.set_xscale("log")
        axes.set_xlabel("miners")
        axes.set_ylabel("contributions per second")
        axes.legend(fontsize=7)

    return draw

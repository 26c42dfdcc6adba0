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
from dataclasses import dataclass, replace
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
from pot.experiment.outages import Outage, Outages
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
"""The spec's own: seconds in which a round's shards are collected."""
ROUNDS_PER_CERTIFICATE: Final = 2
CERTIFICATE_TERM_S: Final = 10.0
"""Seconds for agreement and the chain: what a committee needs that finds its primary dead (3 s of patience,
6 s for the next view, and a block)."""
GIVE_UP_S: Final = 600.0
POLL_S: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run: ``miners`` identities on ``processes``, ``tasks`` at the same time, of ``rounds`` rounds. With
    ``faults`` processes are killed in the course of it, and come back (``pot.experiment.outages``)."""

    miners: int
    tasks: int
    rounds: int
    processes: int
    shards: int = 8
    faults: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. ``certified`` rounds of those due, ``on_time`` of them; ``worst`` is the longest wait
    for a certificate as a share of its time; ``unpaid`` counts miners with accepted contributions that no
    payout covers; ``outages`` is what was killed, and when."""

    load: Load
    seconds: float
    certified: int
    on_time: int
    worst: float
    contributions: int
    identities: int
    unpaid: int
    outages: tuple[Outage, ...] = ()

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
            "certificate_term_s": CERTIFICATE_TERM_S,
            "rounds_per_certificate": ROUNDS_PER_CERTIFICATE,
        },
        sheets=(_sheet(found), _outages(found)),
        panels=(_panel(found),),
        ok=all(o.certified == o.due and not o.unpaid for o in found),
    )


def _sheet(found: Sequence[Outcome]) -> Sheet:
    rows: list[tuple[Any, ...]] = [
        (
            o.load.miners, o.load.processes, o.load.tasks, min(o.load.shards, o.load.miners), o.load.rounds,
            len(o.outages),
            round(o.seconds, 1), round(3_600 * o.certified / o.load.rounds / o.seconds, 1),
            round(o.contributions / o.seconds, 2), round(100 * o.on_time / o.due, 2), round(100 * o.worst, 1),
            o.identities, o.unpaid,
        )
        for o in found
    ]  # fmt: skip
    columns = (
        *("miners", "processes", "tasks", "shards", "rounds", "faults", "seconds", "tasks per hour"),
        *("contributions/s", "rounds on time, %", "longest wait, % of its time", "contributing", "unpaid"),
    )
    note = (
        "Tasks of equal length, posted together. A certificate of n rounds is due n round deadlines of "
        f"{DEADLINE_S} s and {CERTIFICATE_TERM_S:g} s after the one before it, the first one after the post; "
        "its rounds are on time when it is, and rounds that are never certified are not."
    )
    return Sheet(title="Runs", columns=columns, rows=rows, note=note)


def _outages(found: Sequence[Outcome]) -> Sheet:
    rows: list[tuple[Any, ...]] = [
        (o.load.miners, o.load.tasks, round(item.at_s, 1), ", ".join(item.names))
        for o in found
        for item in o.outages
    ]
    columns = ("miners", "tasks", "seconds after the post", "killed and started again")
    return Sheet(title="Outages", columns=columns, rows=rows, note="Everything was killed by SIGKILL.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One certificate of ``rounds`` rounds, ``share`` of whose time passed before it was there."""

    rounds: int
    share: float


def waits_of(spans: Sequence[tuple[int, int]], certified_s: Sequence[float]) -> list[Wait]:
    """The waits for certificates over the rounds ``spans`` (first and last of each, ascending);
    ``certified_s[r]`` is when round r was certified, ``certified_s[0]`` when the task was posted."""
    found, before = [], certified_s[0]
    for first, last in spans:
        at, rounds = certified_s[last], last - first + 1
        found.append(Wait(rounds=rounds, share=(at - before) / (rounds * DEADLINE_S + CERTIFICATE_TERM_S)))
        before = at
    return found


def _run(load: Load, folder: Path, seed: int, say: Callable[[str], None]) -> Outcome:
    local = LocalNetwork(fresh_folder(folder), attached=True, say=say)
    try:
        network = local.build(NetworkPlan(miners=1))
        identities = _identities(folder, load)
        accounts = [account for group in identities for account in group.accounts()]
        contracts = Contracts.connect(network.rpc_url, network.deployment)
        _stake(contracts, accounts, client_of(network, "deployer").account)
        # Nobody watches the chain before this: thousands of deposits are nobody's news.
        local.start(network)
        local.supervisor.kill("miner-1")
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
    outages = Outages(local.supervisor, load.processes) if load.faults else None
    end = began + GIVE_UP_S
    while any(len(times) <= load.rounds for times in seen.values()) and time.monotonic() < end:
        for item in posted:
            done = poster.contracts.market.task(item.task_id).last_round
            times = seen[item.task_id]
            times += [time.monotonic()] * (done + 1 - len(times))
        if outages is not None:
            certified = sum(len(times) - 1 for times in seen.values())
            outages.advance(certified / (load.tasks * load.rounds), time.monotonic() - began)
        time.sleep(POLL_S)
    last = max(times[-1] for times in seen.values())
    outcome = _outcome(poster, load, posted, list(seen.values()), last - began)
    return replace(outcome, outages=tuple(outages.done) if outages is not None else ())


def _outcome(
    poster: Client, load: Load, posted: Sequence[Posted], times: Sequence[Sequence[float]], seconds: float
) -> Outcome:
    """Contributions and payouts as chain and blobs tell them."""
    miners, contributions, unpaid = set[str](), 0, 0
    waits: list[Wait] = []
    for item, seen in zip(posted, times, strict=True):
        history = read_task(poster.contracts, poster.blobs, item.task_id, at_least=len(seen) - 1)
        reward = history.ledger.spec.money.reward_per_shard_wei
        earned: dict[str, int] = {}
        spans = [(s.record.rounds[0].round, s.record.rounds[-1].round) for s in history.segments]
        waits += waits_of(spans, seen)
        for segment in history.segments:
            for record in segment.record.rounds:
                for signed in record.contributions:
                    miner = signed.contribution.miner
                    earned[miner] = earned.get(miner, 0) + reward
                    contributions += 1
        paid = dict(history.segments[-1].record.payouts) if history.segments else {}
        unpaid += sum(amount > paid.get(parse_address(miner), 0) for miner, amount in earned.items())
        miners |= earned.keys()
    return Outcome(
        load=load,
        seconds=seconds,
        certified=sum(wait.rounds for wait in waits),
        on_time=sum(wait.rounds for wait in waits if wait.share <= 1),
        worst=max((wait.share for wait in waits), default=0.0),
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
                "rounds_per_certificate": ROUNDS_PER_CERTIFICATE,
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
            label = "with outages" if faults else "no faults"
            axes.plot([m for m, _ in chosen], [rate for _, rate in chosen], mark, label=label)
        axes.set_xscale("log")
        axes.set_xlabel("miners")
        axes.set_ylabel("contributions per second")
        axes.legend(fontsize=7)

    return draw

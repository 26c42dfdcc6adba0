"""A whole contest on this machine with real processes: chain, broker, coordinator, validators, miners."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from anvil.layout import NetworkFile
from anvil.network import LocalNetwork, NetworkPlan
from pot.contests.audit import audit_contest
from pot.contests.draft import build_contest_draft
from pot.contests.posting import collect_reply, post_draft, release_contest
from pot.contests.views import show_contest
from pot.demo.run import client_of, fresh_folder
from pot.output import Reply
from protocol.chain.contest import ContestStatus
from protocol.errors import PotError

COMMIT_S: Final = 90
STEP_TIMEOUT_S: Final = 240.0
POLL_S: Final = 0.3
Say = Callable[[str], None]


class Stalled(PotError):
    """A step of the contest did not come in time."""


def demo_document(miners: int) -> dict[str, Any]:
    """Handwritten digits behind each miner's own mapping layer, with training traces."""
    return {
        "model": {"arch": "mlp", "params": {"hidden": 64, "layers": 1}},
        "dataset": {"source": "digits"},
        "recipe": {
            "optimizer": {"kind": "sgd", "lr": "0.1", "momentum": "0.9"},
            "steps": 200,
            "batch": 64,
            "mapping": {"inputs": 64, "outputs": 48},
            "trace": {"every": 1, "largest": 4, "random": 8},
        },
        "goal": {"target": "97%", "least": "50%"},
        "money": {
            "reward": "100 POT",
            "fee": "6 POT",
            "compensation": "5 POT",
            "miner_stake": "1000 POT",
            "slash_per_fault": "500 POT",
        },
        "limits": {
            "commit": f"{COMMIT_S}s",
            "release": "10m",
            "reveal": "60s",
            "score": "10m",
            "max_entries": miners,
        },
    }


def run_demo(say: Say, miners: int, validators: int, out: Path) -> Reply:
    """Run it; the answer is no unless the contest was won, everybody was paid, and the audit finds it true.
    Raises what starting a network raises."""
    begun = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    local = LocalNetwork(fresh_folder(out), attached=True, say=say)
    try:
        network = local.up(NetworkPlan(miners=miners, validators=validators))
        return _contest(say, network, miners, out, begun)
    finally:
        local.stop()


def _contest(say: Say, network: NetworkFile, miners: int, out: Path, begun: float) -> Reply:
    poster = client_of(network, "poster")
    draft = build_contest_draft(demo_document(miners), out, "Handwritten digits, best weights win")
    contest_id, params, gas = post_draft(poster, draft, approve=False)
    contest, client = poster.contracts.contest, poster.contracts.client
    say(f"contest {contest_id} is funded by permit in one transaction ({gas:,} gas)")
    _until(say, f"{miners} commitments", lambda: contest.contest(contest_id).entries == miners)
    say("the local chain's clock is moved past the deadline for commitments")
    ahead = params.commit_deadline + 1 - client.block().timestamp
    if ahead > 0:
        client.rpc("evm_increaseTime", ahead)
        client.rpc("anvil_mine", "0x1")
    release_contest(poster, contest_id, None)
    say("the key is released")
    everybody = (1 << miners) - 1
    _until(say, "all models", lambda: contest.contest(contest_id).revealed == everybody)
    _until(
        say,
        "the committee's scores and the end",
        lambda: contest.contest(contest_id).status is ContestStatus.CLOSED,
    )
    collected = {
        name: collect_reply(client_of(network, name)).data["collected"]
        for name in network.accounts
        if name.startswith(("poster", "miner-", "validator-"))
    }
    shown = show_contest(poster, contest_id)
    found = audit_contest(poster, contest_id)
    ok = shown.data["outcome"] == "won" and found.ok and _adds_up(collected, params.escrow)
    data = {
        **shown.data,
        "collected": collected,
        "escrow": str(params.escrow),
        "audit": found.data,
        "seconds": round(time.monotonic() - begun, 1),
        "ok": ok,
    }
    return Reply(data=data, text=[*shown.text, *found.text, f"{data['seconds']} s in all."], ok=ok)


def _adds_up(collected: dict[str, str], escrow: int) -> bool:
    return sum(map(int, collected.values())) == escrow


def _until(say: Say, what: str, condition: Callable[[], bool]) -> None:
    say(f"waiting for {what}")
    give_up = time.monotonic() + STEP_TIMEOUT_S
    while not condition():
        if time.monotonic() > give_up:
            raise Stalled(f"{what} did not come within {STEP_TIMEOUT_S:.0f} s.")
        time.sleep(POLL_S)

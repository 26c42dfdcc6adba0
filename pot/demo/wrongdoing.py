"""Runs the wrong-doers that are no miners, and gathers what shows what became of them."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from anvil.layout import NetworkFile
from anvil.network import LocalNetwork
from anvil.programs import CANARY, Services
from anvil.supervise import Program
from pot.canaries import open_reply, planned
from pot.client import Client
from pot.demo.cast import TAMPERED
from pot.demo.plan import SLEEPER, DemoPlan
from pot.report.document import Disturbance
from protocol.chain.canaries import CanaryPlan
from protocol.chain.canary_events import MemberPunished
from protocol.chain.events import EquivocationProven, Event, EventReader
from protocol.ids import Address, TaskId
from protocol.spec import TaskSpec

VANDAL: Final = "vandal"
WRONG: Final = "WRONG"
PROOF_WAIT_S: Final = 15.0
PROOF_POLL_S: Final = 0.3
PLANTING_S: Final = 12
"""Between a task and its start, where canaries are planted."""
CHARGED_S: Final = 60.0
#: What honest processes say when they notice.
SIGNS: Final = {
    "silent-primary": ("view entered",),
    "lying-primary": ("rejected by members", "is false"),
    "equivocating-validator": ("signed two different things", "signed two certificates"),
    "lazy-validator": (),
    "censoring-coordinator": (),
    CANARY: (),
    TAMPERED: ("the store returned bytes with sha256", "is not in the blob store"),
}


class Wrongdoing:
    """One demo's validators, coordinator and vandal that misbehave. ``disturbances`` tells of them."""

    def __init__(self, plan: DemoPlan, local: LocalNetwork, network: NetworkFile) -> None:
        self._plan = plan
        self._local = local
        self._network = network
        self._canaries: CanaryPlan | None = None
        self._censoring = "coordinator" in network.adversaries
        others = {name: kind for name, kind in network.adversaries.items() if not name.startswith("miner-")}
        if plan.vandal:
            others[VANDAL] = TAMPERED
        if plan.canary is not None:
            others[f"miner-{plan.canary}"] = CANARY
        self.disturbances = [Disturbance(kind=kind, target=name) for name, kind in others.items()]
        for item in self.disturbances:
            if item.target == "coordinator":
                item.victim = self._censored()

    @property
    def start_in_s(self) -> int:
        """How long after its creation the task begins."""
        return 0 if self._plan.canary is None else PLANTING_S

    def prepare(self, poster: Client, spec: TaskSpec) -> None:
        """Everything that can be done about canaries before there is a task: its start will not wait."""
        if self._plan.canary is not None:
            self._canaries = planned(poster, spec, [f"miner-{self._plan.canary}"], None)[1]

    def plant(self, poster: Client, task_id: TaskId) -> None:
        """Commit to the poster's canary, where a validator sleeps."""
        if self._canaries is not None:
            poster.sender.send(poster.contracts.canaries.plant(task_id, self._canaries))

    def start(self) -> None:
        """Let the vandal loose; the others run already."""
        if self._plan.vandal:
            command = (sys.executable, "-m", "pot.demo.vandal", str(self._local.layout.blobs))
            self._local.supervisor.start(Program(name=VANDAL, command=command))

    def after_round(self, number: int) -> list[str]:
        """After a quarter of the rounds (more are given out already), somebody else's coordinator replaces
        the censoring one; a sentence if so.
        """
        if not self._censoring or number < self._plan.rounds // 4:
            return []
        self._censoring = False
        honest = {name: kind for name, kind in self._network.adversaries.items() if name != "coordinator"}
        services = Services(self._local.layout, replace(self._network, adversaries=honest))
        self._local.supervisor.kill("coordinator")
        self._local.supervisor.start(services.coordinator())
        for item in self.disturbances:
            if item.target == "coordinator":
                item.after_round = number
        return ["somebody else's coordinator takes over from the censoring one"]

    def witness(self, poster: Client, task_id: TaskId) -> None:
        """Before the processes end: what each did by its own log, what others noticed, what was proven."""
        if self._plan.canary is not None:
            open_reply(poster, task_id, [f"miner-{self._plan.canary}"], [])
        for item in self.disturbances:
            item.acts = self._count(item.target, (WRONG,))
            if item.kind == SLEEPER:
                self._charged(poster, item)
            if item.kind == CANARY:
                item.acts = 1
            if item.kind == "equivocating-validator":
                item.slashed = str(self._proven(poster, self._network.accounts[item.target]))
            item.noticed = sum(
                self._count(name, SIGNS[item.kind])
                for name in (*self._network.accounts, "coordinator")
                if name != item.target
            )

    def _censored(self) -> str:
        miners = [name for name in self._network.accounts if name.startswith("miner-")]
        return min(miners, key=lambda name: self._network.accounts[name].lower())

    def _count(self, name: str, signs: tuple[str, ...]) -> int:
        path: Path = self._local.layout.logs / f"{name}.log"
        if not signs or not path.exists():
            return 0
        lines = path.read_text("utf-8", "replace").splitlines()
        return sum(any(sign in line for sign in signs) for line in lines)

    def _charged(self, poster: Client, item: Disturbance) -> None:
        """What the canary cost a sleeper, and the transaction, as soon as there is one."""
        member, deadline = self._network.accounts[item.target], time.monotonic() + CHARGED_S
        while True:
            found = [
                event
                for event in _events(poster)
                if isinstance(event, MemberPunished) and event.member == member
            ]
            if found or time.monotonic() > deadline:
                break
            time.sleep(PROOF_POLL_S)
        item.slashed = str(sum(event.amount for event in found))
        item.tx_hash = "0x" + found[0].where.tx_hash.hex() if found else ""

    def _proven(self, poster: Client, signer: Address) -> int:
        """The stake that was taken for a proven contradiction, as soon as there is one."""
        deadline = time.monotonic() + PROOF_WAIT_S
        while True:
            events = _events(poster)
            taken = sum(e.amount for e in events if isinstance(e, EquivocationProven) and e.signer == signer)
            if taken or time.monotonic() > deadline:
                return taken
            time.sleep(PROOF_POLL_S)


def _events(poster: Client) -> list[Event]:
    client = poster.contracts.client
    return EventReader(poster.contracts).read(poster.deployment.block, client.block().number)

"""Kills processes of a running network when their time has come, and restarts those that a network
restarts.
"""

import time
from collections.abc import Mapping
from typing import Final

from anvil.errors import ProgramFailed
from anvil.layout import NetworkFile
from anvil.network import LocalNetwork
from anvil.supervise import Exited
from pot.demo.disturbances import Victim
from pot.demo.plan import DemoPlan
from pot.report.document import Disturbance
from protocol.ids import Address
from protocol.members import Members

#: How long a service stays dead: long enough to be missed, short enough to watch.
DOWNTIME_S: Final = 1.0
RESTARTED: Final[frozenset[Victim]] = frozenset(("coordinator", "broker"))


class Killer:
    """``kill -9`` at rounds spread over the run. To be asked from the thread that supervises."""

    def __init__(
        self, plan: DemoPlan, local: LocalNetwork, network: NetworkFile, members: tuple[Address, ...]
    ) -> None:
        self._local = local
        self._network = network
        self._members = Members.of(members)
        self._due = plan.killings()
        self._primaries = 0
        self._honest = [
            f"miner-{number}" for number in range(1, plan.miners + 1) if number not in plan.adversaries
        ]
        self._restarts: dict[str, float] = {}
        self._dead: set[str] = set()
        self.done: list[Disturbance] = []

    def after_round(self, number: int) -> list[str]:
        """Kill whom it is time for after round ``number``; a sentence for each."""
        said = []
        while self._due and self._due[0][0] <= number:
            _, victim = self._due.pop(0)
            name = self._name(victim)
            pid = self._local.supervisor.kill(name)
            self._dead.add(name)
            outcome = "killed and not restarted"
            if victim in RESTARTED:
                self._restarts[name] = time.monotonic() + DOWNTIME_S
                outcome = f"killed and restarted after {DOWNTIME_S:.0f} s"
            self.done.append(
                Disturbance(kind=f"kill {victim}", target=name, after_round=number, outcome=outcome)
            )
            said.append(f"kill -9 {pid}: {name}{' (the primary)' if victim == 'primary' else ''}")
        return said

    def restart_due(self) -> list[str]:
        """Restart what has been dead for long enough; a sentence for each."""
        ready = [name for name, at in self._restarts.items() if time.monotonic() >= at]
        for name in ready:
            del self._restarts[name]
            self._dead.discard(name)
            self._local.supervisor.restart(name)
        return [f"{name} is restarted" for name in ready]

    def unexpected(self) -> list[Exited]:
        """Processes that ended without being told to."""
        return [gone for gone in self._local.supervisor.exited() if gone.name not in self._dead]

    def _name(self, victim: Victim) -> str:
        match victim:
            case "miner":
                return self._honest.pop()
            case "primary":
                address = self._members.addresses[self._members.primary(self._primaries)]
                self._primaries += 1
                return name_of(self._network.accounts, address)
            case "coordinator" | "broker":
                return victim


def name_of(accounts: Mapping[str, Address], address: Address) -> str:
    """The process that signs with ``address``. Raises ProgramFailed when it is none of ours."""
    for name, account in accounts.items():
        if account == address:
            return name
    raise ProgramFailed(address, "is not run by this network", "")

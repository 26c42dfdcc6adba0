"""One demo from nothing to a report. Whatever happens, the report is written and says what went wrong."""

import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from anvil.layout import Layout, NetworkFile
from anvil.network import FOUNDATIONS, LocalNetwork, NetworkPlan, process_table
from pot.audit.audit import audit_task
from pot.client import Client, Posted
from pot.demo.baseline import centralized_accuracy, replay
from pot.demo.collect import collect
from pot.demo.display import Display
from pot.demo.follow import Follower
from pot.demo.killing import Killer
from pot.demo.plan import DemoPlan, demo_draft
from pot.demo.settle import claim_everything, close, slash_faults
from pot.demo.verdict import judge
from pot.demo.wrongdoing import Wrongdoing
from pot.draft import Draft
from pot.report.document import Audit, Chain, Check, Disturbance, Report, Round
from pot.report.files import write_report
from pot.settings import Settings
from protocol.errors import ConfigurationError, PotError
from protocol.ids import Address, TaskId

POLL_S: Final = 0.15
#: No certificate for so long means that there will be none.
STALL_S: Final = 90.0
KEPT_FOR_AUDIT: Final = "chain"
GRACE_S: Final = 1.0
NEEDED: Final = "coordinator"


class Stalled(PotError):
    """The network runs but certifies nothing."""


class Demo:
    """One run. ``report`` grows with it."""

    def __init__(self, plan: DemoPlan, show: Display) -> None:
        self._plan = plan
        self._show = show
        self._begun = time.monotonic()
        self._local: LocalNetwork | None = None
        self._miners: dict[int, dict[int, Address]] = {}
        self.report = Report(
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            title="Proof of Training: the demo",
            rounds_wanted=plan.rounds,
            out=str(plan.out),
            disturbances=[
                Disturbance(kind=kind, target=f"miner-{number}", outcome="told to cheat")
                for number, kind in plan.adversaries.items()
            ],
        )

    def run(self) -> Report:
        """Everything, then the report. Raises what ended the set-up, after the report was written."""
        try:
            self._stages()
        except BaseException as error:
            self.report.problems.append(str(error) or type(error).__name__)
            raise
        finally:
            if self._local is not None:
                self._local.stop()
            self.report.seconds.total = round(time.monotonic() - self._begun, 2)
            judge(self.report, self._plan)
            write_report(self.report, self._plan.out)
        return self.report

    def _stages(self) -> None:
        with ThreadPoolExecutor(1) as background:
            drafting = background.submit(demo_draft, self._plan)  # while other processes start
            local, network = self._set_up()
            draft = drafting.result()
        wrong = Wrongdoing(self._plan, local, network)
        self.report.disturbances += wrong.disturbances
        poster = client_of(network, "poster")
        self.report.seconds.setup = round(time.monotonic() - self._begun, 2)
        with self._problems():
            posted = self._post(poster, draft, wrong)
            with self._problems():
                wrong.start()
                self._train(local, network, poster, draft, posted, wrong)
            with self._problems():
                slash_faults(poster, posted.task_id, self._show.say)
            with self._problems():
                wrong.witness(poster, posted.task_id)
            self.report.peak_memory_bytes = local.supervisor.peak_memory()
            # The task is over, and nothing here is needed again: an end by force is as good as any.
            local.supervisor.stop(but=FOUNDATIONS, grace_s=GRACE_S)
            local.supervisor.stop(but=(KEPT_FOR_AUDIT,), grace_s=GRACE_S)
            with self._problems():
                self._settle(network, poster, posted.task_id)
            with self._problems():
                collect(poster, posted.task_id, self.report)
            with self._problems():
                self._audit(poster, posted.task_id)
            with self._problems():
                self._compare(draft)

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """A stage that fails is told in the report; the later ones show what can still be shown."""
        try:
            yield
        except PotError as error:
            self._show.say(str(error))
            self.report.problems.append(str(error))

    def _set_up(self) -> tuple[LocalNetwork, NetworkFile]:
        plan = self._plan
        self._local = LocalNetwork(fresh_folder(plan.out), attached=True, say=self._show.say)
        network = self._local.up(
            NetworkPlan(
                miners=plan.miners,
                validators=plan.validators,
                adversaries=plan.marked,
                wrong_validators=plan.wrong_validators,
                wrong_coordinator=plan.wrong_coordinator,
            )
        )
        contracts = network.deployment.to_json()
        self.report.chain = Chain(
            rpc_url=network.rpc_url,
            chain_id=network.deployment.chain_id,
            contracts={
                name: contracts[name]
                for name in ("market", "vault", "committee", "appeals", "contest", "canaries", "token")
            },
        )
        self.report.accounts = {address: name for name, address in network.accounts.items()}
        return self._local, network

    def _post(self, poster: Client, draft: Draft, wrong: Wrongdoing) -> Posted:
        wrong.prepare(poster, draft.spec)
        posted = poster.post(draft, start_in_s=wrong.start_in_s)
        wrong.plant(poster, posted.task_id)
        self.report.task_id = str(posted.task_id)
        self.report.escrow.funded = str(posted.escrow)
        self._show.say(
            f"task {posted.task_id} is funded by permit in one transaction ({posted.gas_used:,} gas)"
        )
        return posted

    def _train(
        self,
        local: LocalNetwork,
        network: NetworkFile,
        poster: Client,
        draft: Draft,
        posted: Posted,
        wrong: Wrongdoing,
    ) -> None:
        begun = progressed = time.monotonic()
        task = poster.task(posted.task_id)
        follower = Follower(poster, posted.task_id, draft)
        self._miners = follower.miners
        killer = Killer(self._plan, local, network, poster.contracts.committee.members_of_task(task.task_id))
        dead: set[str] = set()
        try:
            while not self.report.history or self.report.history[-1].round < task.rounds:
                for done in follower.poll():
                    progressed = time.monotonic()
                    done.seconds = round(progressed - begun, 2)
                    self.report.history.append(done)
                    self._show.round(done, task.rounds, follower.left())
                    for line in (*killer.after_round(done.round), *wrong.after_round(done.round)):
                        self._show.say(line)
                for line in killer.restart_due():
                    self._show.say(line)
                for gone in killer.unexpected():
                    if gone.name not in dead:
                        dead.add(gone.name)
                        said = local.supervisor.last_words(gone.name)
                        self.report.problems.append(f"{gone.name} ended with status {gone.code}: {said}")
                        self._show.say(self.report.problems[-1])
                if NEEDED in dead:
                    raise Stalled(f"Without the {NEEDED} no further round begins.")
                if time.monotonic() - progressed > STALL_S:
                    raise Stalled(
                        f"No certificate for {STALL_S:.0f} s after round "
                        f"{self.report.history[-1].round if self.report.history else 0}; "
                        f"what the processes said is in {local.layout.logs}."
                    )
                time.sleep(POLL_S)
        finally:
            self.report.seconds.training = round(progressed - begun, 2)
            for item in killer.done:
                item.outcome += f"; {_gap(self.report.history, item.after_round)}"
            self.report.disturbances += killer.done

    def _settle(self, network: NetworkFile, poster: Client, task_id: TaskId) -> None:
        if close(poster, task_id):
            self._show.say("the local chain's clock was moved past the deadline to close an unfinished task")
        self._show.say("every miner and validator claims what it earned")
        earners = [name for name in network.accounts if name.startswith(("miner-", "validator-"))]
        claim_everything((client_of(network, name) for name in earners), task_id)

    def _audit(self, poster: Client, task_id: TaskId) -> None:
        self._show.say("auditing from the chain and the blobs alone; every other process has ended")
        found = audit_task(poster.contracts, poster.blobs, task_id, lambda certified: range(1, certified + 1))
        lie = next((line for line in found.lines if not line.ok and line.validator is None), None)
        self.report.audit = Audit(
            ok=bool(found.lines) and lie is None,
            false_verdicts=list(found.false_verdicts),
            rounds_replayed=found.rounds_replayed,
            problem="" if lie is None else f"{lie.subject}: {lie.detail}",
            checks=[Check(subject=line.subject, ok=line.ok, detail=line.detail) for line in found.lines],
        )

    def _compare(self, draft: Draft) -> None:
        self._show.say("training the same recipe in one process for comparison")
        if self.report.history:
            self.report.accuracy.network = self.report.history[-1].accuracy
        self.report.accuracy.centralized = centralized_accuracy(draft)
        self.report.replay = replay(draft, self.report.history, self._miners)


def _gap(history: Sequence[Round], after_round: int) -> str:
    """How long the network took to certify again after ``after_round``."""
    for before, after in pairwise(history):
        if before.round == after_round:
            return f"the next certificate came {after.seconds - before.seconds:.1f} s later"
    return "no certificate came after it"


def client_of(network: NetworkFile, name: str) -> Client:
    """The SDK for one account of a local network."""
    value = {key: item for key, item in network.to_json().items() if key in Settings.model_fields}
    settings = Settings.model_validate({**value, "chain_url": network.rpc_url, "keystore": name})
    return Client(settings)


def fresh_folder(out: Path) -> Path:
    """An empty folder for the network beside the report. Raises ConfigurationError when a network runs
    there or the folder holds something else.
    """
    folder = out / "network"
    if any(entry.running for entry in process_table(folder)):
        raise ConfigurationError(f"A network still runs in {folder}: choose another --out.")
    if folder.exists() and not Layout(folder).password_file.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} holds something that is no network: choose another --out.")
    shutil.rmtree(folder, ignore_errors=True)
    return folder

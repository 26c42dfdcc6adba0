"""The composition of long-running roles: settings become each package's frozen configuration."""

from typing import Final
from urllib.parse import urlsplit

from pot.client import Client
from pot.logs import log_to_stderr
from pot.output import Reply
from pot.settings import Settings
from protocol.errors import ConfigurationError

COORDINATOR_PORT: Final = 8080


def run_miner(client: Client, adversary: str | None, *, appeal: bool, canary: bool = False) -> Reply:
    """Mine until interrupted; ``appeal`` against faults that are declared wrongly, ``canary`` marks
    every gradient."""
    from pot.disputes.appealing import FaultWatch
    from worker.agent import run
    from worker.config import MinerConfig

    settings = client.settings
    config = MinerConfig(
        deployment=client.deployment,
        chain_url=settings.need("chain_url"),
        broker_url=settings.need("broker_url"),
        blob_url=settings.need("blob_url"),
        api_url=settings.need("api_url"),
        state_dir=settings.state_dir,
        threads=settings.threads,
        device=settings.device,
        adversary=adversary,
        canary=canary,
    )
    log_to_stderr("worker")
    with FaultWatch(Client(settings, role="miner"), appeal=appeal):
        return _ended("miner", run(config, client.account))


def run_validator(client: Client, adversary: str | None = None) -> Reply:
    """Validate until interrupted; an ``adversary`` does so wrongly in the way that it names."""
    from committee import node
    from committee.config import ValidatorConfig

    settings = client.settings
    config = ValidatorConfig(
        rpc_url=settings.need("chain_url"),
        deployment=client.deployment,
        blob_url=settings.need("blob_url"),
        state_dir=settings.state_dir,
        host=settings.host,
        port=_listening_port(settings),
        threads=settings.threads,
        device="cpu" if settings.device == "auto" else settings.device,
        aggregate_from=settings.aggregate_from,
    )
    log_to_stderr("committee")
    if adversary is None:
        node.run(config, client.account)
    else:
        from committee.adversary import run

        run(config, client.account, adversary)
    return _ended("validator")


def run_coordinator(client: Client, parts: tuple[str, ...] | None, adversary: str | None = None) -> Reply:
    """Dispatch until interrupted; ``parts`` None does everything in this process."""
    from coordinator import bootstrap
    from coordinator.config import PARTS, CoordinatorConfig
    from pot.desk import PotDesk

    settings = client.settings
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    database = f"sqlite:///{(settings.state_dir / 'coordinator.sqlite3').absolute()}"
    config = CoordinatorConfig(
        deployment=client.deployment,
        rpc_url=settings.need("chain_url"),
        broker_url=settings.need("broker_url"),
        database_url=settings.database_url or database,
        blob_url=settings.need("blob_url"),
        host=settings.host,
        port=settings.port or COORDINATOR_PORT,
        api_url=settings.api_url or "",
        parts=parts or PARTS,
    )
    desk = PotDesk(settings)
    log_to_stderr("coordinator")
    if adversary is None:
        bootstrap.run(config, desk)
    else:
        from coordinator.adversary import run_censor

        run_censor(config, adversary, desk)
    return _ended("coordinator")


def _ended(role: str, status: int = 0) -> Reply:
    """The answer of a service that was asked to stop, or ended by itself."""
    return Reply(data={"role": role, "stopped": True, "status": status}, ok=status == 0)


def _listening_port(settings: Settings) -> int:
    """The port of a validator: the one that is set, else that of the endpoint it publishes."""
    port = settings.port or (urlsplit(settings.endpoint).port if settings.endpoint else None)
    if not port:
        raise ConfigurationError(
            "port is not set: set POT_PORT, or POT_ENDPOINT to the URL that was published."
        )
    return port

"""The composition of long-running roles: settings become each package's frozen configuration."""

from pot.client import Client


def run_miner(client: Client, adversary: str | None) -> int:
    """Mine until interrupted; the process's exit status."""
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
    )
    return run(config, client.account)


def run_validator(client: Client) -> int:
    """Validate until interrupted; the process's exit status."""
    from committee.node import run

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
    )
    run(config, client.account)
    return 0


def _listening_port(settings: Settings) -> int:
    """The port of a validator: the one that is set, else that of the endpoint it publishes."""
    port = settings.port or (urlsplit(settings.endpoint).port if settings.endpoint else None)
    if not port:
        raise ConfigurationError(
            "port is not set: set POT_PORT, or POT_ENDPOINT to the URL that was published."
        )
    return port

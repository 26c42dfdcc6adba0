"""Deploying the contracts on the chain of the settings."""

from pathlib import Path

from anvil.deploy import DeploySettings, deploy
from pot.client import Client, write_file
from pot.output import Reply, facts
from protocol.chain.client import ChainClient
from protocol.chain.deployment import Deployment
from protocol.chain.deployment_file import write_deployment
from protocol.errors import InvalidInput
from protocol.ids import parse_address


def deploy_reply(client: Client, token: str | None, treasury: str | None, out: Path | None) -> Reply:
    """Deploy from the client's account; the addresses, the file that describes them to programs, and
    a settings file that names them."""
    url = client.settings.need("chain_url")
    if out is not None and out.exists():
        raise InvalidInput(f"{out} exists; name another file.")
    settings = DeploySettings(
        treasury=None if treasury is None else parse_address(treasury),
        token=None if token is None else parse_address(token),
    )
    deployment = deploy(ChainClient(url), client.account, settings)
    if out is not None:
        write_file(out, settings_file(url, deployment).encode())
    described = write_deployment(client.settings.state_dir, deployment)
    told = deployment.to_json()
    return Reply(
        data={**told, "file": str(described)}, text=facts([*told.items(), ("described in", described)])
    )


def settings_file(chain_url: str, deployment: Deployment) -> str:
    """A pot.toml for this deployment."""
    values = deployment.to_json()
    lines = [f'chain_url = "{chain_url}"', f"chain_id = {values.pop('chain_id')}", "", "[contracts]"]
    lines += [
        f"block = {values.pop('block')}",
        *(f'{name} = "{address}"' for name, address in values.items()),
    ]
    return "\n".join(lines) + "\n"

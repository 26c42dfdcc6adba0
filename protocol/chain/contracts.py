"""All contracts of one deployment behind one client."""

from dataclasses import dataclass

from protocol.chain.appeals import Appeals
from protocol.chain.client import ChainClient
from protocol.chain.committee import CommitteeContract
from protocol.chain.deployment import Deployment
from protocol.chain.market import Market
from protocol.chain.token import Token
from protocol.chain.vault import Vault
from protocol.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """The contract classes of one deployment."""

    deployment: Deployment
    client: ChainClient
    market: Market
    vault: Vault
    committee: CommitteeContract
    appeals: Appeals
    token: Token

    @classmethod
    def at(cls, client: ChainClient, deployment: Deployment) -> "Contracts":
        return cls(
            deployment=deployment,
            client=client,
            market=Market(client, deployment.market),
            vault=Vault(client, deployment.vault),
            committee=CommitteeContract(client, deployment.committee),
            appeals=Appeals(client, deployment.appeals),
            token=Token(client, deployment.token),
        )

    @classmethod
    def connect(cls, rpc_url: str, deployment: Deployment) -> "Contracts":
        """Connect and refuse a chain other than the deployment's. Raises ServiceUnreachable,
        ConfigurationError."""
        client = ChainClient(rpc_url)
        chain_id = client.chain_id()
        if chain_id != deployment.chain_id:
            raise ConfigurationError(
                f"{rpc_url} is chain {chain_id}, but the contracts were deployed on chain "
                f"{deployment.chain_id}."
            )
        return cls.at(client, deployment)

"""All contracts of one deployment behind one client."""

from dataclasses import dataclass

from protocol.chain.appeals import Appeals
from protocol.chain.bls_keys import BlsKeys
from protocol.chain.canaries import Canaries
from protocol.chain.client import ChainClient
from protocol.chain.committee import CommitteeContract
from protocol.chain.contest import LearningContest
from protocol.chain.deployment import Deployment
from protocol.chain.market import Market
from protocol.chain.token import Token
from protocol.chain.vault import Vault
from protocol.errors import ConfigurationError
from protocol.ids import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """The contract classes of one deployment."""

    deployment: Deployment
    client: ChainClient
    market: Market
    vault: Vault
    committee: CommitteeContract
    appeals: Appeals
    contest: LearningContest
    canaries: Canaries
    token: Token

    def bls_keys(self) -> BlsKeys:
        """The validators' BLS keys; asks the chain where they are. Raises Refused, ServiceUnreachable."""
        return BlsKeys(self.client, self.committee.bls_keys())

    @classmethod
    def at(cls, client: ChainClient, deployment: Deployment) -> "Contracts":
        return cls(
            deployment=deployment,
            client=client,
            market=Market(client, deployment.market),
            vault=Vault(client, deployment.vault),
            committee=CommitteeContract(client, deployment.committee),
            appeals=Appeals(client, deployment.appeals),
            contest=LearningContest(client, deployment.contest),
            canaries=Canaries(client, deployment.canaries),
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


class KeyBook:
    """The validators' BLS keys, each asked for once: they never change. Raises Refused,
    ServiceUnreachable."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._keys: BlsKeys | None = None
        self._known: dict[Address, bytes] = {}

    @property
    def contract(self) -> BlsKeys:
        """Where they are registered."""
        if self._keys is None:
            self._keys = self._contracts.bls_keys()
        return self._keys

    def __call__(self, account: Address) -> bytes:
        """The account's key, 192 bytes; empty while it has none."""
        if account not in self._known:
            key = self.contract.key_of(account)
            if not key:
                return key
            self._known[account] = key
        return self._known[account]

"""Where the contracts of one network are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from protocol.errors import ConfigurationError, InvalidInput
from protocol.ids import Address, parse_address
from protocol.typed_data import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The addresses of one deployment; ``block`` is where it was deployed, so that log scans start there."""

    chain_id: int
    block: int
    market: Address
    vault: Address
    committee: Address
    appeals: Address
    contest: Address
    canaries: Address
    token: Address

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain of everything signed for this deployment."""
        return Domain(chain_id=self.chain_id, market=self.market)

    @property
    def contest_domain(self) -> Domain:
        """The EIP-712 domain of what is signed about contests."""
        return Domain(chain_id=self.chain_id, market=self.contest)

    @property
    def all_addresses(self) -> list[Address]:
        """``addresses``, and the contract of contests, whose events are read apart from those of tasks."""
        return [*self.addresses, self.contest]

    @property
    def addresses(self) -> list[Address]:
        """The contracts whose events tell a network's history."""
        return [self.market, self.vault, self.committee, self.appeals, self.canaries]

    def to_json(self) -> dict[str, Any]:
        return {
            "chain_id": self.chain_id,
            "block": self.block,
            "market": self.market,
            "vault": self.vault,
            "committee": self.committee,
            "appeals": self.appeals,
            "contest": self.contest,
            "canaries": self.canaries,
            "token": self.token,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Raises ConfigurationError when an entry is missing or malformed."""
        try:
            return cls(
                chain_id=int(value["chain_id"]),
                block=int(value["block"]),
                market=parse_address(value["market"]),
                vault=parse_address(value["vault"]),
                committee=parse_address(value["committee"]),
                appeals=parse_address(value["appeals"]),
                contest=parse_address(value["contest"]),
                canaries=parse_address(value["canaries"]),
                token=parse_address(value["token"]),
            )
        except (KeyError, TypeError, ValueError, InvalidInput) as error:
            raise ConfigurationError(f"The deployment is incomplete or malformed: {error!r}.") from error

    @classmethod
    def from_network_file(cls, path: Path) -> Self:
        """Read ``contracts`` and ``chain_id`` of a network.json. Raises ConfigurationError."""
        try:
            value = json.loads(path.read_text())
            return cls.from_json({"chain_id": value["chain_id"], **value["contracts"]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} is no network file ({error!r}). Start a network with `pot network up`."
            ) from error

"""Where a local network keeps its things under one folder, and the ``network.json`` that tells others."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from protocol.chain.deployment import Deployment
from protocol.chain.deployment_file import deployment_path
from protocol.errors import ConfigurationError
from protocol.ids import Address, parse_address

PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one network; ``root`` is absolute, ``.pot`` by default."""

    root: Path

    @property
    def network_file(self) -> Path:
        return self.root / "network.json"

    @property
    def password_file(self) -> Path:
        return self.root / "password"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def chain_state(self) -> Path:
        return self.root / "chain" / "state.json"

    @property
    def database(self) -> Path:
        return self.root / "coordinator.sqlite3"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def keystore(self, name: str) -> Path:
        return self.root / "keys" / f"{name}.json"

    def state(self, name: str) -> Path:
        """The folder in which one process keeps what it must not lose."""
        return self.root / "state" / name

    def make_password(self) -> str:
        """A random password in a file that only its owner can read; kept when it is there already."""
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self.password_file.read_text("utf-8").rstrip("\n")
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")
        return password

    def purge(self) -> None:
        """Remove what a network put here, and nothing else: the folder may hold more."""
        if self.network_file.exists():
            chain_id = NetworkFile.read(self.network_file).deployment.chain_id
            deployment_path(self.root, chain_id).unlink(missing_ok=True)
        for folder in (self.root / "keys", self.root / "state", self.root / "chain", self.blobs, self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        for pattern in ("network.json", "password", "processes.json", f"{self.database.name}*"):
            for file in self.root.glob(pattern):
                file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFile:
    """What ``network.json`` says: URLs, the deployment, who has which key file, and where validators listen.

    ``accounts`` and ``keystores`` go by names such as ``poster``, ``miner-1`` and ``validator-1``;
    ``adversaries`` maps processes that cheat on purpose to how they do.
    """

    rpc_url: str
    api_url: str
    blob_url: str
    broker_url: str
    deployment: Deployment
    accounts: Mapping[str, Address]
    keystores: Mapping[str, Path]
    password_file: Path
    endpoints: Mapping[str, str]
    adversaries: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        contracts = self.deployment.to_json()
        chain_id = contracts.pop("chain_id")
        return {
            "rpc_url": self.rpc_url,
            "chain_id": chain_id,
            "contracts": contracts,
            "api_url": self.api_url,
            "blob_url": self.blob_url,
            "broker_url": self.broker_url,
            "keystores": {name: str(path) for name, path in self.keystores.items()},
            "password_file": str(self.password_file),
            "accounts": dict(self.accounts),
            "endpoints": dict(self.endpoints),
            "adversaries": dict(self.adversaries),
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises ConfigurationError when there is no such file or it is not one of ours."""
        try:
            value = json.loads(path.read_text("utf-8"))
            return cls(
                rpc_url=str(value["rpc_url"]),
                api_url=str(value["api_url"]),
                blob_url=str(value["blob_url"]),
                broker_url=str(value["broker_url"]),
                deployment=Deployment.from_json({"chain_id": value["chain_id"], **value["contracts"]}),
                accounts={name: parse_address(text) for name, text in value["accounts"].items()},
                keystores={name: Path(text) for name, text in value["keystores"].items()},
                password_file=Path(value["password_file"]),
                endpoints={name: str(text) for name, text in value["endpoints"].items()},
                adversaries={name: str(text) for name, text in value["adversaries"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"{path} is no network file ({error!r}). Start a network with `pot network up`."
            ) from error

    def write(self, path: Path) -> None:
        """The file appears whole or not at all."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(self.to_json(), indent=2) + "\n", "utf-8")
        part.replace(path)

"""The command lines of a network's processes. Keys and passwords are named by files, never given."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from anvil.chain import HOST, AnvilOptions
from anvil.layout import Layout, NetworkFile
from anvil.redis import redis_command
from anvil.supervise import Program
from anvil.toolchain import ensure_anvil

#: Nine processes share one small machine: more threads in each would only fight over it.
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
#: A miner of the poster's own, in the place of a kind of adversary.
CANARY: Final = "canary"
POT: Final = (sys.executable, "-m", "pot")


def chain_program(options: AnvilOptions) -> Program:
    """The chain. Raises ToolchainError when there is no Anvil that fits."""
    return Program(name="chain", command=(str(ensure_anvil().path), *options.arguments()))


def clock_program(rpc_url: str) -> Program:
    """Empty blocks where somebody may wait for them."""
    return Program(name="clock", command=(sys.executable, "-m", "anvil.clock", rpc_url))


def broker_program(directory: Path) -> Program:
    """The broker on a socket in ``directory``. Raises ToolchainError when there is no Redis that fits."""
    return Program(name="broker", command=tuple(redis_command(directory)))


@dataclass(frozen=True, slots=True)
class Services:
    """The processes of this project, as ``network`` says where everything is."""

    layout: Layout
    network: NetworkFile

    def coordinator(self) -> Program:
        """Dispatch and bookkeeping, honest or not; it has no key."""
        place = urlsplit(self.network.api_url)
        listen = {"POT_HOST": HOST, "POT_PORT": str(place.port)}
        database = {"POT_DATABASE_URL": f"sqlite:///{self.layout.database}"}
        return self._program(
            "coordinator", ("coordinator", "run", *self._cheating("coordinator")), {**listen, **database}
        )

    def validator(self, name: str) -> Program:
        """One replica of the committee, honest or not."""
        endpoint = self.network.endpoints[name]
        listen = {"POT_HOST": HOST, "POT_PORT": str(urlsplit(endpoint).port), "POT_ENDPOINT": endpoint}
        return self._program(name, ("validator", "run", *self._cheating(name)), {**listen, **self._key(name)})

    def miner(self, name: str) -> Program:
        """One miner, honest or not."""
        return self._program(name, ("miner", "run", *self._cheating(name)), self._key(name))

    def all(self) -> list[Program]:
        """The coordinator, the validators, the miners."""
        names = list(self.network.keystores)
        validators = [self.validator(name) for name in names if name.startswith("validator-")]
        miners = [self.miner(name) for name in names if name.startswith("miner-")]
        return [self.coordinator(), *validators, *miners]

    def _cheating(self, name: str) -> tuple[str, ...]:
        kind = self.network.adversaries.get(name)
        if kind == CANARY:
            return ("--canary",)
        return () if kind is None else ("--adversary", kind)

    def _key(self, name: str) -> dict[str, str]:
        return {
            "POT_KEYSTORE": str(self.network.keystores[name]),
            "POT_PASSWORD_FILE": str(self.network.password_file),
        }

    def _program(self, name: str, arguments: tuple[str, ...], settings: Mapping[str, str]) -> Program:
        network = self.network
        where = {
            "POT_CHAIN_URL": network.rpc_url,
            "POT_BLOB_URL": network.blob_url,
            "POT_BROKER_URL": network.broker_url,
            "POT_API_URL": network.api_url,
            "POT_STATE_DIR": str(self.layout.state(name)),
        }
        contracts = {
            "POT_CHAIN_ID" if key == "chain_id" else f"POT_CONTRACTS__{key.upper()}": str(value)
            for key, value in network.deployment.to_json().items()
        }
        environment = {**ONE_THREAD, **where, **contracts, **settings}
        return Program(name=name, command=(*POT, *arguments), environment=environment)

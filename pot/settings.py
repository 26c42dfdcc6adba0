"""Every setting, parsed once at the edge of a process and frozen.

Priority: flags > environment (``POT_*``) > ``.env`` > ``pot.toml`` > ``~/.config/pot/config.toml`` >
``.pot/network.json`` of the current directory (written by ``pot network up``).
"""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from protocol.errors import ConfigurationError

NETWORK_FILE = Path(".pot/network.json")
PROJECT_FILE = Path("pot.toml")
DOTENV_FILE = Path(".env")
MAX_FILE_BYTES = 1 << 20
# The network file speaks of an RPC URL; settings call it by what it leads to.
_NETWORK_NAMES = {"rpc_url": "chain_url"}


class Contracts(BaseModel):
    """Addresses of one deployment; ``block`` is where its events begin."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    market: str
    vault: str
    committee: str
    appeals: str
    contest: str
    canaries: str
    token: str
    block: int = Field(default=0, ge=0)


class Settings(BaseSettings):
    """Addresses, keys and folders. None means: not set; what needs it says so by name."""

    model_config = SettingsConfigDict(
        env_prefix="POT_", env_nested_delimiter="__", env_file_encoding="utf-8", frozen=True, extra="ignore"
    )

    chain_url: str | None = Field(default=None, description="JSON-RPC endpoint of the chain")
    chain_id: int | None = Field(default=None, ge=1, description="chain id that the endpoint must have")
    contracts: Contracts | None = Field(default=None, description="addresses of the deployment")
    deployment: Path | None = Field(
        default=None, description="a deployments/<chain id>.json: gives chain_id and contracts"
    )
    blob_url: str | None = Field(default=None, description="content-addressed blob store")
    api_url: str | None = Field(default=None, description="the coordinator's HTTP API")
    broker_url: str | None = Field(default=None, description="Celery broker")
    database_url: str | None = Field(default=None, description="the coordinator's database")
    keystore: str | None = Field(default=None, description="keystore v3 file, or a name in keystores")
    password_file: Path | None = Field(default=None, description="file that holds the keystore's password")
    keystores: dict[str, Path] = Field(default={}, description="names of keystore files")
    state_dir: Path = Field(default=Path(".pot"), description="folder of write-ahead logs, caches, databases")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where a miner computes")
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads that a miner computes with")
    host: str = Field(default="127.0.0.1", description="address that a service listens on")
    port: int = Field(default=0, ge=0, le=65535, description="port that a service listens on; 0 = its own")
    endpoint: str | None = Field(default=None, description="websocket URL that a validator publishes")
    aggregate_from: int = Field(
        default=41, ge=4, le=65, description="least committee that a validator signs for by BLS; 65 = none"
    )

    def need(self, name: str) -> str:
        """The setting ``name`` as text. Raises ConfigurationError with the next step when it is not set."""
        value = getattr(self, name)
        if value is None:
            raise ConfigurationError(
                f"{name} is not set. Give --{name.replace('_', '-')}, set POT_{name.upper()}, "
                f"or run this where `pot network up` has written {NETWORK_FILE}."
            )
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The settings that one source gives; ``name`` is how people know the source."""

    name: str
    values: Mapping[str, Any]


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Parse every source once. Raises ConfigurationError that names the setting, its value and its source."""
    layers = read_layers(flags or {})
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged.update({name: value for name, value in layer.values.items() if value is not None})
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = origin(layers, name)
        shown = "" if isinstance(first["input"], dict) else f" = {str(first['input'])[:80]!r}"
        detail = first["msg"][:1].lower() + first["msg"][1:]
        path = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"The setting {path}{shown} (from {where}) is wrong: {detail}.") from error


def read_layers(flags: Mapping[str, Any]) -> list[Layer]:
    """All sources, the strongest first. Raises ConfigurationError for a file that cannot be read."""
    user_file = Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "pot" / "config.toml"
    layers = [
        Layer(name="flag", values=dict(flags)),
        Layer(name="environment", values=EnvSettingsSource(Settings)()),
        Layer(name=str(DOTENV_FILE), values=_known(DotEnvSettingsSource(Settings, env_file=DOTENV_FILE)())),
        Layer(name=str(PROJECT_FILE), values=_toml(PROJECT_FILE)),
        Layer(name=str(user_file), values=_toml(user_file)),
        Layer(name=str(NETWORK_FILE), values=_network(NETWORK_FILE)),
    ]
    return _with_deployment(layers)


def _with_deployment(layers: list[Layer]) -> list[Layer]:
    """What the named deployment file says is as strong as the source that names it."""
    from protocol.chain.deployment_file import read_deployment

    for place, layer in enumerate(layers):
        named = layer.values.get("deployment")
        if named is not None:
            values = read_deployment(Path(named)).to_json()
            chain_id = values.pop("chain_id")
            found = Layer(name=str(named), values={"chain_id": chain_id, "contracts": values})
            return [*layers[: place + 1], found, *layers[place + 1 :]]
    return layers


def origin(layers: list[Layer], name: str) -> str:
    """Which source a setting comes from."""
    return next((layer.name for layer in layers if layer.values.get(name) is not None), "default")


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in Settings.model_fields}


def _toml(path: Path) -> dict[str, Any]:
    text = _read(path)
    if text is None:
        return {}
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}.") from error
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise ConfigurationError(f"{path} sets {unknown[0]!r}, which is no setting (see `pot config show`).")
    return values


def _network(path: Path) -> dict[str, Any]:
    text = _read(path)
    if text is None:
        return {}
    try:
        values = json.loads(text)
        return _known({_NETWORK_NAMES.get(name, name): value for name, value in values.items()})
    except (ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path} is not what `pot network up` writes: {error}.") from error


def _read(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error

"""``deployments/<chain id>.json``: what a program of another language has to know of one deployment.

Addresses by contract, the sha256 of the ABI that each was deployed with (``contracts/abi/NAME.json``), the
block at which its events begin, and the EIP-712 domains of what is signed for it.
"""

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from protocol.chain.deployment import Deployment
from protocol.errors import ConfigurationError
from protocol.typed_data import DOMAIN_NAME, DOMAIN_VERSION, Domain

VERSION: Final = 1
MAX_FILE_BYTES: Final = 1 << 20
#: What settings call a contract -> its name in ``contracts/abi``.
CONTRACTS: Final = {
    "market": "TrainingMarket",
    "vault": "StakeVault",
    "committee": "Committee",
    "appeals": "Appeals",
    "contest": "LearningContest",
    "canaries": "Canaries",
    "token": "DevToken",
}


def deployment_path(folder: Path, chain_id: int) -> Path:
    """Where the deployment on a chain is described, under the state folder of whoever deployed."""
    return folder / "deployments" / f"{chain_id}.json"


def describe(deployment: Deployment) -> dict[str, Any]:
    """The document."""
    return {
        "version": VERSION,
        "chain_id": deployment.chain_id,
        "block": deployment.block,
        "contracts": {
            name: {
                "address": getattr(deployment, name),
                "abi": contract,
                "abi_sha256": abi_sha256(contract),
            }
            for name, contract in CONTRACTS.items()
        },
        "domains": {"market": _domain(deployment.domain), "contest": _domain(deployment.contest_domain)},
    }


def abi_sha256(contract: str) -> str:
    """Of the committed file."""
    return hashlib.sha256((files("contracts") / "abi" / f"{contract}.json").read_bytes()).hexdigest()


def _domain(domain: Domain) -> dict[str, Any]:
    """What wallets call the domain, and its separator."""
    return {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": domain.chain_id,
        "verifyingContract": domain.market,
        "separator": "0x" + domain.separator.hex(),
    }


def write_deployment(folder: Path, deployment: Deployment) -> Path:
    """The file appears whole or not at all; a former deployment on the same chain is replaced."""
    path = deployment_path(folder, deployment.chain_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(describe(deployment), indent=2) + "\n", "utf-8")
    part.replace(path)
    return path


def read_deployment(path: Path) -> Deployment:
    """Raises ConfigurationError when there is no such file, it is malformed, its domains are not those of its
    addresses, or it was deployed with ABIs that are not ours."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        value = json.loads(path.read_text("utf-8"))
        addresses = {name: value["contracts"][name]["address"] for name in CONTRACTS}
        found = Deployment.from_json({"chain_id": value["chain_id"], "block": value["block"], **addresses})
        hashes = {name: value["contracts"][name]["abi_sha256"] for name in CONTRACTS}
        separators = {name: value["domains"][name]["separator"] for name in ("market", "contest")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} describes no deployment: {error!r}.") from error
    _require_ours(path, found, hashes, separators)
    return found


def _require_ours(path: Path, found: Deployment, hashes: dict[str, Any], separators: dict[str, Any]) -> None:
    known = describe(found)
    for name, contract in CONTRACTS.items():
        if hashes[name] != known["contracts"][name]["abi_sha256"]:
            raise ConfigurationError(
                f"{path} was deployed with another ABI of {contract} than this program has. Use the version "
                "that deployed it, or deploy anew."
            )
    for name, separator in separators.items():
        if separator != known["domains"][name]["separator"]:
            raise ConfigurationError(f"{path} gives another domain separator for {name} than its addresses.")

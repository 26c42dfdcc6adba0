"""What programs are told of a deployment, and what is refused when it is read back."""

import json
from pathlib import Path

import pytest

from protocol.chain.deployment import Deployment
from protocol.chain.deployment_file import describe, read_deployment, write_deployment
from protocol.errors import ConfigurationError
from protocol.ids import parse_address

NAMES = ("market", "vault", "committee", "appeals", "contest", "canaries", "token")


def deployment() -> Deployment:
    addresses = {name: parse_address("0x" + f"{place:02x}" * 20) for place, name in enumerate(NAMES, 1)}
    return Deployment(chain_id=31337, block=7, **addresses)


def test_deployment_file__written_and_read__is_the_same_deployment(tmp_path: Path) -> None:
    path = write_deployment(tmp_path, deployment())
    assert path == tmp_path / "deployments" / "31337.json"
    assert read_deployment(path) == deployment()
    said = json.loads(path.read_text())
    assert said["domains"]["market"]["separator"] == "0x" + deployment().domain.separator.hex()
    assert said["domains"]["contest"]["verifyingContract"] == deployment().contest
    assert set(said["contracts"]) == set(NAMES)


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        (("contracts", "market", "abi_sha256"), "00" * 32, "another ABI of TrainingMarket"),
        (("contracts", "vault", "address"), "0x12", "malformed"),
        (("domains", "contest", "separator"), "0x" + "00" * 32, "another domain separator for contest"),
        (("chain_id",), 1, "another domain separator for market"),
        (("contracts",), {}, "describes no deployment"),
    ],
)
def test_deployment_file__changed__is_refused_with_what_is_wrong(
    tmp_path: Path, where: tuple[str, ...], value: object, sentence: str
) -> None:
    document = describe(deployment())
    part = document
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match=sentence):
        read_deployment(path)


def test_deployment_file__that_is_not_there_or_no_json__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="describes no deployment"):
        read_deployment(tmp_path / "nowhere.json")
    (tmp_path / "text.json").write_text("[1, 2")
    with pytest.raises(ConfigurationError, match="describes no deployment"):
        read_deployment(tmp_path / "text.json")

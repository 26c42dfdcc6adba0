"""A network's folder: what is written, who may read it, what is deleted; and no secret on a command line."""

import json
from pathlib import Path

import pytest

from anvil.layout import Layout, NetworkFile
from anvil.network import NetworkPlan, free_ports, remove_socket_folder, socket_folder
from anvil.programs import Services
from anvil.redis import MAX_SOCKET_PATH_BYTES
from anvil.supervise import inherited_environment
from protocol.chain.deployment import Deployment
from protocol.errors import ConfigurationError, InvalidInput
from protocol.ids import Address


def address(number: int) -> Address:
    return Address("0x" + f"{number:02x}" * 20)


def network(root: Path) -> NetworkFile:
    layout = Layout(root)
    names = NetworkPlan(miners=2, adversaries={2: "lazy"}).names()
    return NetworkFile(
        rpc_url="http://127.0.0.1:1000",
        api_url="http://127.0.0.1:1001",
        blob_url=(root / "blobs").as_uri(),
        broker_url=f"redis+socket://{root}/broker/redis.sock",
        deployment=Deployment(
            chain_id=7,
            block=1,
            market=address(0x11),
            vault=address(0x22),
            committee=address(0x33),
            appeals=address(0x35),
            contest=address(0x36),
            canaries=address(0x36),
            token=address(0x44),
        ),
        accounts={name: address(0x50 + index) for index, name in enumerate(names)},
        keystores={name: layout.keystore(name) for name in names},
        password_file=layout.password_file,
        endpoints={f"validator-{number}": f"ws://127.0.0.1:{2000 + number}" for number in range(1, 5)},
        adversaries={"miner-2": "lazy"},
    )


def test_network_file__written_and_read__is_the_same_and_has_the_promised_keys(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    network(tmp_path).write(path)
    assert NetworkFile.read(path) == network(tmp_path)
    value = json.loads(path.read_text())
    assert {"rpc_url", "chain_id", "contracts", "api_url", "blob_url", "broker_url", "keystores"} <= set(
        value
    )
    assert Deployment.from_network_file(path) == network(tmp_path).deployment


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rpc_url": 1}'])
def test_network_file__not_one_of_ours__is_refused_with_the_next_step(tmp_path: Path, text: str) -> None:
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(ConfigurationError, match="pot network up"):
        NetworkFile.read(tmp_path / "network.json")


def test_make_password__twice__keeps_the_first_for_its_owner_only(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = layout.make_password()
    assert layout.make_password() == first
    assert len(first) >= 24
    assert layout.password_file.stat().st_mode & 0o777 == 0o600


def test_purge__a_folder_that_holds_more__loses_only_the_network(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make_password()
    network(tmp_path).write(layout.network_file)
    for folder in (layout.blobs, layout.logs, tmp_path / "toolchain"):
        folder.mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    layout.purge()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "toolchain"]


def test_services__every_process__gets_its_own_state_and_no_secret(tmp_path: Path) -> None:
    password = Layout(tmp_path).make_password()
    programs = Services(Layout(tmp_path), network(tmp_path)).all()
    assert [program.name for program in programs] == [
        "coordinator",
        *(f"validator-{number}" for number in range(1, 5)),
        "miner-1",
        "miner-2",
    ]
    assert len({program.environment["POT_STATE_DIR"] for program in programs}) == len(programs)
    for program in programs:
        said = " ".join([*program.command, *program.environment.values()])
        assert password not in said
    assert "POT_KEYSTORE" not in programs[0].environment
    assert programs[-1].command[-2:] == ("--adversary", "lazy")
    assert "--adversary" not in programs[-2].command
    assert programs[1].environment["POT_PORT"] == "2001"


def test_inherited_environment__settings_of_the_user__stay_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POT_CHAIN_URL", "http://mainnet")
    assert not [name for name in inherited_environment() if name.startswith("POT_")]


@pytest.mark.parametrize(
    "plan",
    [{"validators": 3}, {"validators": 65}, {"miners": 0}, {"miners": 257}, {"adversaries": {5: "lazy"}}],
)
def test_plan__out_of_bounds__is_refused(plan: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        NetworkPlan(**plan)  # type: ignore[arg-type]


def test_free_ports__many__are_distinct() -> None:
    assert len(set(free_ports(40))) == 40


def test_socket_folder__a_path_too_long_for_a_socket__is_elsewhere_and_private(tmp_path: Path) -> None:
    assert socket_folder(Layout(Path("/srv/net"))) == Path("/srv/net/broker")
    layout = Layout(tmp_path / ("x" * MAX_SOCKET_PATH_BYTES))
    elsewhere = socket_folder(layout)
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    remove_socket_folder(layout, elsewhere)
    assert not elsewhere.exists()


def test_remove_socket_folder__the_network_s_own__stays(tmp_path: Path) -> None:
    own = tmp_path / "pot-broker-own"
    own.mkdir()
    remove_socket_folder(Layout(tmp_path), own)
    assert own.exists()

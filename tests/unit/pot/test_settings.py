"""Where a setting comes from: flags > environment > .env > pot.toml > the user's file > .pot/network.json."""

import json
from pathlib import Path

import pytest

from pot.cli import main
from pot.settings import load_settings, origin, read_layers
from protocol.chain.deployment import Deployment
from protocol.chain.deployment_file import write_deployment
from protocol.errors import ConfigurationError
from protocol.ids import parse_address

ADDRESS = "0x" + "11" * 20
CONTRACTS = {
    "market": ADDRESS,
    "vault": ADDRESS,
    "committee": ADDRESS,
    "appeals": ADDRESS,
    "contest": ADDRESS,
    "canaries": ADDRESS,
    "token": ADDRESS,
    "block": 3,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "config"
    (home / "pot").mkdir(parents=True)
    (tmp_path / ".pot").mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.delenv("POT_CHAIN_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_sources(folder: Path, count: int) -> None:
    """The weakest ``count`` of the five files and variables, each with its own chain URL."""
    texts = (
        (".pot/network.json", json.dumps({"rpc_url": "http://network", "chain_id": 5, "unknown": 1})),
        ("config/pot/config.toml", 'chain_url = "http://user"'),
        ("pot.toml", 'chain_url = "http://project"'),
        (".env", "POT_CHAIN_URL=http://dotenv\nOTHER=1\n"),
    )
    for name, text in texts[:count]:
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, None), (1, "http://network"), (2, "http://user"), (3, "http://project"), (4, "http://dotenv")],
)
def test_settings__file_sources__the_stronger_wins(folder: Path, count: int, expected: str | None) -> None:
    write_sources(folder, count)
    assert load_settings().chain_url == expected


def test_settings__environment_and_flag__beat_every_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sources(folder, 4)
    monkeypatch.setenv("POT_CHAIN_URL", "http://environment")
    assert load_settings().chain_url == "http://environment"
    assert load_settings({"chain_url": "http://flag"}).chain_url == "http://flag"
    assert origin(read_layers({"chain_url": "http://flag"}), "chain_url") == "flag"


def test_settings__contracts_from_environment__are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CONTRACTS.items():
        monkeypatch.setenv(f"POT_CONTRACTS__{name.upper()}", str(value))
    contracts = load_settings().contracts
    assert contracts is not None
    assert contracts.model_dump() == CONTRACTS


def test_settings__parsed__are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        load_settings().chain_url = "http://x"


def test_settings__bad_value__names_setting_value_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POT_PORT", "99999")
    with pytest.raises(ConfigurationError, match=r"port = '99999' \(from environment\)"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("pot.toml", "chain_url = ", "is not TOML"),
        ("pot.toml", 'chain_ulr = "http://x"', "'chain_ulr', which is no setting"),
        (".pot/network.json", "[]", "is not what `pot network up` writes"),
        (".pot/network.json", "{", "is not what `pot network up` writes"),
    ],
)
def test_settings__unreadable_file__is_a_sentence(folder: Path, name: str, text: str, says: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        load_settings()


def test_config_show__every_setting__has_value_and_source(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sources(folder, 1)
    assert main(["config", "show", "--json", "--blob-url", "memory://x"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["chain_url"] == {"value": "http://network", "source": ".pot/network.json"}
    assert shown["blob_url"] == {"value": "memory://x", "source": "flag"}
    assert shown["device"] == {"value": "auto", "source": "default"}


def test_config_show__maps__take_a_line_for_each_entry(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".pot" / "network.json").write_text(json.dumps({"contracts": CONTRACTS}))
    assert main(["config", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["contracts.market", ADDRESS, ".pot/network.json"] for line in lines)
    assert max(map(len, lines)) < 110


def test_config_show__secrets_in_urls__are_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POT_DATABASE_URL", "postgresql://me:hunter2@db:5432/pot?password=hunter3")
    monkeypatch.setenv("POT_CHAIN_URL", "https://rpc.example/v3?key=hunter4")
    assert main(["config", "show"]) == 0
    out = capsys.readouterr().out
    assert "hunter" not in out
    assert "db:5432/pot" in out


def test_settings__a_deployment_file__is_as_strong_as_the_source_that_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {name: parse_address(ADDRESS) for name in CONTRACTS if name != "block"}
    path = write_deployment(folder, Deployment(chain_id=77, block=3, **addresses))
    monkeypatch.setenv("POT_DEPLOYMENT", str(path))
    write_sources(folder, 1)
    found = load_settings()
    assert found.chain_id == 77
    assert found.contracts is not None
    assert found.contracts.block == 3
    assert origin(read_layers({}), "contracts") == str(path)
    assert load_settings({"chain_id": 5}).chain_id == 5
    monkeypatch.setenv("POT_DEPLOYMENT", str(folder / "nowhere.json"))
    with pytest.raises(ConfigurationError, match="describes no deployment"):
        load_settings()

"""`pot keystore`: a newcomer's key is made once, readable by its owner alone, and never printed."""

import json
import stat
from pathlib import Path

import pytest

from pot.cli import main
from pot.keys import keystore_path
from pot.settings import load_settings
from protocol.errors import ConfigurationError
from protocol.keystore import open_keystore


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("POT_KEYSTORE", "POT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_create__no_password_file_yet__makes_both_files_for_the_owner_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keystore", "create", "key.json", "--password-file", "key.pw", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (mode(folder / "key.json"), mode(folder / "key.pw")) == (0o600, 0o600)
    assert open_keystore(folder / "key.json", folder / "key.pw").address == made["address"]
    assert (folder / "key.pw").read_text().strip() not in json.dumps(made)
    assert main(["keystore", "show", "key.json", "--password-file", "key.pw", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["address"] == made["address"]


def test_create__own_password__opens_the_key(folder: Path) -> None:
    (folder / "key.pw").write_text("correct horse\n")
    assert main(["keystore", "create", "deep/key.json", "--password-file", "key.pw"]) == 0
    assert (folder / "key.pw").read_text() == "correct horse\n"
    assert open_keystore(folder / "deep" / "key.json", folder / "key.pw").address.startswith("0x")


def test_create__keystore_exists__keeps_it_and_makes_no_password(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "key.json").write_text("precious")
    assert main(["keystore", "create", "key.json", "--password-file", "key.pw"]) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert (folder / "key.json").read_text() == "precious"
    assert not (folder / "key.pw").exists()


def test_create__password_only_of_the_local_network__is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".pot").mkdir()
    (folder / ".pot" / "password").write_text("throw-away\n")
    (folder / ".pot" / "network.json").write_text('{"password_file": ".pot/password"}')
    assert main(["keystore", "create", "key.json"]) == 2
    assert "--password-file" in capsys.readouterr().err
    assert not (folder / "key.json").exists()


@pytest.mark.parametrize("password", ["", "\n", "x" * 2000])
def test_create__unusable_password__is_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    (folder / "key.pw").write_text(password)
    assert main(["keystore", "create", "key.json", "--password-file", "key.pw"]) == 2
    assert "must hold a password" in capsys.readouterr().err


def test_keystore_path__neither_file_nor_name__names_what_there_is(folder: Path) -> None:
    settings = load_settings({"keystore": "miner-9", "keystores": {"miner-1": folder / "m.json"}})
    with pytest.raises(ConfigurationError, match=r"no keystore miner-9.*\(miner-1\)"):
        keystore_path(settings, "miner")
    with pytest.raises(ConfigurationError, match="pot keystore create"):
        keystore_path(load_settings({}), "miner")

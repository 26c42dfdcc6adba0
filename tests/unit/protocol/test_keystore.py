"""Keystores open only with their password file and say what is missing otherwise."""

import stat
from pathlib import Path

import pytest

from protocol.errors import ConfigurationError
from protocol.keystore import LIGHT_ITERATIONS, create_keystore, open_keystore


def test_keystore__created__opens_to_the_same_account(tmp_path: Path) -> None:
    path, password = tmp_path / "key.json", tmp_path / "password"
    password.write_text("correct horse\n")
    made = create_keystore(path, "correct horse", LIGHT_ITERATIONS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_keystore(path, password).address == made.address
    with pytest.raises(ConfigurationError, match="never overwritten"):
        create_keystore(path, "x", LIGHT_ITERATIONS)


def test_open__wrong_password_or_no_file__says_what_to_do(tmp_path: Path) -> None:
    path, password = tmp_path / "key.json", tmp_path / "password"
    create_keystore(path, "right", LIGHT_ITERATIONS)
    password.write_text("wrong")
    with pytest.raises(ConfigurationError, match="cannot be opened with the password"):
        open_keystore(path, password)
    with pytest.raises(ConfigurationError, match="POT_PASSWORD_FILE"):
        open_keystore(path, None)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_keystore(tmp_path / "missing.json", password)

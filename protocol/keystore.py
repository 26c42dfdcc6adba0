"""Keys at rest: keystore v3 files opened with a password *file*; neither ever stands in argv or the
environment."""

import json
import os
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from protocol.errors import ConfigurationError

# Local development keys are throw-away: a light key derivation keeps a network of ten accounts quick to open.
LIGHT_ITERATIONS = 2**12


def create_keystore(path: Path, password: str, iterations: int | None = None) -> LocalAccount:
    """Make a fresh key and write it, readable by the owner only. ``iterations`` None = the library's full
    strength. Raises ConfigurationError when the file exists: a key is never overwritten."""
    account: LocalAccount = Account.create()
    document = Account.encrypt(account.key, password, iterations=iterations)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{path} exists; a keystore is never overwritten.") from error
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)
    return account


def open_keystore(path: Path, password_file: Path | None) -> LocalAccount:
    """Decrypt a keystore v3 file. Raises ConfigurationError with the next step when a file is missing or
    wrong."""
    if password_file is None:
        raise ConfigurationError(f"To open {path} set POT_PASSWORD_FILE to a file that holds its password.")
    try:
        document = json.loads(path.read_text())
        password = password_file.read_text().rstrip("\n")
    except OSError as error:
        raise ConfigurationError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a keystore v3 file.") from error
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(document, password))
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be opened with the password in {password_file}.") from error
    return account

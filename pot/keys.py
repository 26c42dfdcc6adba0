"""Keys at rest: which keystore a command opens, a newcomer's fresh one, and the address in one."""

import os
import secrets
from pathlib import Path
from typing import Final

from pot.output import Reply, facts
from pot.session import Session
from pot.settings import NETWORK_FILE, Settings, origin, read_layers
from protocol.errors import ConfigurationError, InvalidInput
from protocol.keystore import create_keystore, open_keystore

PASSWORD_BYTES: Final = 24
MAX_PASSWORD_BYTES: Final = 1024


def create_reply(session: Session, file: Path) -> Reply:
    """Write a keystore of full strength to ``file``. Raises ConfigurationError when it exists, when no
    password file is named, or when a password is unusable."""
    password_file = _own_password_file(session)
    if file.exists():
        raise ConfigurationError(f"{file} exists; a keystore is never overwritten. Name another file.")
    made = not password_file.exists()
    password = _make_password(password_file) if made else _read_password(password_file)
    try:
        account = create_keystore(file, password)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error
    data = {
        "address": account.address,
        "keystore": str(file),
        "password_file": str(password_file),
        "password_made": made,
    }
    lines = facts(
        [
            ("address", account.address),
            ("keystore", file),
            ("password", f"{password_file}{' (new, random)' if made else ''}"),
        ]
    )
    hints = [
        "Keep copies of both files: nobody can restore the key.",
        f"To use it: export POT_KEYSTORE={file.absolute()} POT_PASSWORD_FILE={password_file.absolute()}",
        f"On a local network `pot faucet {account.address}` gives it tokens and coin.",
    ]
    return Reply(data=data, text=[*lines, *hints])


def show_reply(session: Session, name: str) -> Reply:
    """The address of a keystore, which is opened to check that the password fits."""
    settings = session.settings
    path = settings.keystores.get(name, Path(name))
    address = open_keystore(path, settings.password_file).address
    return Reply(data={"address": address, "keystore": str(path)}, text=[f"{address} ({path})"])


def keystore_path(settings: Settings, role: str) -> Path:
    """The keystore of a command: the one that is named (a file, or a name of the local network), else the
    local network's first for ``role``. Raises ConfigurationError."""
    named = settings.keystore
    if named is not None:
        path = settings.keystores.get(named, Path(named))
        if not path.exists():
            known = ", ".join(sorted(settings.keystores)) or "none"
            raise ConfigurationError(
                f"There is no keystore {named}: neither a file nor a name of the local network ({known})."
            )
        return path
    fitting = sorted(name for name in settings.keystores if name.rstrip("-_0123456789") == role)
    if not fitting:
        known = ", ".join(sorted(settings.keystores)) or "none"
        raise ConfigurationError(
            f"No keystore for a {role}: give --keystore FILE or set POT_KEYSTORE "
            f"(names of the local network: {known}). `pot keystore create FILE` makes one."
        )
    return settings.keystores[fitting[0]]


def _own_password_file(session: Session) -> Path:
    """The password file that is named for this key. A local network's own is none: the network's end
    deletes it, and the key would be lost with it."""
    found = session.settings.password_file
    if found is None or origin(read_layers(session.flags), "password_file") == str(NETWORK_FILE):
        raise ConfigurationError(
            "Name the file for the new key's password: --password-file FILE or POT_PASSWORD_FILE. "
            "If it does not exist, it is made with a random password."
        )
    return found


def _make_password(path: Path) -> str:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w") as stream:
        stream.write(password + "\n")
    return password


def _read_password(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            password = stream.read(MAX_PASSWORD_BYTES + 1).rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as a password: {error}.") from error
    if not 0 < len(password) <= MAX_PASSWORD_BYTES:
        raise ConfigurationError(f"{path} must hold a password of 1 to {MAX_PASSWORD_BYTES} characters.")
    return password

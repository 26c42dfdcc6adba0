"""One local program: what it is, how its version is asked, and the stamp that makes a second look cheap."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout

from anvil.errors import LockHeld, ToolBroken

Source = Literal["path", "wheel", "npm", "py-solc-x"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
SETUP_COMMAND: Final = "python -m anvil.toolchain"
VERSION_TIMEOUT_S: Final = 30.0
LOCK_TIMEOUT_S: Final = 600.0
HASH_CHUNK_BYTES: Final = 1 << 20
NATIVE_MAGIC: Final = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that fits: where it is, which version it said it has, and where it came from."""

    name: str
    path: Path
    version: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStatus:
    """What a look without fetching found; ``tool`` is None exactly when ``problem`` and ``fix`` say why."""

    name: str
    tool: Tool | None
    problem: str = ""
    fix: str = ""

    @property
    def ok(self) -> bool:
        """True if the tool can be used as it is."""
        return self.tool is not None


def platform_name() -> str:
    """The platform as Foundry's npm packages spell it, e.g. ``linux-amd64``."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{arch}"


def state_dir(root: Path) -> Path:
    """Where stamps and fetched programs of the project at ``root`` live."""
    return root / ".pot" / "toolchain"


def dotted(version: tuple[int, ...]) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, lowercase hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def is_native(path: Path) -> bool:
    """True for machine code; scripts do not count: npm's wrapper of forge hides its exit status."""
    with path.open("rb") as file:
        return file.read(4) in NATIVE_MAGIC


def which_native(program: str) -> Path | None:
    """The machine-code program of that name on PATH."""
    found = shutil.which(program)
    if found is None:
        return None
    path = Path(found).resolve()
    return path if is_native(path) else None


def ask_version(name: str, path: Path, fix: str) -> tuple[int, int, int]:
    """The version ``path --version`` prints.

    Raises:
        ToolBroken: the program does not run, or prints no version.
    """
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolBroken(name, f"{path} does not run ({error})", fix) from error
    found = _VERSION.search(done.stdout)
    if found is None:
        raise ToolBroken(name, f"{path} --version prints no version", fix)
    return int(found[1]), int(found[2]), int(found[3])


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Enough of a file to notice that it was replaced, without reading it."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint | None":
        """None if the file is not there."""
        try:
            stat = path.stat()
        except OSError:
            return None
        return cls(stat.st_size, stat.st_mtime_ns)


def read_stamp(directory: Path, name: str, asked: str) -> Tool | None:
    """The tool a former run settled on, if the question (``asked``) and the file are still the same."""
    try:
        stamp = json.loads((directory / f"{name}.json").read_text("utf-8"))
        tool = Tool(name=name, path=Path(stamp["path"]), version=stamp["version"], source=stamp["source"])
        same = stamp["asked"] == asked and stamp["fingerprint"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # an unreadable stamp costs one more look, nothing else
    current = Fingerprint.of(tool.path)
    return tool if same and current is not None and asdict(current) == stamp["fingerprint"] else None


def write_stamp(directory: Path, tool: Tool, asked: str) -> None:
    """Remember ``tool`` as the answer to ``asked``; the file appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    fingerprint = Fingerprint.of(tool.path)
    stamp = {
        "asked": asked,
        "path": str(tool.path),
        "version": tool.version,
        "source": tool.source,
        "fingerprint": None if fingerprint is None else asdict(fingerprint),
    }
    partial = directory / f".{tool.name}.{os.getpid()}"
    partial.write_text(json.dumps(stamp, indent=1) + "\n", "utf-8")
    partial.replace(directory / f"{tool.name}.json")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time fetches into ``directory``.

    Raises:
        LockHeld: nobody let go within ``LOCK_TIMEOUT_S``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "lock"
    try:
        with FileLock(path, timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout as error:
        raise LockHeld(path, LOCK_TIMEOUT_S) from error

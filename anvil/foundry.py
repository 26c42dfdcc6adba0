"""Foundry's native programs: found on PATH, else fetched from npm's platform packages and checksummed."""

import tempfile
from pathlib import Path

from anvil import pins
from anvil.errors import ChecksumMismatch, ToolBroken, ToolMissing
from anvil.node import npm
from anvil.tools import (
    SETUP_COMMAND,
    Source,
    Tool,
    ask_version,
    dotted,
    platform_name,
    sha256_file,
    state_dir,
    which_native,
)


def foundry_home(root: Path) -> Path:
    """Where fetched Foundry programs are kept."""
    return state_dir(root) / f"foundry-{pins.FOUNDRY_VERSION}"


def find_foundry(program: str, root: Path) -> Tool:
    """A native ``program`` of the pinned minor version; scripts on PATH do not count.

    Raises:
        ToolMissing: there is none.
    """
    fix = f"`{SETUP_COMMAND}`, or install Foundry {pins.FOUNDRY_VERSION} so that `{program}` is on PATH"
    wanted = tuple(map(int, pins.FOUNDRY_VERSION.split(".")))[:2]
    candidates: list[tuple[Path | None, Source]] = [
        (which_native(program), "path"),
        (foundry_home(root) / program, "npm"),
    ]
    for path, source in candidates:
        if path is not None and path.exists() and (version := ask_version(program, path, fix))[:2] == wanted:
            return Tool(name=program, path=path, version=dotted(version), source=source)
    raise ToolMissing(program, f"no native {program} {pins.FOUNDRY_VERSION} was found", fix)


def fetch_foundry(program: str, root: Path, node: Tool) -> None:
    """Fetch the platform package by name: a lock that lists every platform breaks where one is not served.

    Raises:
        ToolMissing: no checksum is pinned for this platform.
        FetchFailed: the registry did not deliver.
        ChecksumMismatch: it delivered something else.
    """
    platform = platform_name()
    expected = pins.FOUNDRY_SHA256.get((program, platform))
    if expected is None:
        fix = f"install Foundry {pins.FOUNDRY_VERSION} so that `{program}` is on PATH"
        raise ToolMissing(program, f"no checksum is pinned for {platform}", fix)
    package = f"@foundry-rs/{program}-{platform}"
    home = foundry_home(root)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix="fetch-") as scratch:
        # A directory of its own: npm prunes whatever the project's package.json does not name.
        install = ["install", "--no-save", "--no-package-lock", "--prefix", scratch]
        npm(node, program, [*install, f"{package}@{pins.FOUNDRY_VERSION}"], Path(scratch))
        fetched = Path(scratch) / "node_modules" / package / "bin" / program
        install_binary(program, fetched, home / program, expected)


def install_binary(tool: str, fetched: Path, destination: Path, expected_sha256: str) -> None:
    """Move a fetched program to its place if its bytes are the pinned ones.

    Raises:
        ToolBroken: the package does not hold the program.
        ChecksumMismatch: the bytes differ; ``destination`` is untouched.
    """
    if not fetched.is_file():
        raise ToolBroken(tool, f"the package holds no {fetched.name}", f"`{SETUP_COMMAND}`")
    actual = sha256_file(fetched)
    if actual != expected_sha256:
        raise ChecksumMismatch(tool, fetched, expected_sha256, actual)
    fetched.chmod(0o755)
    fetched.replace(destination)

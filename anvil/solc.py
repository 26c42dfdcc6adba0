"""The Solidity compiler: py-solc-x's native one where installed, else the official WebAssembly build."""

import os
import shlex
from pathlib import Path

from anvil import pins
from anvil.errors import ChecksumMismatch, ToolBroken, ToolMissing
from anvil.tools import SETUP_COMMAND, Tool, ask_version, dotted, sha256_file, state_dir


def native_solc() -> Path | None:
    """py-solc-x's compiler of the pinned version; its folder is documented, importing it costs 0.3 s."""
    folder = Path(os.environ.get("SOLCX_BINARY_PATH") or Path.home() / ".solcx")
    path = folder / f"solc-v{pins.SOLC_VERSION}"
    return path if path.is_file() else None


def launcher_path(root: Path) -> Path:
    """The program that starts the WebAssembly compiler."""
    return state_dir(root) / f"solc-{pins.SOLC_VERSION}"


def find_solc(root: Path) -> Tool:
    """A compiler of exactly the pinned version.

    Raises:
        ToolMissing: there is none; ToolBroken: it says another version.
    """
    fix = f"`{SETUP_COMMAND}`"
    native = native_solc()
    path = native or launcher_path(root)
    if not path.is_file():
        raise ToolMissing("solc", f"no Solidity compiler {pins.SOLC_VERSION} was found", fix)
    version = dotted(ask_version("solc", path, fix))
    if version != pins.SOLC_VERSION:
        raise ToolBroken("solc", f"{path} is version {version}, not {pins.SOLC_VERSION}", fix)
    return Tool(name="solc", path=path, version=version, source="py-solc-x" if native else "npm")


def write_launcher(root: Path, node: Tool) -> None:
    """Bind the shim to the settled Node: forge and py-solc-x start it without our PATH.

    Raises:
        ChecksumMismatch: `soljson.js` is not the pinned compiler.
    """
    soljson = root / "node_modules" / "solc" / "soljson.js"
    actual = sha256_file(soljson)
    if actual != pins.SOLJSON_SHA256:
        raise ChecksumMismatch("solc", soljson, pins.SOLJSON_SHA256, actual)
    path = launcher_path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    command = shlex.join([str(node.path), str(root / "anvil" / "solc_shim.js")])
    partial.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
    partial.chmod(0o755)
    partial.replace(path)

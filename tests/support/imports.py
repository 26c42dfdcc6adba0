"""Who may import whom: reads the syntax tree of every module and names each import against the rule."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "protocol",
    "worker",
    "committee",
    "coordinator",
    "pot",
    "anvil",
    "contracts",
    "migrations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for the modules whose dotted name matches ``modules``.

    ``ours``: the prefixes of our own packages they may import (None: any; their own package always).
    ``never``: outside libraries they may not import, anywhere in the file.
    """

    modules: str
    why: str
    ours: tuple[str, ...] | None = None
    never: frozenset[str] = field(default_factory=frozenset)


#: A core takes time, chance and messages as arguments.
NOT_IN_A_CORE: Final = frozenset(
    {"time", "datetime", "random", "secrets", "uuid", "socket", "ssl", "asyncio", "subprocess", "http"}
    | {"urllib", "web3", "sqlalchemy", "celery", "redis", "websockets", "httpx2", "requests", "fastapi"}
)
HEAVY: Final = frozenset(["torch", "celery", "sqlalchemy", "fastapi", "sklearn"])

RULES: Final = (
    Rule(modules=r"protocol(\..+)?", why="shared words go down, never sideways", ours=()),
    Rule(modules=r"protocol(\..+)?", why="the vocabulary is light", never=HEAVY),
    Rule(modules=r"worker(\..+)?", why="a worker speaks the protocol only", ours=("protocol",)),
    Rule(
        modules=r"committee(\..+)?",
        why="a validator replays what a worker computes",
        ours=("protocol", "worker.training"),
    ),
    Rule(
        modules=r"coordinator(\..+)?",
        why="the coordinator has no authority and knows no validator",
        ours=("protocol", "worker.training"),
    ),
    Rule(
        modules=r"pot(\..+)?",
        why="people's hands reach everything",
        ours=("protocol", "worker", "committee", "coordinator", "anvil", "contracts", "migrations"),
    ),
    Rule(
        modules=r"anvil(\..+)?",
        why="it starts programs by their command line",
        ours=("protocol", "contracts"),
    ),
    Rule(
        modules=r"contracts(\..+)?",
        why="compiling needs the compiler and nothing else",
        ours=("protocol", "anvil.toolchain", "anvil.tools", "anvil.errors"),
    ),
    Rule(
        modules=r"migrations(\..+)?",
        why="migrations describe the coordinator's tables",
        ours=("coordinator.store", "coordinator.config"),
    ),
    Rule(
        modules=r"committee\.(replica|state|votes|log|view_change|proofs|timers|quorum)",
        why="the consensus core does no input or output",
        never=NOT_IN_A_CORE,
    ),
    Rule(modules=r"coordinator\.domain(\..+)?", why="the domain is pure", never=NOT_IN_A_CORE),
    Rule(modules=r"worker\.training(\..+)?", why="training is arithmetic", never=NOT_IN_A_CORE),
)

#: Inside the coordinator: a layer may import itself and what stands behind it.
COORDINATOR_LAYERS: Final = {
    "domain": (),
    "store": ("domain",),
    "services": ("store", "domain"),
    "api": ("services", "store", "domain"),
    "web": ("services", "store", "domain"),
    "jobs": ("services", "store", "domain"),
    "chain": ("services", "store", "domain"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One import that the rule forbids."""

    module: str
    line: int
    imported: str
    why: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}: {self.why}"


def module_name(root: Path, path: Path) -> str:
    """The dotted name of a file under ``root``."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: str, is_package: bool, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every imported module with its line, relative ones resolved, imports inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, is_package, node)
            # `from a import b` may name the module a.b, so both are looked at.
            for alias in node.names:
                yield f"{base}.{alias.name}".strip("."), node.lineno


def _base(module: str, is_package: bool, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parents = module.split(".")
    keep = len(parents) - node.level + (1 if is_package else 0)
    return ".".join([*parents[:keep], *([node.module] if node.module else [])])


def violations(root: Path) -> list[Violation]:
    """All imports under ``root`` that a rule forbids, in file order."""
    found: list[Violation] = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            module = module_name(root, path)
            tree = ast.parse(path.read_text("utf-8"), filename=str(path))
            for imported, line in imports(module, path.name == "__init__.py", tree):
                found += [
                    Violation(module=module, line=line, imported=imported, why=why)
                    for why in _reasons(module, imported)
                ]
    return found


def _reasons(module: str, imported: str) -> Iterator[str]:
    package, top = module.partition(".")[0], imported.partition(".")[0]
    for rule in RULES:
        if re.fullmatch(rule.modules, module) is None:
            continue
        if top in rule.never:
            yield rule.why
        sideways = top in PACKAGES and top != package
        if rule.ours is not None and sideways and not _within(imported, rule.ours):
            yield rule.why
    yield from _coordinator_reasons(module, imported)


def _within(imported: str, prefixes: tuple[str, ...]) -> bool:
    return any(imported == prefix or imported.startswith(f"{prefix}.") for prefix in prefixes)


def _coordinator_reasons(module: str, imported: str) -> Iterator[str]:
    where, what = module.split("."), imported.split(".")
    if where[0] != "coordinator" or what[0] != "coordinator" or len(where) < 2 or len(what) < 2:
        return
    here, there = where[1], what[1]
    if here not in COORDINATOR_LAYERS or here == there:
        return
    if there in COORDINATOR_LAYERS and there not in COORDINATOR_LAYERS[here]:
        yield f"coordinator.{here} stands behind or beside coordinator.{there}"
    if there == "bootstrap":
        yield "only an entry point may reach the composition root"

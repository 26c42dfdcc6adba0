"""Planted bugs: each is an edit of the source, and a hole in the tests if the simulation does not notice it.
The table is ``mutants.toml``."""

import importlib.abc
import importlib.machinery
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """``found_after`` is how many scenarios it took when measured last; ``edits`` are (file, text that
    occurs exactly once, what stands there instead); ``restless`` is the family of scenarios."""

    name: str
    found_after: int
    edits: tuple[tuple[str, str, str], ...]
    restless: bool


def _load() -> tuple[Mutant, ...]:
    table = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())["mutant"]
    return tuple(
        Mutant(
            name=row["name"],
            found_after=row["found_after"],
            restless=row.get("restless", False),
            edits=tuple((e["file"], e["old"], e["new"]) for e in row["edits"]),
        )
        for row in table
    )


MUTANTS = _load()
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def mutated_source(mutant: Mutant, file: str) -> str:
    """The file with the bug in it. Raises ValueError when an edit no longer fits exactly once."""
    source = (ROOT / file).read_text()
    for target, old, new in mutant.edits:
        if target == file:
            if source.count(old) != 1:
                raise ValueError(f"{mutant.name}: occurs {source.count(old)} times in {file}: {old!r}")
            source = source.replace(old, new)
    return source


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._modules = {
            file.removesuffix(".py").replace("/", "."): (file, mutated_source(mutant, file))
            for file, _, _ in mutant.edits
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._modules:
            return None
        file, source = self._modules[fullname]
        where = str(ROOT / file)
        return importlib.machinery.ModuleSpec(fullname, _Loader(fullname, where, source), origin=where)


def plant(mutant: Mutant) -> None:
    """From now on imports of the edited modules get the bug. Call it before they are imported."""
    finder = _Finder(mutant)
    loaded = [name for name in finder._modules if name in sys.modules]
    if loaded:
        raise RuntimeError(f"{loaded} are imported already")
    sys.meta_path.insert(0, finder)

"""What our packages import is what pyproject.toml declares, and not what others happen to need."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("protocol", "worker", "committee", "coordinator", "pot", "anvil", "contracts", "migrations")
OPTIONAL = {"psycopg", "s3fs"}
"""Behind an extra, imported only where it was chosen."""


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {canonical(re.split(r"[\[<>=;! ]", line, maxsplit=1)[0]) for line in lines}


def imported() -> dict[str, Path]:
    """Top-level modules from elsewhere, with a file that imports each."""
    found: dict[str, Path] = {}
    for path in (path for package in OURS for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            found.update((name.split(".")[0], path) for name in names)
    return {
        name: path
        for name, path in found.items()
        if name not in OURS and name not in sys.stdlib_module_names and name not in OPTIONAL
    }


def test_imports__of_other_projects__are_declared() -> None:
    distributions, allowed = packages_distributions(), declared()
    missing = {
        f"{name} ({path.relative_to(ROOT)})"
        for name, path in imported().items()
        if not allowed & {canonical(each) for each in distributions.get(name, [name])}
    }
    assert not missing

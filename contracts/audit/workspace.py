"""A copy of the Solidity project that tools may clean, rebuild and change."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anvil.toolchain import PROJECT_ROOT, ensure_forge, ensure_npm_packages, ensure_solc, tool_environment

AUDIT_BIN: Final = PROJECT_ROOT / ".venv-audit" / "bin"
LIBRARY: Final = Path("node_modules", "@openzeppelin", "contracts")
# The tools' source maps and mutants want one plain compilation, so the copy leaves out the pipeline by path.
PROFILE_LINES: Final = ("additional_compiler_profiles", "compilation_restrictions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a program answered: its exit code and all its words."""

    code: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A copy; ``project`` holds foundry.toml."""

    project: Path

    def run(self, command: Sequence[str | Path], timeout_s: float) -> Said:
        """Run in the project, with the pinned compiler, forge and Node on PATH.

        Raises:
            subprocess.TimeoutExpired: it took longer than ``timeout_s`` seconds.
        """
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.project,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        return Said(code=done.returncode, words=done.stdout)

    def forge(self, *arguments: str, timeout_s: float = 900) -> Said:
        """Run the native forge."""
        return self.run([ensure_forge().path, *arguments], timeout_s)


def environment() -> dict[str, str]:
    """What forge and the tools that call it need to find the pinned compiler."""
    settled = tool_environment()
    return settled | {
        "PATH": os.pathsep.join([str(ensure_forge().path.parent), str(AUDIT_BIN), settled["PATH"]]),
        "FOUNDRY_SOLC": str(ensure_solc().path),
        "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1",
        "NO_COLOR": "1",
    }


@contextmanager
def workspace(tests: Sequence[str] = ("test",), root: Path = PROJECT_ROOT) -> Iterator[Workspace]:
    """A fresh copy of the sources, of the named folders of tests and of the libraries; gone afterwards."""
    ensure_npm_packages()
    with tempfile.TemporaryDirectory(prefix="pot-audit-") as folder:
        project = Path(folder, "contracts")
        for name in ("src", "snapshots", *tests):
            shutil.copytree(root / "contracts" / name, project / name)
        shutil.copytree(root / LIBRARY, project / LIBRARY)
        shutil.copytree(root / "tests" / "vectors", Path(folder, "tests", "vectors"))
        settings = (root / "contracts" / "foundry.toml").read_text("utf-8")
        (project / "foundry.toml").write_text(plain(settings), "utf-8")
        yield Workspace(project=project)


def plain(settings: str) -> str:
    """``foundry.toml`` for one plain pipeline, with the libraries inside the project."""
    lines = [line for line in settings.splitlines() if not line.startswith(PROFILE_LINES)]
    text = "\n".join(lines) + "\n"
    return (
        text.replace("=../node_modules/", "=node_modules/")
        .replace('allow_paths = ["../node_modules"]', "allow_paths = []")
        .replace("via_ir = true", "via_ir = false")
    )

"""The training arithmetic reaches for nothing but its arguments."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import worker.training

FOLDER = Path(worker.training.__file__).parent
FORBIDDEN = {
    "asyncio", "celery", "datetime", "os", "random", "requests", "secrets", "socket", "sqlalchemy", "time",
    "web3",
}  # fmt: skip
NUMPY_ONLY = (
    "aggregate",
    "aggregate_fast",
    "aggregate_middle",
    "checkpoint",
    "codec",
    "data",
    "ingest",
    "models",
    "optimizer",
    "rounds",
    "shards",
    "tolerance",
)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_training_module__its_imports__hold_no_clock_randomness_or_network(path: Path) -> None:
    assert not imported(path) & FORBIDDEN
    assert "np.random.default_rng" not in path.read_text()
    assert "torch.manual_seed" not in path.read_text()


def test_numpy_modules__imported__do_not_load_torch_or_sklearn() -> None:
    modules = ", ".join(f"worker.training.{name}" for name in NUMPY_ONLY)
    script = f"import sys, worker, {modules}; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    root = FOLDER.parent.parent
    assert subprocess.run([sys.executable, "-c", script], cwd=root, timeout=60, check=False).returncode == 0

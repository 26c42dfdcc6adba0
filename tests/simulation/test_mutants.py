"""Every planted bug is found; one that is not is a hole in the simulation."""

import subprocess
import sys

import pytest

from tests.simulation.mutants import BY_NAME, MUTANTS, ROOT, mutated_source

QUICK = 50
LIMIT = 20_000


def hunt(name: str, count: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation.hunt", "--mutant", name, "--count", str(count)]
    command += ["--restless"] if BY_NAME[name].restless else []
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


def test_table__every_edit__fits_the_source_exactly_once() -> None:
    for mutant in MUTANTS:
        for file, _, _ in mutant.edits:
            compile(mutated_source(mutant, file), file, "exec")
    assert len(MUTANTS) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS if mutant.found_after <= QUICK])
def test_planted_bug__that_shows_soon__is_found(name: str) -> None:
    found = hunt(name, 10 * QUICK)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS if mutant.found_after > QUICK])
def test_planted_bug__that_hides__is_found_within_20000_scenarios(name: str) -> None:
    found = hunt(name, LIMIT)
    assert found.returncode == 0, found.stdout + found.stderr

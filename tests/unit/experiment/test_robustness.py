"""The matrix of rules and attacks is whole, repeatable, and written as numbers and as a picture."""

import csv
from pathlib import Path

from pot.experiment.robustness import ATTACKS, RULES, RobustnessPlan, measure, write

PLAN = RobustnessPlan(rounds=2, shards=8, forged=(0, 2))


def test_measure__a_small_plan__fills_every_cell_and_repeats_itself(tmp_path: Path) -> None:
    said: list[str] = []
    cells = measure(PLAN, said.append)
    assert len(cells) == len(RULES) * len(ATTACKS) * len(PLAN.forged)
    assert len(said) == len(RULES)
    assert {cell.forged for cell in cells} == {0, 2}
    assert all(0 <= cell.accuracy <= 100 for cell in cells)
    assert measure(PLAN, said.append) == cells
    table, picture = write(cells, tmp_path / "out")
    with table.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["accuracy"]) for row in rows] == [cell.accuracy for cell in cells]
    assert picture.read_bytes().startswith(b"\x89PNG")

"""The matrix of rules and attacks is whole, repeatable, and written as numbers and as a picture."""

import csv
from pathlib import Path

from pot.experiment.robustness import ATTACKS, RULES, RobustnessPlan, matrix, measure
from pot.experiment.sheets import write

PLAN = RobustnessPlan(rounds=2, shards=8, forged=(0, 2))


def test_measure__a_small_plan__fills_every_cell_and_repeats_itself(tmp_path: Path) -> None:
    said: list[str] = []
    cells = matrix(PLAN, said.append)
    assert len(cells) == len(RULES) * len(ATTACKS) * len(PLAN.forged)
    assert len(said) == len(RULES)
    assert {cell.forged for cell in cells} == {0, 2}
    assert all(0 <= cell.accuracy <= 100 for cell in cells)
    found = measure(PLAN, said.append)
    document = write(found, tmp_path / "out")
    assert document["settings"]["rounds"] == PLAN.rounds
    assert [row["accuracy"] for row in document["sheets"]["cells"]] == [cell.accuracy for cell in cells]
    with (tmp_path / "out" / "robustness-cells.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["accuracy"]) for row in rows] == [cell.accuracy for cell in cells]
    assert (tmp_path / "out" / "robustness.png").read_bytes().startswith(b"\x89PNG")

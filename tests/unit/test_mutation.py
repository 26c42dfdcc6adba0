"""Which mutants the mutation of the contracts makes, and that each reason is about one of them."""

import json
from pathlib import Path

from anvil.toolchain import PROJECT_ROOT
from contracts.audit.mutate import EXPLAINED, TARGETS, Mutant, chosen, mutants

SOURCE = """contract C {
    function f(uint256 a) external nonReentrant {
        // if (a < 1) revert Small();
        if (a < 1) revert Small();
        total += a;
    }
}
"""


def of_the_sources() -> list[Mutant]:
    folder = PROJECT_ROOT / "contracts" / "src"
    return [m for name in TARGETS for m in mutants(name, (folder / f"{name}.sol").read_text("utf-8"))]


def test_mutants__operators_constants_refusals_and_statements__are_changed_one_at_a_time() -> None:
    assert [(m.line, m.after.strip()) for m in mutants("C", SOURCE)] == [
        (1, "function f(uint256 a) external {"),
        (3, "if (a <= 1) revert Small();"),
        (3, "if (a > 1) revert Small();"),
        (3, "if (a < 2) revert Small();"),
        (3, ""),
        (4, "total -= a;"),
        (4, ""),
    ]


def test_mutants__equal_lines__are_told_apart_by_their_turn() -> None:
    names = [mutant.name for mutant in mutants("C", "    f(a);\n    g(b);\n        f(a);\n")]
    assert names == ["C: f(a); -> (removed)", "C: g(b); -> (removed)", "C: f(a); -> (removed) (2)"]


def test_reasons__every_one__is_about_a_mutant_of_the_sources() -> None:
    reasons = json.loads(EXPLAINED.read_text("utf-8"))
    names = [mutant.name for mutant in of_the_sources()]
    assert set(reasons) <= set(names)
    assert len(set(names)) == len(names)
    assert all(reasons.values())


def test_chosen__file_of_an_earlier_run__names_the_only_ones(tmp_path: Path) -> None:
    found = mutants("C", SOURCE)
    again = tmp_path / "survivors"
    again.write_text(f"survived: {found[1].name}\n{found[4].name}\nsurvived: D: a -> b\n", "utf-8")
    assert chosen(again, None, found) == [found[1], found[4]]
    assert chosen(None, ["D"], found) == []
    assert chosen(None, None, found) == found

"""The model and the code speak of the same things: every action has handlers, and they exist."""

import importlib
import re
from functools import reduce

import pytest

from tests.run_model_check import LONG, MODEL, PLANTED, SAFE, Case

README = (MODEL / "README.md").read_text()
TLA = (MODEL / "Agreement.tla").read_text()
ROWS = re.findall(r"(?m)^\| `(\w+)` \| (`.+`) \| .+ \|$", README)


def test_model__each_action_of_next__has_one_row_in_the_table() -> None:
    step = TLA.split("Next ==")[1].split("Spec ==")[0]
    actions = set(re.findall(r"\b([A-Z]\w+)\(", step)) - {"ValuesAt"}
    assert sorted(actions) == sorted(name for name, _ in ROWS)


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`([a-z_]+\.[\w.]+)`", README)) - {"tests.simulation"})
)
def test_model__each_handler_that_the_table_names__exists(name: str) -> None:
    if "/" in name or name.endswith((".md", ".tla", ".py")):
        return
    module, *path = name.split(".")
    assert callable(reduce(getattr, path, importlib.import_module(f"committee.{module}")))


@pytest.mark.parametrize("case", [*SAFE, *PLANTED, *LONG], ids=str)
def test_model__each_case__sets_constants_that_the_model_knows(case: Case) -> None:
    assert f'"{case.planted}"' in TLA
    assert f'Planted = "{case.planted}"' in case.configuration()

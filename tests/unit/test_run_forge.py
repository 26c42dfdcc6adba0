"""The contract test runner is believed only because it fails when it should: on failures and on silence."""

import re
import shutil
from pathlib import Path

import pytest

from anvil.toolchain import PROJECT_ROOT
from tests import run_forge

HEAD = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.37;\n\n"
PASSING = (
    HEAD
    + "contract GoodTest {\n    function test_true() public pure {\n        assert(1 + 1 == 2);\n    }\n}\n"
)
FAILING = (
    HEAD
    + "contract BadTest {\n    function test_false() public pure {\n        assert(1 + 1 == 3);\n    }\n}\n"
)
MEASURING = (
    HEAD
    + """interface Vm {
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

contract GasTest {
    function test_measure() public {
        Vm(address(uint160(uint256(keccak256("hevm cheat code"))))).snapshotValue("group", "name", 41);
    }
}
"""
)
BROKEN_INVARIANT = (
    HEAD
    + """contract Counter {
    uint256 public count;

    function add() external {
        ++count;
    }
}

contract CounterInvariants {
    Counter private counter = new Counter();

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(counter);
    }

    function invariant_stays_small() public view {
        require(counter.count() < 5);
    }
}
"""
)
REVERTING_HANDLER = (
    HEAD
    + """contract Reverting {
    function step() external pure {
        revert();
    }
}

/// forge-config: default.invariant.fail-on-revert = true
contract RevertingInvariants {
    Reverting private handler = new Reverting();

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_holds() public view {}
}
"""
)
UNFORMATTED = HEAD + "contract UglyTest { function test_true()  public pure{} }\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Solidity project with the real settings and no tests."""
    for name in ("src", "test"):
        (tmp_path / name).mkdir()
    shutil.copy(PROJECT_ROOT / "contracts" / "foundry.toml", tmp_path)
    return tmp_path


def plant(project: Path, text: str) -> None:
    (project / "test" / "Planted.t.sol").write_text(text, "utf-8")


def test_runner__passing_test__ends_with_0(project: Path) -> None:
    plant(project, PASSING)
    assert run_forge.main(["--project", str(project)]) == 0


def test_runner__planted_failing_test__ends_with_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(project, FAILING)
    assert run_forge.main(["--project", str(project)]) != 0
    assert "test_false" in capsys.readouterr().out


def test_runner__empty_suite__ends_with_an_error_although_forge_does_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = run_forge.forge_environment("default")
    assert run_forge.run(["test"], project, environment)[0] == 0
    assert run_forge.main(["--project", str(project)]) == 1
    assert "no test ran" in capsys.readouterr().out


def test_runner__filter_that_matches_nothing__ends_with_an_error(project: Path) -> None:
    plant(project, PASSING)
    assert run_forge.main(["--project", str(project), "--", "--match-test", "test_absent"]) == 1


def test_runner__source_that_does_not_compile__ends_with_an_error(project: Path) -> None:
    plant(project, HEAD + "contract BrokenTest {\n    function test_x() public {\n        y = 1;\n    }\n}\n")
    assert run_forge.main(["--project", str(project)]) != 0


def test_runner__unformatted_source__ends_with_an_error_before_testing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(project, UNFORMATTED)
    assert run_forge.main(["--project", str(project)]) != 0
    assert "make format" in capsys.readouterr().out


def test_count_tests__closing_line_of_forge__is_read() -> None:
    line = "Ran 3 test suites in 1.2s (2.0s CPU time): 41 tests passed, 0 failed, 1 skipped (42 total tests)"
    assert run_forge.count_tests(line) == 41
    assert run_forge.count_tests("No tests found in project!") == 0


def test_runner__gas_snapshot_that_drifted__ends_with_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "snapshots").mkdir()
    (project / "test" / "gas").mkdir()
    (project / "test" / "gas" / "Gas.t.sol").write_text(MEASURING, "utf-8")
    assert run_forge.main(["--project", str(project), "--no-fmt", "--snapshots"]) == 0
    assert run_forge.main(["--project", str(project), "--no-fmt"]) == 0
    figures = project / "snapshots" / "group.json"
    figures.write_text(figures.read_text("utf-8").replace("41", "40"), "utf-8")
    assert run_forge.main(["--project", str(project), "--no-fmt"]) != 0
    assert "40 → 41" in capsys.readouterr().out


def test_runner__snapshots_without_a_test__end_with_an_error(project: Path) -> None:
    assert run_forge.main(["--project", str(project), "--snapshots"]) != 0


def test_runner__planted_broken_invariant__ends_with_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(project, BROKEN_INVARIANT)
    assert run_forge.main(["--project", str(project), "--no-fmt"]) != 0
    assert "invariant_stays_small" in capsys.readouterr().out


def test_runner__handler_that_reverts__ends_with_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(project, REVERTING_HANDLER)
    assert run_forge.main(["--project", str(project), "--no-fmt"]) != 0
    assert "invariant_holds" in capsys.readouterr().out


def test_make_test__contract_tests_fail__ends_before_pytest() -> None:
    text = (PROJECT_ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^test:.*\bforge\b", text, re.MULTILINE)
    assert "\t$(BIN)/python tests/run_forge.py\n" in text  # no leading `-`, no `|| true`
    assert "\t$(BIN)/python tests/run_forge.py --profile ci\n" in text


def test_build__a_source_changed__nothing_older_is_built_upon(tmp_path: Path) -> None:
    project = tmp_path / "contracts"
    (project / "src").mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "contracts" / "foundry.toml", project)
    till = project / "src" / "Till.sol"
    old = project / "out" / "Old.json"

    def survives(source: str) -> bool:
        till.write_text(HEAD + source)
        old.parent.mkdir(exist_ok=True)
        old.write_text("{}")
        assert run_forge.build(project, "default") == 0
        return old.exists()

    assert not survives("contract Till {}\n")
    assert survives("contract Till {}\n")
    assert not survives("contract Till { uint256 money; }\n")

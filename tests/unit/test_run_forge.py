"""The contract test runner is believed only because it fails when it should: on failures and on silence."""

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

"""Python compiles what forge tests: same settings, same bytes, cached and compared with committed ABIs."""

import json
import shutil
from pathlib import Path

import pytest

from anvil.errors import CompilationFailed
from anvil.toolchain import PROJECT_ROOT, ensure_npm_packages
from contracts import compile as compiler
from contracts.compile import abi_drift, compile_contracts, public_abis, write_abis
from tests import run_forge

SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

contract Till {
    error Empty(address account);

    function open(IERC20 token) external view returns (uint256) {
        uint256 money = token.balanceOf(address(this));
        if (money == 0) revert Empty(msg.sender);
        return money;
    }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one contract of its own and this project's packages."""
    root = tmp_path / "project"
    (root / "contracts" / "src").mkdir(parents=True)
    (root / "contracts" / "src" / "Till.sol").write_text(SOURCE, "utf-8")
    shutil.copy(PROJECT_ROOT / "contracts" / "foundry.toml", root / "contracts")
    shutil.copy(PROJECT_ROOT / "package-lock.json", root)
    shutil.copytree(PROJECT_ROOT / "anvil", root / "anvil", ignore=shutil.ignore_patterns("__pycache__"))
    ensure_npm_packages()
    (root / "node_modules").symlink_to(PROJECT_ROOT / "node_modules")
    return root


def test_compile__a_contract_with_an_import__gives_abi_and_bytecode(project: Path) -> None:
    till = compile_contracts(project)["Till"]
    assert till.bytecode
    assert till.deployed_bytecode
    assert {entry["name"] for entry in till.abi} == {"Empty", "open"}


def test_compile__nothing_changed__is_answered_without_the_compiler(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compile_contracts(project)
    monkeypatch.setattr(compiler, "_run_solc", lambda *_: pytest.fail("the compiler was started"))
    assert compile_contracts(project) == first


def test_compile__source_changed__is_compiled_again(project: Path) -> None:
    compile_contracts(project)
    source = project / "contracts" / "src" / "Till.sol"
    source.write_text(SOURCE.replace("Till", "Chest"), "utf-8")
    assert set(compile_contracts(project)) == {"Chest"}


def test_compile__damaged_cache__is_compiled_again(project: Path) -> None:
    first = compile_contracts(project)
    (project / "contracts" / "out-py" / "Till.json").write_text("{}", "utf-8")
    assert compile_contracts(project) == first


def test_compile__source_with_an_error__carries_the_compilers_words(project: Path) -> None:
    (project / "contracts" / "src" / "Till.sol").write_text(
        SOURCE.replace("money == 0", "coins == 0"), "utf-8"
    )
    with pytest.raises(CompilationFailed, match="Undeclared identifier") as caught:
        compile_contracts(project)
    assert "Till.sol:11" in caught.value.diagnostics[0]


def test_abi__changed_contract__drifts_until_written(project: Path) -> None:
    wanted = public_abis(compile_contracts(project))
    assert abi_drift(project, wanted) == ["Till.json"]
    assert write_abis(project, wanted) == ["Till.json"]
    assert abi_drift(project, wanted) == []
    (project / "contracts" / "abi" / "Gone.json").write_text("[]", "utf-8")
    assert abi_drift(project, wanted) == ["Gone.json"]
    write_abis(project, wanted)
    assert not (project / "contracts" / "abi" / "Gone.json").exists()


def test_compile__this_projects_contracts__are_byte_for_byte_what_forge_builds() -> None:
    contracts = PROJECT_ROOT / "contracts"
    assert run_forge.build(contracts, "default") == 0
    deployable = {name: found for name, found in compile_contracts().items() if found.bytecode}
    assert {"TrainingMarket", "StakeVault", "Committee", "DevToken"} <= set(deployable)
    for name, artifact in deployable.items():
        built = json.loads(
            (contracts / "out" / Path(artifact.source).name / f"{name}.json").read_text("utf-8")
        )
        assert built["bytecode"]["object"] == "0x" + artifact.bytecode.hex(), name
        # A test that imports a contract itself makes forge compile it a second time, in another way.
        is_library = Path(artifact.source).parent.name == "libraries"
        assert is_library or [file.name for file in (contracts / "out" / f"{name}.sol").iterdir()] == [
            f"{name}.json"
        ]

"""Programs are found or fetched, checked against pins, remembered, and never taken on trust."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anvil import foundry, node, pins, solc, toolchain, tools
from anvil.errors import ChecksumMismatch, FetchFailed, ToolBroken, ToolMissing
from anvil.toolchain import PROJECT_ROOT, inspect_tools


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_project(tmp_path: Path) -> Path:
    """A project folder in which nothing was set up yet."""
    root = tmp_path / "project"
    root.mkdir()
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PROJECT_ROOT / name, root / name)
    (root / "anvil").mkdir()
    shutil.copy(PROJECT_ROOT / "anvil" / "solc_shim.js", root / "anvil")
    return root


def test_install_binary__wrong_checksum__raises_and_leaves_no_program(tmp_path: Path) -> None:
    fetched, destination = tmp_path / "fetched", tmp_path / "anvil"
    fetched.write_bytes(b"\x7fELF not what was pinned")
    with pytest.raises(ChecksumMismatch) as caught:
        foundry.install_binary("anvil", fetched, destination, "00" * 32)
    assert not destination.exists()
    assert caught.value.actual == tools.sha256_file(fetched)
    assert "pot doctor" in str(caught.value)


def test_install_binary__right_checksum__is_executable(tmp_path: Path) -> None:
    fetched, destination = tmp_path / "fetched", tmp_path / "anvil"
    fetched.write_bytes(b"\x7fELF")
    foundry.install_binary("anvil", fetched, destination, tools.sha256_file(fetched))
    assert os.access(destination, os.X_OK)


def test_install_binary__package_without_the_program__is_broken(tmp_path: Path) -> None:
    with pytest.raises(ToolBroken, match="holds no forge"):
        foundry.install_binary("forge", tmp_path / "forge", tmp_path / "out", "00" * 32)


def test_foundry__platform_without_a_pin__names_the_way_out(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foundry, "platform_name", lambda: "plan9-mips")
    with pytest.raises(
        ToolMissing, match=r"no checksum is pinned for plan9-mips.*so that `anvil` is on PATH"
    ):
        foundry.fetch_foundry("anvil", bare_project, toolchain.ensure_node())


def test_foundry__wrapper_script_on_path__does_not_count(
    tmp_path: Path, bare_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = script(tmp_path / "bin" / "forge", f"echo 'forge Version: {pins.FOUNDRY_VERSION}'")
    monkeypatch.setenv("PATH", str(wrapper.parent))
    with pytest.raises(ToolMissing, match="no native forge"):
        foundry.find_foundry("forge", bare_project)


def test_foundry__native_program_on_path__is_used_where_it_is(
    tmp_path: Path, bare_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "bin" / "anvil"
    there.parent.mkdir()
    there.symlink_to(toolchain.ensure_anvil().path)
    monkeypatch.setenv("PATH", f"{there.parent}:{os.environ['PATH']}")
    tool = toolchain.ensure_anvil(bare_project)
    assert (tool.source, tool.path) == ("path", there.resolve())


def test_node__too_old_on_path__falls_back_to_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "npm", "exit 0")
    script(tmp_path / "node", "echo v12.22.9")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(tools, "is_native", lambda _path: True)
    assert node.find_node().source == "wheel"


def test_node__none_on_path__the_wheel_brings_npm_along(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = toolchain.ensure_node(bare_project)
    assert found.source == "wheel"
    done = subprocess.run(
        [found.path, found.path.parents[1] / "lib/node_modules/npm/bin/npm-cli.js", "--version"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout


def test_npm__registry_unreachable__names_the_command(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(bare_project / "cache"))
    with pytest.raises(FetchFailed, match="npm ci") as caught:
        toolchain.ensure_npm_packages(bare_project)
    assert caught.value.exit_code == 3


def test_npm_packages__one_removed_by_hand__are_not_believed(bare_project: Path) -> None:
    shutil.copytree(PROJECT_ROOT / "node_modules", bare_project / "node_modules", copy_function=os.link)
    toolchain.ensure_npm_packages(bare_project)
    shutil.rmtree(bare_project / "node_modules" / "uplot")
    (bare_project / "node_modules" / ".package-lock.json").touch()
    statuses = {status.name: status for status in inspect_tools(bare_project)}
    assert not statuses["npm-packages"].ok
    assert "uplot" in statuses["npm-packages"].problem


def test_inspect__bare_project__fetches_nothing_and_says_what_to_run(bare_project: Path) -> None:
    statuses = {status.name: status for status in inspect_tools(bare_project)}
    assert set(statuses) == {"node", "npm-packages", "solc", "anvil", "forge", "redis"}
    assert statuses["npm-packages"].fix == f"`{tools.SETUP_COMMAND}`"
    assert not (bare_project / "node_modules").exists()
    assert all(status.ok or (status.problem and status.fix) for status in statuses.values())


def test_solc__compiler_with_other_bytes__is_refused(bare_project: Path) -> None:
    soljson = bare_project / "node_modules" / "solc" / "soljson.js"
    soljson.parent.mkdir(parents=True)
    soljson.write_text("module.exports = {}", "utf-8")
    with pytest.raises(ChecksumMismatch, match=pins.SOLJSON_SHA256):
        solc.write_launcher(bare_project, toolchain.ensure_node())


def test_solc__native_one_of_another_version__is_broken(
    bare_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "solcx" / f"solc-v{pins.SOLC_VERSION}", "echo 'Version: 0.8.1+commit.df193b15'")
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(tmp_path / "solcx"))
    with pytest.raises(ToolBroken, match=r"is version 0\.8\.1, not"):
        toolchain.ensure_solc(bare_project)


def test_solc__native_one_of_the_pinned_version__is_preferred(
    bare_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = script(
        tmp_path / "solcx" / f"solc-v{pins.SOLC_VERSION}",
        f"echo 'Version: {pins.SOLC_VERSION}+commit.f401782d'",
    )
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(native.parent))
    tool = toolchain.ensure_solc(bare_project)
    assert (tool.path, tool.source) == (native, "py-solc-x")
    assert not (bare_project / "node_modules").exists()


def test_solc_shim__import_outside_the_named_folders__is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.sol").write_text("contract Secret {}", "utf-8")
    (tmp_path / "base").mkdir()
    request = '{"language":"Solidity","sources":{"a.sol":{"content":"import \\"../secret.sol\\";"}}}'
    compiler = toolchain.ensure_solc()
    if compiler.source != "npm":
        pytest.skip("a native compiler is installed; this test is about the WebAssembly front")
    done = subprocess.run(
        [compiler.path, "--standard-json", "--base-path", tmp_path / "base"],
        input=request,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "was not found under" in done.stdout
    assert "contract Secret" not in done.stdout


def test_ensure__program_replaced_since__is_looked_at_again(
    bare_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = script(tmp_path / "bin" / "redis-server", "echo 'Redis server v=7.0.15'")
    monkeypatch.setenv("PATH", f"{redis.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(tools, "is_native", lambda _path: True)
    assert toolchain.ensure_redis(bare_project).version == "7.0.15"
    script(redis, "echo 'Redis server v=7.4.100'")
    assert toolchain.ensure_redis(bare_project).version == "7.4.100"


def test_ensure__program_too_old__is_passed_over(
    bare_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = script(tmp_path / "bin" / "redis-server", "echo 'Redis server v=5.0.3'")
    monkeypatch.setenv("PATH", f"{redis.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(tools, "is_native", lambda _path: True)
    assert toolchain.ensure_redis(bare_project).path != redis


def test_ensure__unreadable_stamp__costs_a_look_and_nothing_else(bare_project: Path) -> None:
    first = toolchain.ensure_redis(bare_project)
    (tools.state_dir(bare_project) / "redis.json").write_text("{", "utf-8")
    assert toolchain.ensure_redis(bare_project) == first


def test_ensure__from_several_threads__all_get_the_same_tool(bare_project: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: toolchain.ensure_redis(bare_project), range(4)))
    assert len(set(found)) == 1


def test_ensure_all__second_run__takes_less_than_a_tenth_of_a_second() -> None:
    toolchain.ensure_all()
    started = time.perf_counter()
    toolchain.ensure_all()
    assert time.perf_counter() - started < 0.1


@pytest.mark.slow
def test_ensure_all__bare_project_without_system_programs__fetches_everything(
    bare_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    (empty / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(empty))
    tools_found = {tool.name: tool for tool in toolchain.ensure_all(bare_project)}
    assert tools_found["node"].source == "wheel"
    assert tools_found["anvil"].version == tools_found["forge"].version == pins.FOUNDRY_VERSION
    assert tools_found["solc"].version == pins.SOLC_VERSION
    assert all(status.ok for status in inspect_tools(bare_project))

"""Compile the contracts with py-solc-x; the result is cached by a hash of everything that decides it.

``contracts/foundry.toml`` is the one place for compiler settings, so that forge tests what Python deploys.
``python -m contracts.compile`` also rewrites ``contracts/abi``; ``--check`` fails when that folder drifted.
"""

import argparse
import hashlib
import json
import os
import posixpath
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from anvil.errors import CompilationFailed
from anvil.toolchain import PROJECT_ROOT, ensure_npm_packages, ensure_solc
from anvil.tools import Tool, locked
from protocol.errors import PotError

LIBRARY: Final = ("@openzeppelin/contracts/", "../node_modules/@openzeppelin/contracts/")
IMPORT: Final = re.compile(r'^import\s[^;"]*"([^"]+)"\s*;', re.MULTILINE)
ABI_FOLDERS: Final = ("src", "src/dev")
OUTPUTS: Final = ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"]

Abi = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract, library or interface; ``bytecode`` is empty for what cannot be deployed."""

    name: str
    source: str
    abi: Abi
    bytecode: bytes
    deployed_bytecode: bytes
    metadata: str

    def to_json(self) -> str:
        """The file form; ``from_json`` reads it back."""
        fields = {
            "name": self.name,
            "source": self.source,
            "abi": self.abi,
            "bytecode": "0x" + self.bytecode.hex(),
            "deployedBytecode": "0x" + self.deployed_bytecode.hex(),
            "metadata": self.metadata,
        }
        return json.dumps(fields, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Artifact":
        """Read what ``to_json`` wrote."""
        fields = json.loads(text)
        return cls(
            name=fields["name"],
            source=fields["source"],
            abi=fields["abi"],
            bytecode=bytes.fromhex(fields["bytecode"][2:]),
            deployed_bytecode=bytes.fromhex(fields["deployedBytecode"][2:]),
            metadata=fields["metadata"],
        )


def compile_contracts(root: Path = PROJECT_ROOT) -> dict[str, Artifact]:
    """Every contract, library and interface under ``contracts/src`` by name.

    Raises:
        CompilationFailed: the compiler reports errors.
        ToolchainError: the compiler or OpenZeppelin's sources are missing and cannot be fetched.
    """
    packages, solc = ensure_npm_packages(root), ensure_solc(root)
    request = _request(root)
    key = _cache_key(request, packages, solc)
    out = root / "contracts" / "out-py"
    if (cached := _read_cache(out, key)) is not None:
        return cached
    with locked(out):
        if (cached := _read_cache(out, key)) is not None:
            return cached
        artifacts = _artifacts(_run_solc(request, solc, root))
        _write_cache(out, key, artifacts)
    return artifacts


def compiler_settings(root: Path = PROJECT_ROOT) -> dict[str, Any]:
    """Standard-JSON settings that mean what the default profile of ``foundry.toml`` means."""
    profile = tomllib.loads((root / "contracts" / "foundry.toml").read_text("utf-8"))["profile"]["default"]
    settings: dict[str, Any] = {
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "viaIR": profile["via_ir"],
        "metadata": {"bytecodeHash": profile["bytecode_hash"], "appendCBOR": profile["cbor_metadata"]},
        "remappings": ["=".join(LIBRARY)],
        "outputSelection": {"*": {"*": OUTPUTS}},
    }
    if "evm_version" in profile:
        settings["evmVersion"] = profile["evm_version"]
    return settings


def _request(root: Path) -> dict[str, Any]:
    """Every source and what it imports, by the names that forge gives them.

    The compiler numbers what it reads in the order of these names, and the optimized code can depend on the
    numbers, so that other names would make Python deploy other bytes than forge tests. Forge names what our
    sources import from a library relatively to the project, and what a library's files import from each other
    absolutely. The compiler wants the latter by a relative name too, and then reads the file by itself.
    """
    folder = root.resolve() / "contracts"
    waiting = [path.relative_to(folder).as_posix() for path in (folder / "src").rglob("*.sol")]
    sources: dict[str, dict[str, str]] = {}
    while waiting:
        name = waiting.pop()
        if name not in sources and (path := folder / name).is_file():
            sources[name] = {"content": path.read_text("utf-8")}
            imports = IMPORT.findall(sources[name]["content"])
            waiting += (_imported(folder, name, wanted) for wanted in imports)
    return {
        "language": "Solidity",
        "sources": dict(sorted(sources.items())),
        "settings": compiler_settings(root),
    }


def _imported(folder: Path, importer: str, wanted: str) -> str:
    if not wanted.startswith("."):
        return wanted.replace(*LIBRARY, 1)
    if importer.startswith("src/"):
        return posixpath.normpath(posixpath.join(posixpath.dirname(importer), wanted))
    return os.path.normpath(folder / posixpath.dirname(importer) / wanted)


def _cache_key(request: dict[str, Any], packages: Tool, solc: Tool) -> str:
    parts = [json.dumps(request, sort_keys=True), packages.version, solc.version]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _run_solc(request: dict[str, Any], solc: Tool, root: Path) -> dict[str, Any]:
    import solcx  # 0.3 s, and not needed when the cache answers
    from solcx.exceptions import SolcError

    try:
        output = solcx.compile_standard(
            request, base_path=root / "contracts", allow_paths=root, solc_binary=solc.path, allow_empty=True
        )
    except SolcError as error:
        raise CompilationFailed(_diagnostics(error)) from error
    return cast(dict[str, Any], output)


def _diagnostics(error: Any) -> tuple[str, ...]:
    """The compiler's own words; py-solc-x puts its JSON answer into the error."""
    try:
        reports = json.loads(error.stdout_data)["errors"]
    except (TypeError, ValueError, KeyError):
        return (str(error),)
    return tuple(report["formattedMessage"] for report in reports if report["severity"] == "error")


def _artifacts(output: dict[str, Any]) -> dict[str, Artifact]:
    artifacts: dict[str, Artifact] = {}
    for source, contracts in sorted(output["contracts"].items()):
        if not source.startswith("src/"):
            continue
        for name, fields in contracts.items():
            if name in artifacts:
                raise CompilationFailed((f"{source} and {artifacts[name].source} both define {name}",))
            artifacts[name] = Artifact(
                name=name,
                source=source,
                abi=fields["abi"],
                bytecode=bytes.fromhex(fields["evm"]["bytecode"]["object"]),
                deployed_bytecode=bytes.fromhex(fields["evm"]["deployedBytecode"]["object"]),
                metadata=fields["metadata"],
            )
    return artifacts


def _read_cache(out: Path, key: str) -> dict[str, Artifact] | None:
    try:
        index = json.loads((out / "index.json").read_text("utf-8"))
        if index["key"] != key:
            return None
        files = (out / f"{name}.json" for name in index["names"])
        return {file.stem: Artifact.from_json(file.read_text("utf-8")) for file in files}
    except (OSError, ValueError, KeyError, TypeError):
        return None  # an unreadable cache costs one compilation


def _write_cache(out: Path, key: str, artifacts: dict[str, Artifact]) -> None:
    index = out / "index.json"
    index.unlink(missing_ok=True)  # artifacts are believed only while the index that names them is there
    for name, artifact in artifacts.items():
        _replace(out / f"{name}.json", artifact.to_json())
    _replace(index, json.dumps({"key": key, "names": sorted(artifacts)}) + "\n")


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def public_abis(artifacts: dict[str, Artifact]) -> dict[str, str]:
    """The committed ABI files by file name: deployable contracts, entries in a fixed order."""
    return {
        f"{artifact.name}.json": json.dumps(_ordered(artifact.abi), indent=2) + "\n"
        for artifact in artifacts.values()
        if artifact.bytecode and Path(artifact.source).parent.as_posix() in ABI_FOLDERS
    }


def _ordered(abi: Abi) -> Abi:
    return sorted(abi, key=lambda entry: (entry["type"], entry.get("name", ""), json.dumps(entry)))


def abi_drift(root: Path, wanted: dict[str, str]) -> list[str]:
    """Names under ``contracts/abi`` that are missing, differ, or belong to no contract."""
    folder = root / "contracts" / "abi"
    present = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name))


def write_abis(root: Path, wanted: dict[str, str]) -> list[str]:
    """Bring ``contracts/abi`` up to date; returns the names that changed."""
    folder = root / "contracts" / "abi"
    folder.mkdir(exist_ok=True)
    changed = abi_drift(root, wanted)
    for name in changed:
        if name in wanted:
            _replace(folder / name, wanted[name])
        else:
            (folder / name).unlink()
    return changed


def main(argv: list[str] | None = None) -> int:
    """Compile; write the ABIs, or with ``--check`` end with 1 when they drifted."""
    parser = argparse.ArgumentParser(prog="python -m contracts.compile", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when contracts/abi is out of date")
    arguments = parser.parse_args(argv)
    try:
        wanted = public_abis(compile_contracts())
    except PotError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if not arguments.check:
        changed = write_abis(PROJECT_ROOT, wanted)
        print(f"{len(wanted)} ABIs, {len(changed)} changed")
        return 0
    if drifted := abi_drift(PROJECT_ROOT, wanted):
        print(f"contracts/abi is out of date: {', '.join(drifted)}. Run `python -m contracts.compile`.")
        return 1
    print(f"{len(wanted)} ABIs are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())

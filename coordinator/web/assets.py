"""Scripts and styles, served from here under the hash of all of them, each with its integrity."""

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from protocol.chain.abi import CONTRACTS, load_abi
from protocol.errors import ConfigurationError

STATIC: Final = Path(__file__).parent / "static"
PACKAGES: Final = Path(__file__).parents[2] / "node_modules"
TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}

#: Served name -> (file of a locked npm package, sha384 of its bytes). A test compares them with the lock.
VENDOR: Final = {
    "vendor/ethers.js": (
        "ethers/dist/ethers.min.js",
        "sha384-H5tsYn97kB9d+zbrihrfTDRDvx6LmtJZP3a0tMquXoujsR77mi8YlkXpdbmoiqoV",
    ),
    "vendor/uplot.js": (
        "uplot/dist/uPlot.esm.js",
        "sha384-iUdBlEO5qc07+gOz+3rq/Besyud+KVIxM+xJEuUBObxLG3C/Dlkz8OYuPUcPrCGP",
    ),
    "vendor/uplot.css": (
        "uplot/dist/uPlot.min.css",
        "sha384-IfV0B7MIOYuO95kO9G5ySKPz/85zqFNOAs8iy4tkK5zd9izhJAB8b7lHrwYqqmYE",
    ),
    "vendor/curves/bls12-381.js": (
        "@noble/curves/esm/bls12-381.js",
        "sha384-o9xpYn7nIxxv03YTmmCdF6ioRrwefwADAMKJWKD5WJLFBH9kAcOwC5TianDDNrcP",
    ),
    "vendor/curves/abstract/bls.js": (
        "@noble/curves/esm/abstract/bls.js",
        "sha384-4mwduEMmrbsCpesduHeEKvMtWP4203O3MGFnc1WuPWDOop+IIXLESqYKCKLBCC7g",
    ),
    "vendor/curves/abstract/curve.js": (
        "@noble/curves/esm/abstract/curve.js",
        "sha384-bQ2jkzGn8qT04DT5rbgh5pdHZYzEVlN457DotKUHIqpXO9VhgxG9yFDWSGd575NC",
    ),
    "vendor/curves/abstract/hash-to-curve.js": (
        "@noble/curves/esm/abstract/hash-to-curve.js",
        "sha384-vFyc1j0aH3HGGZ59rh/JasoBfQzOqvRW0Z4cxWibAlewUolBnyRILrp1RKHEUyda",
    ),
    "vendor/curves/abstract/modular.js": (
        "@noble/curves/esm/abstract/modular.js",
        "sha384-EkbCsLJw+7quaadtrDmYeicX1tO1ATdUDuXWRTnYWUhfiwrkrGWnAfRg7pP57ble",
    ),
    "vendor/curves/abstract/tower.js": (
        "@noble/curves/esm/abstract/tower.js",
        "sha384-/8wcc15moVRFLdGqq9hcYbKDGaMJF5K3JYayqGNeQo5ZRmzCJrihlw6TRph12Dxc",
    ),
    "vendor/curves/abstract/utils.js": (
        "@noble/curves/esm/abstract/utils.js",
        "sha384-wZ5OJMHxka0qnNtSCsbOZRxVJ5HcBh63nzPsxZpBp+yfOFIjlU1HnG6NgxlH0Kso",
    ),
    "vendor/curves/abstract/weierstrass.js": (
        "@noble/curves/esm/abstract/weierstrass.js",
        "sha384-YVE1yTVaXsfkEWEyT+qYQflfisZoRpeIyok008dFSUS8viuWrSZ58oYhHivGhaig",
    ),
    "vendor/hashes/_md.js": (
        "@noble/hashes/esm/_md.js",
        "sha384-/1GTfA5rNhQl+klWu0nb5Qk4b4t6qFeHP2s2bFQbLF0UfXkIqPPRTNtnZllvCLMT",
    ),
    "vendor/hashes/_u64.js": (
        "@noble/hashes/esm/_u64.js",
        "sha384-UyfChsT/T7BMKqLvQLUhFUGVSfqOLUqCPkKSqgiatCBC0C/ESuEVecFssCNMT0+b",
    ),
    "vendor/hashes/crypto.js": (
        "@noble/hashes/esm/crypto.js",
        "sha384-hHDjHWu16zppnxBvZiakvfmUz94gtzY/NE/c6TjUNKGHN+dFnC2fi04gLy9sDQ4i",
    ),
    "vendor/hashes/sha2.js": (
        "@noble/hashes/esm/sha2.js",
        "sha384-jQEDcrvT8Avm1HR8S8z4rnSB6ORmCkYoDXlkDof8eniJNQhvtOnJ8uQKZw1Cycnr",
    ),
    "vendor/hashes/utils.js": (
        "@noble/hashes/esm/utils.js",
        "sha384-qFV6i6ZLbPZd0HCY0Rln8YvR5WPDego9oP2/4EUVBPO1HJVJjaabQ/B+VBYcuSLp",
    ),
}
#: What modules import by name.
IMPORTS: Final = {
    "ethers": "vendor/ethers.js",
    "uplot": "vendor/uplot.js",
    "@noble/curves/bls12-381": "vendor/curves/bls12-381.js",
    "@noble/hashes/crypto": "vendor/hashes/crypto.js",
    "@noble/hashes/sha2": "vendor/hashes/sha2.js",
    "@noble/hashes/utils": "vendor/hashes/utils.js",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file, also compressed; ``integrity`` is its SRI hash."""

    data: bytes
    gzipped: bytes
    media_type: str
    integrity: str


def integrity_of(data: bytes) -> str:
    """``sha384-...`` as SRI and import maps write it."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


class Assets:
    """All files, read once; they live under ``/static/<version>/`` and may be cached for ever."""

    def __init__(self, static: Path = STATIC, packages: Path = PACKAGES) -> None:
        """Raises ConfigurationError when a file of an npm package is not the one that was locked."""
        self._files: dict[str, Asset] = {}
        for path in sorted(static.rglob("*")):
            if path.suffix in TYPES:
                self._add(path.relative_to(static).as_posix(), path.read_bytes())
        for name, (where, pinned) in VENDOR.items():
            self._vendor(name, packages / where, pinned)
        self._add("abi.json", _abis())

    def _add(self, name: str, data: bytes) -> None:
        kind = TYPES[Path(name).suffix]
        self._files[name] = Asset(
            data=data, gzipped=gzip.compress(data, mtime=0), media_type=kind, integrity=integrity_of(data)
        )

    def _vendor(self, name: str, path: Path, pinned: str) -> None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return  # pages work without: the wallet and the charts say what is missing
        if integrity_of(data) != pinned:
            raise ConfigurationError(
                f"{path} is not the file that was locked. Restore it with `python -m anvil.toolchain`."
            )
        self._add(name, data)

    @property
    def complete(self) -> bool:
        """Whether wallet and charts can be served."""
        return all(name in self._files for name in VENDOR)

    @cached_property
    def version(self) -> str:
        """Changes with every byte of every file."""
        digest = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            digest.update(f"{name} {asset.integrity}\n".encode())
        return digest.hexdigest()[:16]

    def get(self, version: str, name: str) -> Asset | None:
        """The file, unless the page that asks is of another version."""
        return self._files.get(name) if version == self.version else None

    def url(self, name: str) -> str:
        return f"/static/{self.version}/{name}"

    def integrity(self, name: str) -> str:
        return self._files[name].integrity

    def has(self, name: str) -> bool:
        return name in self._files

    @cached_property
    def import_map(self) -> str:
        """The inline import map: names of libraries, and the integrity of every module."""
        scripts = [name for name in self._files if name.endswith(".js")]
        document: dict[str, Any] = {
            "imports": {name: self.url(file) for name, file in IMPORTS.items() if file in self._files},
            "integrity": {self.url(name): self.integrity(name) for name in scripts},
        }
        return json.dumps(document, sort_keys=True).replace("<", "\\u003c")

    @cached_property
    def policy(self) -> str:
        """The Content-Security-Policy of every page: nothing from elsewhere, no inline script but the map."""
        digest = base64.b64encode(hashlib.sha256(self.import_map.encode()).digest()).decode()
        return (
            f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )


def _abis() -> bytes:
    """The ABIs that wallets are asked with, by contract."""
    return json.dumps({name: load_abi(name) for name in CONTRACTS}, separators=(",", ":")).encode()

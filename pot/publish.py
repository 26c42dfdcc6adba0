"""Documents for developers, made from the code: ``python -m pot.publish``; ``--check`` says which are old."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coordinator.openapi import document
from protocol.chain.abi import CONTRACTS, load_abi

ROOT: Final = Path(__file__).resolve().parents[1]


def documents() -> Mapping[Path, str]:
    """Every published file with its text."""
    return {
        ROOT / "contracts" / "abi" / "abi.ts": typescript(),
        ROOT / "docs" / "openapi.json": json.dumps(document(), indent=1, sort_keys=True) + "\n",
    }


def typescript() -> str:
    """The ABIs as constants: ``as const`` lets viem, abitype and ethers infer every type from them."""
    parts = ["// Made by `python -m pot.publish` from contracts/abi/*.json."]
    for name in CONTRACTS:
        constant = name[0].lower() + name[1:] + "Abi"
        items = ",\n".join("  " + json.dumps(item, separators=(", ", ": ")) for item in load_abi(name))
        parts.append(f"export const {constant} = [\n{items},\n] as const;")
    return "\n\n".join(parts) + "\n"


def stale() -> list[Path]:
    """Published files that are not what the code says."""
    return [
        path for path, text in documents().items() if not path.exists() or path.read_text("utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds an old file."""
    if arguments == ["--check"]:
        old = stale()
        for path in old:
            print(f"{path.relative_to(ROOT)} is old: run `python -m pot.publish`.", file=sys.stderr)
        return 1 if old else 0
    for path, text in documents().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Gas and sizes of the contracts beside published figures: ``python -m benchmarks.contracts [--write]``.

Measures with forge, which fails when a figure differs from ``contracts/snapshots``, and prints the tables of
``docs/gas.md``; ``--write`` puts them there. Exit status 1 when forge fails, a bound is missed, or the page
is out of date.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SNAPSHOTS: Final = ROOT / "contracts" / "snapshots"
PAGE: Final = ROOT / "docs" / "gas.md"
BEGIN: Final = "<!-- figures: python -m benchmarks.contracts --write -->\n"
END: Final = "<!-- end of figures -->\n"
FORGE_TIMEOUT_S: Final = 600
# Size of the committee: signatures, a sketch of this design, the same with OpenZeppelin's library, and a
# published system with about as many signers. All write two new slots but Scribe.
REFERENCES: Final = {
    4: (3, "88,438", "93,472", "384,876 (published PoT, 3 signers)"),
    7: (5, "98,479", "108,971", "475,618 (published PoT, 5); 81,000 (Chronicle Scribe, 5)"),
    16: (11, "128,279", "155,470", "106,000 (Chronicle Scribe, 10)"),
    31: (21, "178,216", "232,984", "159,000 (Chronicle Scribe, 20)"),
    64: (43, "", "", "320,000 (Chronicle Scribe, 50)"),
}
# (group, name) of a snapshot and the most it may cost.
BOUNDS: Final = {
    ("certificate", "steady state"): 80_000,
    ("committee", "certify 16"): 135_000,
    ("committee", "certify 64"): 280_000,
    ("certificate", "16 rounds in one"): 16 * 8_000,
    ("market", "claim first, 1024 leaves"): 80_000,
    ("sizes", "TrainingMarket"): 20_000,
    ("sizes", "StakeVault"): 20_000,
    ("sizes", "Committee"): 20_000,
    ("sizes", "Appeals"): 20_000,
    ("sizes", "Canaries"): 20_000,
    ("sizes", "BlsKeys"): 20_000,
}

Figures = dict[str, dict[str, int]]


def measure() -> bool:
    """Whether forge measured exactly what the snapshots say."""
    command = [sys.executable, "tests/run_forge.py", "--no-fmt", "--", "--match-path", "test/gas/*"]
    done = subprocess.run(
        command, cwd=ROOT, timeout=FORGE_TIMEOUT_S, stdout=subprocess.PIPE, check=False, text=True
    )
    if done.returncode != 0:
        print(done.stdout[-4_000:])
    return done.returncode == 0


def read(folder: Path) -> Figures:
    """Every snapshot by group and name."""
    return {
        file.stem: {name: int(value) for name, value in json.loads(file.read_text("utf-8")).items()}
        for file in sorted(folder.glob("*.json"))
    }


def table(head: str, rows: list[tuple[object, ...]]) -> str:
    """A Markdown table; integers get thousands separators."""
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def tables(figures: Figures) -> str:
    """All tables of the page."""
    committee = figures["committee"] | {"certify 4": figures["certificate"]["steady state"]}
    sizes = [
        (str(n), str(reference[0]), committee[f"certify {n}"], *(cell or "-" for cell in reference[1:]))
        for n, reference in REFERENCES.items()
    ]
    bls = figures["bls"]
    schemes: list[tuple[object, ...]] = [
        (
            n,
            bls[f"certify, quorum, signatures, {n}"],
            bls[f"certify, all, aggregate, {n}"],
            bls[f"certify, quorum, aggregate, {n}"],
            bls[f"gather, {n}"],
        )
        for n in sorted(int(name.split(", ")[1]) for name in bls if name.startswith("gather"))
    ]
    leaves = sorted(int(name.split()[1]) for name in figures["leaves"] if name.startswith("certify"))
    trees = sorted(int(name.split()[1]) for name in figures["leaves"] if name.startswith("claim"))
    parts = [
        "### Certificate by size of the committee\n",
        table("members | signatures | gas | sketch | OpenZeppelin's library | published", sizes),
        "### Certificate by scheme of signatures\n",
        table("members | quorum of signatures | aggregate of all | of a quorum | gathering, once", schemes),
        "### Certificate by number of payees\n",
        table("leaves | gas", [(n, figures["leaves"][f"certify {n}"]) for n in leaves]),
        "### Claim by size of the tree\n",
        table("leaves | gas of a later claim", [(n, figures["leaves"][f"claim {n}"]) for n in trees]),
    ]
    for group in ("certificate", "market", "appeals", "canaries", "functions"):
        parts += [f"### {group.capitalize()}\n", table("transaction | gas", list(figures[group].items()))]
    parts += ["### Runtime size\n", table("contract | bytes", list(figures["sizes"].items()))]
    return "\n".join(parts)


def missed(figures: Figures) -> list[str]:
    """Sentences about bounds that are not kept."""
    return [
        f"{group} / {name}: {figures[group][name]:,} > {bound:,}"
        for (group, name), bound in BOUNDS.items()
        if figures[group][name] > bound
    ]


def page_with(text: str, figures: str) -> str:
    """The page with new tables between its two marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{figures}\n{END}{rest.partition(END)[2]}"


def main(argv: list[str] | None = None) -> int:
    """Measure, compare, print or write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contracts", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/gas.md")
    arguments = parser.parse_args(argv)
    if not measure():
        return 1
    figures = read(SNAPSHOTS)
    page = PAGE.read_text("utf-8")
    wanted = page_with(page, tables(figures))
    if arguments.write:
        PAGE.write_text(wanted, "utf-8")
    print(tables(figures))
    complaints = missed(figures)
    if not arguments.write and page != wanted:
        complaints.append("docs/gas.md is out of date: run `python -m benchmarks.contracts --write`")
    print("\n".join(complaints) or "every bound is kept")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

"""Mutation of the libraries and the money paths: ``python -m contracts.audit.mutate [--only NAME]``.

One change at a time is made to a copy of the sources; a test must then fail. A mutant that survives must be
in ``mutants.json`` with the reason why no test can tell it from the original; everything else, and a reason
whose mutant was killed, ends the run with 1. A mutant that does not compile is not counted. ``--again FILE``
makes only the mutants that the file names, such as what an earlier run printed as survivors.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from contracts.audit.workspace import Said, Workspace, workspace

EXPLAINED: Final = Path(__file__).with_name("mutants.json")
# Fuzzing is short here: a mutant that only thousands of inputs find deserves a test of its own.
FUZZ_RUNS: Final = "64"
# Gas would kill every mutant for the wrong reason; invariants take too long for each.
LEFT_OUT: Final = "test/{gas,invariant,symbolic}/**"
TARGETS: Final = (
    "libraries/RoundingLib", "libraries/SlashLib", "libraries/QuorumLib", "libraries/TokenLib",
    "libraries/CertificateLib", "libraries/SignatureLib", "libraries/MembersLib", "libraries/StakeLib",
    "libraries/LeafLib", "libraries/ContributionLib", "libraries/RecordLib", "libraries/DrawLib",
    "libraries/TaskLib", "libraries/BlsLib", "libraries/BlsKeysLib", "BlsKeys", "StakeVault",
    "TrainingMarket", "Appeals", "Committee", "libraries/MarkLib", "libraries/Sha256Lib",
    "libraries/ScoreLib", "libraries/ContestTermsLib", "ContestPanels", "Canaries", "LearningContest",
    "libraries/SampleLib",
)  # fmt: skip
SWAPS: Final = (
    (r" \+ ", " - "), (r" - ", " + "), (r" \* ", " + "), (r" / ", " * "),
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" > ", " < "), (r" < ", " > "),
    (r" == ", " != "), (r" != ", " == "), (r" && ", " || "), (r" \|\| ", " && "),
    (r" \+= ", " -= "), (r" -= ", " += "), (r" \|= ", " &= "), (r" >>= ", " <<= "),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r"\+\+", "--"), (r"(?<=[ (])1(?=[);, ])", "2"),
    (r"(?<=[ (])0(?=[);, ])", "1"), (r"Math\.min", "Math.max"), (r" nonReentrant", ""),
)  # fmt: skip
STATEMENT: Final = re.compile(
    r"^\s+(?!return |uint|int|address|bytes|bool|string|Task |Stake|Epoch|emit|for |while |assembly|try|"
    r"catch|unchecked|let |mapping|function|constructor|modifier|if )[A-Za-z_+(][^{}]*;$"
)
REFUSAL: Final = re.compile(r"^\s+if \(.*\) revert .*;$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed line of one source; ``turn`` counts the equal lines from the top."""

    source: str
    line: int
    before: str
    after: str
    turn: int

    @property
    def change(self) -> str:
        return f"{self.source}: {self.before.strip()} -> {self.after.strip() or '(removed)'}"

    @property
    def name(self) -> str:
        return self.change if self.turn == 1 else f"{self.change} ({self.turn})"


def code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold code, outside comments, imports and the assembly that has its own arithmetic."""
    for number, line in enumerate(text.splitlines()):
        bare = line.strip()
        if bare and not bare.startswith(("//", "/*", "*", "import", "pragma", "using", "error", "event")):
            yield number, line


def mutants(source: str, text: str) -> list[Mutant]:
    """Every change of one operator or constant, every removed refusal, every removed statement."""
    found: dict[str, Mutant] = {}

    def add(number: int, before: str, after: str) -> None:
        mutant = Mutant(source=source, line=number, before=before, after=after, turn=1)
        equal = {m.line for m in found.values() if m.change == mutant.change} | {number}
        found.setdefault(f"{number}|{after}", replace(mutant, turn=len(equal)))

    for number, line in code_lines(text):
        code = line.split(" // ")[0]
        for pattern, replacement in SWAPS:
            for match in re.finditer(pattern, code):
                add(number, code, code[: match.start()] + replacement + code[match.end() :])
        if REFUSAL.match(code) or STATEMENT.match(code):
            add(number, code, "")
    return list(found.values())


def unoptimized(copy: Workspace) -> None:
    """Let the copy compile without the optimizer, in a third of the time: it changes no behaviour."""
    settings = copy.project / "foundry.toml"
    settings.write_text(settings.read_text("utf-8").replace("optimizer = true", "optimizer = false"), "utf-8")


def chosen(again: Path | None, only: list[str] | None, found: list[Mutant]) -> list[Mutant]:
    """The mutants that the command asks for: of the sources named, and named in the file ``again``."""
    if only:
        found = [mutant for mutant in found if any(part in mutant.source for part in only)]
    if again is not None:
        lines = again.read_text("utf-8").splitlines()
        names = {line.removeprefix("survived: ").strip() for line in lines}
        found = [mutant for mutant in found if mutant.name in names]
    return found


def run_tests(copy: Workspace) -> Said:
    """All tests but the slow ones, until the first failure."""
    return copy.forge(
        "test", "--offline", "--fail-fast", "--no-match-path", LEFT_OUT, "--fuzz-runs", FUZZ_RUNS,
        timeout_s=600,
    )  # fmt: skip


def verdict(copy: Workspace, mutant: Mutant, original: str) -> str:
    """``killed``, ``survived`` or ``invalid`` (it does not compile)."""
    path = copy.project / "src" / f"{mutant.source}.sol"
    lines = original.splitlines()
    lines[mutant.line] = mutant.after
    path.write_text("\n".join(lines) + "\n", "utf-8")
    try:
        said = run_tests(copy)
    finally:
        path.write_text(original, "utf-8")
    if "Compiler run failed" in said.words or "Compilation failed" in said.words:
        return "invalid"
    return "survived" if said.code == 0 else "killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The reasons in force, when to stop, and the names of the mutants that contradict the reasons."""

    reasons: Mapping[str, str]
    until: float
    unexplained: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def row(self, copy: Workspace, source: str, original: str, asked: list[Mutant]) -> str | None:
        """Make the mutants of one source and return its row of the table; nothing when time is up."""
        counts = {"killed": 0, "survived": 0, "invalid": 0}
        left = 0
        for mutant in asked:
            if time.monotonic() > self.until:
                return None
            answer = verdict(copy, mutant, original)
            counts[answer] += 1
            if answer == "survived" and mutant.name not in self.reasons:
                left += 1
                self.unexplained.append(mutant.name)
                print(f"survived: {mutant.name}", file=sys.stderr, flush=True)
            if answer == "killed" and mutant.name in self.reasons:
                self.stale.append(mutant.name)
        made = counts["killed"] + counts["survived"]
        return f"| `{source}` | {made} | {counts['killed']} | {counts['survived'] - left} | {left} |"


def main(argv: list[str] | None = None) -> int:
    """Make the mutants one after the other and print a table."""
    parser = argparse.ArgumentParser(prog="python -m contracts.audit.mutate", description=__doc__)
    parser.add_argument("--only", action="append", help="sources whose name contains this")
    parser.add_argument("--again", type=Path, help="a file with the names of the only mutants to make")
    parser.add_argument("--minutes", type=float, default=240.0, help="stop after so many minutes")
    arguments = parser.parse_args(argv)
    reasons: dict[str, str] = json.loads(EXPLAINED.read_text("utf-8"))
    tally = Tally(reasons=reasons, until=time.monotonic() + 60 * arguments.minutes)
    with workspace() as copy:
        unoptimized(copy)
        if run_tests(copy).code != 0:
            print("the tests fail without any mutant")
            return 1
        print("| source | mutants | killed | explained | not explained |\n|---|---|---|---|---|")
        for source in TARGETS:
            original = (copy.project / "src" / f"{source}.sol").read_text("utf-8")
            asked = chosen(arguments.again, arguments.only, mutants(source, original))
            row = tally.row(copy, source, original, asked)
            if row is None:
                print("out of time")
                return 1
            if asked:
                print(row, flush=True)
    for name in tally.stale:
        print(f"explained but killed: {name}")
    return 1 if tally.unexplained or tally.stale else 0


if __name__ == "__main__":
    sys.exit(main())

"""The symbolic properties: ``python -m contracts.audit.symbolic``.

halmos proves the ``check_`` properties of ``test/symbolic`` over the bytecode. Divisions of 256 bits are out
of reach of its bit-vector solvers, so the compiler's model checker asks z3 about those as integers
(``Rounding.sol``). Both must refute a control that is false. Anything not proved, or fewer properties than
promised, ends the run with 1.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anvil.toolchain import ensure_solc
from contracts.audit.workspace import AUDIT_BIN, Workspace, environment, workspace

MIN_PROPERTIES: Final = 12
# The loops of the properties end by 64 members.
LOOP_BOUND: Final = 65
SOLVER_TIMEOUT_S: Final = 120
SUITES: Final = ("Money", "Certificate", "Books")
CONTROL: Final = "control"
ROUNDING: Final = "test/symbolic/Rounding.sol"
ROUNDING_SOURCES: Final = (
    ROUNDING, "src/libraries/RoundingLib.sol", "src/libraries/SlashLib.sol", "src/types/Slash.sol",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool said of one property; ``proved`` means: for all inputs within the stated bounds."""

    name: str
    proved: bool

    @property
    def expected(self) -> bool:
        return self.proved != (CONTROL in self.name.lower())


def halmos(copy: Workspace, suite: str) -> list[Answer]:
    """The answers of halmos for one suite; none when it did not run."""
    report = copy.project / f"{suite}.json"
    command: list[str | Path] = [
        AUDIT_BIN / "halmos", "--root", ".", "--forge-build-out", "out",
        "--contract", f"{suite}SymbolicTest", "--loop", str(LOOP_BOUND),
        "--solver-timeout-assertion", f"{SOLVER_TIMEOUT_S}s", "--json-output", str(report),
    ]  # fmt: skip
    said = copy.run(command, timeout_s=1_200)
    try:
        results = json.loads(report.read_text("utf-8"))["test_results"]
    except OSError:
        print(said.words[-4_000:])
        return []
    return [from_halmos(result) for tests in results.values() for result in tests]


def from_halmos(result: dict[str, Any]) -> Answer:
    """A path that the loop bound cut off is not explored, so nothing is proved."""
    proved = result["exitcode"] == 0 and not result.get("num_bounded_loops")
    return Answer(name=result["name"].split("(")[0], proved=proved)


def rounding(copy: Workspace, contract: str) -> list[Answer]:
    """z3's answers to the queries of the compiler's bounded model checker, one for each assert."""
    sources = {name: {"content": (copy.project / name).read_text("utf-8")} for name in ROUNDING_SOURCES}
    checker = {
        "engine": "bmc", "solvers": ["smtlib2"], "targets": ["assert"], "contracts": {ROUNDING: [contract]},
    }  # fmt: skip
    settings = {"modelChecker": checker, "outputSelection": {}}
    request = {"language": "Solidity", "sources": sources, "settings": settings}
    done = subprocess.run(
        [ensure_solc().path, "--standard-json"],
        cwd=copy.project, env=environment(), input=json.dumps(request),
        capture_output=True, check=False, text=True, timeout=300,
    )  # fmt: skip
    queries = json.loads(done.stdout).get("auxiliaryInputRequested", {}).get("smtlib2queries", {})
    return [
        Answer(name=f"{contract} assert {number}", proved=unsatisfiable(copy, query))
        for number, query in enumerate(queries.values(), start=1)
    ]


def unsatisfiable(copy: Workspace, query: str) -> bool:
    """Whether z3 finds that no input breaks the assert."""
    file = copy.project / "query.smt2"
    file.write_text(query, "utf-8")
    said = copy.run([AUDIT_BIN / "z3", f"-T:{SOLVER_TIMEOUT_S}", file], timeout_s=2 * SOLVER_TIMEOUT_S)
    return said.words.splitlines()[:1] == ["unsat"]


def judge(answers: list[Answer]) -> list[str]:
    """Complaints about what was not proved, and about controls that nobody refuted."""
    complaints = [
        f"{'not refuted' if answer.proved else 'not proved'}: {answer.name}"
        for answer in answers
        if not answer.expected
    ]
    proved = sum(answer.proved for answer in answers if answer.name.startswith("check_"))
    if proved < MIN_PROPERTIES:
        complaints.append(f"only {proved} properties proved by halmos, {MIN_PROPERTIES} are promised")
    if not any(answer.name.startswith("RoundingProofs") for answer in answers):
        complaints.append("the compiler's model checker asked nothing")
    if sum(CONTROL in answer.name.lower() for answer in answers) < 2:
        complaints.append("a control is missing")
    return complaints


def show(answers: list[Answer]) -> list[Answer]:
    """Print each answer as soon as it is there."""
    for answer in answers:
        print(f"{'proved' if answer.proved else 'refuted or open':16} {answer.name}", flush=True)
    return answers


def main() -> int:
    """Prove everything on a copy that holds the symbolic tests alone."""
    answers: list[Answer] = []
    with workspace(tests=("test/symbolic",)) as copy:
        for suite in SUITES:
            answers += show(halmos(copy, suite))
        for contract in ("RoundingProofs", "RoundingControl"):
            answers += show(rounding(copy, contract))
    complaints = judge(answers)
    print("\n".join(complaints) or f"symbolic: {sum(a.proved for a in answers)} properties proved")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

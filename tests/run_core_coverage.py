"""Measure the branches of the agreement's core that its unit tests reach: every one, or the exit code is 1.

``python tests/run_core_coverage.py``. A branch that nothing can take is named below, with the reason; a
name that no longer occurs in the code fails the run as well.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, cast

ROOT: Final = Path(__file__).parents[1]
TIMEOUT_S: Final = 1_500
CORE: Final = (
    "committee/replica.py",
    "committee/phases.py",
    "committee/proposing.py",
    "committee/replies.py",
    "committee/views.py",
    "committee/catch_up.py",
    "committee/waiting.py",
    "committee/log.py",
    "committee/state.py",
    "committee/votes.py",
    "committee/view_change.py",
    "committee/timers.py",
    "committee/proofs.py",
    "committee/restore.py",
    "committee/helper.py",
    "committee/wal.py",
    "protocol/members.py",
    "protocol/signing.py",
    "protocol/pbft_messages.py",
)
TESTS: Final = (
    "tests/unit/committee",
    "tests/unit/committee_more",
    "tests/unit/protocol/test_members.py",
    "tests/unit/protocol/test_signing.py",
    "tests/unit/protocol/test_vectors.py",
    "tests/unit/protocol/test_decoder_fuzz.py",
)
UNREACHABLE: Final = {
    ("committee/restore.py", "case _:"): "assert_never, for the type checker",
    ("committee/catch_up.py", "if replica.own_view_change is not None:"): (
        "whoever waits for a view has voted for it; for the type checker"
    ),
    ("committee/catch_up.py", "if digest is not None:"): (
        "the stage is PROPOSAL only when something is proposable; for the type checker"
    ),
    ("committee/log.py", "if digest is None:"): (
        "of eight values at most three are referred to, so one can always go"
    ),
    ("committee/views.py", "if proposal is None:  # a decision on the way has been here already"): (
        "advancing an inherited proposal sends at most a Prepare and decides nothing"
    ),
}
"""(file, line) at which a branch begins that nothing can take, and why."""

Report = dict[str, dict[str, list[int] | list[list[int]]]]


def configuration(data: Path) -> str:
    """A coverage configuration that measures branches of the core."""
    included = "\n    ".join(CORE)
    return (
        f"[run]\nbranch = true\ndata_file = {data}\nrelative_files = true\ninclude =\n    {included}\n"
        "[report]\nexclude_also =\n    ^if TYPE_CHECKING:$\n"
    )


def missing(file: str, lines: list[int], branches: list[list[int]]) -> list[str]:
    """What is not reached and not excused; ``branches`` are (from, to), line numbers count from 1."""
    text = ["", *(line.strip() for line in (ROOT / file).read_text().splitlines())]
    excused = {number for number, line in enumerate(text) if (file, line) in UNREACHABLE}
    unreached = {(start, end) for start, end in branches if not {start, end} & excused}
    behind = excused | {number + 1 for number in excused}
    return [f"{file}:{line}" for line in sorted(set(lines) - behind)] + [
        f"{file}:{start} -> {end if end > 0 else 'exit'}" for start, end in sorted(unreached)
    ]


def outdated() -> list[str]:
    """What is said to be unreachable and is not in the code any more."""
    return [
        f"{file}: {line}"
        for file, line in UNREACHABLE
        if line not in map(str.strip, (ROOT / file).read_text().splitlines())
    ]


def main() -> int:
    """0 when all is reached that can be."""
    if outdated():
        print("coverage: not in the code any more: " + "; ".join(outdated()))
        return 1
    with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
        settings, result = Path(folder) / "coveragerc", Path(folder) / "result.json"
        settings.write_text(configuration(Path(folder) / "data"))
        coverage = [sys.executable, "-m", "coverage"]
        run = [*coverage, "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-m", "not slow", *TESTS]
        if subprocess.run(run, cwd=ROOT, timeout=TIMEOUT_S).returncode != 0:
            return 1
        report = [*coverage, "json", "-q", f"--rcfile={settings}", "-o", str(result)]
        subprocess.run(report, cwd=ROOT, timeout=TIMEOUT_S, check=True)
        files: Report = json.loads(result.read_text())["files"]
    return judge(files)


def judge(files: Report) -> int:
    """Say what is missing; 1 when something is."""
    unseen = [file for file in CORE if file not in files]
    for file, found in files.items():
        lines = cast(list[int], found["missing_lines"])
        unseen += missing(file, lines, cast(list[list[int]], found["missing_branches"]))
    print("\n".join(unseen) or f"coverage: every branch of {len(CORE)} core files that can be reached")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())

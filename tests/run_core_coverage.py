"""Measure the branches of the agreement's core that its unit tests reach: every one, or the exit code is 1.

``python tests/run_core_coverage.py``. Nothing is excused but imports for the type checker.
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
Report = dict[str, dict[str, list[int] | list[list[int]]]]


def configuration(data: Path) -> str:
    """A coverage configuration that measures branches of the core."""
    included = "\n    ".join(CORE)
    return (
        f"[run]\nbranch = true\ndata_file = {data}\nrelative_files = true\ninclude =\n    {included}\n"
        "[report]\nexclude_also =\n    ^if TYPE_CHECKING:$\n"
    )


def main() -> int:
    """0 when every branch is reached."""
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
    """Say what is missing; 1 when something is. Branches are (from, to), line numbers count from 1."""
    unseen = [file for file in CORE if file not in files]
    for file, found in files.items():
        unseen += [f"{file}:{line}" for line in cast(list[int], found["missing_lines"])]
        for start, end in cast(list[list[int]], found["missing_branches"]):
            unseen.append(f"{file}:{start} -> {end if end > 0 else 'exit'}")
    print("\n".join(unseen) or f"coverage: every branch of {len(CORE)} core files")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())

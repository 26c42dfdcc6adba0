"""Check and test the contracts with the native forge, and believe it only when tests ran.

forge ends with 0 when no test matched, and its npm wrapper ends with 0 when tests fail: this runner calls the
native binary, passes its exit code on, and fails a run that counted no test. Gas and sizes under
``contracts/snapshots`` must be met exactly; ``--snapshots`` (``make snapshots``) measures them anew.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from anvil.toolchain import PROJECT_ROOT, ensure_forge, ensure_npm_packages, ensure_solc, tool_environment
from protocol.errors import PotError

TIMEOUT_S: Final = 1_500.0
SNAPSHOT_TESTS: Final = "test/gas/*"
SUMMARY: Final = re.compile(r"(\d+) tests? passed, (\d+) failed, (\d+) skipped \((\d+) total tests?\)")


def forge_environment(profile: str, *, measure: bool = False) -> dict[str, str]:
    """What forge needs to find the pinned compiler, whatever is on PATH; ``measure`` writes snapshots."""
    return tool_environment() | {
        "FORGE_SNAPSHOT_CHECK": "false" if measure else "true",
        "FORGE_SNAPSHOT_EMIT": "true" if measure else "false",
        "FOUNDRY_SOLC": str(ensure_solc().path),
        "FOUNDRY_PROFILE": profile,
        "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1",
        "NO_COLOR": "1",
    }


def run(arguments: list[str], project: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run forge, show what it says as it says it, and return its exit code and its words."""
    command = [str(ensure_forge().path), *arguments]
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            said.append(line)
        return process.wait(timeout=TIMEOUT_S), "".join(said)


def count_tests(output: str) -> int:
    """How many tests passed, by forge's own closing line; 0 if it did not print one."""
    found = SUMMARY.search(output)
    return int(found[1]) if found else 0


def build(project: Path, profile: str) -> int:
    """Compile all of the project, from nothing when a source changed; forge's exit code.

    What the optimizer makes of one file can depend on the files that are compiled with it: a part of them, be
    it what changed or what some tests need, gives other bytes and other gas than all of them.
    """
    files = [project / "foundry.toml", *sorted((project / "src").rglob("*.sol"))]
    found = hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.is_file())).hexdigest()
    mark = project / "cache" / "sources.sha256"
    if not mark.is_file() or mark.read_text("utf-8") != found:
        for folder in ("out", "cache"):
            shutil.rmtree(project / folder, ignore_errors=True)
    code, _ = run(["build"], project, forge_environment(profile))
    if code == 0:
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(found, "utf-8")
    return code


def measure(project: Path, profile: str) -> int:
    """Write the snapshots of gas and sizes anew."""
    for file in (project / "snapshots").glob("*.json"):
        file.unlink()
    if (code := build(project, profile)) != 0:
        return code
    code, output = run(
        ["test", "--match-path", SNAPSHOT_TESTS], project, forge_environment(profile, measure=True)
    )
    return code if count_tests(output) else code or 1


def check(project: Path, profile: str, filters: list[str], formatting: bool) -> int:
    """0 only when the sources are formatted, every test passed, and at least one did."""
    environment = forge_environment(profile)
    if formatting:
        code, _ = run(["fmt", "--check"], project, environment)
        if code != 0:
            print("forge: sources are not formatted; run `make format`")
            return code
    if (code := build(project, profile)) != 0:
        return code
    code, output = run(["test", *filters], project, environment)
    if code != 0:
        return code
    if count_tests(output) == 0:
        # A stale cache can hide every test; ask once more without it.
        code, output = run(["test", "--force", *filters], project, environment)
    if code == 0 and count_tests(output) == 0:
        print("forge: no test ran, so nothing was shown to work")
        return 1
    return code


def main(argv: list[str] | None = None) -> int:
    """Parse, set up, run; the exit code is forge's, or 1 when it ran nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=PROJECT_ROOT / "contracts")
    parser.add_argument("--profile", default=os.environ.get("FOUNDRY_PROFILE", "default"))
    parser.add_argument("--no-fmt", action="store_true", help="leave out `forge fmt --check`")
    parser.add_argument("--format", action="store_true", help="format the sources and do nothing else")
    parser.add_argument("--snapshots", action="store_true", help="measure gas and sizes anew")
    parser.add_argument("filters", nargs="*", help="passed to forge test, after --")
    arguments = parser.parse_args(argv)
    try:
        ensure_npm_packages()
        if arguments.format:
            return run(["fmt"], arguments.project, forge_environment(arguments.profile))[0]
        if arguments.snapshots:
            return measure(arguments.project, arguments.profile)
        return check(arguments.project, arguments.profile, arguments.filters, not arguments.no_fmt)
    except PotError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

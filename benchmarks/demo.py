"""The figures of the main job: ``python -m benchmarks.demo [--runs N]``.

Runs ``pot demo`` and reports medians: wall-clock seconds, accuracy against one process, certificate gas,
escrow, and the peak memory of a miner. Exit status 1 when a run fails or a figure is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RUN_TIMEOUT_S: Final = 300
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number and the bound it must keep; ``unit`` is printed behind both."""

    name: str
    value: float
    bound: float
    unit: str
    at_least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        mark = "reached" if self.reached else "MISSED"
        return f"{self.name:34} {self.value:>12,.4g} {self.unit:8} {sign} {self.bound:<10,g} {mark}"


def run_demo(rounds: int) -> tuple[float, dict[str, Any]]:
    """(wall-clock seconds of the whole command, report.json). Raises CalledProcessError when it fails."""
    with tempfile.TemporaryDirectory(prefix="pot-bench-") as out:
        command = [sys.executable, "-m", "pot", "demo", "--json", "--out", out, "--rounds", str(rounds)]
        begun = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=RUN_TIMEOUT_S)
        seconds = time.monotonic() - begun
        report: dict[str, Any] = json.loads((Path(out) / "report.json").read_text("utf-8"))
        return seconds, report


def figures(runs: list[tuple[float, dict[str, Any]]]) -> list[Figure]:
    """Medians over the runs; the worst of them where a bound must hold in each."""
    reports = [report for _, report in runs]
    gaps = [100 * abs(r["accuracy"]["network"] - r["accuracy"]["centralized"]) for r in reports]
    gas = [item["gas_used"] for r in reports for item in r["certificates"]]
    miners = [
        size for r in reports for name, size in r["peak_memory_bytes"].items() if name.startswith("miner-")
    ]
    lost = [
        abs(int(r["escrow"]["funded"]) - int(r["escrow"]["paid"]) - int(r["escrow"]["refunded"]))
        for r in reports
    ]
    return [
        Figure(name="pot demo, warm", value=statistics.median(s for s, _ in runs), bound=45, unit="s"),
        Figure(name="set-up of the network", value=_median(reports, "setup"), bound=45, unit="s"),
        Figure(name="training", value=_median(reports, "training"), bound=45, unit="s"),
        Figure(name="accuracy gap to one process", value=max(gaps), bound=0.5, unit="points"),
        Figure(
            name="runs replayed bit for bit",
            value=sum(r["replay"]["identical"] for r in reports),
            bound=len(reports),
            unit="runs",
            at_least=True,
        ),
        Figure(name="escrow unaccounted for", value=max(lost), bound=0, unit="units"),
        Figure(name="certificate, 3 signatures", value=max(gas), bound=110_000, unit="gas"),
        Figure(name="peak memory of a miner", value=max(miners) / MIB, bound=600, unit="MiB"),
    ]


def _median(reports: list[dict[str, Any]], name: str) -> float:
    return float(statistics.median(r["seconds"][name] for r in reports))


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 0 when every figure is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args(argv)
    measured = figures([run_demo(arguments.rounds) for _ in range(arguments.runs)])
    print(f"{arguments.runs} runs of {arguments.rounds} rounds, {os.cpu_count()} cores")
    for figure in measured:
        print(figure.line())
    return 0 if all(figure.reached for figure in measured) else 1


if __name__ == "__main__":
    sys.exit(main())

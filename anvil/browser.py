"""Chromium for the tests of the pages: the system's, else Debian's package where we may install it.

``python -m anvil.browser`` installs it, or says what to do, and never fails: the pages work without it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from anvil.errors import ToolMissing

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome-stable")
INSTALL_TIMEOUT_S: Final = 300.0
FIX: Final = "install Chromium (`apt-get install chromium`)"

#: Headless, and silent towards everything that is not on this machine.
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> Path:
    """Raises ToolMissing when there is none."""
    for program in PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    raise ToolMissing("chromium", "no Chromium was found on PATH", FIX)


def ensure_chromium() -> Path:
    """The browser, installed first where this process is root on Debian. Raises ToolMissing."""
    try:
        return find_chromium()
    except ToolMissing:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
    _install()
    return find_chromium()


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "--yes", "--no-install-recommends", "chromium")):
        try:
            subprocess.run(
                ["apt-get", "--quiet", *command],
                env=environment,
                check=True,
                capture_output=True,
                timeout=INSTALL_TIMEOUT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ToolMissing("chromium", f"apt-get {command[0]} failed: {error}", FIX) from error


def main() -> int:
    """Say where Chromium is, or why the tests of the pages will be left out; always 0."""
    try:
        print(f"chromium      {ensure_chromium()}")
    except ToolMissing as error:
        print(f"The tests of the pages are left out. {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

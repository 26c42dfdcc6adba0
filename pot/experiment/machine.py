"""Where something was measured, in words that fit into a record."""

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """This machine; torch is loaded for its version and instruction set."""
    import torch

    return {
        "processor": _processor(),
        "machine": platform.machine(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()

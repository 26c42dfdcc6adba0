"""One miner process as a test starts it: ``python -m tests.support.miner_process FOLDER``."""

import json
import os
import sys
from pathlib import Path

from anvil.supervise import peak_memory
from protocol.chain.deployment import Deployment
from protocol.keystore import open_keystore
from worker.agent import run
from worker.config import MinerConfig


def main(folder: Path) -> int:
    """Read ``miner.json``, open the keystore beside it, mine; tell the peak memory at the end."""
    settings = json.loads((folder / "miner.json").read_text())
    deployment = Deployment.from_json(settings.pop("deployment"))
    config = MinerConfig(deployment=deployment, **{**settings, "state_dir": Path(settings["state_dir"])})
    code = run(config, open_keystore(folder / "key.json", folder / "password"))
    # Not ru_maxrss: that is inherited from the process that started this one.
    print(f"peak_mb={peak_memory(os.getpid()) // (1 << 20)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

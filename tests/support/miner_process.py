"""One miner process as a test starts it: ``python -m tests.support.miner_process FOLDER``."""

import json
import resource
import sys
from pathlib import Path

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
    print(f"peak_mb={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

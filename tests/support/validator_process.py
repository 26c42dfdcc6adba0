"""One validator process as a test starts it: ``python -m tests.support.validator_process FILE``."""

import json
import sys
from pathlib import Path

from committee.config import ValidatorConfig
from committee.node import run
from protocol.chain.deployment import Deployment
from protocol.keystore import open_keystore


def main(file: Path) -> None:
    """Read the settings, open the keystore that they name, validate until a signal comes."""
    settings = json.loads(file.read_text())
    account = open_keystore(Path(settings.pop("keystore")), Path(settings.pop("password_file")))
    deployment = Deployment.from_json(settings.pop("deployment"))
    run(
        ValidatorConfig(deployment=deployment, **settings | {"state_dir": Path(settings["state_dir"])}),
        account,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The committed ABIs (``contracts/abi/*.json``), read as data, and the selectors derived from them."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

CONTRACTS = (
    "TrainingMarket",
    "StakeVault",
    "Committee",
    "BlsKeys",
    "Appeals",
    "Canaries",
    "LearningContest",
    "ContestPanels",
    "DevToken",
)


@cache
def load_abi(contract: str) -> list[dict[str, Any]]:
    """The ABI of one of ``CONTRACTS``."""
    abi: list[dict[str, Any]] = json.loads((files("contracts") / "abi" / f"{contract}.json").read_text())
    return abi

"""A small real contest on the digits: half of the test split is public, the other half is sealed."""

from functools import cache
from typing import Any

import numpy as np

from protocol.blobs import BlobStore
from protocol.contest_spec import ContestSpec
from protocol.ids import sha256
from protocol.sealed import seal
from worker.training.data import Classification, canonical_classification, parse_dataset
from worker.training.ingest import bundled_dataset

KEY = bytes(range(32))


@cache
def public_and_secret() -> tuple[bytes, bytes]:
    """(what miners see, what is sealed): their training samples are the same, their test samples are not."""
    found = parse_dataset(bundled_dataset("digits"), "classification")
    assert isinstance(found, Classification)
    half = len(found.y_test) // 2
    public = canonical_classification(found.x_train, found.y_train, found.x_test[:half], found.y_test[:half])
    secret = canonical_classification(
        found.x_test[:half], found.y_test[:half], found.x_test[half:], found.y_test[half:]
    )
    return public, secret


def answers() -> int:
    found = parse_dataset(public_and_secret()[1], "classification")
    assert isinstance(found, Classification)
    return int(np.size(found.y_test))


def contest_value(**changes: Any) -> dict[str, Any]:
    """A spec document; ``changes`` replace entries of its parts."""
    public, secret = public_and_secret()
    value: dict[str, Any] = {
        "version": 1,
        "kind": "contest",
        "title": "digits, best weights win",
        "model": {"arch": "mlp", "params": {"inputs": 64, "hidden": 32, "layers": 1, "classes": 10}},
        "dataset": {"name": "digits", "kind": "classification", "sha256": sha256(public).hex()},
        "test_set": {
            "sha256": sha256(secret).hex(),
            "sealed": sha256(seal(secret, KEY)).hex(),
            "answers": answers(),
        },
        "recipe": {
            "optimizer": {"kind": "sgd", "lr": "0.1", "momentum": "0.9"},
            "steps": 60,
            "batch": 64,
            "mapping": {"inputs": 64, "outputs": 48},
            "trace": {"every": 10, "largest": 1, "random": 1},
        },
        "goal": {"target": answers(), "least": answers() // 4},
        "money": {
            "reward": "1000",
            "fee": "40",
            "compensation": "5",
            "miner_stake": "1000",
            "slash_per_fault": "500",
        },
        "limits": {
            "commit_s": 600,
            "release_s": 300,
            "reveal_s": 300,
            "score_s": 600,
            "challenge_window_s": 0,
            "max_entries": 8,
        },
    }
    for name, part in changes.items():
        value[name] = value.get(name, {}) | part if isinstance(part, dict) else part
    return value


def contest_spec(**changes: Any) -> ContestSpec:
    return ContestSpec.from_value(contest_value(**changes))


def publish(spec: ContestSpec, blobs: BlobStore) -> None:
    """Everything that others need before the key is released."""
    public, secret = public_and_secret()
    for blob in (spec.blob, public, seal(secret, KEY)):
        blobs.put(blob)

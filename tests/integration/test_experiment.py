"""The harness on real executions: small, but all of it."""

import csv
import json
from pathlib import Path

import pytest

from pot.experiment.executions import SETTINGS, ExecutionFailed, Setting, execute, prepare
from pot.experiment.findings import Plan
from pot.experiment.pages import write
from pot.experiment.shapes import Shape
from pot.experiment.verification import measure
from protocol.ids import sha256
from protocol.policy import Policy

SMALL = Plan(
    calibrating=1,
    validating=1,
    rounds=1,
    cheat_rounds=2,
    campaigns=300,
    players=1,
    seed=3,
    settings=(SETTINGS[0], SETTINGS[3]),
)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_verification__small_run__writes_a_policy_that_names_its_measurement(tmp_path: Path) -> None:
    found = measure(SMALL)
    document = write(found, tmp_path)
    policy = Policy.parse((tmp_path / "policy.json").read_bytes())
    assert policy.hash.hex() == document["policy_sha256"]
    assert policy.measurement == sha256((tmp_path / "measurement.json").read_bytes()).hex()
    assert policy.empty == ("cuda",)
    assert (found.misses, found.alarms) == (0, 0)
    # 12 shapes of 8 shards, one pair of settings; float32 work has no 24-bit codes.
    assert document["honest"]["checks"] == 6 * 8 * 3 + 6 * 8 * 2
    for kind, row in document["cheats"].items():
        assert row["tried"] > 0
        assert not row["promised"] or row["caught"] == row["tried"], kind
    assert document == json.loads((tmp_path / "results.json").read_text())
    with (tmp_path / "cells.csv").open() as stream:
        cells = list(csv.DictReader(stream))
    assert len(cells) == 30
    assert all(cell["differing"] == "0" for cell in cells if cell["compute"] == "float64")
    assert (tmp_path / "verification.png").read_bytes()[:4] == b"\x89PNG"
    assert "Honest work" in (tmp_path / "verification.html").read_text()


def test_execute__a_setting_that_cannot_run__is_an_error_with_its_name(tmp_path: Path) -> None:
    work = prepare(Shape(arch="cnn", compute="float64", micro_batch=64), seed=1, rounds=1, folder=tmp_path)
    broken = type(work)(
        shape=work.shape, spec=work.spec, dataset=tmp_path / "missing", checkpoints=work.checkpoints
    )
    with pytest.raises(ExecutionFailed, match="'no data' failed"):
        execute(Setting(name="no data"), [broken], tmp_path)

"""What developers are given agrees with the code: OpenAPI, ABIs, dashboards, alerts."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from coordinator.bell import Bell
from coordinator.metrics import Metrics
from coordinator.store.engine import open_engine
from coordinator.store.migrate import migrate
from coordinator.store.unit_of_work import Store
from pot.publish import ROOT, stale

OPERATIONS = ROOT / "docs" / "operations"
METRIC = re.compile(r"\bpot_[a-z_]+")


def test_published__openapi_and_abis__are_what_the_code_says() -> None:
    assert [str(path.relative_to(ROOT)) for path in stale()] == []


def known_metrics(folder: Path) -> set[str]:
    """Every name that a coordinator can serve."""
    engine = open_engine(f"sqlite:///{folder}/metrics.sqlite3")
    migrate(engine)
    metrics = Metrics(Store(engine, Bell()), lambda: 0.0)
    metrics.contributions.labels(verdict="accepted").inc()
    text = generate_latest(metrics.registry).decode()
    engine.dispose()
    samples = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    declared = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    return samples | declared


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "prometheus-alerts.yml"])
def test_operations__every_metric_they_ask_for__is_served(tmp_path: Path, name: str) -> None:
    asked = set(METRIC.findall((OPERATIONS / name).read_text()))
    assert len(asked) >= 5
    assert asked <= known_metrics(tmp_path)


def test_dashboard__is_json_with_a_query_in_every_panel() -> None:
    board = json.loads((OPERATIONS / "grafana-dashboard.json").read_text())
    for panel in board["panels"]:
        assert panel["targets"][0]["expr"]
        assert panel["title"]

"""The job as it travels: what comes back is what was sent, and nothing else is a job."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import PeerMisbehaved
from protocol.ids import RoundNo, Sha256, ShardNo, TaskId
from protocol.job import ShardJob

HASHES = st.binary(min_size=32, max_size=32).map(Sha256)
JOBS = st.builds(
    ShardJob,
    task_id=st.integers(1, 2**256 - 1).map(TaskId),
    round=st.integers(1, 2**32 - 1).map(RoundNo),
    shard=st.integers(0, 2**32 - 1).map(ShardNo),
    attempt=st.integers(0, 2**32 - 1),
    fence=st.integers(0, 2**63 - 1),
    spec_hash=HASHES,
    parent_model=HASHES,
    api_url=st.text(max_size=50),
    lease_s=st.integers(1, 86_400),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
GOOD: dict[str, Any] = {
    "task_id": "1",
    "round": 3,
    "shard": 0,
    "attempt": 1,
    "fence": 17,
    "spec_hash": "ab" * 32,
    "parent_model": "cd" * 32,
    "api_url": "http://127.0.0.1:8000",
    "lease_s": 30,
}


@given(JOBS)
def test_job__through_json__comes_back_equal(job: ShardJob) -> None:
    assert ShardJob.from_json(json.loads(json.dumps(job.to_json()))) == job


@given(JSON)
def test_job__any_other_json__is_refused_as_the_peers_fault(value: Any) -> None:
    with pytest.raises(PeerMisbehaved):
        ShardJob.from_json(value)


def test_job__as_documented__is_accepted() -> None:
    assert ShardJob.from_json(GOOD).to_json() == GOOD


WRONG: list[tuple[str, Any]] = [
    ("task_id", 1),
    ("task_id", "0"),
    ("task_id", "01"),
    ("task_id", str(2**256)),
    ("task_id", "9" * 10_000),
    ("round", 0),
    ("round", 2**32),
    ("round", True),
    ("round", 1.0),
    ("shard", -1),
    ("fence", 2**63),
    ("spec_hash", "AB" * 32),
    ("spec_hash", "ab" * 31),
    ("parent_model", "../" * 20),
    ("parent_model", "cd" * 32 + "\n"),
    ("api_url", "x" * 2001),
    ("lease_s", 0),
    ("lease_s", 86_401),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_job__one_field_wrong__is_refused(field: str, value: Any) -> None:
    with pytest.raises(PeerMisbehaved):
        ShardJob.from_json({**GOOD, field: value})


@pytest.mark.parametrize("field", list(GOOD))
def test_job__one_field_missing_or_one_too_many__is_refused(field: str) -> None:
    with pytest.raises(PeerMisbehaved):
        ShardJob.from_json({key: value for key, value in GOOD.items() if key != field})
    with pytest.raises(PeerMisbehaved):
        ShardJob.from_json({**GOOD, field + "_": 1})

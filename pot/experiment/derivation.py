"""From the canonical record of a measurement to the policy that follows from it: anybody can do it again."""

import json
from typing import Any, Final

from protocol.errors import InvalidInput
from protocol.ids import sha256
from protocol.policy import Policy
from worker.training.calibration import Noise, derive, provisional

MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
TEST_PPB: Final = 1_000
SUMS: Final = ("checks", "equal", "codes", "differing", "flips")
PEAKS: Final = (
    *("max_differing_ppm", "max_level", "max_block", "max_scattered_ppm", "max_stray"),
    *("max_stray_ppm", "max_l2_ppb", "max_rounding_l2_ppb"),
)


def policy_of(record: bytes) -> Policy:
    """The policy that a measurement leads to; it names the record by its hash. Raises InvalidInput for
    anything but a record."""
    if len(record) > MAX_RECORD_BYTES:
        raise InvalidInput(f"A measurement of {len(record)} bytes exceeds the limit of {MAX_RECORD_BYTES}.")
    merged: dict[tuple[str, str, str], Noise] = {}
    try:
        value = json.loads(record)
        for cell in value["cells"]:
            key, noise = (cell["arch"], cell["compute"], cell["codec"]), _noise(cell)
            merged[key] = merged[key].merged(noise) if key in merged else noise
        empty = tuple(value["empty"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"This is no record of a measurement: {error!r}.") from error
    policy = Policy(
        version=1,
        measurement=sha256(record).hex(),
        empty=empty,
        test_ppb=TEST_PPB,
        limits=tuple(derive(merged[key]) for key in sorted(merged)),
    )
    return Policy.parse(policy.blob)


def _noise(cell: dict[str, Any]) -> Noise:
    limits = provisional(cell["arch"], cell["compute"], cell["codec"], "cpu")
    return Noise(limits=limits, **{name: int(cell[name]) for name in (*SUMS, *PEAKS)})

"""What the coordinator says about work that is not certified yet: a convenience, believed in nothing."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Final

from protocol.ids import TaskId

TIMEOUT_S: Final = 1.0
MAX_ANSWER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """``computed`` is the last round whose update is known, ``note`` why the task waits ("" = it goes on)."""

    computed: int
    note: str


def read_dispatch(api_url: str | None, task_id: TaskId) -> Dispatch | None:
    """The coordinator's view of a task; None when there is no coordinator or it gives no answer in time."""
    if api_url is None or not api_url.startswith(("http://", "https://")):
        return None
    try:
        with urllib.request.urlopen(f"{api_url.rstrip('/')}/tasks/{task_id}", timeout=TIMEOUT_S) as response:
            value = json.loads(response.read(MAX_ANSWER_BYTES))
        summary = value.get("summary", value)
        return Dispatch(computed=int(summary["round"]), note=str(summary["note"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

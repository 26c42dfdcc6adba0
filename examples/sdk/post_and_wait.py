"""Post a task, wait for it, fetch the model: ``python post_and_wait.py SPEC.yaml MODEL.safetensors``.

Settings come from where ``pot`` takes them: run it in the folder of a network, or set POT_CHAIN_URL, ...
"""

import sys
from pathlib import Path

from pot import Client
from pot.settings import load_settings

LONGEST_WAIT_S = 3600


def main(spec: Path, model: Path) -> int:
    client = Client(load_settings(), role="poster")
    draft = client.draft(spec)
    print("\n".join(str(line) for line in client.quote(draft).text()))
    posted = client.post(draft)
    print(f"task {posted.task_id} is posted")
    task = client.wait(
        posted.task_id,
        timeout_s=LONGEST_WAIT_S,
        on_change=lambda seen: print(f"{seen.last_round} of {seen.rounds} rounds are certified"),
    )
    if task.last_round < task.rounds:
        print("it is not finished", file=sys.stderr)
        return 1
    fetched = client.fetch(posted.task_id, model)
    refund, _ = client.close(posted.task_id)
    print(f"{fetched.path}: {fetched.size} bytes, checked; {refund} units came back")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

"""Stake and mine until interrupted: ``python run_a_miner.py "1000 POT"``; then claim what was earned."""

import sys

from pot import Client
from pot.amounts import format_amount, parse_amount
from pot.settings import load_settings


def main(stake: str) -> int:
    client = Client(load_settings(), role="miner")
    wanted = parse_amount(stake, "STAKE")
    have = client.contracts.vault.stake_of(client.address)
    if have < wanted:
        client.stake(wanted - have)
    print(f"{client.address} mines with {format_amount(max(have, wanted))} at stake", flush=True)
    client.mine()
    due = [item for item in client.claimable(client.address) if item.due]
    if due:
        client.claim(*due)
    print(f"claimed {format_amount(sum(item.due for item in due))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

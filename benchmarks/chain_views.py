"""What a look at the chain costs our processor: our client beside web3's, against one Anvil.

``python -m benchmarks.chain_views``: medians of processor time over rounds in turn, as JSON.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from web3 import HTTPProvider, Web3

from anvil.chain import AnvilOptions, AnvilProcess, fresh_chain_id
from protocol.chain.abi import load_abi
from protocol.chain.client import ChainClient
from tests.support.pot_network import PotNetwork

ROUNDS: Final = 15
CALLS: Final = 20


def _ms(look: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        look()
    return 1_000 * (time.process_time() - began) / CALLS


def main() -> int:
    """Print milliseconds a look, and how many times fewer they are than web3's."""
    with tempfile.TemporaryDirectory() as folder:
        options = AnvilOptions(chain_id=fresh_chain_id())
        with AnvilProcess(options, log=Path(folder) / "anvil.log") as chain:
            contracts = PotNetwork.build(Path(folder), ChainClient(chain.rpc_url)).contracts
            web3 = Web3(HTTPProvider(chain.rpc_url))
            theirs = web3.eth.contract(
                address=Web3.to_checksum_address(contracts.vault.address), abi=load_abi("StakeVault")
            )
            looks: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
                "newest block": (contracts.client.block, lambda: web3.eth.get_block("latest")),
                "a view": (
                    lambda: contracts.vault.stake_of(contracts.vault.address),
                    theirs.functions.stakeOf(contracts.vault.address).call,
                ),
            }
            for name, (ours, web3s) in looks.items():
                pairs = [(_ms(ours), _ms(web3s)) for _ in range(ROUNDS)]
                mine, other = median(a for a, _ in pairs), median(b for _, b in pairs)
                found = {"look": name, "ms": round(mine, 3), "web3_ms": round(other, 3)}
                print(json.dumps({**found, "times": round(median(b / a for a, b in pairs), 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

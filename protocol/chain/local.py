"""Whether a chain is a local Anvil, where coin and tokens are given away."""

from protocol.chain.client import ChainClient
from protocol.errors import Refused


def require_anvil(chain: ChainClient) -> None:
    """Raises Refused on a chain that is no Anvil, ServiceUnreachable when nobody answers."""
    try:
        version = str(chain.rpc("web3_clientVersion"))
    except Refused:
        version = "unknown"
    if not version.lower().startswith("anvil"):
        raise Refused(
            f"{chain.rpc_url} ({version}) is no local Anvil chain: there is no faucet there.", "NoFaucet"
        )


def is_local(chain: ChainClient) -> bool:
    """Whether ``chain`` is a local Anvil. Raises ServiceUnreachable."""
    try:
        require_anvil(chain)
    except Refused:
        return False
    return True

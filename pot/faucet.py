"""Development tokens and coin on a local Anvil chain."""

from typing import Final

from pot.amounts import format_amount
from pot.client import Client
from protocol.chain.local import require_anvil
from protocol.errors import InvalidInput, Refused
from protocol.ids import Address

COIN_WEI: Final = 100 * 10**18
MAX_CALLS: Final = 100


def drip(client: Client, account: Address, amount: int | None) -> tuple[int, int]:
    """Give ``account`` at least ``amount`` more token units (None: one portion) and coin for gas.

    Returns (tokens given, coin balance). Raises Refused on a chain that is no Anvil or has no faucet.
    """
    if int(account, 16) == 0:
        raise InvalidInput(f"{account} is nobody's account: tokens sent there would be lost.")
    chain, token = client.contracts.client, client.contracts.token
    before = token.balance_of(account)
    require_anvil(chain)
    coin = max(COIN_WEI, chain.balance(account))
    chain.rpc("anvil_setBalance", account, hex(coin))
    # The faucet is open to anyone; the account itself calls it, without its key.
    chain.rpc("anvil_impersonateAccount", account)
    try:
        for _ in range(MAX_CALLS):
            _send(client, account)
            given = token.balance_of(account) - before
            if amount is None or given >= amount:
                return given, chain.balance(account)
    finally:
        chain.rpc("anvil_stopImpersonatingAccount", account)
    raise InvalidInput(
        f"--amount is too large: {MAX_CALLS} portions of the faucet give {format_amount(given)}."
    )


def _send(client: Client, account: Address) -> None:
    chain, call = client.contracts.client, client.contracts.token.faucet(account)
    request = {"from": account, "to": call.to, "data": "0x" + call.data.hex()}
    tx_hash = bytes.fromhex(chain.rpc("eth_sendTransaction", request)[2:])
    receipt = chain.receipt(tx_hash)
    if receipt is None:
        chain.rpc("evm_mine")
        receipt = chain.receipt(tx_hash)
    if receipt is None or int(receipt["status"], 16) != 1:
        raise Refused(f"The faucet's transaction 0x{tx_hash.hex()} failed.", "FaucetFailed")

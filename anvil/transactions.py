"""Many transactions at once: signed with consecutive nonces, sent without waiting, settled together.

For set-up on a local chain. Everybody else sends through ``protocol.chain.sender``, one at a time with fee
bumps.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from eth_account.signers.local import LocalAccount
from web3.types import Nonce
from web3.utils.address import get_create_address

from protocol.chain.client import ChainClient
from protocol.chain.contract import Call
from protocol.errors import Refused, ServiceUnreachable
from protocol.ids import Address, parse_address

TIP_WEI: Final = 1_000_000_000
# : Gas is bought by its limit on no chain, so a call gets a generous one instead of an estimate that must
# wait.
CALL_GAS: Final = 1_000_000
CREATE_GAS: Final = 1 << 23
SETTLE_TIMEOUT_S: Final = 60.0
SETTLE_POLL_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transaction on its way; ``label`` is for people, ``request`` repeats it as an ``eth_call``."""

    label: str
    tx_hash: bytes
    request: dict[str, Any]


class Pipeline:
    """Sends from one account. Nobody else may use the account meanwhile."""

    def __init__(self, client: ChainClient, account: LocalAccount, chain_id: int) -> None:
        self._client = client
        self._account = account
        self._chain_id = chain_id
        self._nonce = int(client.rpc("eth_getTransactionCount", account.address, "pending"), 16)
        # Blocks that fill up raise the base fee by an eighth each: eight times as much lasts for 16 full
        # ones.
        self._max_fee = 8 * client.block().base_fee + TIP_WEI

    @property
    def address(self) -> Address:
        return parse_address(self._account.address)

    def created_address(self, ahead: int = 0) -> Address:
        """The address of the contract that the next transaction but ``ahead`` would create."""
        return parse_address(get_create_address(self._account.address, Nonce(self._nonce + ahead)))

    def send(self, call: Call) -> Sent:
        """Send one call. Raises Refused when the node does not take it."""
        return self._submit(call.label, {"to": call.to, "data": "0x" + call.data.hex()}, CALL_GAS)

    def create(self, label: str, code: bytes) -> Sent:
        """Send one contract creation; ``code`` holds the encoded constructor arguments at its end."""
        return self._submit(label, {"data": "0x" + code.hex()}, CREATE_GAS)

    def _submit(self, label: str, fields: dict[str, Any], gas: int) -> Sent:
        signed = self._account.sign_transaction(
            {
                **fields,
                "type": 2,
                "chainId": self._chain_id,
                "value": 0,
                "gas": gas,
                "nonce": self._nonce,
                "maxFeePerGas": self._max_fee,
                "maxPriorityFeePerGas": TIP_WEI,
            }
        )
        answer = self._client.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        self._nonce += 1
        request = {"from": self._account.address, **fields}
        return Sent(label=label, tx_hash=bytes.fromhex(answer[2:]), request=request)


def settle(
    client: ChainClient, sent: Iterable[Sent], timeout_s: float = SETTLE_TIMEOUT_S
) -> list[dict[str, Any]]:
    """Wait for all receipts, in the order given. Raises Refused, decoded, for the first one that reverted,
    and ServiceUnreachable when they are not mined within ``timeout_s`` together.
    """
    deadline = time.monotonic() + timeout_s
    return [_settled(client, one, deadline) for one in sent]


def _settled(client: ChainClient, one: Sent, deadline: float) -> dict[str, Any]:
    while (receipt := client.receipt(one.tx_hash)) is None:
        if time.monotonic() > deadline:
            raise ServiceUnreachable("the chain", client.rpc_url, f"{one.label} was not mined in time")
        time.sleep(SETTLE_POLL_S)
    if int(receipt["status"], 16) != 1:
        # The same call on the state before it names the reason: a creation computes the same address again.
        client.rpc("eth_call", one.request, hex(int(receipt["blockNumber"], 16) - 1))
        raise Refused(f"{one.label} was mined but reverted.", "Reverted")
    return receipt

"""Moving tokens into escrow or stake: by a permit in the same transaction, or by an approval before it."""

from typing import Final

from eth_account.signers.local import LocalAccount

from pot.amounts import format_amount
from protocol.chain.contract import Call
from protocol.chain.contracts import Contracts
from protocol.chain.market import TaskParams
from protocol.chain.sender import Receipt, Sender
from protocol.chain.token import Permit
from protocol.errors import Refused
from protocol.ids import Address, parse_address

PERMIT_LIFE_S: Final = 1200
# Enough for creating and closing a task at ten times a quiet chain's price.
LEAST_COIN_WEI: Final = 10**15


def require_funds(contracts: Contracts, account: Address, amount: int, purpose: str) -> None:
    """Raises Refused, saying how much is missing and where to get it, unless ``account`` holds ``amount``."""
    balance = contracts.token.balance_of(account)
    if balance < amount:
        raise Refused(
            f"{purpose} needs {format_amount(amount)}, but {account} holds {format_amount(balance)}: "
            f"{format_amount(amount - balance)} are missing. On a local network run `pot faucet {account}`.",
            "InsufficientBalance",
        )
    if contracts.client.balance(account) < LEAST_COIN_WEI:
        raise Refused(
            f"{account} has no coin to pay gas with. On a local network run `pot faucet {account}`.",
            "InsufficientFunds",
        )


def create_task(
    contracts: Contracts, account: LocalAccount, sender: Sender, params: TaskParams, *, approve: bool
) -> Receipt:
    """Fund and create a task: one transaction with a permit, or an approval and a creation.

    A permit that somebody else submitted first still leaves its allowance, which the contract then uses.
    Raises Refused, ServiceUnreachable.
    """
    market = contracts.market
    if approve:
        sender.send(contracts.token.approve(market.address, params.escrow))
        return sender.send(market.create_task(params))
    permit = _permit(contracts, account, market.address, params.escrow)
    return sender.send(market.create_task_with_permit(params, permit))


def deposit_stake(
    contracts: Contracts, account: LocalAccount, sender: Sender, amount: int, *, approve: bool = False
) -> Receipt:
    """Put ``amount`` into the stake vault. Raises Refused, ServiceUnreachable."""
    require_funds(contracts, parse_address(account.address), amount, "The stake")
    vault = contracts.vault
    if approve:
        sender.send(contracts.token.approve(vault.address, amount))
        return sender.send(vault.deposit(amount))
    call: Call = vault.deposit_with_permit(amount, _permit(contracts, account, vault.address, amount))
    return sender.send(call)


def _permit(contracts: Contracts, account: LocalAccount, spender: Address, amount: int) -> Permit:
    deadline = contracts.client.pending_time() + PERMIT_LIFE_S
    return contracts.token.sign_permit(account, spender, amount, deadline)

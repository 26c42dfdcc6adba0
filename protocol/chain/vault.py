"""StakeVault: deposits, unbonding, withdrawals."""

from protocol.chain.contract import Block, Call, ContractClient
from protocol.chain.token import Permit
from protocol.ids import Address, Wei


class Vault(ContractClient):
    """One method per function of StakeVault that an account calls; slashing is the other contracts' right."""

    NAME = "StakeVault"

    def stake_of(self, account: Address, block: Block = "latest") -> Wei:
        """Active stake, not counting what is unbonding."""
        return Wei(self.view("stakeOf", account, block=block))

    def unbonding_of(self, account: Address, block: Block = "latest") -> tuple[Wei, int]:
        """(amount, Unix second at which it can be withdrawn)."""
        amount, unlocks_at = self.view("unbondingOf", account, block=block)
        return Wei(amount), int(unlocks_at)

    def slashable_of(self, account: Address, block: Block = "latest") -> Wei:
        return Wei(self.view("slashableOf", account, block=block))

    def unbonding_delay_s(self, block: Block = "latest") -> int:
        return int(self.view("UNBONDING_DELAY", block=block))

    def deposit(self, amount: int) -> Call:
        return self.write("deposit", amount)

    def deposit_with_permit(self, amount: int, permit: Permit) -> Call:
        return self.write("depositWithPermit", amount, permit.argument())

    def unbond(self, amount: int) -> Call:
        return self.write("unbond", amount)

    def withdraw(self) -> Call:
        return self.write("withdraw")

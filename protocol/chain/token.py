"""The network's ERC-20 and its EIP-2612 permit."""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak

from protocol.chain.contract import Block, Call, ContractClient
from protocol.ids import Address, Wei
from protocol.signing import sign
from protocol.typed_data import StructType

PERMIT_TYPE = StructType(
    name="Permit",
    fields=(
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A signed EIP-2612 approval in the form the contracts take: (value, deadline, v, r, s)."""

    value: int
    deadline: int
    signature: bytes

    def argument(self) -> tuple[int, int, int, bytes, bytes]:
        return (self.value, self.deadline, self.signature[64], self.signature[:32], self.signature[32:64])


class Token(ContractClient):
    """ERC-20 + EIP-2612; on local chains with a faucet."""

    NAME = "DevToken"

    def balance_of(self, account: Address, block: Block = "latest") -> Wei:
        return Wei(self.view("balanceOf", account, block=block))

    def allowance(self, owner: Address, spender: Address, block: Block = "latest") -> Wei:
        return Wei(self.view("allowance", owner, spender, block=block))

    def symbol(self, block: Block = "latest") -> str:
        return str(self.view("symbol", block=block))

    def decimals(self, block: Block = "latest") -> int:
        return int(self.view("decimals", block=block))

    def faucet(self, account: Address) -> Call:
        return self.write("faucet", account)

    def approve(self, spender: Address, amount: int) -> Call:
        return self.write("approve", spender, amount)

    def transfer(self, to: Address, amount: int) -> Call:
        return self.write("transfer", to, amount)

    def sign_permit(self, account: LocalAccount, spender: Address, value: int, deadline: int) -> Permit:
        """Sign an approval of ``value`` units for ``spender`` until Unix second ``deadline``, at the
        current nonce."""
        nonce = self.view("nonces", account.address)
        struct = PERMIT_TYPE.hash_struct(
            {
                "owner": account.address,
                "spender": spender,
                "value": value,
                "nonce": nonce,
                "deadline": deadline,
            }
        )
        digest = keccak(b"\x19\x01" + bytes(self.view("DOMAIN_SEPARATOR")) + struct)
        return Permit(value=value, deadline=deadline, signature=sign(digest, account))

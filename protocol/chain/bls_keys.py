"""BlsKeys: the BLS keys of validators, registered once, gathered once for each list of members."""

from eth_abi.abi import encode
from eth_hash.auto import keccak

from protocol.bls import BlsSecret
from protocol.chain.contract import Block, Call, ContractClient
from protocol.ids import Address


class BlsKeys(ContractClient):
    """One method per function of BlsKeys."""

    NAME = "BlsKeys"

    def key_of(self, account: Address, block: Block = "latest") -> bytes:
        """The account's key, 192 bytes; empty when it has none. It never changes."""
        return bytes(self.view("keyOf", account, block=block))

    def is_gathered(self, members: Address, block: Block = "latest") -> bool:
        """Whether aggregates over the list stored at ``members`` can be checked."""
        return int(self.view("gathered", members, block=block), 16) != 0

    def gather(self, members: Address) -> Call:
        """Put the keys of a list of members together. Refused while one of them has none."""
        return self.write("gather", members)

    def register(self, account: Address, secret: BlsSecret, chain_id: int) -> Call:
        """Give ``account``, who must be the sender, the key of ``secret`` for ever."""
        statement = possession_statement(chain_id, self.address, account, secret.key)
        return self.write("register", secret.key, secret.prove(statement))


def possession_statement(chain_id: int, contract: Address, account: Address, key: bytes) -> bytes:
    """The 32 bytes that a proof of possession signs: it holds for one account in one place only."""
    return keccak(encode(["uint256", "address", "address", "bytes"], [chain_id, contract, account, key]))

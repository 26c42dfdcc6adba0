"""Merkle roots and proofs that OpenZeppelin's contract and JavaScript tree agree with (double-hashed
leaves)."""

from collections.abc import Sequence
from typing import Any

from murky_tree.standard import StandardMerkleTree, standard_leaf_hash

from protocol.ids import ZERO32

CONTRIBUTION_LEAF = ["uint32", "uint32", "address", "bytes32", "bytes32"]
FAULT_LEAF = ["uint32", "uint32", "address", "bytes32"]
PAYOUT_LEAF = ["address", "uint256"]
BATCH_LEAF = ["uint32", "bytes32"]

Leaf = Sequence[Any]


def root(leaves: Sequence[Leaf], types: list[str]) -> bytes:
    """The 32-byte root over ``leaves``; an empty list has the root zero, which no tree can have."""
    if not leaves:
        return ZERO32
    return bytes.fromhex(_tree(leaves, types).root[2:])


def proof(leaves: Sequence[Leaf], types: list[str], index: int) -> list[bytes]:
    """The sibling hashes that lead from leaf ``index`` to the root, bottom up."""
    return [bytes.fromhex(node[2:]) for node in _tree(leaves, types).get_proof(index)]


def leaf_hash(leaf: Leaf, types: list[str]) -> bytes:
    """keccak(keccak(abi.encode(leaf)))."""
    return bytes(standard_leaf_hash(list(leaf), types))


def _tree(leaves: Sequence[Leaf], types: list[str]) -> StandardMerkleTree[Any]:
    return StandardMerkleTree.of([list(leaf) for leaf in leaves], types)

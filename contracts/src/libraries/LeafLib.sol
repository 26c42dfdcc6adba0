// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../interfaces/ITrainingMarket.sol";
import {Contribution, ContributionLeaf, FaultLeaf} from "../types/Certificate.sol";
import {TaskId} from "../types/Ids.sol";

/// @title LeafLib
/// @notice Leaves of the OpenZeppelin standard Merkle tree: hashed twice, so that no inner node is ever a leaf.
library LeafLib {
    /// @notice Leaf of the payouts tree, `(address account, uint256 cumulative)`.
    function payout(address account, uint256 cumulative) internal pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            mstore(0, shr(96, shl(96, account)))
            mstore(0x20, cumulative)
            mstore(0, keccak256(0, 0x40))
            leaf := keccak256(0, 0x20)
        }
    }

    /// @notice Leaf of the faults tree, `(uint32 round, uint32 shard, address miner, bytes32 gradient)`.
    function fault(FaultLeaf calldata leaf) internal pure returns (bytes32) {
        return twice(abi.encode(leaf));
    }

    /// @notice Leaf of the contributions tree, `(uint32 round, uint32 shard, address miner, bytes32 gradient,
    /// bytes32 contributionDigest)`.
    function contribution(ContributionLeaf calldata leaf) internal pure returns (bytes32) {
        return twice(abi.encode(leaf));
    }

    /// @notice Leaf of the faults tree for what a miner signed.
    function fault(Contribution calldata c) internal pure returns (bytes32) {
        return twice(abi.encode(c.round, c.shard, c.miner, c.gradient));
    }

    /// @notice Leaf of the contributions tree for what a miner signed, with its digest.
    function contribution(Contribution calldata c, bytes32 digest) internal pure returns (bytes32) {
        return twice(abi.encode(c.round, c.shard, c.miner, c.gradient, digest));
    }

    /// @notice Root that `proof` leads to from `leaf`: what OpenZeppelin's `processProofCalldata` computes, at half its
    /// price, which claims pay for each level.
    function rootOf(bytes32 leaf, bytes32[] calldata proof) internal pure returns (bytes32 root) {
        root = leaf;
        assembly ("memory-safe") {
            let end := add(proof.offset, shl(5, proof.length))
            for { let at := proof.offset } lt(at, end) { at := add(at, 0x20) } {
                let neighbour := calldataload(at)
                // The smaller of the two comes first, wherever it stood in the tree.
                let right := shl(5, lt(root, neighbour))
                mstore(xor(right, 0x20), root)
                mstore(right, neighbour)
                root := keccak256(0, 0x40)
            }
        }
    }

    /// @notice Reverts unless `proof` leads from `leaf` to `root`.
    function requireLeaf(TaskId taskId, bytes32 leaf, bytes32 root, bytes32[] calldata proof) internal pure {
        if (rootOf(leaf, proof) != root) revert ITrainingMarket.ProofInvalid(taskId, leaf, root);
    }

    function twice(bytes memory encoded) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf} from "../types/Certificate.sol";

/// @title LeafLib
/// @notice Leaves of the OpenZeppelin standard Merkle tree: hashed twice, so that no inner node is ever a leaf.
library LeafLib {
    /// @notice Leaf of the payouts tree, `(address account, uint256 cumulative)`.
    function payout(address account, uint256 cumulative) internal pure returns (bytes32) {
        return twice(abi.encode(account, cumulative));
    }

    /// @notice Leaf of the faults tree, `(uint32 round, uint32 shard, address miner, bytes32 gradient)`.
    function fault(FaultLeaf calldata leaf) internal pure returns (bytes32) {
        return twice(abi.encode(leaf));
    }

    function twice(bytes memory encoded) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @notice Sorted-pair Merkle trees for tests; a node without a neighbour moves up as it is.
library MerkleTree {
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        if (leaves.length == 0) return 0;
        while (leaves.length > 1) {
            leaves = up(leaves);
        }
        return leaves[0];
    }

    function proof(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory path) {
        bytes32[] memory steps = new bytes32[](64);
        uint256 n = 0;
        while (leaves.length > 1) {
            uint256 neighbour = index ^ 1;
            if (neighbour < leaves.length) steps[n++] = leaves[neighbour];
            leaves = up(leaves);
            index /= 2;
        }
        path = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            path[i] = steps[i];
        }
    }

    function up(bytes32[] memory nodes) private pure returns (bytes32[] memory parents) {
        parents = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 i = 0; i < parents.length; ++i) {
            bool alone = 2 * i + 1 == nodes.length;
            parents[i] = alone ? nodes[2 * i] : Hashes.commutativeKeccak256(nodes[2 * i], nodes[2 * i + 1]);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../interfaces/ICanaries.sol";
import {BlobTail} from "../types/Canary.sol";
import {Sha256Lib} from "./Sha256Lib.sol";

/// @title MarkLib
/// @notice The mark that makes a gradient wrong: the least significant bits of its last 128 codes are a hash of a salt that was
/// committed to before. Honest arithmetic meets 128 given bits, or comes within t of them, once in 2^128 / C(128, t) tries.
library MarkLib {
    uint256 internal constant BITS = 128;

    /// @notice The bits of one shard, the first code's on top.
    function mark(bytes32 salt, bytes32 specHash, uint256 round, uint256 shard)
        internal
        pure
        returns (uint128)
    {
        return uint128(uint256(keccak256(abi.encode(salt, specHash, round, shard))) >> 128);
    }

    /// @notice Reverts unless `tail` ends a blob of the hash `gradient`, and its codes carry `mark_`.
    function requireMark(bytes32 gradient, uint128 mark_, BlobTail calldata tail) internal pure {
        uint256 width = tail.codeBytes;
        if (width != 1 && width != 2) revert ICanaries.OutOfBounds("codeBytes", width, 1, 2);
        uint256 end = tail.codesEnd;
        if (end < BITS * width || end > tail.data.length) {
            revert ICanaries.OutOfBounds("codesEnd", end, BITS * width, tail.data.length);
        }
        if (tail.skipped % Sha256Lib.BLOCK_BYTES != 0) revert ICanaries.NotABlock(tail.skipped);
        bytes32 found = Sha256Lib.finish(tail.state, tail.skipped, tail.data);
        if (found != gradient) revert ICanaries.NotTheGradient(gradient, found);
        uint256 bits = 0;
        for (uint256 place = end - BITS * width; place < end; place += width) {
            bits = (bits << 1) | (uint8(tail.data[place]) & 1);
        }
        if (bits != mark_) revert ICanaries.NotMarked(gradient, mark_, uint128(bits));
    }
}

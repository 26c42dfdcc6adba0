// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title QuorumLib
/// @notice Quorum arithmetic, the only copy in Solidity.
///
/// Of n replicas at most f = floor((n - 1) / 3) are Byzantine. Two quorums of q replicas share at least 2q - n, and
/// one of those is honest if 2q - n >= f + 1. So q = ceil((n + f + 1) / 2); with n = 3f + 1 that is 2f + 1. Progress
/// needs q <= n - f, which holds for every n >= 1.
library QuorumLib {
    /// @notice Byzantine members that a committee of `n` tolerates.
    function faulty(uint256 n) internal pure returns (uint256) {
        return n == 0 ? 0 : (n - 1) / 3;
    }

    /// @notice Signatures that a committee of `n` needs.
    function quorum(uint256 n) internal pure returns (uint256) {
        return (n + faulty(n) + 2) / 2;
    }

    /// @notice Number of set bits: sums of neighbours of 1, 2, 4 bits, and one product that adds the eight bytes up.
    function popcount(uint64 bitmap) internal pure returns (uint256 count) {
        unchecked {
            count = bitmap;
            count -= (count >> 1) & 0x5555555555555555;
            count = (count & 0x3333333333333333) + ((count >> 2) & 0x3333333333333333);
            count = (count + (count >> 4)) & 0x0F0F0F0F0F0F0F0F;
            count = uint64(count * 0x0101010101010101) >> 56;
        }
    }
}

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

    /// @notice Number of set bits.
    function popcount(uint64 bitmap) internal pure returns (uint256 count) {
        unchecked {
            for (uint256 rest = bitmap; rest != 0; rest &= rest - 1) {
                ++count;
            }
        }
    }
}

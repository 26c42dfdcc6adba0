// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title RoundingLib
/// @notice Divisions of money, with the direction of rounding in the name.
library RoundingLib {
    /// @notice Denominator of basis points.
    uint256 internal constant BPS = 10_000;

    /// @notice One of `parts` equal shares of `total`, rounded down; 0 for no parts.
    function shareDown(uint256 total, uint256 parts) internal pure returns (uint256) {
        return parts == 0 ? 0 : total / parts;
    }

    /// @notice `bps` basis points of `amount`, rounded down. `amount` stays below 2**128, so nothing overflows.
    function bpsDown(uint256 amount, uint256 bps) internal pure returns (uint256) {
        return amount * bps / BPS;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice How a slashed amount was split; `amount = victimShare + bounty + treasuryShare`.
/// @param amount Stake taken.
/// @param victimShare Paid to the wronged party.
/// @param bounty Paid to the reporter.
/// @param treasuryShare Paid to the treasury: everything else, rounding dust included.
struct SlashSplit {
    uint256 amount;
    uint256 victimShare;
    uint256 bounty;
    uint256 treasuryShare;
}

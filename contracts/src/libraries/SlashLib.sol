// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SlashSplit} from "../types/Slash.sol";
import {RoundingLib} from "./RoundingLib.sol";

/// @title SlashLib
/// @notice Who gets slashed stake: half to the wronged party, a bounded bounty to the reporter, the rest and the
/// rounding dust to the treasury. So an accuser that is not wronged never gets more than a tenth, and nobody all of it.
library SlashLib {
    uint256 internal constant VICTIM_BPS = 5_000;
    uint256 internal constant BOUNTY_BPS = 1_000;

    /// @notice Splits `amount`.
    /// @param hasVictim Whether there is a wronged party.
    /// @param hasReporter Whether the reporter may be paid.
    /// @param maxBounty Absolute bound of the bounty.
    function split(uint256 amount, bool hasVictim, bool hasReporter, uint256 maxBounty)
        internal
        pure
        returns (SlashSplit memory result)
    {
        result.amount = amount;
        if (hasVictim) result.victimShare = RoundingLib.bpsDown(amount, VICTIM_BPS);
        if (hasReporter) {
            uint256 bounty = RoundingLib.bpsDown(amount, BOUNTY_BPS);
            result.bounty = bounty < maxBounty ? bounty : maxBounty;
        }
        result.treasuryShare = amount - result.victimShare - result.bounty;
    }
}

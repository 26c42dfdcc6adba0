// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundingLib} from "../../src/libraries/RoundingLib.sol";
import {SlashLib} from "../../src/libraries/SlashLib.sol";
import {SlashSplit} from "../../src/types/Slash.sol";

/// @notice Divisions of money, for the compiler's own model checker, which reasons about integers: bit-vector solvers do
/// not get through a division of 256 bits. Amounts are below 2**128, as everywhere in the contracts.
contract RoundingProofs {
    function half(uint128 amount) external pure {
        uint256 part = RoundingLib.bpsDown(amount, SlashLib.VICTIM_BPS);
        assert(part * 2 <= amount);
        assert(amount - part * 2 <= 1);
    }

    function tenth(uint128 amount) external pure {
        uint256 part = RoundingLib.bpsDown(amount, SlashLib.BOUNTY_BPS);
        assert(part * 10 <= amount);
        assert(amount - part * 10 < 10);
    }

    function shares(uint128 total, uint8 parts) external pure {
        require(parts >= 1 && parts <= 64);
        uint256 share = RoundingLib.shareDown(total, parts);
        assert(share * parts <= total);
        assert(total - share * parts < parts);
    }

    function split(uint128 amount, bool victim, bool reporter, uint128 maxBounty) external pure {
        SlashSplit memory s = SlashLib.split(amount, victim, reporter, maxBounty);
        assert(s.victimShare + s.bounty + s.treasuryShare == amount);
        assert(s.victimShare * 2 <= amount);
        assert(s.bounty <= maxBounty && s.bounty * 10 <= amount);
        assert(s.treasuryShare * 10 >= uint256(amount) * 4);
        assert(victim || s.victimShare == 0);
        assert(reporter || s.bounty == 0);
    }
}

/// @notice What is false: a checker that does not refute it proves nothing.
contract RoundingControl {
    function nothingIsLost(uint128 amount) external pure {
        assert(RoundingLib.bpsDown(amount, SlashLib.VICTIM_BPS) * 2 == amount);
    }
}

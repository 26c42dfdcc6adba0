// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {QuorumLib} from "../../src/libraries/QuorumLib.sol";
import {RoundingLib} from "../../src/libraries/RoundingLib.sol";
import {SlashLib} from "../../src/libraries/SlashLib.sol";
import {SlashSplit} from "../../src/types/Slash.sol";

/// @notice Symbolic properties of the arithmetic of money; amounts are below 2**128, as everywhere in the contracts.
contract MoneySymbolicTest {
    uint256 private constant MAX_MEMBERS = 64;

    function check_shareDown__noParts__isNothing(uint256 total) public pure {
        assert(RoundingLib.shareDown(total, 0) == 0);
    }

    function check_split__anyAmount__addsUp(uint128 amount, bool victim, bool reporter, uint128 maxBounty)
        public
        pure
    {
        SlashSplit memory s = SlashLib.split(amount, victim, reporter, maxBounty);
        assert(s.amount == amount);
        assert(s.victimShare + s.bounty + s.treasuryShare == amount);
    }

    function check_quorum__anyCommittee__twoQuorumsShareAnHonestMember(uint8 n) public pure {
        if (n == 0 || n > MAX_MEMBERS) return;
        uint256 f = QuorumLib.faulty(n);
        uint256 q = QuorumLib.quorum(n);
        assert(2 * q >= uint256(n) + f + 1);
        assert(q + f <= n);
    }

    /// @dev Bound: 16 members; the loop is the same for 64.
    function check_popcount__sixteenBits__countsEachOnce(uint16 bitmap) public pure {
        uint256 count = 0;
        for (uint256 i = 0; i < 16; ++i) {
            count += (bitmap >> i) & 1;
        }
        assert(QuorumLib.popcount(bitmap) == count);
    }

    /// @dev False on purpose: a run that does not refute it shows nothing.
    function check_control__falseProperty__isRefuted(uint128 amount) public pure {
        assert(SlashLib.split(amount, true, false, 0).treasuryShare == amount);
    }
}

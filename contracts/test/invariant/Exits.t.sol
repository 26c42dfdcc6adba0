// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {InvariantTest} from "./InvariantTest.sol";

/// @notice Everybody gets out what is theirs, in bounded time; and nobody gets through what is forbidden.
/// forge-config: default.invariant.fail-on-revert = true
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 96
/// forge-config: ci.invariant.fail-on-revert = true
/// forge-config: ci.invariant.runs = 130
/// forge-config: ci.invariant.depth = 128
contract ExitInvariants is InvariantTest {
    function invariant_exit__everybodyGetsAllOfIt() public view {
        never("exit");
        never("money stays in the market");
        never("stake stays in the vault");
        never("exit paid wrongly");
    }

    function invariant_exit__isBoundedInTime() public view {
        // The longest window in these worlds is a day.
        uint256 life = market.MAX_TASK_LIFE() + 1 + market.settlementTime(1 days);
        uint256 delay = vault.UNBONDING_DELAY();
        assertAtMost(handler.longestExit(), life > delay ? life : delay, "longest exit");
    }

    function invariant_attempt__nothingForbiddenSucceeds() public view {
        never("forbidden step");
    }
}

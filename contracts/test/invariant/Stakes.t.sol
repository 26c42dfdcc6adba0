// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {TaskId} from "../../src/types/Ids.sol";
import {InvariantTest} from "./InvariantTest.sol";

/// @notice The vault's money and the slashes.
/// forge-config: default.invariant.fail-on-revert = true
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 96
/// forge-config: ci.invariant.fail-on-revert = true
/// forge-config: ci.invariant.runs = 130
/// forge-config: ci.invariant.depth = 128
contract StakeInvariants is InvariantTest {
    function invariant_vault__balanceIsStakePlusUnbonding() public view {
        uint256 sum = 0;
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            (uint256 unbonding,) = vault.unbondingOf(handler.people(k));
            sum += vault.stakeOf(handler.people(k)) + unbonding;
        }
        assertEq(token.balanceOf(address(vault)), sum, "vault");
    }

    function invariant_stake__isInExactlyOneState() public view {
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            address account = handler.people(k);
            (uint256 unbonding,) = vault.unbondingOf(account);
            uint256 here = vault.stakeOf(account) + unbonding;
            uint256 gone = handler.person(account).withdrawn + handler.person(account).slashed;
            assertEq(handler.person(account).deposited, here + gone, "deposited = here + withdrawn + slashed");
            assertEq(vault.slashableOf(account), here, "all of it is slashable");
        }
    }

    function invariant_slash__sumNeverExceedsTheDeposits() public view {
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            address account = handler.people(k);
            assertAtMost(handler.person(account).slashed, handler.person(account).deposited, "slashed");
        }
    }

    function invariant_slash__isSplitWithoutRest() public view {
        never("split does not add up");
        never("victim's half");
        assertEq(token.balanceOf(handler.treasuryAccount()), handler.treasuryIn(), "treasury");
    }

    function invariant_slash__bountyIsBounded() public view {
        never("bounty too large");
        never("culprit got a bounty");
    }

    function invariant_slash__costsWhatTheTermsSay() public view {
        never("slashed more than the terms say");
        never("equivocation cost too much");
    }

    function invariant_slash__eachFaultOnce() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertAtMost(handler.book(i).slashes, handler.faultCount(i), "slashes");
        }
        never("slash twice or too late");
    }

    function invariant_stake__fallsOnlyByWithdrawalOrProof() public view {
        never("stake fell");
        never("slash by a stranger");
    }

    function invariant_history__endsAtThePresent() public view {
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            address account = handler.people(k);
            uint256 recorded = vault.slashableAt(account, vm.getBlockTimestamp());
            assertEq(recorded, vault.slashableOf(account), "history");
        }
    }

    function invariant_history__neverChanges() public view {
        never("history changed");
    }

    function invariant_unbonding__unlocksAfterExactlyTheDelay() public view {
        never("delay is not the delay");
        never("unbonding escaped");
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            (, uint256 unlocksAt) = vault.unbondingOf(handler.people(k));
            assertAtMost(unlocksAt, vm.getBlockTimestamp() + vault.UNBONDING_DELAY(), "unlock");
        }
    }

    function invariant_unbonding__outlastsEveryFault() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            uint256 life = taskAt(i).deadline - committee.startedAt(taskAt(i).epoch);
            assertAtMost(life + market.SETTLEMENT_MARGIN(), vault.UNBONDING_DELAY(), "time rule");
            assertTrue(market.taskCount() >= TaskId.unwrap(TaskId.wrap(i)), "task exists");
        }
    }

    function invariant_withdrawal__paysTheOwnerAlone() public view {
        never("withdrawal paid another");
        never("withdraw too early");
        never("unbond too much");
    }
}

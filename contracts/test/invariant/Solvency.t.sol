// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Task, TaskStatus} from "../../src/types/Task.sol";
import {Test} from "../utils/Test.sol";
import {Handler} from "./Handler.sol";

/// @notice What holds after every sequence of legal steps.
/// forge-config: default.invariant.fail-on-revert = true
contract SolvencyInvariants is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private handler;

    function setUp() public {
        handler = new Handler();
        handler.setUp();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = Handler.create.selector;
        selectors[1] = Handler.certify.selector;
        selectors[2] = Handler.claim.selector;
        selectors[3] = Handler.claimSigningFee.selector;
        selectors[4] = Handler.cancel.selector;
        selectors[5] = Handler.close.selector;
        selectors[6] = Handler.slash.selector;
        selectors[7] = Handler.deposit.selector;
        selectors[8] = Handler.unbond.selector;
        selectors[9] = Handler.withdraw.selector;
        selectors[10] = Handler.slashThroughVault.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_market__balanceIsTheSumOfItsDebts() public view {
        (uint256 balance, uint256 debts) = handler.marketBooks();
        assertEq(balance, debts, "market");
    }

    function invariant_vault__balanceIsStakePlusUnbonding() public view {
        (uint256 balance, uint256 stakes) = handler.vaultBooks();
        assertEq(balance, stakes, "vault");
        assertEq(
            balance + handler.withdrawn() + handler.slashedTotal(), handler.deposited(), "in = out + held"
        );
    }

    function invariant_task__fundedIsPaidPlusHeld() public view {
        for (uint256 i = 1; i <= handler.taskCount(); ++i) {
            (, uint256 held,) = handler.taskAt(i);
            assertEq(handler.funded(i), handler.paidOut(i) + held, "escrow");
        }
    }

    function invariant_task__lifecycleOnlyGoesForward() public view {
        assertTrue(!handler.wentBack(), "a task went back");
    }

    function invariant_task__booksStayInsideTheEscrow() public view {
        for (uint256 i = 1; i <= handler.taskCount(); ++i) {
            (Task memory task, uint256 held, uint256 refundable) = handler.taskAt(i);
            uint256 perRound = uint256(task.shards) * task.rewardPerShard + task.feePerRound;
            uint256 fee = uint256(task.feePerRound) * handler.lastSpan(i);
            assertAtMost(task.paidTotal + fee, task.lastRound * perRound, "earned");
            assertAtMost(task.claimedTotal, task.paidTotal, "claimed");
            assertAtMost(task.lastRound, task.rounds, "rounds");
            assertAtMost(refundable, held, "refund");
            assertEq(task.feesPaid & ~handler.lastSigners(i), 0, "fees only to signers");
            bool complete = task.status == TaskStatus.Completed;
            assertTrue(!complete || task.lastRound == task.rounds, "complete means all rounds");
        }
    }

    function invariant_vault__historyEndsAtThePresent() public view {
        assertTrue(handler.historyIsTrue(), "history");
    }
}

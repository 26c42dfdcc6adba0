// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Task, TaskStatus} from "../../src/types/Task.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {InvariantTest} from "./InvariantTest.sol";

/// @notice The market's money.
/// forge-config: default.invariant.fail-on-revert = true
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 96
/// forge-config: ci.invariant.fail-on-revert = true
/// forge-config: ci.invariant.runs = 130
/// forge-config: ci.invariant.depth = 128
contract MoneyInvariants is InvariantTest {
    function invariant_market__balanceIsTheSumOfItsDebts() public view {
        uint256 debts = 0;
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            debts += market.held(TaskId.wrap(i));
        }
        assertEq(token.balanceOf(address(market)), debts, "market");
    }

    function invariant_task__fundedIsPaidPlusRefundedPlusHeld() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            uint256 held = market.held(TaskId.wrap(i));
            uint256 left = handler.book(i).paid + handler.book(i).refunded;
            assertEq(handler.book(i).funded, left + held, "in = paid + refunded + held");
        }
    }

    function invariant_task__fundedIsWhatTheTermsCost() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertEq(handler.book(i).funded, taskAt(i).rounds * perRound(taskAt(i)), "escrow");
        }
    }

    function invariant_task__paidPlusFeeStaysInsideEarned() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            Task memory t = taskAt(i);
            uint256 fee = uint256(t.feePerRound) * handler.spanOf(i);
            assertAtMost(t.paidTotal + fee, t.lastRound * perRound(t), "earned");
        }
    }

    function invariant_task__claimsStayInsidePaidTotal() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertAtMost(taskAt(i).claimedTotal, taskAt(i).paidTotal, "claimed");
        }
    }

    function invariant_task__claimedTotalIsTheSumOfTheClaims() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            uint256 sum = 0;
            for (uint256 k = 0; k < handler.peopleCount(); ++k) {
                sum += market.claimed(TaskId.wrap(i), handler.people(k));
            }
            assertEq(taskAt(i).claimedTotal, sum, "sum of claims");
        }
    }

    function invariant_claim__nobodyGetsMoreThanCertified() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            for (uint256 k = 0; k < handler.peopleCount(); ++k) {
                address account = handler.people(k);
                assertAtMost(market.claimed(TaskId.wrap(i), account), handler.owedTo(i, account), "claim");
            }
        }
    }

    function invariant_claim__paysTheNamedAccountAlone() public view {
        never("claim paid another");
        never("fee paid another");
        never("refund paid another");
    }

    function invariant_fee__isPaidToEachSignerAtMostOnce() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            Task memory t = taskAt(i);
            assertEq(t.feesPaid & ~handler.signersOf(i), 0, "fees go to signers");
            assertEq(handler.book(i).feeClaims, bits(t.feesPaid), "one claim for each bit");
        }
    }

    function invariant_fee__isPaidOnlyAfterTheEnd() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertTrue(taskAt(i).feesPaid == 0 || taskAt(i).status == TaskStatus.Closed, "fee before the end");
        }
    }

    function invariant_refund__isWhatNobodyEarned() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            Task memory t = taskAt(i);
            if (t.status != TaskStatus.Closed) continue;
            uint256 fee = uint256(t.feePerRound) * handler.spanOf(i);
            uint256 signers = bits(handler.signersOf(i));
            uint256 dust = signers == 0 ? 0 : fee % signers;
            uint256 refund = handler.book(i).funded - t.paidTotal - fee + dust;
            assertEq(handler.book(i).refunded, refund, "refund");
        }
    }

    function invariant_refund__comesOnceAndAtTheEnd() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            TaskStatus status = taskAt(i).status;
            bool running = status != TaskStatus.Closed && status != TaskStatus.Cancelled;
            assertTrue(!running || handler.book(i).refunded == 0, "refund before the end");
            assertTrue(running || market.refundable(TaskId.wrap(i)) == 0, "refund after the end");
        }
    }

    function invariant_refund__isHeldUntilItIsPaid() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertAtMost(market.refundable(TaskId.wrap(i)), market.held(TaskId.wrap(i)), "refund");
        }
    }

    function invariant_token__everyCoinHasAHolder() public view {
        uint256 sum = token.balanceOf(address(market)) + token.balanceOf(address(vault));
        sum += token.balanceOf(handler.treasuryAccount()) + token.balanceOf(address(appeals));
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            sum += token.balanceOf(handler.people(k));
        }
        assertEq(token.totalSupply(), sum, "supply");
    }

    function invariant_wallet__fallsOnlyByItsOwnersSignature() public view {
        never("wallet fell");
    }

    function perRound(Task memory t) private pure returns (uint256) {
        return uint256(t.shards) * t.rewardPerShard + t.feePerRound;
    }
}

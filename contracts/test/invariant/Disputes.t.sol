// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Case, Dispute, DisputeStatus} from "../../src/types/Appeal.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {InvariantTest} from "./InvariantTest.sol";

/// @notice Draws, challenge windows, disputes, courts and what follows from verdicts.
/// forge-config: default.invariant.fail-on-revert = true
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 96
/// forge-config: ci.invariant.fail-on-revert = true
/// forge-config: ci.invariant.runs = 130
/// forge-config: ci.invariant.depth = 128
contract DisputeInvariants is InvariantTest {
    function invariant_appeals__balanceIsTheSumOfItsBonds() public view {
        uint256 sum = 0;
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            TaskId taskId = TaskId.wrap(i);
            for (uint256 d = 1; d <= appeals.disputesOf(taskId); ++d) {
                uint256 cases = appeals.disputeOf(taskId, d).cases;
                for (uint256 n = 0; n < cases; ++n) {
                    if (!appeals.caseOf(taskId, d, n).settled) sum += appeals.bondOf(n);
                }
            }
        }
        assertEq(token.balanceOf(address(appeals)), sum, "appeals");
        assertEq(sum, handler.bonds(), "by our own books");
        never("another bond");
    }

    function invariant_dispute__isBoundedInTime() public view {
        assertAtMost(handler.longestDispute(), 1 days + appeals.COURT_TERM(), "a window and a term");
        never("dispute too long");
    }

    function invariant_dispute__runsExactlyWhileTheTaskIsDisputed() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            TaskId taskId = TaskId.wrap(i);
            uint256 count = appeals.disputesOf(taskId);
            bool runs = appeals.disputeOf(taskId, count).status == DisputeStatus.Open;
            assertTrue(runs == (taskAt(i).status == TaskStatus.Disputed), "one joint dispute");
            for (uint256 d = 1; d < count; ++d) {
                assertTrue(appeals.disputeOf(taskId, d).status != DisputeStatus.Open, "one at a time");
            }
        }
    }

    function invariant_dispute__freezesFromItsLowestCase() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            TaskId taskId = TaskId.wrap(i);
            for (uint256 d = 1; d <= appeals.disputesOf(taskId); ++d) {
                Dispute memory self = appeals.disputeOf(taskId, d);
                uint256 least = type(uint256).max;
                for (uint256 n = 0; n < self.cases; ++n) {
                    Case memory matter = appeals.caseOf(taskId, d, n);
                    if (matter.index < least) least = matter.index;
                }
                assertEq(self.first, least, "first");
            }
        }
        never("frozen from another one");
    }

    function invariant_dispute__everyTaskEndsInBoundedTime() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            Task memory t = taskAt(i);
            uint256 latest = uint256(t.deadline) + t.challengeWindow + appeals.COURT_TERM();
            assertAtMost(t.disputesEnd, latest + market.settlementTime(t.challengeWindow), "disputes end");
        }
    }

    function invariant_window__nothingIsPaidBeforeItCloses() public view {
        never("paid too early");
        never("claim twice or too early");
    }

    function invariant_overturn__takesBackNothingThatWasPaid() public view {
        never("paid what fell");
        never("did not fall");
        never("fell without a reason");
        never("lapse voided a certificate");
    }

    function invariant_overturn__needsAVerdictOfTheCourt() public view {
        never("overturned by a stranger");
        never("disputed by a stranger");
        never("verdict without a court");
        never("verdict twice");
        never("challenged out of turn");
        never("lapse too early");
    }

    function invariant_fault__voidOnesAreNeverSlashed() public view {
        never("void fault can be slashed");
        never("slashed a void fault");
    }

    function invariant_slash__needsTheMinersSignature() public view {
        never("slash without a signature");
    }

    function invariant_conviction__needsAVerdictAndCostsWhatTheTermsSay() public view {
        never("convicted without a verdict");
        never("convicted to more");
    }

    function invariant_punishment__isOncePerKindAndBounded() public view {
        never("punished without a reason");
        never("punished twice or too much");
    }

    function invariant_bond__isPaidOutOnce() public view {
        never("settled twice or too early");
    }

    function invariant_panel__isDrawnOnceAndForAll() public view {
        never("committee changed");
        never("committee of another size");
        never("another court");
        never("summoned too early");
    }

    function invariant_records__areOneForEachStandingCertificate() public view {
        never("another number of certificates");
    }
}

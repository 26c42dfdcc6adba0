// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {InvariantTest} from "./InvariantTest.sol";

/// @notice Tasks, certificates and committees.
/// forge-config: default.invariant.fail-on-revert = true
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 96
/// forge-config: ci.invariant.fail-on-revert = true
/// forge-config: ci.invariant.runs = 130
/// forge-config: ci.invariant.depth = 128
contract LifecycleInvariants is InvariantTest {
    function invariant_task__lifecycleOnlyGoesForward() public view {
        never("lifecycle went back");
    }

    function invariant_task__certifiedFiguresNeverFall() public view {
        never("paidTotal fell");
    }

    function invariant_task__termsNeverChange() public view {
        never("terms changed");
    }

    function invariant_task__headIsTheLastCertificate() public view {
        never("head changed");
    }

    function invariant_task__everyRoundHasOneCertificate() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertEq(taskAt(i).lastRound, handler.book(i).spans, "the spans follow each other");
            assertAtMost(taskAt(i).lastRound, taskAt(i).rounds, "rounds");
        }
    }

    function invariant_task__completedMeansThatNoRoundIsMissing() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            Task memory t = taskAt(i);
            if (t.status == TaskStatus.Completed) assertEq(t.lastRound, t.rounds, "completed");
            if (t.status == TaskStatus.Open) assertTrue(t.lastRound < t.rounds, "open");
            if (t.status == TaskStatus.Overturned) assertTrue(t.lastRound < t.rounds, "overturned");
            if (t.status == TaskStatus.Cancelled) assertEq(t.lastRound, 0, "cancelled");
        }
    }

    function invariant_task__recordsWhoProvedToHaveSigned() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            assertEq(handler.signersOf(i), handler.book(i).signers, "signers");
        }
    }

    function invariant_task__quorumOfItsOwnCommitteeSigned() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            Task memory t = taskAt(i);
            if (t.lastRound == 0) continue;
            assertAtMost(committee.quorumOfTask(TaskId.wrap(i)), bits(handler.signersOf(i)), "quorum");
            uint256 size = committee.membersOfTask(TaskId.wrap(i)).length;
            assertEq(handler.signersOf(i) >> size, 0, "members only");
        }
    }

    function invariant_task__livesNoLongerThanAllowed() public view {
        for (uint256 i = 1; i <= handler.tasks(); ++i) {
            uint256 latest = handler.book(i).createdAt + market.MAX_TASK_LIFE();
            assertAtMost(taskAt(i).deadline, latest, "deadline");
            assertTrue(taskAt(i).startsAt >= handler.book(i).createdAt, "start");
        }
        never("task lives too long");
    }

    function invariant_task__idsCountUp() public view {
        assertEq(market.taskCount(), handler.tasks(), "tasks");
        never("ids skip");
    }

    function invariant_epoch__snapshotsNeverChange() public view {
        never("snapshot changed");
    }

    function invariant_epoch__membersAscendAndHoldTheStake() public view {
        never("members do not ascend");
        never("member without stake");
        never("member never joined");
        never("committee too small");
    }

    function invariant_epoch__countsUpAndNeverTooFast() public view {
        never("epochs skip");
        never("epoch too short");
        never("epoch too early");
    }

    function invariant_pool__holdsExactlyWhoJoined() public view {
        uint256 joined = 0;
        for (uint256 k = 0; k < handler.peopleCount(); ++k) {
            address account = handler.people(k);
            if (handler.person(account).validator) ++joined;
            assertTrue(committee.isValidator(account) == handler.person(account).validator, "pool");
        }
        assertEq(committee.pool().length, joined, "size of the pool");
        never("join without stake");
    }

    function invariant_equivocation__isRememberedAndPutsOut() public view {
        never("equivocation forgotten");
        never("equivocator still validates");
    }
}

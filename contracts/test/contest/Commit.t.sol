// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ContestParams, ContestStatus, Entry} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract CommitTest is ContestFixture {
    function test_commit_revertsIfUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.ContestUnknown.selector, 9));
        contest.commit(ContestId.wrap(9), keccak256("c"));
    }

    function test_commit_revertsIfReleased() public {
        ContestId contestId = revealed(1);
        vm.prank(miner(1));
        vm.expectRevert(statusIs(contestId, ContestStatus.Released));
        contest.commit(contestId, keccak256("c"));
    }

    function test_commit_revertsIfTooLate() public {
        ContestId contestId = posted();
        uint256 deadline = contest.paramsOf(contestId).commitDeadline;
        vm.warp(deadline + 1);
        vm.prank(miner(0));
        vm.expectRevert(tooLate(contestId, deadline));
        contest.commit(contestId, keccak256("c"));
    }

    function test_commit_revertsIfZero() public {
        ContestId contestId = posted();
        vm.prank(miner(0));
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.ZeroCommitment.selector, contestId));
        contest.commit(contestId, bytes32(0));
    }

    function test_commit_revertsIfEnteredBefore() public {
        ContestId contestId = entered(1);
        vm.prank(miner(0));
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.AlreadyEntered.selector, contestId, miner(0)));
        contest.commit(contestId, keccak256("another"));
    }

    function test_commit_revertsIfFull() public {
        ContestParams memory p = someContest();
        p.maxEntries = 1;
        ContestId contestId = posted(p);
        enter(contestId, 0);
        vm.prank(miner(1));
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.ContestFull.selector, contestId, 1));
        contest.commit(contestId, keccak256("c"));
    }

    function test_commit_revertsIfStakeIsTooSmall() public {
        ContestId contestId = posted();
        vm.prank(miner(0));
        vault.unbond(1);
        vm.prank(miner(0));
        vm.expectRevert(
            abi.encodeWithSelector(
                ILearningContest.MinerStakeTooSmall.selector, miner(0), MINER_STAKE - 1, MINER_STAKE
            )
        );
        contest.commit(contestId, keccak256("c"));
    }

    function test_commit__lastSecond__entersInOrder() public {
        ContestId contestId = posted();
        vm.warp(contest.paramsOf(contestId).commitDeadline);
        for (uint256 i = 0; i < 3; ++i) {
            enter(contestId, i);
            assertEq(contest.entryNumber(contestId, miner(i)), i + 1, "number");
            Entry memory entry = contest.entryOf(contestId, i);
            assertEq(entry.miner, miner(i), "miner");
            assertEq(entry.committedAt, vm.getBlockTimestamp(), "time");
            assertEq(entry.commitment, commitmentOf(contestId, i), "commitment");
            assertEq(entry.model, bytes32(0), "no model yet");
            assertEq(entry.traceRoot, bytes32(0), "no trace yet");
        }
        assertEq(contest.contest(contestId).entries, 3, "entries");
        vm.expectPartialRevert(ILearningContest.NotEntered.selector);
        contest.entryOf(contestId, 3);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ContestStatus, LearningBlock} from "../../src/types/Contest.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";

/// @notice Somebody with fast hardware tries to take the learning chain away from those who train, or from others who hash.
contract PuzzleInsteadOfTrainingAttack is ContestFixture {
    /// @dev Whatever the contest's status: until it is closed, nobody hashes past it.
    function test_run__puzzleWhileAContestLives__isRefusedInEveryStatus() public {
        LearningBlock memory added = solve(puzzleBlock(stranger));
        ContestId contestId = entered(3);
        refused(added);
        release(contestId);
        refused(added);
        for (uint256 i = 0; i < 3; ++i) {
            show(contestId, i);
        }
        score(contestId, scoresOf(150, TARGET, 350));
        assertEq(statusOf(contestId), uint256(ContestStatus.Scored), "scored");
        refused(added);
        challengeAs(stranger, contestId);
        refused(added);
        vm.warp(uint256(contest.contest(contestId).endsAt) + 1);
        contest.close(contestId);
        vm.expectPartialRevert(ILearningContest.StaleParent.selector);
        contest.appendPuzzle(added, "");
    }

    /// @dev A hoard of blocks over an old head is worth nothing, and none reaches into the future.
    function test_run__hoardedChain__onlyFollowsTheHeadInTime() public {
        LearningBlock memory first = solve(puzzleBlock(stranger));
        LearningBlock memory second = first;
        contest.appendPuzzle(first, "");
        second.nonce = 0;
        vm.expectPartialRevert(ILearningContest.StaleParent.selector);
        contest.appendPuzzle(second, "");
        LearningBlock memory later = puzzleBlock(stranger);
        later.time = uint64(vm.getBlockTimestamp()) + 12;
        later = solve(later);
        vm.expectPartialRevert(ILearningContest.BlockTimeOutOfRange.selector);
        contest.appendPuzzle(later, "");
        vm.warp(later.time);
        contest.appendPuzzle(later, "");
    }

    /// @dev Two miners solve the same puzzle: one block, and whoever sends the other's solution works for the other.
    function test_run__twoMinersRace__oneBlockAndItsSolverIsNamed() public {
        LearningBlock memory ours = solve(puzzleBlock(miner(0)));
        LearningBlock memory theirs = solve(puzzleBlock(miner(1)));
        vm.prank(miner(1));
        bytes32 head = contest.appendPuzzle(ours, "");
        assertEq(head, sha256(abi.encode(ours)), "the copied block names its solver");
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.StaleParent.selector, theirs.parent, head));
        contest.appendPuzzle(theirs, "");
        ours.winner = miner(1);
        vm.expectPartialRevert(ILearningContest.StaleParent.selector);
        contest.appendPuzzle(ours, "");
        assertEq(contest.height(), 1, "height");
    }

    function refused(LearningBlock memory added) private {
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.ContestsOpen.selector, 1));
        contest.appendPuzzle(added, "");
    }
}

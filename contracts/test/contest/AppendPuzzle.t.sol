// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, LearningBlock} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract AppendPuzzleTest is ContestFixture {
    function test_appendPuzzle_revertsIfAContestIsOpen() public {
        LearningBlock memory added = puzzleBlock(stranger);
        ContestId contestId = posted();
        posted();
        vm.prank(poster);
        contest.cancel(contestId);
        assertEq(contest.openContests(), 1, "open");
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.ContestsOpen.selector, 1));
        contest.appendPuzzle(added, "");
    }

    function test_appendPuzzle_revertsIfParentStale() public {
        LearningBlock memory added = puzzleBlock(stranger);
        added.parent = keccak256("other");
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.StaleParent.selector, added.parent, contest.head())
        );
        contest.appendPuzzle(added, "");
    }

    function test_appendPuzzle_revertsIfHeightDoesNotFollow() public {
        LearningBlock memory added = puzzleBlock(stranger);
        added.height = 2;
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.HeightOutOfOrder.selector, 2, 1));
        contest.appendPuzzle(added, "");
    }

    function test_appendPuzzle_revertsIfTimeDoesNotRiseOrIsNotYet() public {
        LearningBlock memory added = puzzleBlock(stranger);
        uint256 time = vm.getBlockTimestamp();
        added.time = 0;
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.BlockTimeOutOfRange.selector, added.time, 0, time)
        );
        contest.appendPuzzle(added, "");
        added.time = uint64(time) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.BlockTimeOutOfRange.selector, added.time, 0, time)
        );
        contest.appendPuzzle(added, "");
    }

    function test_appendPuzzle_revertsIfAFieldIsAContests() public {
        LearningBlock memory added = puzzleBlock(stranger);
        added.kind = 1;
        refuses(added, "kind");
        added = puzzleBlock(stranger);
        added.task = ContestId.wrap(1);
        refuses(added, "task");
        added = puzzleBlock(stranger);
        added.model = keccak256("model");
        refuses(added, "model");
        added = puzzleBlock(stranger);
        added.correct = 1;
        refuses(added, "correct");
        added = puzzleBlock(stranger);
        added.answers = 1;
        refuses(added, "answers");
        added = puzzleBlock(stranger);
        added.nextTask = 1;
        refuses(added, "nextTask");
        added = puzzleBlock(stranger);
        added.target = PUZZLE_TARGET + 1;
        refuses(added, "target");
    }

    function test_appendPuzzle_revertsIfUnsolved() public {
        LearningBlock memory added = solve(puzzleBlock(stranger));
        added.nonce += 1;
        bytes32 above = sha256(abi.encode(added));
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.PuzzleUnsolved.selector, above, PUZZLE_TARGET)
        );
        contest.appendPuzzle(added, "");
    }

    function test_appendPuzzle_revertsIfPayloadsAreNotItsRoots() public {
        LearningBlock memory added = puzzleBlock(stranger);
        added.transactions = sha256("list");
        added = solve(added);
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.PayloadsMismatch.selector, bytes32(0), added.transactions)
        );
        contest.appendPuzzle(added, "");
        vm.expectRevert(
            abi.encodeWithSelector(
                ILearningContest.PayloadsMismatch.selector, sha256("tail"), added.transactions
            )
        );
        contest.appendPuzzle(added, "tail");
        added.transactions = bytes32(0);
        added = solve(added);
        vm.expectPartialRevert(ILearningContest.PayloadsMismatch.selector);
        contest.appendPuzzle(added, "list");
    }

    function test_appendPuzzle__solved__becomesTheHead() public {
        LearningBlock memory added = solve(puzzleBlock(stranger));
        bytes32 blockHash = sha256(abi.encode(added));
        vm.expectEmit(address(contest));
        emit ILearningContest.BlockAppended(blockHash, added);
        assertEq(contest.appendPuzzle(added, ""), blockHash, "hash");
        assertEq(contest.head(), blockHash, "head");
        assertEq(contest.height(), 1, "height");
        assertEq(contest.headTime(), added.time, "time");
    }

    function test_appendPuzzle__withPayloads__showsThem() public {
        LearningBlock memory added = puzzleBlock(stranger);
        added.transactions = sha256("list");
        added = solve(added);
        vm.expectEmit(address(contest));
        emit ILearningContest.PayloadsShown(added.transactions, "list");
        contest.appendPuzzle(added, "list");
        assertEq(contest.height(), 1, "height");
    }

    /// @dev Both kinds in one chain: seeds follow from a puzzle, and the contest's block follows it.
    function test_appendPuzzle__beforeAndAfterAContest__theChainGoesOn() public {
        bytes32 first = contest.appendPuzzle(solve(puzzleBlock(stranger)), "");
        ContestId contestId = revealed(3);
        assertEq(contest.contest(contestId).parent, first, "parent");
        score(contestId, scoresOf(150, TARGET, 350));
        closeLate(contestId);
        assertEq(contest.openContests(), 0, "open");
        vm.warp(vm.getBlockTimestamp() + 1);
        contest.appendPuzzle(solve(puzzleBlock(stranger)), "");
        assertEq(contest.height(), 3, "height");
    }

    function refuses(LearningBlock memory added, string memory field) private {
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.NotAPuzzle.selector, field));
        contest.appendPuzzle(added, "");
    }
}

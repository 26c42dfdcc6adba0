// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ContestStatus, Outcome} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract CancelContestTest is ContestFixture {
    function test_cancel_revertsIfUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.ContestUnknown.selector, 1));
        contest.cancel(ContestId.wrap(1));
    }

    function test_cancel_revertsIfNotPoster() public {
        ContestId contestId = posted();
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.NotContestPoster.selector, contestId, stranger)
        );
        contest.cancel(contestId);
    }

    function test_cancel_revertsIfSomebodyEntered() public {
        ContestId contestId = entered(1);
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.HasEntries.selector, contestId, 1));
        contest.cancel(contestId);
    }

    function test_cancel__noEntries__owesEverythingToThePoster() public {
        ContestId contestId = posted();
        vm.expectEmit(address(contest));
        emit ILearningContest.ContestClosed(contestId, Outcome.Cancelled, address(0), PAID_IN);
        vm.prank(poster);
        contest.cancel(contestId);
        assertEq(contest.owed(poster), PAID_IN, "owed");
        assertEq(outcomeOf(contestId), uint256(Outcome.Cancelled), "outcome");
        vm.prank(poster);
        vm.expectRevert(statusIs(contestId, ContestStatus.Closed));
        contest.cancel(contestId);
    }
}

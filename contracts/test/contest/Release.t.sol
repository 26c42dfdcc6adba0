// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ContestParams, ContestStatus} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract ReleaseTest is ContestFixture {
    function test_release_revertsIfReleasedBefore() public {
        ContestId contestId = revealed(1);
        vm.expectRevert(statusIs(contestId, ContestStatus.Released));
        contest.release(contestId, KEY);
    }

    function test_release_revertsIfNobodyEntered() public {
        ContestId contestId = posted();
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.HasNoEntries.selector, contestId));
        contest.release(contestId, KEY);
    }

    function test_release_revertsWhileCommitmentsAreAccepted() public {
        ContestId contestId = entered(1);
        uint256 deadline = contest.paramsOf(contestId).commitDeadline;
        vm.warp(deadline);
        vm.expectRevert(tooEarly(contestId, deadline + 1));
        contest.release(contestId, KEY);
    }

    function test_release_revertsIfTooLate() public {
        ContestId contestId = entered(1);
        uint256 last = uint256(contest.paramsOf(contestId).commitDeadline) + TERM;
        vm.warp(last + 1);
        vm.expectRevert(tooLate(contestId, last));
        contest.release(contestId, KEY);
    }

    function testFuzz_release_revertsIfKeyIsAnother(bytes32 key) public {
        vm.assume(key != KEY);
        ContestId contestId = entered(1);
        vm.warp(uint256(contest.paramsOf(contestId).commitDeadline) + 1);
        bytes32 hash = keccak256(abi.encode(key));
        bytes32 promised = keccak256(abi.encode(KEY));
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.WrongKey.selector, contestId, hash, promised));
        contest.release(contestId, key);
    }

    function test_release__wholeSnapshot__committeeIsThere() public {
        ContestId contestId = entered(1);
        release(contestId);
        assertEq(statusOf(contestId), uint256(ContestStatus.Released), "status");
        assertEq(contest.contest(contestId).endsAt, vm.getBlockTimestamp() + TERM, "reveals' end");
        address[] memory members = panels.members(contestId, 0);
        assertEq(members.length, 4, "members");
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(members[i], validator(i), "member");
        }
    }

    function test_release__smallCommittee__isDrawnLater() public {
        addValidators(3);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        ContestParams memory p = someContest();
        p.committeeSize = 4;
        ContestId contestId = posted(p);
        enter(contestId, 0);
        release(contestId);
        assertEq(panels.panelOf(contestId, 0).drawBlock, vm.getBlockNumber() + 2, "draw block");
    }
}

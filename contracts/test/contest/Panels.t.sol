// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IContestPanels} from "../../src/interfaces/IContestPanels.sol";
import {ContestId, ContestParams} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract PanelsTest is ContestFixture {
    function test_assign_revertsIfNotTheContest() public {
        bytes memory refusal =
            abi.encodeWithSelector(IContestPanels.NotAssigner.selector, address(this), address(contest));
        vm.expectRevert(refusal);
        panels.assign(ContestId.wrap(1), epochOne(), 0);
        vm.expectRevert(refusal);
        panels.assignCourt(ContestId.wrap(1));
    }

    function test_draw_revertsIfNothingIsDue() public {
        ContestId contestId = entered(1);
        vm.expectRevert(abi.encodeWithSelector(IContestPanels.NothingToDraw.selector, contestId, 0));
        panels.draw(contestId, 0);
        release(contestId);
        vm.expectRevert(abi.encodeWithSelector(IContestPanels.NothingToDraw.selector, contestId, 0));
        panels.draw(contestId, 0);
        vm.expectRevert(abi.encodeWithSelector(IContestPanels.NothingToDraw.selector, contestId, 1));
        panels.draw(contestId, 1);
    }

    function test_draw_revertsIfTooEarly() public {
        ContestId contestId = releasedOfTen();
        uint256 drawBlock = panels.panelOf(contestId, 0).drawBlock;
        vm.roll(drawBlock);
        vm.expectRevert(abi.encodeWithSelector(IContestPanels.DrawTooEarly.selector, drawBlock, drawBlock));
        panels.draw(contestId, 0);
    }

    function test_draw__committeeThenCourt__courtIsLargerAndFromOutsideFirst() public {
        ContestId contestId = releasedOfTen();
        vm.roll(uint256(panels.panelOf(contestId, 0).drawBlock) + 1);
        panels.draw(contestId, 0);
        address[] memory members = panels.members(contestId, 0);
        assertEq(members.length, 4, "committee");
        uint32[] memory scores = new uint32[](1);
        scores[0] = 200;
        bytes memory signed =
            panelSignatures(members, contest.scoreDigest(certificateOf(contestId, scores)), THREE);
        contest.certify(certificateOf(contestId, scores), scores, THREE, signed);
        challengeAs(stranger, contestId);
        vm.roll(uint256(panels.panelOf(contestId, 1).drawBlock) + 1);
        panels.draw(contestId, 1);
        address[] memory court = panels.members(contestId, 1);
        assertEq(court.length, 7, "court");
        uint256 shared = 0;
        for (uint256 i = 0; i < court.length; ++i) {
            if (i > 0) assertTrue(court[i - 1] < court[i], "ascending");
            for (uint256 j = 0; j < members.length; ++j) {
                if (court[i] == members[j]) ++shared;
            }
        }
        assertEq(shared, 1, "six of ten are outside, one is filled up");
    }

    /// @dev When the block's hash is out of reach, waiting longer draws nobody else.
    function testFuzz_draw__hashOutOfReach__isFixed(uint256 wait) public {
        ContestId contestId = releasedOfTen();
        uint256 drawBlock = panels.panelOf(contestId, 0).drawBlock;
        vm.roll(drawBlock + 257);
        uint256 state = vm.snapshotState();
        panels.draw(contestId, 0);
        bytes32 first = keccak256(abi.encode(panels.members(contestId, 0)));
        vm.revertToState(state);
        vm.roll(drawBlock + 257 + wait % 100_000);
        panels.draw(contestId, 0);
        assertEq(keccak256(abi.encode(panels.members(contestId, 0))), first, "members");
    }

    /// @dev One entry, a committee of four among ten validators.
    function releasedOfTen() private returns (ContestId contestId) {
        addValidators(6);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        ContestParams memory p = someContest();
        p.committeeSize = 4;
        contestId = posted(p);
        enter(contestId, 0);
        release(contestId);
        show(contestId, 0);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {WHOLE} from "../../src/types/Appeal.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {AppealsFixture} from "../appeals/AppealsFixture.sol";

/// @notice Judges are looked at before they are chosen: a poster cancels tasks until it likes a committee, an accuser
/// opens disputes until it likes a court, a minority of validators waits outside small committees.
contract CommitteeShoppingAttack is AppealsFixture {
    function test_shop__posterSeesTheCommittee__cannotCancelAnyMore() public {
        TaskParams memory p = someParams();
        p.committeeSize = 4;
        TaskId drawn = createTask(p);
        uint256 drawBlock = vm.getBlockNumber() + committee.DRAW_DELAY();
        uint256 state = vm.snapshotState();
        vm.roll(drawBlock);
        vm.prank(poster);
        assertEq(market.cancel(drawn), ESCROW, "while nobody knows it");
        require(vm.revertToState(state), "state");
        // The hash is known from the next block on, drawn or not.
        vm.roll(drawBlock + 1);
        vm.startPrank(poster);
        bytes memory data = abi.encodeWithSelector(ITrainingMarket.CommitteeFixed.selector, drawn, drawBlock);
        vm.expectRevert(data);
        market.cancel(drawn);
        committee.drawCommittee(drawn);
        vm.expectRevert(data);
        market.cancel(drawn);
        vm.stopPrank();
        // Its money comes back all the same.
        vm.warp(uint256(p.deadline) + 1);
        assertEq(market.close(drawn), ESCROW, "after the deadline");
    }

    function test_shop__accuserWantsToSeeTheCourt__itIsNotDrawnWhileCasesJoin() public {
        challengeWrong();
        uint256 joinEnds = appeals.disputeOf(taskId, 1).joinEnds;
        for (uint256 i = 0; i < 3; ++i) {
            vm.roll(vm.getBlockNumber() + 100);
            vm.expectRevert(abi.encodeWithSelector(IAppeals.VerdictTooEarly.selector, taskId, 1, joinEnds));
            appeals.summon(taskId);
            vm.expectRevert(abi.encodeWithSelector(ICommittee.PanelUnknown.selector, taskId, 1));
            committee.drawCourt(taskId, 1);
        }
        drawCourt(1);
        // And who sees it adds nothing.
        vm.expectRevert(abi.encodeWithSelector(IAppeals.JoiningEnded.selector, taskId, 1, joinEnds));
        appeals.challengeContribution(taskId, record(1), bad, noProof(), WHOLE);
    }

    function test_shop__courtOnceAssigned__isTheOnlyOne() public {
        challengeBad();
        drawCourt(1);
        bytes32 first = keccak256(abi.encode(committee.courtOf(taskId, 1)));
        vm.roll(vm.getBlockNumber() + 300);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyAssigned.selector, taskId, 1));
        appeals.summon(taskId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyDrawn.selector, taskId, 1));
        committee.drawCourt(taskId, 1);
        assertEq(keccak256(abi.encode(committee.courtOf(taskId, 1))), first, "the same");
    }

    /// @dev Whatever committee was drawn, and wherever the third of a pool that may be bad is: it is no quorum of a court.
    function testFuzz_shop__aThirdOfThePool__isNeverAQuorumOfTheCourt(uint8 f, uint8 n, bytes32 seed)
        public
        pure
    {
        uint256 size = 3 * bound(f, 1, 10) + 1;
        // Beyond that the court is drawn from a part of the outsiders, and luck decides.
        uint256 all = bound(n, size, 3 * size - 1 < 64 ? 3 * size - 1 : 64);
        uint256[] memory words = new uint256[](all);
        bytes memory good;
        for (uint256 i = 0; i < all; ++i) {
            words[i] = MembersLib.word(address(uint160(i + 1)), 1e18);
            // The committee is all good; the bad ones, 1..(all - 1) / 3 from the end, are outside as far as possible.
            if (i < size) good = abi.encodePacked(good, words[i]);
        }
        uint256[] memory court = DrawLib.court(words, good, seed, 2 * size - 1);
        uint256 bad_ = 0;
        for (uint256 i = 0; i < court.length; ++i) {
            if (uint160(MembersLib.accountOf(court[i])) > all - (all - 1) / 3) ++bad_;
        }
        uint256 quorum = (court.length + (court.length - 1) / 3 + 2) / 2;
        assertTrue(bad_ < quorum, "they decide nothing");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IContestPanels} from "../../src/interfaces/IContestPanels.sol";
import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {ContestId, ContestParams} from "../../src/types/Contest.sol";
import {Epoch} from "../../src/types/Ids.sol";
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

    /// @dev In the last block in which its hash is in reach, that block draws.
    function testFuzz_draw__hashInReach__drawsByIt(bytes32 hash) public {
        ContestId contestId = releasedOfTen();
        uint256 drawBlock = panels.panelOf(contestId, 0).drawBlock;
        vm.roll(drawBlock + panels.BLOCKHASH_WINDOW());
        vm.setBlockhash(drawBlock, hash);
        uint256[] memory words = new uint256[](10);
        for (uint256 i = 0; i < 10; ++i) {
            words[i] = MembersLib.word(validator(i), VALIDATOR_STAKE);
        }
        bytes32 seed = keccak256(abi.encode(blockhash(drawBlock), panels, contestId, 0));
        uint256[] memory drawn = DrawLib.sample(words, seed, 4);
        panels.draw(contestId, 0);
        address[] memory members = panels.members(contestId, 0);
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(members[i], MembersLib.accountOf(drawn[i]), "member");
        }
    }

    /// @dev Whoever asks for as many as there are has all of them, with nothing to draw.
    function test_assign__sizeOfTheSnapshot__isAllAtOnce() public {
        ContestParams memory p = someContest();
        p.committeeSize = 4;
        ContestId contestId = posted(p);
        enter(contestId, 0);
        release(contestId);
        assertEq(panels.members(contestId, 0).length, 4, "members");
        assertEq(panels.panelOf(contestId, 0).size, 4, "size");
        assertEq(Epoch.unwrap(panels.panelOf(contestId, 0).epoch), 1, "epoch");
        assertEq(panels.panelOf(contestId, 0).drawBlock, 0, "nothing to draw");
    }

    function test_checkSize__tenMembers__takesOneMoreThanThriceTheFaulty() public {
        releasedOfTen();
        uint8[6] memory refused = [1, 3, 5, 6, 8, 13];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IContestPanels.CommitteeSizeInvalid.selector, refused[i], 10)
            );
            panels.checkSize(Epoch.wrap(2), refused[i]);
        }
        uint8[4] memory taken = [0, 4, 7, 10];
        for (uint256 i = 0; i < taken.length; ++i) {
            panels.checkSize(Epoch.wrap(2), taken[i]);
        }
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

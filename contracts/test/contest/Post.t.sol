// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IContestPanels} from "../../src/interfaces/IContestPanels.sol";
import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {Contest, ContestId, ContestParams} from "../../src/types/Contest.sol";
import {Permit} from "../../src/types/Permit.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract PostTest is ContestFixture {
    function test_post_revertsIfSomethingIsUnnamed() public {
        ContestParams memory p = someContest();
        p.specHash = bytes32(0);
        refused(p, abi.encodeWithSelector(ILearningContest.ZeroHash.selector, "specHash"));
        p = someContest();
        p.testSet = bytes32(0);
        refused(p, abi.encodeWithSelector(ILearningContest.ZeroHash.selector, "testSet"));
        p = someContest();
        p.keyHash = bytes32(0);
        refused(p, abi.encodeWithSelector(ILearningContest.ZeroHash.selector, "keyHash"));
    }

    function test_post_revertsIfCountsAreOutOfBounds() public {
        ContestParams memory p = someContest();
        p.testAnswers = 0;
        outOfBounds(p, "testAnswers", 0, 1, type(uint32).max - 1);
        p = someContest();
        p.testAnswers = NONE;
        outOfBounds(p, "testAnswers", NONE, 1, NONE - 1);
        p = someContest();
        p.targetCorrect = ANSWERS + 1;
        outOfBounds(p, "targetCorrect", ANSWERS + 1, 1, ANSWERS);
        p = someContest();
        p.minCorrect = 0;
        outOfBounds(p, "minCorrect", 0, 1, TARGET);
        p = someContest();
        p.maxEntries = 65;
        outOfBounds(p, "maxEntries", 65, 1, 64);
    }

    function test_post_revertsIfMoneyIsOutOfBounds() public {
        ContestParams memory p = someContest();
        p.reward = 0;
        outOfBounds(p, "reward", 0, 1, type(uint96).max);
        p = someContest();
        p.fee = uint128(1) << 96;
        outOfBounds(p, "fee", p.fee, 0, type(uint96).max);
        p = someContest();
        p.compensation = uint128(1) << 96;
        outOfBounds(p, "compensation", p.compensation, 0, type(uint96).max);
        p = someContest();
        p.slashPerFault = p.minerStake + 1;
        outOfBounds(p, "slashPerFault", p.slashPerFault, 0, p.minerStake);
    }

    function test_post_revertsIfTimesAreOutOfBounds() public {
        ContestParams memory p = someContest();
        uint256 time = vm.getBlockTimestamp();
        p.commitDeadline = uint64(time) + 9;
        outOfBounds(p, "commitDeadline", p.commitDeadline, time + 10, time + 30 days);
        p = someContest();
        p.releaseTerm = 9;
        outOfBounds(p, "releaseTerm", 9, 10, 2 days);
        p = someContest();
        p.revealTerm = 2 days + 1;
        outOfBounds(p, "revealTerm", 2 days + 1, 10, 2 days);
        p = someContest();
        p.scoreTerm = 0;
        outOfBounds(p, "scoreTerm", 0, 10, 2 days);
        p = someContest();
        p.challengeWindow = 7 days + 1;
        outOfBounds(p, "challengeWindow", 7 days + 1, 0, 7 days);
    }

    function test_post_revertsIfSnapshotIsStale() public {
        uint256 startedAt = vm.getBlockTimestamp();
        vm.warp(startedAt + 7 days + 1);
        refused(
            someContest(),
            abi.encodeWithSelector(ILearningContest.EpochStale.selector, epochOne(), startedAt, 7 days)
        );
    }

    function test_post_revertsIfStakesLeaveBefore() public {
        ContestParams memory p = someContest();
        p.commitDeadline = uint64(vm.getBlockTimestamp() + 30 days);
        p.challengeWindow = 7 days;
        uint256 needed = 30 days + 3 * uint256(TERM) + 7 days + COURT_TERM + 7 days;
        refused(
            p, abi.encodeWithSelector(ILearningContest.UnbondingTooShort.selector, UNBONDING_DELAY, needed)
        );
    }

    function test_post_revertsIfCommitteeCannotBeDrawn() public {
        uint32[3] memory sizes = [uint32(1), 3, 7];
        for (uint256 i = 0; i < sizes.length; ++i) {
            ContestParams memory p = someContest();
            p.committeeSize = sizes[i];
            refused(p, abi.encodeWithSelector(IContestPanels.CommitteeSizeInvalid.selector, sizes[i], 4));
        }
    }

    function test_post__funded__takesTheEscrowAndNamesTheParent() public {
        uint256 before = token.balanceOf(poster);
        ContestId contestId = posted();
        assertEq(ContestId.unwrap(contestId), 1, "first");
        assertEq(before - token.balanceOf(poster), PAID_IN, "escrow");
        assertEq(contest.held(contestId), PAID_IN, "held");
        Contest memory state = contest.contest(contestId);
        assertEq(state.poster, poster, "poster");
        assertEq(state.parent, contest.head(), "parent");
        assertEq(
            keccak256(abi.encode(contest.paramsOf(contestId))), keccak256(abi.encode(someContest())), "params"
        );
    }

    function test_postWithPermit__noAllowance__permitIsSpent() public {
        vm.prank(poster);
        token.approve(address(contest), 0);
        Permit memory permit = permitFor(posterKey, address(contest), PAID_IN);
        ContestParams memory p = someContest();
        vm.prank(poster);
        contest.postWithPermit(p, permit);
        assertEq(contest.contestCount(), 1, "posted");
    }

    function test_constructor_revertsIfMiswired() public {
        vm.expectRevert(miswired("vault.isSlasher(contest)"));
        this.deployed(abi.encode(vault, committee, BOND, COURT_TERM));
        IStakeVault other = nextVault(1);
        vm.expectRevert(miswired("committee.VAULT"));
        this.deployed(abi.encode(other, committee, BOND, COURT_TERM));
    }

    function test_constructor_revertsIfOutOfBounds() public {
        IStakeVault other = nextVault(2);
        ICommittee its = newCommittee(other, address(market));
        uint256 state = vm.snapshotState();
        vm.expectPartialRevert(ILearningContest.OutOfBounds.selector);
        this.deployed(abi.encode(other, its, 1, COURT_TERM));
        vm.revertToState(state);
        vm.expectPartialRevert(ILearningContest.OutOfBounds.selector);
        this.deployed(abi.encode(other, its, BOND, 59));
    }

    /// @dev A vault that lets the contract slash which this one is going to create `ahead` creations later.
    function nextVault(uint256 ahead) private returns (IStakeVault) {
        contestAt = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + ahead);
        return newVault(stranger, stranger, stranger, UNBONDING_DELAY);
    }

    function deployed(bytes memory arguments) external returns (address) {
        return create("LearningContest.sol:LearningContest", arguments);
    }

    function miswired(string memory link) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ILearningContest.MiswiredDeployment.selector, link);
    }

    function outOfBounds(ContestParams memory p, string memory field, uint256 value, uint256 min, uint256 max)
        private
    {
        refused(p, abi.encodeWithSelector(ILearningContest.OutOfBounds.selector, field, value, min, max));
    }

    function refused(ContestParams memory p, bytes memory revertData) private {
        vm.prank(poster);
        vm.expectRevert(revertData);
        contest.post(p);
    }
}

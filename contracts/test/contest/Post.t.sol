// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IContestPanels} from "../../src/interfaces/IContestPanels.sol";
import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {Contest, ContestId, ContestParams, LearningBlock} from "../../src/types/Contest.sol";
import {Epoch} from "../../src/types/Ids.sol";
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
        p.minerStake = uint128(1) << 96;
        outOfBounds(p, "minerStake", p.minerStake, 0, type(uint96).max);
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

    function test_post__leastOfEverything__isTaken() public {
        ContestParams memory p = someContest();
        (p.testAnswers, p.targetCorrect, p.minCorrect, p.maxEntries) = (1, 1, 1, 1);
        (p.reward, p.fee, p.compensation, p.minerStake, p.slashPerFault) = (1, 0, 0, 0, 0);
        p.commitDeadline = uint64(vm.getBlockTimestamp()) + 10;
        (p.releaseTerm, p.revealTerm, p.scoreTerm, p.challengeWindow) = (10, 10, 10, 0);
        assertEq(contest.held(posted(p)), 1, "escrow");
    }

    /// @dev As much as fits, in the last second of the snapshot's age; the stakes stay to the second.
    function test_post__mostOfEverything__isTaken() public {
        uint256 startedAt = vm.getBlockTimestamp();
        vm.warp(startedAt + 7 days);
        ContestParams memory p = someContest();
        (p.testAnswers, p.targetCorrect, p.minCorrect, p.maxEntries) = (NONE - 1, NONE - 1, NONE - 1, 64);
        (p.reward, p.fee, p.compensation) = (PRIZE, FEES, COMPENSATION);
        (p.minerStake, p.slashPerFault) = (type(uint96).max, type(uint96).max);
        p.commitDeadline = uint64(startedAt + 30 days);
        (p.releaseTerm, p.revealTerm, p.scoreTerm) = (8 hours, 8 hours, 8 hours);
        p.challengeWindow = 4 days;
        assertEq(UNBONDING_DELAY, 30 days + 3 * 8 hours + 4 days + COURT_TERM + 7 days, "to the second");
        ContestId contestId = posted(p);
        assertEq(contest.held(contestId), uint256(PRIZE) + FEES + 64 * uint256(COMPENSATION), "escrow");
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
        assertEq(state.endsAt, someContest().commitDeadline, "commitments' end");
        assertEq(state.winner, contest.NO_WINNER(), "nobody has won");
        assertEq(Epoch.unwrap(state.epoch), 1, "epoch");
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
        uint256 most = type(uint96).max;
        refusesToDeploy(other, its, 1, COURT_TERM, outOfBounds("bond", 1, 2, most));
        refusesToDeploy(other, its, most + 1, COURT_TERM, outOfBounds("bond", most + 1, 2, most));
        refusesToDeploy(other, its, BOND, 59, outOfBounds("courtTerm", 59, 1 minutes, 7 days));
        refusesToDeploy(other, its, BOND, 7 days + 1, outOfBounds("courtTerm", 7 days + 1, 1 minutes, 7 days));
    }

    function test_constructor__boundsThemselves__areTaken() public {
        uint256[2][2] memory edges = [[uint256(2), 1 minutes], [uint256(type(uint96).max), 7 days]];
        for (uint256 i = 0; i < 2; ++i) {
            IStakeVault other = nextVault(2);
            ICommittee its = newCommittee(other, address(market));
            ILearningContest made =
                ILearningContest(this.deployed(abi.encode(other, its, edges[i][0], edges[i][1])));
            assertEq(made.BOND(), edges[i][0], "bond");
            assertEq(made.COURT_TERM(), edges[i][1], "court term");
            assertEq(address(made.TOKEN()), address(token), "token");
            assertEq(address(made.VAULT()), address(other), "vault");
            assertEq(address(made.COMMITTEE()), address(its), "committee");
        }
    }

    /// @dev The learning chain begins with the contract itself, so no chain fits two contracts.
    function test_constructor__genesis__namesTheContract() public view {
        LearningBlock memory genesis;
        genesis.parent = contest.domainSeparator();
        assertEq(contest.head(), sha256(abi.encode(genesis)), "head");
        assertEq(contest.height(), 0, "height");
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

    function refusesToDeploy(
        IStakeVault vault_,
        ICommittee committee_,
        uint256 bond,
        uint256 courtTerm,
        bytes memory revertData
    ) private {
        uint256 state = vm.snapshotState();
        vm.expectRevert(revertData);
        this.deployed(abi.encode(vault_, committee_, bond, courtTerm));
        require(vm.revertToState(state), "state");
    }

    function outOfBounds(string memory field, uint256 value, uint256 min, uint256 max)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(ILearningContest.OutOfBounds.selector, field, value, min, max);
    }

    function outOfBounds(ContestParams memory p, string memory field, uint256 value, uint256 min, uint256 max)
        private
    {
        refused(p, outOfBounds(field, value, min, max));
    }

    function refused(ContestParams memory p, bytes memory revertData) private {
        vm.prank(poster);
        vm.expectRevert(revertData);
        contest.post(p);
    }
}

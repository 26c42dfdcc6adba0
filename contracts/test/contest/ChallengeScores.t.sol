// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {
    Contest,
    ContestId,
    ContestParams,
    ContestStatus,
    ScoreCertificate
} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract ChallengeScoresTest is ContestFixture {
    uint32 private constant NO_SCORE = type(uint32).max;

    function test_challenge_revertsIfNotScored() public {
        ContestId contestId = revealed(3);
        vm.prank(stranger);
        vm.expectRevert(statusIs(contestId, ContestStatus.Released));
        contest.challenge(contestId);
    }

    function test_challenge_revertsIfWindowIsOver() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(1, 2, 3));
        uint256 ends = contest.contest(contestId).endsAt;
        vm.warp(ends);
        vm.prank(stranger);
        vm.expectRevert(tooLate(contestId, ends));
        contest.challenge(contestId);
    }

    function test_challenge_revertsIfThereIsNoWindow() public {
        ContestParams memory p = someContest();
        p.challengeWindow = 0;
        ContestId contestId = posted(p);
        enter(contestId, 0);
        release(contestId);
        show(contestId, 0);
        score(contestId, new uint32[](1));
        uint256 ends = contest.contest(contestId).endsAt;
        vm.prank(stranger);
        vm.expectRevert(tooLate(contestId, ends));
        contest.challenge(contestId);
    }

    function test_challenge_revertsAfterTheCourtsWord() public {
        uint32[] memory scores = scoresOf(150, 200, 250);
        ContestId contestId = challenged(scores);
        score(contestId, scores);
        uint256 ends = contest.contest(contestId).endsAt;
        vm.prank(stranger);
        vm.expectRevert(tooLate(contestId, ends));
        contest.challenge(contestId);
    }

    function test_certify_revertsIfTheCourtIsTooLate() public {
        uint32[] memory scores = scoresOf(150, 200, 250);
        ContestId contestId = challenged(scores);
        uint256 ends = contest.contest(contestId).endsAt;
        vm.warp(ends + 1);
        scoreExpecting(certificateOf(contestId, scores), scores, tooLate(contestId, ends));
    }

    function test_certify__courtAgrees__bondIsSplitBetweenWinnerAndTreasury() public {
        uint32[] memory scores = scoresOf(150, 200, 250);
        ContestId contestId = challenged(scores);
        assertEq(token.balanceOf(address(contest)), PAID_IN + BOND, "bond is in");
        assertEq(contest.contest(contestId).endsAt, vm.getBlockTimestamp() + COURT_TERM, "court's end");
        score(contestId, scores);
        assertEq(contest.owed(miner(2)), BOND / 2, "winner");
        assertEq(contest.owed(treasury), BOND - BOND / 2, "treasury");
        assertEq(contest.contest(contestId).decidedBy, 0, "the committee's word stands");
    }

    /// @dev Every panel orders what it knows: another list is no other score.
    function test_certify__courtAgreesWithAnotherList__nobodyIsSlashedAndTheFirstStands() public {
        uint32[] memory scores = scoresOf(150, 200, 250);
        ContestId contestId = challenged(scores);
        uint256 before = vault.stakeOf(validator(0));
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.transactions = keccak256("another list");
        score(c, scores, THREE);
        assertEq(vault.stakeOf(validator(0)), before, "stake");
        assertEq(contest.owed(stranger), 0, "bond");
        assertEq(uint256(contest.contest(contestId).transactions), 0, "list");
    }

    /// @dev Nothing is left to wait for, and the bond is not booked again.
    function test_close__courtAgreed__inTheSameSecondWithoutTheBond() public {
        uint32[] memory scores = scoresOf(150, 200, 250);
        ContestId contestId = challenged(scores);
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        score(contestId, scores);
        contest.close(contestId);
        assertEq(contest.owed(stranger), 0, "challenger");
        assertEq(contest.owed(miner(2)), PRIZE + BOND / 2, "winner");
        assertEq(debts(), token.balanceOf(address(contest)), "all money is owed to somebody");
    }

    function test_close__courtDiffered__inTheSameSecondWithTheBondOnce() public {
        ContestId contestId = challenged(scoresOf(150, 300, 250));
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        score(contestId, scoresOf(150, 200, 250));
        contest.close(contestId);
        assertEq(contest.owed(stranger), BOND, "challenger");
        assertEq(debts(), token.balanceOf(address(contest)), "all money is owed to somebody");
    }

    /// @dev Where nobody wins it is the poster whose refund was doubted.
    function test_certify__courtAgreesThatNobodyWins__thePosterIsWronged() public {
        uint32[] memory scores = scoresOf(1, 2, 3);
        ContestId contestId = challenged(scores);
        score(contestId, scores);
        assertEq(contest.owed(poster), BOND / 2, "poster");
        assertEq(contest.owed(treasury), BOND - BOND / 2, "treasury");
    }

    /// @dev A signer without stake blocks nobody else's money, and the challenger has its bounty of the others.
    function test_certify__signerHasNothingLeft__theOthersPay() public {
        ContestId contestId = challenged(scoresOf(150, 300, 250));
        uint256 all = vault.slashableOf(validator(1));
        address signer = validator(1);
        uint256 time = vm.getBlockTimestamp();
        vm.prank(address(market));
        vault.slash(signer, all, time, address(0), address(0));
        uint256 before = token.balanceOf(stranger);
        vm.expectEmit(address(contest));
        emit ILearningContest.SignerSlashed(contestId, validator(0), VALIDATOR_STAKE / 10);
        vm.expectEmit(address(contest));
        emit ILearningContest.SignerSlashed(contestId, validator(1), 0);
        score(certificateOf(contestId, scoresOf(150, 200, 250)), scoresOf(150, 200, 250), 14);
        assertEq(token.balanceOf(stranger) - before, 2 * MAX_BOUNTY, "bounties");
        assertEq(contest.owed(stranger), BOND, "bond");
    }

    /// @dev A miner may hide its model from the committee and show it to the court: who could not read it did not lie.
    function test_certify__courtReadsWhatTheCommitteeCouldNot__itsScoresCountAndNobodyIsSlashed() public {
        ContestId contestId = challenged(scoresOf(150, NO_SCORE, 250));
        uint256 before = vault.stakeOf(validator(0));
        uint256 wallet = token.balanceOf(stranger);
        score(contestId, scoresOf(150, 300, 250));
        assertEq(contest.contest(contestId).winner, 1, "winner");
        assertEq(vault.stakeOf(validator(0)), before, "stake");
        assertEq(token.balanceOf(stranger), wallet, "no bounty");
        assertEq(contest.owed(stranger), BOND, "bond");
    }

    function test_certify__courtFindsAFraudWhereTheCommitteeCouldNotRead__nobodyIsSlashedForIt() public {
        ContestId contestId = challenged(scoresOf(150, NO_SCORE, 250));
        uint256 before = vault.stakeOf(validator(0));
        uint32[] memory scores = scoresOf(150, NO_SCORE, 250);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.frauds = 2;
        score(c, scores, THREE);
        assertEq(contest.contest(contestId).frauds, 2, "fraud");
        assertEq(vault.stakeOf(validator(0)), before, "stake");
    }

    /// @dev One entry that nobody could read excuses no lie about another.
    function test_certify__courtDiffersBesideWhatCouldNotBeRead__signersLoseStake() public {
        ContestId contestId = challenged(scoresOf(150, NO_SCORE, 250));
        uint256 before = vault.stakeOf(validator(0));
        score(contestId, scoresOf(150, 300, 249));
        assertEq(before - vault.stakeOf(validator(0)), VALIDATOR_STAKE / 10, "stake");
    }

    /// @dev What the committee scored and the court cannot use is no entry that could not be read.
    function test_certify__courtCannotUseWhatTheCommitteeScored__signersLoseStake() public {
        ContestId contestId = challenged(scoresOf(150, 300, 250));
        uint256 before = vault.stakeOf(validator(0));
        score(contestId, scoresOf(150, NO_SCORE, 250));
        assertEq(before - vault.stakeOf(validator(0)), VALIDATOR_STAKE / 10, "stake");
    }

    function test_certify__courtDiffers__itsScoresCountAndSignersLoseStake() public {
        ContestId contestId = challenged(scoresOf(150, 300, 250));
        uint256 before = vault.stakeOf(validator(0));
        score(certificateOf(contestId, scoresOf(150, 200, 250)), scoresOf(150, 200, 250), 14);
        Contest memory state = contest.contest(contestId);
        assertEq(state.winner, 2, "winner");
        assertEq(state.decidedBy, 1, "court");
        assertEq(contest.owed(stranger), BOND, "bond");
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(vault.stakeOf(validator(i)), before - VALIDATOR_STAKE / 10, "signer");
        }
        assertEq(vault.stakeOf(validator(3)), before, "did not sign");
        closeLate(contestId);
        assertEq(contest.owed(miner(2)), PRIZE, "prize");
        assertEq(contest.owed(validator(3)), FEES / 3, "the court's signers have the fee");
        assertEq(contest.owed(validator(0)), 0, "not the others");
    }

    function test_close__courtSilent__scoresStandAndBondComesBack() public {
        ContestId contestId = challenged(scoresOf(150, 300, 250));
        uint256 ends = contest.contest(contestId).endsAt;
        vm.warp(ends);
        vm.expectRevert(tooEarly(contestId, ends + 1));
        contest.close(contestId);
        vm.warp(ends + 1);
        contest.close(contestId);
        assertEq(contest.owed(stranger), BOND, "bond");
        assertEq(contest.owed(miner(1)), PRIZE, "prize");
    }

    function test_challenge__ownScores__nothingComesBackToTheWinner() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(150, 200, 250);
        score(contestId, scores);
        fund(miner(2), BOND);
        vm.prank(miner(2));
        token.approve(address(contest), BOND);
        challengeAs(miner(2), contestId);
        vm.roll(vm.getBlockNumber() + 3);
        panels.draw(contestId, 1);
        score(contestId, scores);
        assertEq(contest.owed(miner(2)), 0, "winner");
        assertEq(contest.owed(treasury), BOND, "treasury");
    }
}

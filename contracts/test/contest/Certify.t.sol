// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IContestPanels} from "../../src/interfaces/IContestPanels.sol";
import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {
    Contest,
    ContestId,
    ContestParams,
    ContestStatus,
    ScoreCertificate
} from "../../src/types/Contest.sol";
import {Epoch} from "../../src/types/Ids.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract CertifyContestTest is ContestFixture {
    function test_certify_revertsIfUnknown() public {
        ScoreCertificate memory c;
        vm.expectPartialRevert(ILearningContest.ContestUnknown.selector);
        contest.certify(c, new uint32[](0), THREE, "");
    }

    function test_certify_revertsBeforeTheRelease() public {
        ContestId contestId = entered(3);
        uint32[] memory scores = scoresOf(1, 2, 3);
        scoreExpecting(certificateOf(contestId, scores), scores, statusIs(contestId, ContestStatus.Open));
    }

    function test_certify_revertsWhileModelsCanBeRevealed() public {
        ContestId contestId = entered(3);
        release(contestId);
        show(contestId, 0);
        uint32[] memory scores = scoresOf(200, NONE, NONE);
        uint256 last = contest.contest(contestId).endsAt;
        vm.warp(last);
        scoreExpecting(certificateOf(contestId, scores), scores, tooEarly(contestId, last + 1));
        vm.warp(last + 1);
        score(contestId, scores);
        assertEq(contest.contest(contestId).winner, 0, "winner");
    }

    function test_certify_revertsIfTooLate() public {
        ContestId contestId = revealed(3);
        uint256 last = uint256(contest.contest(contestId).endsAt) + TERM;
        vm.warp(last + 1);
        uint32[] memory scores = scoresOf(1, 2, 3);
        scoreExpecting(certificateOf(contestId, scores), scores, tooLate(contestId, last));
    }

    /// @dev One refusal for each field that binds a certificate to its contest.
    function test_certify_revertsIfAFieldIsAnother() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(150, 200, 250);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.instance = 1;
        scoreExpecting(c, scores, mismatch(contestId, "instance"));
        c = certificateOf(contestId, scores);
        c.epoch = Epoch.wrap(2);
        scoreExpecting(c, scores, mismatch(contestId, "epoch"));
        c = certificateOf(contestId, scores);
        c.specHash = keccak256("another");
        scoreExpecting(c, scores, mismatch(contestId, "specHash"));
        c = certificateOf(contestId, scores);
        c.testSet = keccak256("another");
        scoreExpecting(c, scores, mismatch(contestId, "testSet"));
        c = certificateOf(contestId, scores);
        c.revealed = 3;
        scoreExpecting(c, scores, mismatch(contestId, "revealed"));
        c = certificateOf(contestId, scores);
        c.frauds = 8;
        scoreExpecting(c, scores, mismatch(contestId, "frauds"));
        c = certificateOf(contestId, scores);
        scoreExpecting(c, scoresOf(150, 200, 251), mismatch(contestId, "scores"));
    }

    function test_certify_revertsIfScoresAreNotOnePerEntry() public {
        ContestId contestId = revealed(2);
        uint32[] memory scores = scoresOf(1, 2, 3);
        scoreExpecting(certificateOf(contestId, scores), scores, mismatch(contestId, "scores"));
    }

    function test_certify_revertsIfABadTestSetHasScores() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(1, 2, 3);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.badTestSet = true;
        scoreExpecting(c, scores, mismatch(contestId, "badTestSet"));
        c = badSet(contestId);
        c.frauds = 1;
        scoreExpecting(c, new uint32[](0), mismatch(contestId, "badTestSet"));
    }

    function test_certify_revertsIfAScoreCannotBe() public {
        ContestId contestId = entered(3);
        release(contestId);
        show(contestId, 0);
        show(contestId, 1);
        vm.warp(uint256(contest.contest(contestId).endsAt) + 1);
        uint32[] memory scores = scoresOf(ANSWERS + 1, NONE, NONE);
        scoreExpecting(certificateOf(contestId, scores), scores, invalid(contestId, 0, ANSWERS + 1));
        scores = scoresOf(1, 2, 3);
        scoreExpecting(certificateOf(contestId, scores), scores, invalid(contestId, 2, 3));
        scores = scoresOf(1, 2, NONE);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        c.frauds = 2;
        scoreExpecting(c, scores, invalid(contestId, 1, 2));
    }

    function test_certify_revertsIfQuorumIsMissing() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(1, 2, 3);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        bytes memory signed = sign(c, 3);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 2, 3));
        contest.certify(c, scores, 3, signed);
    }

    function test_certify_revertsIfCommitteeIsNotDrawn() public {
        addValidators(3);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        ContestParams memory p = someContest();
        p.committeeSize = 4;
        ContestId contestId = posted(p);
        enter(contestId, 0);
        release(contestId);
        show(contestId, 0);
        uint32[] memory scores = new uint32[](1);
        uint256 drawBlock = panels.panelOf(contestId, 0).drawBlock;
        ScoreCertificate memory c = certificateOf(contestId, scores);
        scoreExpecting(
            c, scores, abi.encodeWithSelector(IContestPanels.PanelNotDrawn.selector, contestId, 0, drawBlock)
        );
        vm.roll(drawBlock + 1);
        panels.draw(contestId, 0);
        address[] memory members = panels.members(contestId, 0);
        bytes memory signed = panelSignatures(members, contest.scoreDigest(c), THREE);
        contest.certify(c, scores, THREE, signed);
        assertEq(statusOf(contestId), uint256(ContestStatus.Scored), "status");
    }

    function test_certify_revertsIfScoredBefore() public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = scoresOf(1, 2, 3);
        score(contestId, scores);
        scoreExpecting(certificateOf(contestId, scores), scores, statusIs(contestId, ContestStatus.Scored));
    }

    function test_certify__targetReachedTwice__earlierCommitmentWins() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(TARGET - 1, TARGET, ANSWERS));
        assertEq(contest.contest(contestId).winner, 1, "winner");
        assertEq(contest.contest(contestId).winnerCorrect, TARGET, "correct");
    }

    function test_certify__targetMissed__bestWins() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(LEAST, TARGET - 1, TARGET - 2));
        assertEq(contest.contest(contestId).winner, 1, "winner");
    }

    function test_certify__equalScores__earlierCommitmentWins() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(200, 300, 300));
        assertEq(contest.contest(contestId).winner, 1, "winner");
    }

    function test_certify__theLeastItself__wins() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(LEAST - 1, LEAST, NONE));
        assertEq(contest.contest(contestId).winner, 1, "winner");
        assertEq(contest.contest(contestId).winnerCorrect, LEAST, "correct");
    }

    function test_certify__everybodyBelowTheLeast__nobodyWins() public {
        ContestId contestId = revealed(3);
        score(contestId, scoresOf(LEAST - 1, 0, NONE));
        assertEq(contest.contest(contestId).winner, contest.NO_WINNER(), "winner");
    }

    /// @dev Against the rule as a sentence: no entry before the winner reaches the target, and none is better unless the
    /// winner does.
    function testFuzz_certify__anyScores__winnerIsTheRules(uint32[3] memory raw) public {
        ContestId contestId = revealed(3);
        uint32[] memory scores = new uint32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            scores[i] = raw[i] % 8 == 0 ? NONE : uint32(bound(raw[i], 0, ANSWERS));
        }
        score(contestId, scores);
        Contest memory state = contest.contest(contestId);
        bool won = state.winner != contest.NO_WINNER();
        for (uint256 i = 0; i < 3; ++i) {
            if (scores[i] == NONE || scores[i] < LEAST) {
                assertTrue(state.winner != i, "unusable winner");
                continue;
            }
            assertTrue(won, "somebody wins");
            if (i < state.winner) assertTrue(scores[i] < TARGET, "an earlier one reached the target");
            if (state.winnerCorrect < TARGET) assertTrue(scores[i] <= state.winnerCorrect, "a better one");
            if (scores[i] == state.winnerCorrect) assertTrue(state.winner <= i, "ties");
        }
    }

    function invalid(ContestId contestId, uint256 entry, uint256 value) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ILearningContest.ScoreInvalid.selector, contestId, entry, value);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ContestStatus, ScoreCertificate} from "../../src/types/Contest.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";

/// @notice Two sets of scores are signed by quorums, each with another winner, and everything is tried twice.
contract TwoWinnersAttack is ContestFixture {
    function test_run__twoCertificates__oneWinnerIsPaidOnce() public {
        ContestId contestId = revealed(3);
        uint32[] memory a = scoresOf(300, 200, 100);
        uint32[] memory b = scoresOf(100, 200, 300);
        ScoreCertificate memory other = certificateOf(contestId, b);
        score(contestId, a);
        scoreExpecting(other, b, statusIs(contestId, ContestStatus.Scored));
        closeLate(contestId);
        scoreExpecting(other, b, statusIs(contestId, ContestStatus.Closed));
        vm.expectRevert(statusIs(contestId, ContestStatus.Closed));
        contest.close(contestId);
        assertEq(contest.owed(miner(0)), PRIZE, "winner");
        assertEq(contest.owed(miner(2)), 0, "the other");
        assertEq(contest.height(), 1, "one block");
    }

    /// @dev What the committee signed is no word of the court, and the court's none of the committee.
    function test_run__certificateOfAnotherInstance__isRefused() public {
        uint32[] memory scores = scoresOf(300, 200, 100);
        ContestId contestId = revealed(3);
        ScoreCertificate memory first = certificateOf(contestId, scores);
        score(contestId, scores);
        challengeAs(stranger, contestId);
        vm.roll(vm.getBlockNumber() + 3);
        panels.draw(contestId, 1);
        scoreExpecting(first, scores, mismatch(contestId, "instance"));
    }

    /// @dev Nor are signatures of one contest worth anything in another that looks the same.
    function test_run__certificateOfAnotherContest__isRefused() public {
        uint32[] memory scores = scoresOf(300, 200, 100);
        ContestId one = revealed(3);
        ContestId two = revealed(3);
        bytes memory signed = sign(certificateOf(one, scores), THREE);
        ScoreCertificate memory c = certificateOf(two, scores);
        vm.expectRevert();
        contest.certify(c, scores, THREE, signed);
        assertEq(statusOf(two), uint256(ContestStatus.Released), "not scored");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../interfaces/ICommittee.sol";
import {ILearningContest} from "../interfaces/ILearningContest.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {ContestParams} from "../types/Contest.sol";
import {Epoch} from "../types/Ids.sol";

/// @title ContestTermsLib
/// @notice What a contest may ask for, and that stakes outlast it.
library ContestTermsLib {
    uint256 internal constant MAX_ENTRIES = 64;
    uint256 internal constant MIN_COMMIT_TERM = 10 seconds;
    uint256 internal constant MAX_COMMIT_TERM = 30 days;
    uint256 internal constant MIN_TERM = 10 seconds;
    uint256 internal constant MAX_TERM = 2 days;
    uint256 internal constant MAX_CHALLENGE_WINDOW = 7 days;
    uint256 internal constant MAX_EPOCH_AGE = 7 days;
    uint256 internal constant SETTLEMENT_MARGIN = 7 days;
    /// @dev So that sums and products of a contest's money fit everywhere.
    uint256 internal constant MAX_AMOUNT = type(uint96).max;

    /// @notice Reverts unless every parameter is within its bounds.
    function check(ContestParams calldata p) internal view {
        if (p.specHash == bytes32(0)) revert ILearningContest.ZeroHash("specHash");
        if (p.testSet == bytes32(0)) revert ILearningContest.ZeroHash("testSet");
        if (p.keyHash == bytes32(0)) revert ILearningContest.ZeroHash("keyHash");
        // The largest number is NO_SCORE.
        within("testAnswers", p.testAnswers, 1, type(uint32).max - 1);
        within("targetCorrect", p.targetCorrect, 1, p.testAnswers);
        within("minCorrect", p.minCorrect, 1, p.targetCorrect);
        within("maxEntries", p.maxEntries, 1, MAX_ENTRIES);
        within("reward", p.reward, 1, MAX_AMOUNT);
        within("fee", p.fee, 0, MAX_AMOUNT);
        within("compensation", p.compensation, 0, MAX_AMOUNT);
        within("minerStake", p.minerStake, 0, MAX_AMOUNT);
        within("slashPerFault", p.slashPerFault, 0, p.minerStake);
        within(
            "commitDeadline",
            p.commitDeadline,
            block.timestamp + MIN_COMMIT_TERM,
            block.timestamp + MAX_COMMIT_TERM
        );
        within("releaseTerm", p.releaseTerm, MIN_TERM, MAX_TERM);
        within("revealTerm", p.revealTerm, MIN_TERM, MAX_TERM);
        within("scoreTerm", p.scoreTerm, MIN_TERM, MAX_TERM);
        within("challengeWindow", p.challengeWindow, 0, MAX_CHALLENGE_WINDOW);
    }

    /// @notice Reverts unless the stakes of the snapshot are there until everything about the contest is over.
    function checkStakesStay(
        ContestParams calldata p,
        ICommittee committee,
        IStakeVault vault,
        Epoch epoch,
        uint256 courtTerm
    ) internal view {
        uint256 startedAt = committee.startedAt(epoch);
        if (block.timestamp > startedAt + MAX_EPOCH_AGE) {
            revert ILearningContest.EpochStale(epoch, startedAt, MAX_EPOCH_AGE);
        }
        uint256 needed = uint256(p.commitDeadline) - startedAt + p.releaseTerm + p.revealTerm + p.scoreTerm
            + p.challengeWindow + courtTerm + SETTLEMENT_MARGIN;
        uint256 delay = vault.UNBONDING_DELAY();
        if (delay < needed) revert ILearningContest.UnbondingTooShort(delay, needed);
    }

    /// @notice All that a poster pays in.
    function escrow(ContestParams storage p) internal view returns (uint256) {
        return uint256(p.reward) + p.fee + uint256(p.compensation) * p.maxEntries;
    }

    function within(string memory field, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert ILearningContest.OutOfBounds(field, value, min, max);
    }
}

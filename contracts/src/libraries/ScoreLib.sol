// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../interfaces/ILearningContest.sol";
import {Contest, ContestId, ContestParams, ScoreCertificate} from "../types/Contest.sol";

/// @title ScoreLib
/// @notice What a score certificate must look like, and who wins by it.
library ScoreLib {
    /// @notice Score of an entry that was not revealed or is no usable model.
    uint32 internal constant NO_SCORE = type(uint32).max;
    /// @notice Position that names no entry.
    uint8 internal constant NO_WINNER = type(uint8).max;

    bytes32 internal constant SCORE_TYPEHASH = keccak256(
        "ScoreCertificate(uint256 contestId,uint32 instance,uint32 epoch,bytes32 specHash,bytes32 testSet,"
        "uint64 revealed,uint64 frauds,bool badTestSet,bytes32 scores,bytes32 transactions,bytes32 record)"
    );
    bytes32 internal constant COMMITMENT_TYPEHASH =
        keccak256("Commitment(uint256 contestId,address miner,bytes32 model,bytes32 traceRoot,bytes32 salt)");

    /// @notice EIP-712 struct hash. All members are static, so their encoding is EIP-712's `encodeData`.
    function structHash(ScoreCertificate calldata certificate) internal pure returns (bytes32) {
        return keccak256(abi.encode(SCORE_TYPEHASH, certificate));
    }

    /// @notice EIP-712 struct hash of a commitment.
    function commitmentHash(
        ContestId contestId,
        address miner,
        bytes32 model,
        bytes32 traceRoot,
        bytes32 salt
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(COMMITMENT_TYPEHASH, contestId, miner, model, traceRoot, salt));
    }

    /// @notice What a certificate says of the entries, apart from who says it and where it is kept: equal for equal findings.
    /// Which payloads the block orders is no finding: every panel has its own list, and a challenge is about scores.
    function findings(ScoreCertificate calldata certificate) internal pure returns (bytes32) {
        return keccak256(abi.encode(certificate.badTestSet, certificate.scores, certificate.frauds));
    }

    /// @notice Whether the certificate's findings are those of `result` once the entries in `aside` are left out of them.
    function agreesBut(
        ScoreCertificate calldata certificate,
        uint32[] calldata scores,
        uint64 aside,
        bytes32 result
    ) internal pure returns (bool) {
        uint32[] memory others = scores;
        for (uint256 i = 0; i < others.length; ++i) {
            if ((aside >> i) & 1 != 0) others[i] = NO_SCORE;
        }
        bytes32 hash = keccak256(abi.encodePacked(others));
        return keccak256(abi.encode(certificate.badTestSet, hash, certificate.frauds & ~aside)) == result;
    }

    /// @notice Reverts unless the certificate is about this contest in this instance, and the scores are such that its
    /// entries can have. Returns the bitmap of the revealed entries that it gives neither a score nor a false trace.
    function check(
        Contest storage self,
        ContestParams storage params,
        uint256 instance,
        ScoreCertificate calldata certificate,
        uint32[] calldata scores
    ) internal view returns (uint64 unread) {
        ContestId contestId = certificate.contestId;
        if (certificate.instance != instance) mismatch(contestId, "instance");
        if (certificate.epoch != self.epoch) mismatch(contestId, "epoch");
        if (certificate.specHash != params.specHash) mismatch(contestId, "specHash");
        if (certificate.testSet != params.testSet) mismatch(contestId, "testSet");
        if (certificate.revealed != self.revealed) mismatch(contestId, "revealed");
        if (certificate.frauds & ~certificate.revealed != 0) mismatch(contestId, "frauds");
        if (certificate.scores != keccak256(abi.encodePacked(scores))) mismatch(contestId, "scores");
        if (certificate.badTestSet) {
            if (scores.length != 0 || certificate.frauds != 0) mismatch(contestId, "badTestSet");
            return 0;
        }
        if (scores.length != self.entries) mismatch(contestId, "scores");
        uint64 usable = certificate.revealed & ~certificate.frauds;
        for (uint256 i = 0; i < scores.length; ++i) {
            if (scores[i] == NO_SCORE) {
                unread |= uint64(1) << uint64(i);
                continue;
            }
            if (scores[i] > params.testAnswers || (usable >> i) & 1 == 0) {
                revert ILearningContest.ScoreInvalid(contestId, i, scores[i]);
            }
        }
        unread &= usable;
    }

    /// @notice The first entry that reaches the target; otherwise the best one, the earlier of equals; nobody when none has
    /// `least` right answers. At most 64 steps.
    function winner(uint32[] calldata scores, uint256 target, uint256 least)
        internal
        pure
        returns (uint8 entry, uint32 correct)
    {
        entry = NO_WINNER;
        for (uint256 i = 0; i < scores.length; ++i) {
            uint32 score = scores[i];
            if (score == NO_SCORE || score < least || score <= correct) continue;
            (entry, correct) = (uint8(i), score);
            if (score >= target) break;
        }
    }

    function mismatch(ContestId contestId, string memory field) private pure {
        revert ILearningContest.CertificateMismatch(contestId, field);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../interfaces/ILearningContest.sol";
import {ContestId, LearningBlock} from "../types/Contest.sol";

/// @title PuzzleLib
/// @notice Which block of the learning chain may be appended without a contest: one whose hash was searched for.
library PuzzleLib {
    /// @notice `LearningBlock.kind` of a puzzle.
    uint8 internal constant KIND = 2;
    /// @notice A block's hash, as a number, is at most this: 2^18 hashes on average. Fixed and small, because a puzzle shall
    /// keep the chain going, not compete with training.
    uint256 internal constant TARGET = 1 << 238;

    /// @notice Reverts unless `added` may follow a block of hash `head`, number `height` and time `headTime`; returns its
    /// hash. Whose `winner` it names is not checked: the name is part of what is hashed, so nobody can change it.
    function check(LearningBlock calldata added, bytes32 head, uint64 height, uint64 headTime)
        internal
        view
        returns (bytes32 blockHash)
    {
        if (added.parent != head) revert ILearningContest.StaleParent(added.parent, head);
        if (added.height != height + 1) revert ILearningContest.HeightOutOfOrder(added.height, height + 1);
        if (added.time <= headTime || added.time > block.timestamp) {
            revert ILearningContest.BlockTimeOutOfRange(added.time, headTime, block.timestamp);
        }
        if (added.kind != KIND) revert ILearningContest.NotAPuzzle("kind");
        if (ContestId.unwrap(added.task) != 0) revert ILearningContest.NotAPuzzle("task");
        if (added.model != bytes32(0)) revert ILearningContest.NotAPuzzle("model");
        if (added.correct != 0) revert ILearningContest.NotAPuzzle("correct");
        if (added.answers != 0) revert ILearningContest.NotAPuzzle("answers");
        if (added.nextTask != 0) revert ILearningContest.NotAPuzzle("nextTask");
        if (added.target != TARGET) revert ILearningContest.NotAPuzzle("target");
        blockHash = sha256(abi.encode(added));
        if (uint256(blockHash) > TARGET) revert ILearningContest.PuzzleUnsolved(blockHash, TARGET);
    }

    /// @notice Reverts unless `payloads` is what `root` names: nothing for zero.
    function checkPayloads(bytes32 root, bytes calldata payloads) internal pure {
        bytes32 shown = payloads.length == 0 ? bytes32(0) : sha256(payloads);
        if (shown != root) revert ILearningContest.PayloadsMismatch(shown, root);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId} from "../../src/types/Contest.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";

/// @notice A thief sees a commitment in the mempool and enters with it first.
contract CopiedCommitmentAttack is ContestFixture {
    function test_run__copyIsFirst__authorEntersAndTheThiefCannotReveal() public {
        ContestId contestId = posted();
        bytes32 commitment = commitmentOf(contestId, 0);
        vm.prank(miner(1));
        contest.commit(contestId, commitment);
        enter(contestId, 0);
        release(contestId);
        show(contestId, 0);
        bytes32 shown = contest.commitmentDigest(contestId, miner(1), modelOf(0), traceOf(0), saltOf(0));
        vm.prank(miner(1));
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.CommitmentMismatch.selector, contestId, shown, commitment)
        );
        contest.reveal(contestId, modelOf(0), traceOf(0), saltOf(0));
    }

    /// @dev Nor does it carry over to another contest of the same poster.
    function test_run__ownCommitmentOfAnotherContest__isNotRevealed() public {
        ContestId first = entered(1);
        ContestId second = posted();
        bytes32 commitment = commitmentOf(first, 0);
        vm.prank(miner(0));
        contest.commit(second, commitment);
        release(second);
        vm.prank(miner(0));
        vm.expectPartialRevert(ILearningContest.CommitmentMismatch.selector);
        contest.reveal(second, modelOf(0), traceOf(0), saltOf(0));
    }
}

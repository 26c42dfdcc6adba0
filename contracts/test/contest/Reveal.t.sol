// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ContestStatus, Entry} from "../../src/types/Contest.sol";
import {ContestFixture} from "./ContestFixture.sol";

contract RevealTest is ContestFixture {
    function test_reveal_revertsBeforeTheRelease() public {
        ContestId contestId = entered(1);
        vm.prank(miner(0));
        vm.expectRevert(statusIs(contestId, ContestStatus.Open));
        contest.reveal(contestId, modelOf(0), traceOf(0), saltOf(0));
    }

    function test_reveal_revertsIfTooLate() public {
        ContestId contestId = entered(1);
        release(contestId);
        uint256 last = contest.contest(contestId).endsAt;
        vm.warp(last + 1);
        vm.prank(miner(0));
        vm.expectRevert(tooLate(contestId, last));
        contest.reveal(contestId, modelOf(0), traceOf(0), saltOf(0));
    }

    function test_reveal_revertsIfNotEntered() public {
        ContestId contestId = entered(1);
        release(contestId);
        vm.prank(miner(1));
        vm.expectRevert(abi.encodeWithSelector(ILearningContest.NotEntered.selector, contestId, miner(1)));
        contest.reveal(contestId, modelOf(0), traceOf(0), saltOf(0));
    }

    function test_reveal_revertsIfRevealedBefore() public {
        ContestId contestId = revealed(1);
        vm.prank(miner(0));
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.AlreadyRevealed.selector, contestId, miner(0))
        );
        contest.reveal(contestId, modelOf(0), traceOf(0), saltOf(0));
    }

    /// @dev Whatever is changed, it is not what was committed to.
    function testFuzz_reveal_revertsIfNotCommitted(uint8 which, bytes32 other) public {
        ContestId contestId = entered(1);
        release(contestId);
        bytes32[3] memory parts = [modelOf(0), traceOf(0), saltOf(0)];
        which %= 3;
        vm.assume(other != parts[which]);
        parts[which] = other;
        bytes32 shown = contest.commitmentDigest(contestId, miner(0), parts[0], parts[1], parts[2]);
        bytes32 committed = commitmentOf(contestId, 0);
        vm.prank(miner(0));
        vm.expectRevert(
            abi.encodeWithSelector(ILearningContest.CommitmentMismatch.selector, contestId, shown, committed)
        );
        contest.reveal(contestId, parts[0], parts[1], parts[2]);
    }

    function test_reveal__lastSecond__isKept() public {
        ContestId contestId = entered(2);
        release(contestId);
        vm.warp(contest.contest(contestId).endsAt);
        show(contestId, 1);
        assertEq(contest.contest(contestId).revealed, 2, "bitmap");
        Entry memory entry = contest.entryOf(contestId, 1);
        assertEq(entry.model, modelOf(1), "model");
        assertEq(entry.traceRoot, traceOf(1), "trace");
    }

    /// @dev EIP-712, written out anew rather than taken from the library that is under test.
    function testFuzz_commitmentDigest__anything__isTypedData(
        uint256 number,
        address account,
        bytes32 model,
        bytes32 trace,
        bytes32 salt
    ) public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("ProofOfTraining"),
                keccak256("1"),
                block.chainid,
                contest
            )
        );
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "Commitment(uint256 contestId,address miner,bytes32 model,bytes32 traceRoot,bytes32 salt)"
                ),
                number,
                account,
                model,
                trace,
                salt
            )
        );
        assertEq(
            contest.commitmentDigest(ContestId.wrap(number), account, model, trace, salt),
            keccak256(abi.encodePacked(hex"1901", domain, hash)),
            "digest"
        );
    }
}

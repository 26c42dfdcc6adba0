// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ContestId, ContestParams, LearningBlock, ScoreCertificate} from "../../src/types/Contest.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";

/// @notice Gas of each step of a contest, and the sizes of its contracts.
/// forge-config: default.isolate = true
contract ContestGasTest is ContestFixture {
    uint256 private constant BUDGET = 23_000;

    function test_contest__eachStep__isMeasured() public {
        ContestParams memory p = someContest();
        vm.prank(poster);
        ContestId contestId = contest.post(p);
        vm.snapshotGasLastCall("contest", "post");
        for (uint256 i = 0; i < 3; ++i) {
            enter(contestId, i);
        }
        vm.snapshotGasLastCall("contest", "commit");
        release(contestId);
        vm.snapshotGasLastCall("contest", "release");
        for (uint256 i = 0; i < 3; ++i) {
            show(contestId, i);
        }
        vm.snapshotGasLastCall("contest", "reveal");
        uint32[] memory scores = scoresOf(150, 200, 250);
        ScoreCertificate memory c = certificateOf(contestId, scores);
        bytes memory signed = sign(c, THREE);
        contest.certify(c, scores, THREE, signed);
        vm.snapshotGasLastCall("contest", "certify, 3 entries, 4 members");
        vm.warp(contest.contest(contestId).endsAt);
        contest.close(contestId);
        vm.snapshotGasLastCall("contest", "close, 4 members");
        contest.collect(miner(2));
        vm.snapshotGasLastCall("contest", "collect");
        vm.warp(vm.getBlockTimestamp() + 2);
        contest.appendPuzzle(solve(puzzleBlock(stranger)), "");
        vm.snapshotGasLastCall("contest", "appendPuzzle");
        LearningBlock memory added = puzzleBlock(stranger);
        bytes memory payloads = new bytes(1_000);
        added.transactions = sha256(payloads);
        contest.appendPuzzle(solve(added), payloads);
        vm.snapshotGasLastCall("contest", "appendPuzzle, 1 kB of payloads");
    }

    function test_contest__size__fitsTheChain() public {
        vm.snapshotValue("sizes", "LearningContest", address(contest).code.length);
        vm.snapshotValue("sizes", "ContestPanels", address(panels).code.length);
        assertAtMost(address(contest).code.length, BUDGET, "LearningContest");
    }

    /// @dev The largest contest: 64 entries that are all revealed and scored.
    function test_contest__sixtyFourEntries__staysBelowTheCapOfATransaction() public {
        ContestParams memory p = someContest();
        p.maxEntries = 64;
        ContestId contestId = posted(p);
        bytes32[2] memory parts = [modelOf(0), saltOf(0)];
        for (uint256 i = 0; i < 64; ++i) {
            address account = address(uint160(0xC0DE00 + i));
            stakeAs(account, MINER_STAKE);
            bytes32 commitment = contest.commitmentDigest(contestId, account, parts[0], bytes32(0), parts[1]);
            vm.prank(account);
            contest.commit(contestId, commitment);
        }
        release(contestId);
        uint32[] memory scores = new uint32[](64);
        for (uint256 i = 0; i < 64; ++i) {
            vm.prank(address(uint160(0xC0DE00 + i)));
            contest.reveal(contestId, parts[0], bytes32(0), parts[1]);
            scores[i] = uint32(200 + i);
        }
        ScoreCertificate memory c = certificateOf(contestId, scores);
        bytes memory signed = sign(c, THREE);
        contest.certify(c, scores, THREE, signed);
        assertAtMost(vm.snapshotGasLastCall("contest", "certify, 64 entries, 4 members"), 1 << 24, "certify");
        assertEq(contest.contest(contestId).winner, 63, "winner");
    }
}

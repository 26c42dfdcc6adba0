// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateRecord, FaultLeaf, PayoutRecord, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Challenge windows: the ring of records, what waits, and the time rule.
contract WindowTest is MarketFixture {
    function test_createTask_revertsIfWindowIsTooLong() public {
        TaskParams memory p = someParams();
        p.challengeWindow = 7 days + 1;
        vm.prank(poster);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.OutOfBounds.selector, "challengeWindow", 7 days + 1, 0, 7 days
            )
        );
        market.createTask(p);
    }

    function test_createTask_revertsIfStakesCouldLeaveBeforeTheLastDispute() public {
        TaskParams memory p = someParams();
        p.challengeWindow = 7 days;
        uint256 settlement = 3 * 7 days + 2 * COURT_TERM;
        assertEq(market.settlementTime(7 days), settlement, "three windows and two terms");
        assertEq(market.settlementTime(0), 0, "nothing to settle");
        // The snapshot is of this second: what is left of the unbonding delay is the longest life.
        uint256 longest = UNBONDING_DELAY - settlement - market.SETTLEMENT_MARGIN();
        p.deadline = uint64(vm.getBlockTimestamp() + longest + 1);
        vm.prank(poster);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.UnbondingTooShort.selector, UNBONDING_DELAY, UNBONDING_DELAY + 1
            )
        );
        market.createTask(p);
        p.deadline -= 1;
        createTask(p);
    }

    function test_claim_revertsIfWindowIsOpen() public {
        TaskId taskId = challengeableTask();
        certify(nextCertificate(taskId));
        PayoutRecord memory r = lastPayouts(taskId);
        bytes32[] memory proof = minerProof(taskId, 0);
        uint256 maturesAt = vm.getBlockTimestamp() + WINDOW;
        assertEq(market.maturesAt(taskId, lastRecord(taskId)), maturesAt, "maturity");
        vm.warp(maturesAt - 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMature.selector, taskId, 0, maturesAt));
        market.claim(taskId, r, miner(0), REWARD, proof);
        vm.warp(maturesAt);
        assertEq(market.claim(taskId, r, miner(0), REWARD, proof), REWARD, "exactly when it closes");
    }

    function test_slash_revertsIfWindowIsOpen() public {
        TaskId taskId = challengeableTask();
        FaultLeaf memory leaf = certifyFault(taskId);
        CertificateRecord memory r = lastRecord(taskId);
        uint256 maturesAt = vm.getBlockTimestamp() + WINDOW;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMature.selector, taskId, 0, maturesAt));
        market.slash(taskId, r, claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        vm.warp(maturesAt);
        assertEq(
            market.slash(taskId, r, claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof()),
            SLASH,
            "then it is"
        );
    }

    /// @dev The stake of the second of acceptance counts, not what came while the window was open.
    function test_slash__stakedDuringTheWindow__isSpared() public {
        TaskId taskId = challengeableTask();
        minerKeys.push(0x1A7E);
        FaultLeaf memory leaf = FaultLeaf(1, 0, vm.addr(0x1A7E), keccak256("zeros"));
        RoundCertificate memory c = nextCertificate(taskId);
        c.faultsRoot = faultLeaf(leaf);
        certify(c);
        uint256 acceptedAt = vm.getBlockTimestamp();
        vm.warp(acceptedAt + 1);
        stakeAs(leaf.miner, MINER_STAKE);
        vm.warp(acceptedAt + WINDOW);
        CertificateRecord memory r = lastRecord(taskId);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingToSlash.selector, leaf.miner, acceptedAt));
        market.slash(taskId, r, claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
    }

    function test_close_revertsIfWindowIsOpen() public {
        TaskId taskId = challengeableTask();
        certifyAll(taskId);
        uint256 closesAt = vm.getBlockTimestamp() + WINDOW;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WindowOpen.selector, taskId, closesAt));
        market.close(taskId);
        vm.warp(closesAt);
        market.close(taskId);
    }

    function test_claim__everyCertificate__opensWithItsOwnWindow() public {
        TaskId taskId = challengeableTask();
        for (uint256 i = 0; i < 3; ++i) {
            certify(nextCertificate(taskId));
            vm.warp(vm.getBlockTimestamp() + WINDOW / 2);
        }
        // The first is final since half a window, the second from this second on, the third is not.
        uint256 paid = 0;
        for (uint256 i = 0; i < 2; ++i) {
            CertificateRecord memory r = records[id(taskId)][i];
            bytes32[] memory proof = MerkleTree.proof(payoutLeaves(r.paidTotal), 1);
            paid += market.claim(taskId, payoutRecord(r), miner(1), (i + 1) * REWARD, proof);
        }
        assertEq(paid, 2 * REWARD, "two rounds");
        PayoutRecord memory last = lastPayouts(taskId);
        bytes32[] memory late = minerProof(taskId, 1);
        vm.expectPartialRevert(ITrainingMarket.NotMature.selector);
        market.claim(taskId, last, miner(1), 3 * REWARD, late);
    }

    function test_certify_revertsIfRingIsFull() public {
        TaskParams memory p = someParams();
        (p.rounds, p.startsAt, p.challengeWindow) = (200, 0, WINDOW);
        TaskId taskId = createTask(p);
        uint256 maturesAt = vm.getBlockTimestamp() + WINDOW;
        for (uint256 i = 0; i + 1 < market.RING(); ++i) {
            certify(nextCertificate(taskId));
        }
        // Number 63 would leave number 0 as the next to be overwritten, before anybody could claim from it.
        certifyExpecting(
            nextCertificate(taskId),
            abi.encodeWithSelector(ITrainingMarket.RingFull.selector, taskId, maturesAt)
        );
        vm.warp(maturesAt);
        for (uint256 i = 0; i < 2; ++i) {
            certify(nextCertificate(taskId));
        }
        CertificateRecord memory second = records[id(taskId)][1];
        assertEq(market.maturesAt(taskId, second), maturesAt, "the oldest that is kept can be claimed from");
        CertificateRecord memory first = records[id(taskId)][0];
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 0));
        market.maturesAt(taskId, first);
    }

    /// @dev What makes room is that the oldest record is final, and not one that is younger.
    function test_certify__oldestIsFinal__makesRoom() public {
        TaskParams memory p = someParams();
        (p.rounds, p.startsAt, p.challengeWindow) = (200, 0, WINDOW);
        TaskId taskId = createTask(p);
        uint256 maturesAt = vm.getBlockTimestamp() + WINDOW;
        for (uint256 i = 0; i + 1 < market.RING(); ++i) {
            certify(nextCertificate(taskId));
            vm.warp(vm.getBlockTimestamp() + 1);
        }
        vm.warp(maturesAt);
        certify(nextCertificate(taskId));
        assertEq(market.task(taskId).certificates, market.RING(), "there was room");
        certifyExpecting(
            nextCertificate(taskId),
            abi.encodeWithSelector(ITrainingMarket.RingFull.selector, taskId, maturesAt + 1)
        );
    }

    function test_claim__noWindow__theRecordBeforeStillPays() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        bytes32[] memory proof = minerProof(taskId, 3);
        certify(nextCertificate(taskId));
        PayoutRecord memory before = payoutRecord(records[id(taskId)][0]);
        assertEq(market.claim(taskId, before, miner(3), REWARD, proof), REWARD, "a claim on its way");
        certify(nextCertificate(taskId));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 0));
        market.claim(taskId, before, miner(3), REWARD, proof);
    }

    function testFuzz_claim__anyFieldForged__isRefused(uint8 field, uint256 value) public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        PayoutRecord memory r = lastPayouts(taskId);
        bytes32[] memory proof = minerProof(taskId, 0);
        field %= 3;
        if (field == 0) r.index = uint32(bound(value, 1, type(uint32).max));
        if (field == 1) r.paidTotal = uint128(bound(value, uint256(r.paidTotal) + 1, type(uint128).max));
        if (field == 2) {
            vm.assume(bytes32(value) != r.details);
            r.details = bytes32(value);
        }
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, r.index));
        market.claim(taskId, r, miner(0), REWARD, proof);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract CertifyTest is MarketFixture {
    TaskId private taskId;
    RoundCertificate private good;

    function setUp() public override {
        super.setUp();
        taskId = startedTask();
        good = nextCertificate(taskId);
    }

    function test_certify_revertsIfTaskIsUnknown() public {
        RoundCertificate memory c = good;
        c.taskId = TaskId.wrap(2);
        certifyExpecting(c, abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, c.taskId));
    }

    function test_certify_revertsIfTaskIsNotOpen() public {
        certifyAll(taskId);
        bytes memory data =
            abi.encodeWithSelector(ITrainingMarket.TaskNotOpen.selector, taskId, TaskStatus.Completed);
        certifyExpecting(good, data);
    }

    function test_certify_revertsIfTaskHasNotStarted() public {
        uint256 startsAt = market.task(taskId).startsAt;
        vm.warp(startsAt - 1);
        certifyExpecting(
            good, abi.encodeWithSelector(ITrainingMarket.TaskNotStarted.selector, taskId, startsAt)
        );
    }

    function test_certify_revertsIfDeadlinePassed() public {
        uint256 deadline = market.task(taskId).deadline;
        vm.warp(deadline + 1);
        certifyExpecting(
            good, abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, taskId, deadline)
        );
    }

    function test_certify_revertsIfFirstRoundDoesNotFollow() public {
        RoundCertificate memory c = good;
        (c.firstRound, c.lastRound) = (2, 2);
        certifyExpecting(c, abi.encodeWithSelector(ITrainingMarket.FirstRoundMismatch.selector, taskId, 2, 1));
    }

    function test_certify_revertsIfLastRoundIsBeforeFirst() public {
        RoundCertificate memory c = good;
        c.lastRound = 0;
        certifyExpecting(
            c, abi.encodeWithSelector(ITrainingMarket.LastRoundOutOfBounds.selector, taskId, 0, 1, ROUNDS)
        );
    }

    function test_certify_revertsIfLastRoundIsBeyondTheTask() public {
        RoundCertificate memory c = good;
        c.lastRound = ROUNDS + 1;
        certifyExpecting(
            c,
            abi.encodeWithSelector(
                ITrainingMarket.LastRoundOutOfBounds.selector, taskId, ROUNDS + 1, 1, ROUNDS
            )
        );
    }

    function test_certify_revertsIfEpochIsAnother() public {
        RoundCertificate memory c = good;
        c.epoch = Epoch.wrap(2);
        certifyExpecting(
            c, abi.encodeWithSelector(ITrainingMarket.EpochMismatch.selector, taskId, c.epoch, epochOne())
        );
    }

    function test_certify_revertsIfSpecIsAnother() public {
        RoundCertificate memory c = good;
        c.specHash = keccak256("other");
        certifyExpecting(
            c,
            abi.encodeWithSelector(
                ITrainingMarket.SpecMismatch.selector, taskId, c.specHash, keccak256("spec")
            )
        );
    }

    function test_certify_revertsIfParentModelIsAnother() public {
        RoundCertificate memory c = good;
        c.parentModel = keccak256("other");
        bytes memory data = abi.encodeWithSelector(
            ITrainingMarket.ParentModelMismatch.selector, taskId, c.parentModel, keccak256("genesis")
        );
        certifyExpecting(c, data);
    }

    function test_certify_revertsIfPaidTotalFalls() public {
        certify(good);
        RoundCertificate memory c = nextCertificate(taskId);
        c.paidTotal = good.paidTotal - 1;
        bytes memory data = abi.encodeWithSelector(
            ITrainingMarket.PaidTotalFell.selector, taskId, c.paidTotal, good.paidTotal
        );
        certifyExpecting(c, data);
    }

    function test_certify_revertsIfPaidTotalExceedsEarned() public {
        RoundCertificate memory c = good;
        c.paidTotal += 1;
        uint256 earned = uint256(SHARDS) * REWARD + FEE;
        bytes memory data = abi.encodeWithSelector(
            ITrainingMarket.PaidTotalExceedsEarned.selector, taskId, c.paidTotal, FEE, earned
        );
        certifyExpecting(c, data);
    }

    function test_certify_revertsIfQuorumIsMissing() public {
        bytes memory signed = signatures(good, 3);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 2, 3));
        market.certify(good, 3, signed);
    }

    function test_certify__goodCertificate__advancesTheTaskAndEmitsAllOfIt() public {
        bytes memory signed = signatures(good, 11);
        vm.expectEmit(address(market));
        emit ITrainingMarket.CertificateAccepted(taskId, 0, good, 11);
        market.certify(good, 11, signed);
        Task memory task = market.task(taskId);
        assertEq(task.lastRound, 1, "last round");
        (uint256 share, uint256 signed3) = market.signingFee(taskId);
        assertEq(signed3, 3, "signers");
        assertEq(share, uint256(FEE) / 3, "share");
        assertEq(task.certificates, 1, "certificates");
        assertEq(task.paidTotal, good.paidTotal, "paid");
        assertEq(task.model, good.model, "model");
        assertEq(market.maturesAt(taskId, recordOf(good, 11, 0)), vm.getBlockTimestamp(), "final at once");
        assertEq(uint256(task.status), uint256(TaskStatus.Open), "status");
    }

    function test_certify__allSignersSign__isAccepted() public {
        market.certify(good, 15, signatures(good, 15));
        (, uint256 count) = market.signingFee(taskId);
        assertEq(count, 4, "signers");
    }

    function test_certify__lastRound__completesTheTask() public {
        certifyAll(taskId);
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Completed), "status");
    }

    function test_certify__lastSecond__isInTime() public {
        vm.warp(market.task(taskId).deadline);
        certify(good);
        assertEq(market.task(taskId).lastRound, 1, "certified");
    }

    /// @dev A round in which nobody earned anything is a round.
    function test_certify__nothingNewIsPaid__isAccepted() public {
        certify(good);
        RoundCertificate memory c = nextCertificate(taskId);
        (c.paidTotal, c.payoutsRoot) = (good.paidTotal, good.payoutsRoot);
        certify(c);
        assertEq(market.task(taskId).paidTotal, good.paidTotal, "paid");
        assertEq(market.task(taskId).lastRound, 2, "certified");
    }

    function test_certify__anyoneElse__mayPost() public {
        bytes memory signed = signatures(good, THREE);
        vm.prank(stranger);
        market.certify(good, THREE, signed);
    }

    function test_certify__newEpoch__oldTaskKeepsItsCommittee() public {
        addValidators(3);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        address[] memory old = committee.membersOf(epochOne());
        uint64 signers = 0;
        uint256 chosen = 0;
        bytes memory signed;
        bytes32 digest = market.certificateDigest(good);
        for (uint256 i = 0; i < old.length && chosen < 3; ++i) {
            for (uint256 k = 0; k < validatorKeys.length; ++k) {
                if (validator(k) == old[i]) signed = bytes.concat(signed, compact(validatorKeys[k], digest));
            }
            signers |= uint64(1) << uint64(i);
            ++chosen;
        }
        market.certify(good, signers, signed);
    }

    function testFuzz_certify__anySpansAndPayouts__staysInsideEarned(uint32 span, uint128 paid) public {
        RoundCertificate memory c = nextCertificate(taskId, uint32(bound(span, 1, ROUNDS)));
        uint256 limit = uint256(c.lastRound) * SHARDS * REWARD;
        c.paidTotal = uint128(bound(paid, 0, limit));
        certify(c);
        assertAtMost(
            uint256(c.paidTotal) + FEE * c.lastRound, uint256(c.lastRound) * (SHARDS * REWARD + FEE), "earned"
        );
        assertAtMost(market.refundable(taskId) + c.paidTotal, ESCROW, "escrow");
    }
}

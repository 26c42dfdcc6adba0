// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateRecord} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract ClaimSigningFeeTest is MarketFixture {
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        taskId = startedTask();
        certifyAll(taskId);
    }

    function test_claimSigningFee_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, 9));
        market.claimSigningFee(TaskId.wrap(9), lastRecord(TaskId.wrap(9)), stranger);
    }

    function test_claimSigningFee_revertsIfTaskIsNotClosed() public {
        address account = validator(0);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TaskNotClosed.selector, taskId, TaskStatus.Completed)
        );
        market.claimSigningFee(taskId, lastRecord(taskId), account);
    }

    function test_claimSigningFee_revertsIfRecordIsForged() public {
        market.close(taskId);
        CertificateRecord memory forged = lastRecord(taskId);
        forged.signers = 15;
        address account = validator(3);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 0));
        market.claimSigningFee(taskId, forged, account);
    }

    /// @dev The fees of earlier certificates are among the payouts of later ones.
    function test_claimSigningFee_revertsIfRecordIsNotTheLast() public {
        taskId = startedTask();
        certify(nextCertificate(taskId), 7);
        CertificateRecord memory first = lastRecord(taskId);
        certify(nextCertificate(taskId, ROUNDS - 1), 14);
        market.close(taskId);
        address account = validator(0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 0));
        market.claimSigningFee(taskId, first, account);
    }

    function test_claimSigningFee_revertsIfAccountIsNoMember() public {
        market.close(taskId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotMember.selector, taskId, stranger));
        market.claimSigningFee(taskId, lastRecord(taskId), stranger);
    }

    function test_claimSigningFee_revertsIfMemberDidNotSign() public {
        market.close(taskId);
        address account = validator(3);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigner.selector, taskId, account));
        market.claimSigningFee(taskId, lastRecord(taskId), account);
    }

    function test_claimSigningFee_revertsIfClaimedBefore() public {
        market.close(taskId);
        address account = validator(0);
        uint256 amount = market.claimSigningFee(taskId, lastRecord(taskId), account);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NothingToClaim.selector, taskId, account, amount)
        );
        market.claimSigningFee(taskId, lastRecord(taskId), account);
    }

    function test_claimSigningFee_revertsIfThereIsNoFee() public {
        TaskParams memory p = someParams();
        (p.feePerRound, p.startsAt) = (0, 0);
        vm.prank(poster);
        taskId = market.createTask(p);
        certifyAll(taskId);
        market.close(taskId);
        address account = validator(0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToClaim.selector, taskId, account, 0));
        market.claimSigningFee(taskId, lastRecord(taskId), account);
    }

    function test_claimSigningFee__eachSigner__getsItsShareAndTheDustGoesToThePoster() public {
        uint256 share = uint256(FEE) * ROUNDS / 3;
        uint256 dust = uint256(FEE) * ROUNDS - 3 * share;
        uint256 refund = market.close(taskId);
        assertEq(refund, dust, "refund is the dust");
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit(address(market));
            emit ITrainingMarket.SigningFeeClaimed(taskId, validator(i), share);
            assertEq(market.claimSigningFee(taskId, lastRecord(taskId), validator(i)), share, "share");
            assertEq(token.balanceOf(validator(i)) % 1_000_000 ether, 999_000 ether + share, "paid");
        }
        assertEq(market.held(taskId), market.task(taskId).paidTotal, "only payouts are left");
    }
}

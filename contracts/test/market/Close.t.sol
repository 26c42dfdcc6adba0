// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract CloseTest is MarketFixture {
    function test_close_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, 9));
        market.close(TaskId.wrap(9));
    }

    function test_close_revertsIfRoundsAreMissingBeforeTheDeadline() public {
        TaskId taskId = startedTask();
        uint256 deadline = market.task(taskId).deadline;
        vm.warp(deadline);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TaskNotEnded.selector, taskId, TaskStatus.Open, deadline)
        );
        market.close(taskId);
    }

    function test_close_revertsIfClosedBefore() public {
        TaskId taskId = startedTask();
        uint256 deadline = market.task(taskId).deadline;
        certifyAll(taskId);
        market.close(taskId);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TaskNotEnded.selector, taskId, TaskStatus.Closed, deadline)
        );
        market.close(taskId);
    }

    function test_close_revertsIfCancelled() public {
        TaskId taskId = createTask();
        vm.prank(poster);
        market.cancel(taskId);
        uint256 deadline = market.task(taskId).deadline;
        vm.warp(deadline + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.TaskNotEnded.selector, taskId, TaskStatus.Cancelled, deadline
            )
        );
        market.close(taskId);
    }

    function test_close__nothingCertifiedAtTheDeadline__refundsAll() public {
        TaskId taskId = startedTask();
        vm.warp(market.task(taskId).deadline + 1);
        uint256 before = token.balanceOf(poster);
        vm.expectEmit(address(market));
        emit ITrainingMarket.TaskClosed(taskId, 0, ESCROW);
        vm.prank(stranger);
        assertEq(market.close(taskId), ESCROW, "refund");
        assertEq(token.balanceOf(poster) - before, ESCROW, "paid to the poster");
    }

    function test_close__allCertified__isPossibleAtOnce() public {
        TaskId taskId = startedTask();
        certifyAll(taskId);
        uint256 share = uint256(FEE) * ROUNDS / 3;
        assertEq(market.close(taskId), uint256(FEE) * ROUNDS - 3 * share, "the dust");
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Closed), "status");
    }

    function test_close__nothingLeft__transfersNothing() public {
        TaskParams memory p = someParams();
        (p.feePerRound, p.startsAt) = (0, 0);
        vm.prank(poster);
        TaskId taskId = market.createTask(p);
        certifyAll(taskId);
        vm.expectCall(address(token), abi.encodeCall(token.transfer, (poster, 0)), 0);
        assertEq(market.close(taskId), 0, "refund");
    }

    function testFuzz_close__anyProgress__conservesTheEscrow(uint32 span, uint64 signersSeed) public {
        TaskId taskId = startedTask();
        uint64 signers = [uint64(7), 11, 13, 14, 15][signersSeed % 5];
        span = uint32(bound(span, 1, ROUNDS));
        certify(nextCertificate(taskId, span), signers);
        vm.warp(market.task(taskId).deadline + 1);
        uint256 out = market.close(taskId);
        for (uint256 i = 0; i < 4; ++i) {
            if ((signers >> i) & 1 == 1) {
                out += market.claimSigningFee(taskId, lastRecord(taskId), validator(i));
            }
            out += market.claim(
                taskId, lastPayouts(taskId), miner(i), minerDue(taskId), minerProof(taskId, i)
            );
        }
        assertEq(out, ESCROW, "in = out, to the last unit");
        assertEq(token.balanceOf(address(market)), 0, "nothing stays");
    }
}

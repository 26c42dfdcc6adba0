// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract CancelTest is MarketFixture {
    function test_cancel_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, 9));
        market.cancel(TaskId.wrap(9));
    }

    function test_cancel_revertsIfTaskIsNotOpen() public {
        TaskId taskId = createTask();
        vm.startPrank(poster);
        market.cancel(taskId);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TaskNotOpen.selector, taskId, TaskStatus.Cancelled)
        );
        market.cancel(taskId);
        vm.stopPrank();
    }

    function test_cancel_revertsIfCallerIsNotThePoster() public {
        TaskId taskId = createTask();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotPoster.selector, taskId, stranger, poster));
        market.cancel(taskId);
    }

    function test_cancel_revertsIfTaskStarted() public {
        TaskId taskId = startedTask();
        vm.prank(poster);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TaskStarted.selector, taskId, vm.getBlockTimestamp())
        );
        market.cancel(taskId);
    }

    function test_cancel__beforeTheStart__refundsAll() public {
        uint256 before = token.balanceOf(poster);
        TaskId taskId = createTask();
        vm.warp(market.task(taskId).startsAt - 1);
        vm.expectEmit(address(market));
        emit ITrainingMarket.TaskCancelled(taskId, ESCROW);
        vm.prank(poster);
        assertEq(market.cancel(taskId), ESCROW, "refund");
        assertEq(token.balanceOf(poster), before, "all of it");
        assertEq(market.held(taskId), 0, "nothing held");
        assertEq(market.refundable(taskId), 0, "nothing refundable");
    }
}

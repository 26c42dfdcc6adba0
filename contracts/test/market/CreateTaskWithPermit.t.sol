// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {TaskId} from "../../src/types/Ids.sol";
import {Permit} from "../../src/types/Permit.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract CreateTaskWithPermitTest is MarketFixture {
    function setUp() public override {
        super.setUp();
        vm.prank(poster);
        token.approve(address(market), 0);
    }

    function test_createTaskWithPermit_revertsIfPermitIsBadAndNothingWasApproved() public {
        Permit memory permit = permitFor(posterKey, address(market), ESCROW);
        permit.s = bytes32(uint256(permit.s) ^ 1);
        vm.prank(poster);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(market), 0, ESCROW
            )
        );
        market.createTaskWithPermit(someParams(), permit);
    }

    function test_createTaskWithPermit__goodPermit__fundsInOneTransaction() public {
        Permit memory permit = permitFor(posterKey, address(market), ESCROW);
        TaskParams memory p = someParams();
        vm.prank(poster);
        TaskId taskId = market.createTaskWithPermit(p, permit);
        assertEq(market.held(taskId), ESCROW, "held");
        assertEq(token.allowance(poster, address(market)), 0, "nothing stays approved");
    }

    function test_createTaskWithPermit__badPermitButApproved__goesOn() public {
        Permit memory permit = permitFor(posterKey, address(market), ESCROW);
        permit.deadline = 0;
        vm.startPrank(poster);
        token.approve(address(market), ESCROW);
        TaskId taskId = market.createTaskWithPermit(someParams(), permit);
        vm.stopPrank();
        assertEq(market.held(taskId), ESCROW, "held");
    }
}

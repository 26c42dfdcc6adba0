// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

import {TaskId} from "../../src/types/Ids.sol";
import {Permit} from "../../src/types/Permit.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Somebody takes the permit out of the waiting transaction and uses it first, to make that one fail.
contract PermitFrontRunAttack is MarketFixture {
    function test_frontRun__createTaskWithPermit__isNotBlocked() public {
        vm.prank(poster);
        token.approve(address(market), 0);
        Permit memory p = permitFor(posterKey, address(market), ESCROW);
        vm.prank(stranger);
        IERC20Permit(address(token)).permit(poster, address(market), p.value, p.deadline, p.v, p.r, p.s);
        TaskParams memory params = someParams();
        vm.prank(poster);
        TaskId taskId = market.createTaskWithPermit(params, p);
        assertEq(market.held(taskId), ESCROW, "funded all the same");
    }

    function test_frontRun__depositWithPermit__isNotBlocked() public {
        Permit memory p = permitFor(posterKey, address(vault), 5 ether);
        vm.prank(stranger);
        IERC20Permit(address(token)).permit(poster, address(vault), p.value, p.deadline, p.v, p.r, p.s);
        vm.prank(poster);
        vault.depositWithPermit(5 ether, p);
        assertEq(vault.stakeOf(poster), 5 ether, "staked all the same");
    }

    function test_frontRun__strangerUsesThePermitHimself__getsNothing() public {
        vm.prank(poster);
        token.approve(address(market), 0);
        Permit memory p = permitFor(posterKey, address(market), ESCROW);
        TaskParams memory params = someParams();
        vm.prank(stranger);
        vm.expectRevert();
        market.createTaskWithPermit(params, p);
    }
}

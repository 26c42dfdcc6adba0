// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {Permit} from "../../src/types/Permit.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract DepositWithPermitTest is MarketFixture {
    uint256 private constant KEY = 0x5EED;

    function test_depositWithPermit_revertsIfPermitIsForeign() public {
        fund(vm.addr(KEY), 1 ether);
        Permit memory permit = permitFor(posterKey, address(vault), 1 ether);
        vm.prank(vm.addr(KEY));
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), 0, 1 ether
            )
        );
        vault.depositWithPermit(1 ether, permit);
    }

    function test_depositWithPermit__goodPermit__stakesInOneTransaction() public {
        fund(vm.addr(KEY), 1 ether);
        Permit memory permit = permitFor(KEY, address(vault), 1 ether);
        vm.prank(vm.addr(KEY));
        vault.depositWithPermit(1 ether, permit);
        assertEq(vault.stakeOf(vm.addr(KEY)), 1 ether, "stake");
    }
}

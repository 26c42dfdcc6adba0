// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract DepositTest is MarketFixture {
    function test_deposit_revertsIfAmountIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        vault.deposit(0);
    }

    function test_deposit_revertsIfBooksCannotHoldIt() public {
        uint256 max = type(uint128).max;
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeTooLarge.selector, max + 1, max));
        vault.deposit(max + 1);
    }

    function test_deposit_revertsIfAllowanceIsMissing() public {
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), 0, 1)
        );
        vault.deposit(1);
    }

    function test_deposit__goodAmount__countsAndIsRemembered() public {
        uint256 before = vm.getBlockTimestamp();
        vm.warp(before + 10);
        stakeAs(stranger, 7 ether);
        vm.warp(before + 20);
        fund(stranger, 3 ether);
        vm.startPrank(stranger);
        token.approve(address(vault), 3 ether);
        vm.expectEmit(address(vault));
        emit IStakeVault.Deposited(stranger, 3 ether, 10 ether);
        vault.deposit(3 ether);
        vm.stopPrank();
        assertEq(vault.stakeOf(stranger), 10 ether, "stake");
        assertEq(vault.slashableOf(stranger), 10 ether, "slashable");
        assertEq(vault.slashableAt(stranger, before + 9), 0, "before");
        assertEq(vault.slashableAt(stranger, before + 19), 7 ether, "between");
        assertEq(vault.slashableAt(stranger, before + 20), 10 ether, "after");
    }
}

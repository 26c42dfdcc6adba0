// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract WithdrawTest is MarketFixture {
    function test_withdraw_revertsIfNothingUnbonds() public {
        address account = miner(0);
        vm.prank(account);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingUnbonding.selector, account));
        vault.withdraw();
    }

    function test_withdraw_revertsIfDelayIsNotOver() public {
        address account = miner(0);
        vm.startPrank(account);
        vault.unbond(MINER_STAKE);
        uint256 unlocksAt = vm.getBlockTimestamp() + UNBONDING_DELAY;
        vm.warp(unlocksAt - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.StillUnbonding.selector, account, unlocksAt, unlocksAt - 1)
        );
        vault.withdraw();
        vm.stopPrank();
    }

    function test_withdraw__afterTheDelay__paysAllOfIt() public {
        address account = miner(0);
        uint256 before = token.balanceOf(account);
        vm.startPrank(account);
        vault.unbond(60 ether);
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY);
        vm.expectEmit(address(vault));
        emit IStakeVault.Withdrawn(account, 60 ether);
        assertEq(vault.withdraw(), 60 ether, "amount");
        vm.stopPrank();
        assertEq(token.balanceOf(account) - before, 60 ether, "paid");
        assertEq(vault.slashableOf(account), 40 ether, "the rest");
        assertEq(vault.slashableAt(account, vm.getBlockTimestamp()), 40 ether, "remembered");
    }
}

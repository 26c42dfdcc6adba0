// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract UnbondTest is MarketFixture {
    function test_unbond_revertsIfAmountIsZero() public {
        vm.prank(miner(0));
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        vault.unbond(0);
    }

    function test_unbond_revertsIfStakeIsTooSmall() public {
        address account = miner(0);
        vm.prank(account);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeVault.InsufficientStake.selector, account, MINER_STAKE, MINER_STAKE + 1
            )
        );
        vault.unbond(MINER_STAKE + 1);
    }

    function test_unbond__again__startsTheDelayAnewForAll() public {
        address account = miner(0);
        vm.prank(account);
        vault.unbond(30 ether);
        vm.warp(vm.getBlockTimestamp() + 1 days);
        uint256 unlocksAt = vm.getBlockTimestamp() + UNBONDING_DELAY;
        vm.expectEmit(address(vault));
        emit IStakeVault.Unbonded(account, 20 ether, 50 ether, unlocksAt);
        vm.prank(account);
        vault.unbond(20 ether);
        (uint256 amount, uint256 at) = vault.unbondingOf(account);
        assertEq(amount, 50 ether, "unbonding");
        assertEq(at, unlocksAt, "unlocks");
        assertEq(vault.stakeOf(account), 50 ether, "stake");
        assertEq(vault.slashableOf(account), 100 ether, "all of it stays slashable");
    }
}

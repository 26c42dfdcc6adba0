// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {SlashSplit} from "../../src/types/Slash.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract VaultSlashTest is MarketFixture {
    address private victim = address(0xF1C);

    function test_slash_revertsIfCallerIsNoSlasher() public {
        address account = miner(0);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotSlasher.selector, stranger));
        vault.slash(account, 1, 0, victim, stranger);
    }

    function test_slash_revertsIfAmountIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        slashAs(0, vm.getBlockTimestamp(), victim, stranger);
    }

    function test_slash_revertsIfNothingWasThereAtTheFault() public {
        uint256 early = vm.getBlockTimestamp() - 1;
        address account = miner(0);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingToSlash.selector, account, early));
        slashAs(1, early, victim, stranger);
    }

    function test_slash__unbonding__isReachedAfterTheStake() public {
        address account = miner(0);
        vm.prank(account);
        vault.unbond(70 ether);
        slashAs(40 ether, vm.getBlockTimestamp(), victim, stranger);
        (uint256 unbonding,) = vault.unbondingOf(account);
        assertEq(vault.stakeOf(account), 0, "the stake goes first");
        assertEq(unbonding, 60 ether, "then what unbonds");
        assertEq(vault.slashableAt(account, vm.getBlockTimestamp()), 60 ether, "remembered");
    }

    function test_slash__depositedAfterTheFault__isSpared() public {
        uint256 faultAt = vm.getBlockTimestamp();
        vm.warp(faultAt + 1);
        address account = miner(0);
        stakeAs(account, 500 ether);
        SlashSplit memory split = slashAs(1_000 ether, faultAt, victim, stranger);
        assertEq(split.amount, MINER_STAKE, "only what was there");
        assertEq(vault.stakeOf(account), 500 ether, "the rest stays");
    }

    function test_slash__largeAmount__boundsTheBounty() public {
        SlashSplit memory split = slashAs(100 ether, vm.getBlockTimestamp(), victim, stranger);
        assertEq(split.bounty, MAX_BOUNTY, "absolute bound");
        assertEq(token.balanceOf(victim), 50 ether, "victim");
        assertEq(token.balanceOf(treasury), 45 ether, "treasury");
    }

    function test_slash__victimIsTheCulprit__getsNothing() public {
        address account = miner(0);
        SlashSplit memory split = slashAs(10 ether, vm.getBlockTimestamp(), account, account);
        assertEq(split.victimShare + split.bounty, 0, "nothing comes back");
        assertEq(token.balanceOf(treasury), 10 ether, "all to the treasury");
    }

    function testFuzz_slash__anyAmount__isConserved(uint256 amount, bool hasVictim, bool hasReporter) public {
        amount = bound(amount, 1, 2 * MINER_STAKE);
        uint256 before = token.balanceOf(address(vault));
        SlashSplit memory split = slashAs(
            amount,
            vm.getBlockTimestamp(),
            hasVictim ? victim : address(0),
            hasReporter ? stranger : address(0)
        );
        assertEq(split.amount, amount < MINER_STAKE ? amount : MINER_STAKE, "never more than the stake");
        assertEq(split.victimShare + split.bounty + split.treasuryShare, split.amount, "sum");
        assertEq(before - token.balanceOf(address(vault)), split.amount, "left the vault");
        assertAtMost(split.bounty * 10, split.amount, "never more than a tenth for the reporter");
        assertTrue(split.treasuryShare > 0, "never wholly to others");
    }

    function slashAs(uint256 amount, uint256 faultAt, address victim_, address reporter)
        private
        returns (SlashSplit memory)
    {
        address account = miner(0);
        vm.prank(address(market));
        return vault.slash(account, amount, faultAt, victim_, reporter);
    }
}

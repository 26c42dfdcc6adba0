// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {StakeAccount, StakeLib} from "../../src/libraries/StakeLib.sol";
import {Test} from "../utils/Test.sol";

/// @notice What no token of a test has enough units for.
contract StakeLibTest is Test {
    using StakeLib for StakeAccount;

    StakeAccount private account;

    function test_deposit__mostThatTheBooksHold__isKept() public {
        uint256 most = type(uint128).max;
        assertEq(account.deposit(most), most, "stake");
        assertEq(account.slashable(), most, "slashable");
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeTooLarge.selector, most + 1, most));
        this.deposit(1);
    }

    function deposit(uint256 amount) external {
        account.deposit(amount);
    }
}

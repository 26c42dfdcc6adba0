// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract VaultConstructorTest is MarketFixture {
    function test_constructor_revertsIfTokenIsZero() public {
        constructExpecting(
            abi.encodeWithSelector(IStakeVault.ZeroAddress.selector), address(0), 1 days, treasury, 1
        );
    }

    function test_constructor_revertsIfTreasuryIsZero() public {
        bytes memory data = abi.encodeWithSelector(IStakeVault.ZeroAddress.selector);
        constructExpecting(data, address(token), 1 days, address(0), 1);
    }

    function test_constructor_revertsIfDelayIsOutOfBounds() public {
        bytes4 selector = IStakeVault.UnbondingDelayOutOfBounds.selector;
        bytes memory data = abi.encodeWithSelector(selector, 1 hours - 1, 1 hours, 365 days);
        constructExpecting(data, address(token), 1 hours - 1, treasury, 1);
        data = abi.encodeWithSelector(selector, 365 days + 1, 1 hours, 365 days);
        constructExpecting(data, address(token), 365 days + 1, treasury, 1);
    }

    function test_constructor_revertsIfSlashersAreNoneOrTooMany() public {
        bytes4 selector = IStakeVault.SlasherCountOutOfBounds.selector;
        constructExpecting(abi.encodeWithSelector(selector, 0, 8), address(token), 1 days, treasury, 0);
        constructExpecting(abi.encodeWithSelector(selector, 9, 8), address(token), 1 days, treasury, 9);
    }

    function test_constructor__eachBound__isAllowed() public {
        assertEq(construct(1 hours, 8).UNBONDING_DELAY(), 1 hours, "shortest delay, most slashers");
        assertEq(construct(365 days, 1).UNBONDING_DELAY(), 365 days, "longest delay, fewest slashers");
    }

    function test_constructor_revertsIfSlasherIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAddress.selector));
        newVault(address(0), stranger, stranger, 1 days);
    }

    function constructExpecting(
        bytes memory data,
        address token_,
        uint256 delay,
        address treasury_,
        uint256 count
    ) private {
        vm.expectRevert(data);
        create(
            "StakeVault.sol:StakeVault", abi.encode(token_, delay, MAX_BOUNTY, treasury_, strangers(count))
        );
    }

    function construct(uint256 delay, uint256 count) private returns (IStakeVault) {
        bytes memory arguments = abi.encode(token, delay, MAX_BOUNTY, treasury, strangers(count));
        return IStakeVault(create("StakeVault.sol:StakeVault", arguments));
    }

    function strangers(uint256 count) private view returns (address[] memory slashers) {
        slashers = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            slashers[i] = stranger;
        }
    }
}

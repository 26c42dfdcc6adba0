// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `join`, `setEndpoint` and `leave`.
contract PoolTest is MarketFixture {
    function test_join_revertsIfCallerIsInThePool() public {
        address account = validator(0);
        vm.prank(account);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyValidator.selector, account));
        committee.join("ws://x");
    }

    function test_join_revertsIfPoolIsFull() public {
        addValidators(60);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.PoolFull.selector, 64));
        committee.join("ws://x");
    }

    function test_join_revertsIfStakeIsTooSmall() public {
        stakeAs(stranger, VALIDATOR_STAKE - 1);
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICommittee.StakeTooSmall.selector, stranger, VALIDATOR_STAKE - 1, VALIDATOR_STAKE
            )
        );
        committee.join("ws://x");
    }

    function test_join_revertsIfEndpointIsEmptyOrTooLong() public {
        stakeAs(stranger, VALIDATOR_STAKE);
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.EndpointLength.selector, 0, 200));
        committee.join("");
        vm.expectRevert(abi.encodeWithSelector(ICommittee.EndpointLength.selector, 201, 200));
        committee.join(string(new bytes(201)));
        vm.stopPrank();
    }

    function test_join__enoughStake__entersThePool() public {
        stakeAs(stranger, VALIDATOR_STAKE);
        vm.expectEmit(address(committee));
        emit ICommittee.ValidatorJoined(stranger, "wss://host:9000");
        vm.prank(stranger);
        committee.join("wss://host:9000");
        assertTrue(committee.isValidator(stranger), "in the pool");
        assertEq(committee.pool().length, 5, "pool");
        assertEq(keccak256(bytes(committee.endpointOf(stranger))), keccak256("wss://host:9000"), "endpoint");
    }

    function test_join__longestEndpoint__isKept() public {
        stakeAs(stranger, VALIDATOR_STAKE);
        vm.prank(stranger);
        committee.join(string(new bytes(200)));
        assertEq(bytes(committee.endpointOf(stranger)).length, 200, "all of it");
    }

    function test_setEndpoint_revertsIfCallerNeverJoined() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotValidator.selector, stranger));
        committee.setEndpoint("ws://x");
    }

    function test_setEndpoint_revertsIfEndpointIsEmptyOrTooLong() public {
        vm.startPrank(validator(0));
        vm.expectRevert(abi.encodeWithSelector(ICommittee.EndpointLength.selector, 0, 200));
        committee.setEndpoint("");
        vm.expectRevert(abi.encodeWithSelector(ICommittee.EndpointLength.selector, 201, 200));
        committee.setEndpoint(string(new bytes(201)));
        vm.stopPrank();
    }

    function test_setEndpoint__afterLeaving__stillWorks() public {
        address account = validator(0);
        vm.startPrank(account);
        committee.leave();
        vm.expectEmit(address(committee));
        emit ICommittee.EndpointChanged(account, "ws://y");
        committee.setEndpoint("ws://y");
        vm.stopPrank();
        assertEq(keccak256(bytes(committee.endpointOf(account))), keccak256("ws://y"), "endpoint");
    }

    function test_leave_revertsIfCallerIsNotInThePool() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotValidator.selector, stranger));
        committee.leave();
    }

    function test_leave__member__staysInItsEpoch() public {
        address account = validator(0);
        vm.expectEmit(address(committee));
        emit ICommittee.ValidatorLeft(account);
        vm.prank(account);
        committee.leave();
        assertTrue(!committee.isValidator(account), "out of the pool");
        assertEq(committee.membersOf(epochOne())[0], account, "still a member");
    }
}

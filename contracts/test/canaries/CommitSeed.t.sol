// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract CommitSeedTest is CanariesFixture {
    function test_commitSeed_revertsIfNothingIsPlanted() public {
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NothingPlanted.selector, taskId));
        canaries.commitSeed(taskId, SALT);
    }

    function test_commitSeed_revertsIfTheTaskHasBegun() public {
        plant();
        start();
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.TaskBegun.selector, taskId, market.task(taskId).startsAt)
        );
        canaries.commitSeed(taskId, SALT);
    }

    function test_commitSeed_revertsIfFixed() public {
        plant();
        commitSeed(lazy, seedFor(1));
        vm.prank(lazy);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.SeedFixed.selector, taskId, lazy));
        canaries.commitSeed(taskId, SALT);
    }

    function test_commitSeed_revertsIfZero() public {
        plant();
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.OutOfBounds.selector, "commitment", 0, 1, type(uint256).max)
        );
        canaries.commitSeed(taskId, 0);
    }

    function test_commitSeed__inTime__isKept() public {
        plant();
        bytes32 commitment = commitmentOf(seedFor(1));
        vm.expectEmit(address(canaries));
        emit ICanaries.SeedCommitted(taskId, lazy, commitment);
        commitSeed(lazy, seedFor(1));
        assertEq(canaries.seedOf(taskId, lazy), commitmentOf(seedFor(1)), "commitment");
        assertEq(canaries.seedOf(taskId, validator(1)), bytes32(0), "nobody else's");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBlsKeys} from "../../src/interfaces/IBlsKeys.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {BlsFixture} from "./BlsFixture.sol";
import {BlsSigner} from "./BlsSigner.sol";

contract GatherTest is BlsFixture {
    function test_gather_revertsIfGatheredBefore() public {
        address members = membersAt(createTask());
        address at = keys.gather(members);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.KeysGatheredBefore.selector, members, at));
        keys.gather(members);
    }

    function test_gather_revertsIfNoListIsThere() public {
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.MembersUnknown.selector, stranger));
        keys.gather(stranger);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.MembersUnknown.selector, address(0)));
        keys.gather(address(0));
    }

    function test_gather_revertsIfAMemberHasNoKey() public {
        addValidators(1);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        address members = membersAt(createTask());
        address without;
        for (uint256 i = 0; i < 5; ++i) {
            if (keys.keyOf(validator(i)).length == 0) without = validator(i);
        }
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.KeyMissing.selector, without));
        keys.gather(members);
    }

    function test_gather__anybody__joinsTheKeysInOrder() public {
        address members = membersAt(createTask());
        assertEq(keys.gathered(members), address(0), "before");
        vm.prank(stranger);
        address at = keys.gather(members);
        assertEq(keys.gathered(members), at, "after");
        uint256[] memory secrets = new uint256[](4);
        bytes memory packed;
        for (uint256 i = 0; i < 4; ++i) {
            secrets[i] = secret(i);
            packed = bytes.concat(packed, keys.keyOf(validator(i)));
        }
        bytes memory sum = BlsSigner.g2(BlsSigner.GENERATOR_G2, BlsSigner.sum(secrets, 15));
        assertEq(keccak256(at.code), keccak256(bytes.concat(hex"00", sum, packed)), "sum, then keys");
    }

    function test_gather__tasksOfOneEpoch__shareTheirKeys() public {
        TaskId first = createTask();
        keys.gather(membersAt(first));
        assertTrue(keys.gathered(membersAt(createTask())) != address(0), "the next task's as well");
    }

    /// @dev A list that no committee stored binds nobody: it is never asked for.
    function test_gather__listOfAStranger__changesNoCommittee() public {
        address members = membersAt(createTask());
        bytes memory code = members.code;
        address copy = address(0xC0FFEE);
        vm.etch(copy, code);
        assertTrue(keys.gather(copy) != address(0), "gathered");
        assertEq(keys.gathered(members), address(0), "the committee's are not");
    }
}

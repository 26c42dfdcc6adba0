// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract AdvanceEpochTest is MarketFixture {
    function test_advanceEpoch_revertsIfEpochIsNotOver() public {
        uint256 readyAt = vm.getBlockNumber() + EPOCH_LENGTH;
        vm.roll(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.EpochNotOver.selector, readyAt - 1, readyAt));
        committee.advanceEpoch();
    }

    function test_advanceEpoch_revertsIfThereAreTooFewValidators() public {
        vm.prank(validator(0));
        committee.leave();
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotEnoughValidators.selector, 3, 4));
        committee.advanceEpoch();
    }

    function test_advanceEpoch__fullPool__membersAscendAndAreAllThere() public {
        addValidators(60);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        Epoch epoch = committee.advanceEpoch();
        assertEq(Epoch.unwrap(epoch), 2, "epoch");
        assertEq(Epoch.unwrap(committee.currentEpoch()), 2, "current");
        assertEq(committee.startedAt(epoch), vm.getBlockTimestamp(), "time");
        assertEq(committee.nextEpochAt(), vm.getBlockNumber() + EPOCH_LENGTH, "next");
        address[] memory members = committee.membersOf(epoch);
        assertEq(members.length, 64, "members");
        for (uint256 i = 0; i < 64; ++i) {
            assertEq(members[i], validator(i), "ascending by address");
            assertEq(committee.stakesOf(epoch)[i], VALIDATOR_STAKE, "stake");
        }
        TaskId taskId = createTask();
        assertEq(committee.quorumOfTask(taskId), 43, "quorum");
        assertEq(committee.membersOfTask(taskId).length, 64, "all of them");
        assertEq(committee.membersOf(epochOne()).length, 4, "the past stays");
    }

    function test_advanceEpoch__stakeFell__validatorIsPutOut() public {
        addValidators(1);
        address poor = validator(2);
        vm.prank(poor);
        vault.unbond(1);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        vm.expectEmit(address(committee));
        emit ICommittee.ValidatorLeft(poor);
        Epoch epoch = committee.advanceEpoch();
        assertEq(committee.membersOf(epoch).length, 4, "members");
        assertTrue(!committee.isValidator(poor), "out of the pool");
        TaskId taskId = createTask();
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotMember.selector, taskId, poor));
        committee.memberIndex(taskId, poor);
    }

    function test_advanceEpoch__newSnapshot__keepsASeedOfTheBlockBefore() public {
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        bytes32 before = keccak256("the block before");
        vm.setBlockhash(vm.getBlockNumber() - 1, before);
        Epoch epoch = committee.advanceEpoch();
        bytes32 wanted = keccak256(abi.encode(before, block.prevrandao, epoch));
        assertEq(committee.seedOf(epoch), wanted, "what nobody knew when the validators joined");
    }

    function test_membersOf_revertsIfEpochIsUnknown() public {
        bytes memory data = abi.encodeWithSelector(ICommittee.EpochUnknown.selector, 9);
        vm.expectRevert(data);
        committee.membersOf(Epoch.wrap(9));
        vm.expectRevert(data);
        committee.stakesOf(Epoch.wrap(9));
        vm.expectRevert(data);
        committee.seedOf(Epoch.wrap(9));
    }
}

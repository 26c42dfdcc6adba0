// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBlsKeys} from "../../src/interfaces/IBlsKeys.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {BlsFixture} from "./BlsFixture.sol";

contract VerifyAggregateTest is BlsFixture {
    bytes32 private constant DIGEST = keccak256("digest");
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        taskId = startedTask();
    }

    function test_verify_revertsIfKeysAreNotGathered() public {
        bytes memory signature = aggregate(DIGEST, 7);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.KeysNotGathered.selector, membersAt(taskId)));
        committee.verify(taskId, DIGEST, 7, signature);
    }

    function test_verify_revertsIfBitmapIsOutOfRange() public {
        keys.gather(membersAt(taskId));
        refused(abi.encodeWithSelector(ICommittee.SignerOutOfRange.selector, uint64(23), 4), 23, 7);
    }

    function test_verify_revertsIfQuorumIsMissing() public {
        keys.gather(membersAt(taskId));
        refused(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 2, 3), 3, 3);
    }

    function test_verify_revertsIfLengthIsWrong() public {
        address members = membersAt(taskId);
        keys.gather(members);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.PointLength.selector, 95, 96));
        keys.verify(members, DIGEST, 7, new bytes(95), true);
    }

    function test_verify_revertsIfAggregateIsNotTheSigners() public {
        keys.gather(membersAt(taskId));
        refused(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(7)), 7, 15);
        refused(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(15)), 15, 7);
        refused(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(11)), 11, 7);
    }

    function test_verify__everyQuorumOfFour__isAcceptedInBothSchemes() public {
        keys.gather(membersAt(taskId));
        for (uint64 signers = 7; signers < 16; ++signers) {
            if (signers != 7 && signers < 11 || signers == 12) continue;
            committee.verify(taskId, DIGEST, signers, aggregate(DIGEST, signers));
            committee.verify(taskId, DIGEST, signers, signaturesOf(DIGEST, signers));
        }
    }

    function test_certify__aggregate__isAcceptedAndPays() public {
        keys.gather(membersAt(taskId));
        RoundCertificate memory c = nextCertificate(taskId);
        market.certify(c, 14, aggregate(c, 14));
        assertEq(market.task(taskId).lastRound, 1, "certified");
        (, uint256 signers) = market.signingFee(taskId);
        assertEq(signers, 3, "fees have three takers");
    }

    function test_verify__keyRegisteredAfterTheSnapshot__countsAsWell() public {
        addValidators(3);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        taskId = createTask();
        registerAll();
        keys.gather(membersAt(taskId));
        committee.verify(taskId, DIGEST, 31, aggregate(DIGEST, 31));
    }

    function refused(bytes memory data, uint64 signers, uint64 signed) private {
        bytes memory signature = aggregate(DIGEST, signed);
        vm.expectRevert(data);
        committee.verify(taskId, DIGEST, signers, signature);
    }
}

/// @notice The same with the largest committee.
contract VerifyAggregateLargeTest is BlsFixture {
    bytes32 private constant DIGEST = keccak256("digest");
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        addValidators(60);
        registerAll();
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        taskId = createTask();
        keys.gather(membersAt(taskId));
    }

    /// forge-config: default.fuzz.runs = 32
    /// forge-config: ci.fuzz.runs = 256
    function testFuzz_verify__anyQuorum__isAcceptedAndOneSignerLessIsNot(uint256 seed) public {
        uint64 signers = subset(seed, 43);
        committee.verify(taskId, DIGEST, signers, aggregate(DIGEST, signers));
        uint64 fewer = signers & (signers - 1);
        bytes memory signature = aggregate(DIGEST, fewer);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 42, 43));
        committee.verify(taskId, DIGEST, fewer, signature);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, signers));
        committee.verify(taskId, DIGEST, signers, signature);
    }

    function test_verify__all64__isAccepted() public view {
        committee.verify(taskId, DIGEST, type(uint64).max, aggregate(DIGEST, type(uint64).max));
    }

    /// @dev `count` of 64 bits, chosen by `seed`.
    function subset(uint256 seed, uint256 count) private pure returns (uint64 bits) {
        while (count > 0) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 bit = uint64(1) << uint64(seed % 64);
            if (bits & bit != 0) continue;
            bits |= bit;
            --count;
        }
    }
}

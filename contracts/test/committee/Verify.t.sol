// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract VerifyTest is MarketFixture {
    bytes32 private constant DIGEST = keccak256("digest");
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        taskId = createTask();
    }

    function test_verify_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ICommittee.PanelUnknown.selector, 9, 0));
        committee.verify(TaskId.wrap(9), DIGEST, THREE, "");
    }

    function test_verify_revertsIfBitmapIsOutOfRange() public {
        bytes memory signed = signaturesOf(DIGEST, THREE);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.SignerOutOfRange.selector, uint64(23), 4));
        committee.verify(taskId, DIGEST, 23, signed);
    }

    function test_verify_revertsIfQuorumIsMissing() public {
        bytes memory signed = signaturesOf(DIGEST, 9);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 2, 3));
        committee.verify(taskId, DIGEST, 9, signed);
    }

    function test_verify_revertsIfLengthDoesNotFit() public {
        bytes memory signed = bytes.concat(signaturesOf(DIGEST, THREE), hex"00");
        vm.expectRevert(abi.encodeWithSelector(ICommittee.SignaturesLength.selector, 193, 192));
        committee.verify(taskId, DIGEST, THREE, signed);
        signed = signaturesOf(DIGEST, 15);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.SignaturesLength.selector, 256, 192));
        committee.verify(taskId, DIGEST, THREE, signed);
    }

    function test_verify_revertsIfSignaturesAreNotAscending() public {
        bytes memory signed = bytes.concat(
            compact(validatorKeys[1], DIGEST),
            compact(validatorKeys[0], DIGEST),
            compact(validatorKeys[2], DIGEST)
        );
        bytes memory data =
            abi.encodeWithSelector(ICommittee.WrongSigner.selector, 0, validator(0), validator(1));
        vm.expectRevert(data);
        committee.verify(taskId, DIGEST, THREE, signed);
    }

    /// @dev Half the order is the largest s that has no twin below it. Nobody can sign with a chosen s, but anybody can
    /// find the account that such a signature is of, and a test can make it a validator.
    function test_verify__largestS__isAcceptedAndOneMoreIsNot() public {
        bytes32 half = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
        bytes32 r = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
        address edge = ecrecover(DIGEST, 27, r, half);
        stakeAs(edge, VALIDATOR_STAKE);
        vm.prank(edge);
        committee.join("ws://127.0.0.1:9000");
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        taskId = createTask();
        committee.verify(taskId, DIGEST, 31, signedWith(edge, r, half));
        bytes memory more = signedWith(edge, r, bytes32(uint256(half) + 1));
        bytes memory data = abi.encodeWithSelector(
            ICommittee.MalleableSignature.selector, committee.memberIndex(taskId, edge), uint256(half) + 1
        );
        vm.expectRevert(data);
        committee.verify(taskId, DIGEST, 31, more);
    }

    /// @dev All five members' signatures, that of `edge` as given.
    function signedWith(address edge, bytes32 r, bytes32 s) private view returns (bytes memory packed) {
        address[] memory members = committee.membersOfTask(taskId);
        for (uint256 i = 0; i < members.length; ++i) {
            bytes memory one =
                members[i] == edge ? abi.encodePacked(r, s) : compact(keyOf(members[i]), DIGEST);
            packed = bytes.concat(packed, one);
        }
    }

    function test_verify_revertsIfSignatureIsNobodys() public {
        bytes memory signed = bytes.concat(signaturesOf(DIGEST, 3), new bytes(64));
        bytes memory data =
            abi.encodeWithSelector(ICommittee.WrongSigner.selector, 2, validator(2), address(0));
        vm.expectRevert(data);
        committee.verify(taskId, DIGEST, THREE, signed);
    }
}

/// @notice The same with the largest committee.
contract VerifyLargeTest is MarketFixture {
    bytes32 private constant DIGEST = keccak256("digest");
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        addValidators(60);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        taskId = createTask();
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_verify__anyQuorum__isAcceptedAndOneSignatureLessIsNot(uint256 seed) public {
        uint64 signers = subset(seed, 43);
        committee.verify(taskId, DIGEST, signers, signaturesOf(DIGEST, signers));
        signers &= signers - 1;
        bytes memory signed = signaturesOf(DIGEST, signers);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 42, 43));
        committee.verify(taskId, DIGEST, signers, signed);
    }

    function test_verify__all64__isAccepted() public view {
        committee.verify(taskId, DIGEST, type(uint64).max, signaturesOf(DIGEST, type(uint64).max));
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

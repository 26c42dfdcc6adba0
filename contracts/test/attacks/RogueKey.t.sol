// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBlsKeys} from "../../src/interfaces/IBlsKeys.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {BlsLib} from "../../src/libraries/BlsLib.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {BlsFixture} from "../bls/BlsFixture.sol";
import {BlsSigner} from "../bls/BlsSigner.sol";

/// @notice Attack: a validator signs for others by the algebra of aggregates: with a key that is a difference of keys, a
/// copied key or proof, a point outside the group, the point at infinity, or keys that add up to nothing.
contract RogueKeyAttack is BlsFixture {
    bytes32 private constant DIGEST = keccak256("never signed by the others");
    uint256 private constant SECRET = 0xBAD;

    bytes private sum;

    /// @dev With the key `mine - theirs`, the sum of all keys is `mine`: alone I sign for everybody. I do not know the
    /// secret of that key, so I cannot register it.
    function test_rogueKey__differenceOfKeys__wouldSignForAllAndIsRefused() public {
        bytes memory theirs = new bytes(256);
        for (uint256 i = 0; i < 4; ++i) {
            theirs = BlsSigner.addG2(theirs, this.unpack(keys.keyOf(validator(i))));
        }
        bytes memory negative = bytes.concat(theirs);
        BlsLib.negate(negative);
        bytes memory rogue = BlsSigner.addG2(BlsSigner.g2(BlsSigner.GENERATOR_G2, SECRET), negative);
        sum = BlsSigner.addG2(theirs, rogue);
        assertTrue(this.accepts(sum, BlsSigner.sign(SECRET, DIGEST)), "the attack works without proofs");
        bytes memory packed = BlsSigner.pack(rogue);
        refused(packed, BlsSigner.possession(SECRET, keys.possessionStatement(stranger, packed)));
    }

    function test_rogueKey__proofOfAnotherAccount__isRefused() public {
        bytes memory key = BlsSigner.key(SECRET);
        refused(key, BlsSigner.possession(SECRET, keys.possessionStatement(poster, key)));
    }

    function test_rogueKey__proofFromAnotherChain__isRefused() public {
        bytes memory key = BlsSigner.key(SECRET);
        vm.chainId(5);
        bytes memory possession = BlsSigner.possession(SECRET, keys.possessionStatement(stranger, key));
        vm.chainId(31337);
        refused(key, possession);
    }

    /// @dev A signature over the same 32 bytes, with the tag of certificates, proves nothing; nor the other way round.
    function test_rogueKey__signatureAsProof__isRefused() public {
        bytes memory key = BlsSigner.key(SECRET);
        refused(key, BlsSigner.sign(SECRET, keys.possessionStatement(stranger, key)));
        TaskId taskId = createTask();
        keys.gather(membersAt(taskId));
        uint256[] memory secrets = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            secrets[i] = secret(i);
        }
        bytes memory proof = BlsSigner.possession(BlsSigner.sum(secrets, 7), DIGEST);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(7)));
        committee.verify(taskId, DIGEST, 7, proof);
    }

    function test_rogueKey__copyOfAKey__isRefused() public {
        bytes memory key = keys.keyOf(validator(2));
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.KeyTaken.selector, validator(2)));
        vm.prank(stranger);
        keys.register(key, new bytes(96));
    }

    /// @dev Infinity has the secret 0, whose signature is infinity.
    function test_rogueKey__infinity__isRefused() public {
        refused(new bytes(192), new bytes(96));
        refused(new bytes(192), BlsSigner.sign(SECRET, DIGEST));
        refused(BlsSigner.key(SECRET), new bytes(96));
        assertTrue(!this.accepts(new bytes(256), new bytes(96)), "infinity signs nothing");
    }

    /// @dev A key on the curve outside the subgroup has a part that pairings do not see.
    function test_rogueKey__keyOutsideTheSubgroup__isRefused() public {
        bytes memory outside = outsideG2();
        refused(outside, BlsSigner.possession(SECRET, keys.possessionStatement(stranger, outside)));
        bytes memory mixed =
            BlsSigner.pack(BlsSigner.addG2(BlsSigner.g2(BlsSigner.GENERATOR_G2, SECRET), padded(outside)));
        refused(mixed, BlsSigner.possession(SECRET, keys.possessionStatement(stranger, mixed)));
    }

    /// @dev The same for a signature: (0, 2) has order 3. One signature would have many encodings.
    function test_rogueKey__signatureOutsideTheSubgroup__isRefused() public {
        TaskId taskId = createTask();
        keys.gather(membersAt(taskId));
        bytes memory outside = new bytes(128);
        outside[127] = 0x02;
        bytes memory good = padded(aggregate(DIGEST, 7));
        bytes memory mixed = BlsSigner.pack(BlsSigner.addG1(good, outside));
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(7)));
        committee.verify(taskId, DIGEST, 7, mixed);
        committee.verify(taskId, DIGEST, 7, BlsSigner.pack(good));
    }

    /// @dev Coordinates that are not reduced would be a second encoding.
    function test_rogueKey__coordinateNotReduced__isRefused() public {
        TaskId taskId = createTask();
        keys.gather(membersAt(taskId));
        bytes memory signature = aggregate(DIGEST, 7);
        uint256 carry = 0;
        bytes memory p =
            hex"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
        for (uint256 i = 48; i > 0; --i) {
            carry += uint256(uint8(signature[i - 1])) + uint8(p[i - 1]);
            signature[i - 1] = bytes1(uint8(carry));
            carry >>= 8;
        }
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(7)));
        committee.verify(taskId, DIGEST, 7, signature);
    }

    /// @dev Two colluders with opposite keys vanish from any sum: what the others signed can be shown as signed by the
    /// two as well. They could have signed it anyway; without a quorum of the others it is worth nothing.
    function test_rogueKey__oppositeKeys__forgeNothingThatOthersDidNotSign() public {
        addValidators(3);
        uint256[] memory secrets = new uint256[](7);
        (uint256 first, uint256 second) = newcomers();
        for (uint256 i = 0; i < 7; ++i) {
            secrets[i] = i == second ? BlsSigner.ORDER - secret(first) : secret(i);
            if (keys.keyOf(validator(i)).length == 0) register(validator(i), secrets[i]);
        }
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        TaskId taskId = createTask();
        keys.gather(membersAt(taskId));
        uint64 two = uint64((1 << first) | (1 << second));
        uint64 all = 127;
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, all & ~two), DIGEST);
        committee.verify(taskId, DIGEST, all & ~two, signature);
        committee.verify(taskId, DIGEST, all, signature);
        uint64 minority = two | lowestBit(all & ~two) | lowestBit((all & ~two) & ((all & ~two) - 1));
        signature = BlsSigner.sign(BlsSigner.sum(secrets, minority & ~two), DIGEST);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 4, 5));
        committee.verify(taskId, DIGEST, minority, signature);
        // Alone they sign for nobody: their sum is infinity, and so would be their signature.
        address members = membersAt(taskId);
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, two));
        keys.verify(members, DIGEST, two, new bytes(96), false);
    }

    function newcomers() private view returns (uint256 first, uint256 second) {
        (first, second) = (7, 7);
        for (uint256 i = 0; i < 7; ++i) {
            if (keys.keyOf(validator(i)).length != 0) continue;
            if (first == 7) first = i;
            else if (second == 7) second = i;
        }
    }

    function lowestBit(uint64 bits) private pure returns (uint64) {
        return bits & (~bits + 1);
    }

    function accepts(bytes memory key, bytes calldata signature) external view returns (bool) {
        return BlsLib.verify(key, DIGEST, signature);
    }

    function unpack(bytes memory key) external pure returns (bytes memory) {
        return BlsLib.unpackKey(key);
    }

    function refused(bytes memory key, bytes memory possession) private {
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.PossessionNotProven.selector, stranger));
        vm.prank(stranger);
        keys.register(key, possession);
    }

    /// @dev 16 zero bytes before each coordinate.
    function padded(bytes memory packed) private pure returns (bytes memory point) {
        for (uint256 i = 0; i < packed.length; i += 48) {
            point = bytes.concat(point, new bytes(16), BlsSigner.slice(packed, i, 48));
        }
    }

    /// @dev On the curve y^2 = x^3 + 4(1 + u), outside the subgroup of the keys.
    function outsideG2() private view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile("../tests/vectors/bls.json"), ".outside_g2");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlsLib} from "../../src/libraries/BlsLib.sol";
import {BlsKeysLib} from "../../src/libraries/BlsKeysLib.sol";
import {Test} from "../utils/Test.sol";
import {BlsSigner} from "./BlsSigner.sol";

/// @notice Points, keys and signatures: against RFC 9380, against another library, and against whoever cheats.
contract BlsLibTest is Test {
    bytes32 private constant DIGEST = keccak256("digest");

    function test_hashToG1__vectorsOfRfc9380__agree() public view {
        string memory json = vector();
        bytes memory tag = vm.parseJsonBytes(json, ".rfc9380.dst");
        uint256 count = 0;
        for (string memory at = entry(".rfc9380.vectors", 0); vm.keyExistsJson(json, at);) {
            bytes memory message = vm.parseJsonBytes(json, string.concat(at, ".message"));
            bytes memory point = BlsSigner.pack(BlsLib.hashToG1(message, tag));
            assertSame(point, vm.parseJsonBytes(json, string.concat(at, ".point")), "point");
            at = entry(".rfc9380.vectors", ++count);
        }
        assertEq(count, 5, "all of section J.9.1");
    }

    function test_expand__vectorsOfRfc9380__agree() public view {
        string memory json = vector();
        bytes memory tag = vm.parseJsonBytes(json, ".expand.dst");
        uint256 count = 0;
        for (string memory at = entry(".expand.vectors", 0); vm.keyExistsJson(json, at);) {
            bytes memory message = vm.parseJsonBytes(json, string.concat(at, ".message"));
            bytes memory uniform = vm.parseJsonBytes(json, string.concat(at, ".uniform"));
            assertSame(BlsLib.expand(message, tag, uniform.length / 32), uniform, "uniform bytes");
            at = entry(".expand.vectors", ++count);
        }
        assertEq(count, 10, "all of section K.1");
    }

    function test_verify__aggregateOfAnotherLibrary__isAccepted() public {
        string memory json = vector();
        bytes memory packed;
        bytes memory sum = new bytes(256);
        uint256 n = 0;
        for (string memory at = entry(".members", 0); vm.keyExistsJson(json, at);) {
            bytes memory key = vm.parseJsonBytes(json, string.concat(at, ".key"));
            bytes32 statement = vm.parseJsonBytes32(json, string.concat(at, ".statement"));
            bytes memory proof = vm.parseJsonBytes(json, string.concat(at, ".possession"));
            assertTrue(this.possesses(key, statement, proof), "possession");
            assertTrue(!this.possesses(key, DIGEST, proof), "of another statement");
            packed = bytes.concat(packed, key);
            sum = BlsSigner.addG2(sum, this.unpack(key));
            at = entry(".members", ++n);
        }
        address keys = BlsKeysLib.storeCode(bytes.concat(sum, packed));
        uint64 signers = uint64(vm.parseJsonUint(json, ".signers"));
        bytes32 digest = vm.parseJsonBytes32(json, ".digest");
        bytes memory signature = vm.parseJsonBytes(json, ".signature");
        assertTrue(this.verify(keys, n, digest, signers, signature), "aggregate");
        assertTrue(!this.verify(keys, n, digest, signers ^ 1, signature), "of other signers");
        assertTrue(!this.verify(keys, n, DIGEST, signers, signature), "of another digest");
    }

    /// forge-config: default.fuzz.runs = 64
    /// forge-config: ci.fuzz.runs = 512
    function testFuzz_verify__anySigners__exactlyTheirsIsAccepted(uint256 seed, uint8 size, uint64 signers)
        public
    {
        uint256 n = bound(size, 1, 64);
        signers = mask(signers, n);
        if (signers == 0) signers = 1;
        (address keys, uint256[] memory secrets) = committee(seed, n);
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, signers), DIGEST);
        assertTrue(this.verify(keys, n, DIGEST, signers, signature), "theirs");
        uint64 others = signers ^ (uint64(1) << uint64(seed % n));
        assertTrue(!this.verify(keys, n, DIGEST, others, signature), "one signer more or less");
        assertTrue(!this.verify(keys, n, bytes32(seed), signers, signature), "another digest");
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_verify__changedSignature__isRefused(uint256 seed, uint16 bit) public {
        (address keys, uint256[] memory secrets) = committee(seed, 4);
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, 7), DIGEST);
        uint256 place = bit % (96 * 8);
        signature[place / 8] ^= bytes1(uint8(1 << (place % 8)));
        assertTrue(!this.verify(keys, 4, DIGEST, 7, signature), "changed");
    }

    function test_verify__memoryAround__isUntouched() public {
        (address keys, uint256[] memory secrets) = committee(1, 7);
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, 31), DIGEST);
        bytes memory before = abi.encode("before", DIGEST);
        bytes32 digest = keccak256(before);
        bytes memory sum = BlsKeysLib.sumWithout(keys, 96);
        bytes memory behind = new bytes(320);
        assertSame(behind, bytes.concat(bytes32(0), new bytes(288)), "fresh memory is zero");
        assertEq(keccak256(before), digest, "memory before");
        assertEq(sum.length, 256, "length");
        assertTrue(this.verify(keys, 7, DIGEST, 31, signature), "accepted");
    }

    function test_negate__point__addsUpToInfinity() public view {
        for (uint256 i = 1; i < 20; ++i) {
            bytes memory point = BlsSigner.g2(BlsSigner.GENERATOR_G2, i);
            bytes memory negative = bytes.concat(point);
            BlsLib.negate(negative);
            assertSame(negative, BlsSigner.g2(BlsSigner.GENERATOR_G2, BlsSigner.ORDER - i), "negative");
            BlsLib.add(negative, point);
            assertSame(negative, new bytes(256), "sum");
            BlsLib.negate(negative);
            assertSame(negative, new bytes(256), "infinity is its own negative");
        }
    }

    function test_add_revertsIfPointIsOffTheCurve() public {
        vm.expectRevert(BlsLib.PointInvalid.selector);
        this.addPoints(BlsSigner.GENERATOR_G2, abi.encodePacked(new bytes(255), hex"01"));
    }

    function test_sumWithout_revertsIfAnyKeyIsNoPoint() public {
        bytes memory no = abi.encodePacked(new bytes(191), hex"01");
        address keys = BlsKeysLib.storeCode(bytes.concat(new bytes(256), no, BlsSigner.key(1)));
        vm.expectRevert(BlsLib.PointInvalid.selector);
        this.sumWithout(keys, 3);
        assertSame(this.sumWithout(keys, 0), new bytes(256), "keys that nobody takes away are not read");
    }

    function test_sumOf__someKeys__isOnePaddedPoint() public {
        address keys =
            BlsKeysLib.storeCode(bytes.concat(BlsSigner.key(2), BlsSigner.key(3), BlsSigner.key(5)));
        bytes memory seven = BlsSigner.g2(BlsSigner.GENERATOR_G2, 7);
        assertSame(BlsLib.sumOf(keys, 1, 5), seven, "2 + 5");
        assertSame(BlsLib.sumOf(keys, 1, 0), new bytes(256), "none");
    }

    function test_store_revertsIfNothingCanBeCreated() public {
        vm.setNonceUnsafe(address(this), type(uint64).max);
        vm.expectRevert(BlsKeysLib.KeysNotStored.selector);
        this.store();
    }

    function sumWithout(address keys, uint256 absent) external view returns (bytes memory) {
        return BlsKeysLib.sumWithout(keys, absent);
    }

    function store() external returns (address) {
        return BlsKeysLib.storeCode(new bytes(192));
    }

    function addPoints(bytes memory a, bytes memory b) external view returns (bytes memory) {
        BlsLib.add(a, b);
        return a;
    }

    function verify(address keys, uint256 n, bytes32 digest, uint64 signers, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return BlsLib.verify(BlsKeysLib.sumWithout(keys, mask(~signers, n)), digest, signature);
    }

    function possesses(bytes calldata key, bytes32 statement, bytes calldata proof)
        external
        view
        returns (bool)
    {
        return BlsLib.verifyPossession(key, statement, proof);
    }

    function unpack(bytes memory key) external pure returns (bytes memory) {
        return BlsLib.unpackKey(key);
    }

    function committee(uint256 seed, uint256 n) private returns (address keys, uint256[] memory secrets) {
        secrets = new uint256[](n);
        bytes memory packed;
        for (uint256 i = 0; i < n; ++i) {
            secrets[i] = BlsSigner.secret(uint256(keccak256(abi.encode(seed, i))));
            packed = bytes.concat(packed, BlsSigner.key(secrets[i]));
        }
        uint256 total = BlsSigner.sum(secrets, type(uint64).max);
        keys = BlsKeysLib.storeCode(bytes.concat(BlsSigner.g2(BlsSigner.GENERATOR_G2, total), packed));
    }

    function mask(uint64 bits, uint256 n) private pure returns (uint64) {
        return uint64(bits & ((uint256(1) << n) - 1));
    }

    function vector() private view returns (string memory) {
        return vm.readFile("../tests/vectors/bls.json");
    }

    function entry(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    function assertSame(bytes memory got, bytes memory wanted, string memory what) private pure {
        assertEq(keccak256(got), keccak256(wanted), what);
    }
}

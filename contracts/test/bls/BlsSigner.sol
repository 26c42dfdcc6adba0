// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlsLib} from "../../src/libraries/BlsLib.sol";

/// @notice Secret keys at work: what a validator's own machine does, through the same precompiles. Vectors made by another
/// library show that it is the same.
library BlsSigner {
    uint256 internal constant ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;

    /// @dev x.c0, x.c1, y.c0, y.c1
    bytes internal constant GENERATOR_G2 =
        hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb80000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be";
    bytes internal constant GENERATOR_G1 =
        hex"0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";

    function secret(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("bls", seed))) % (ORDER - 1) + 1;
    }

    function g1(bytes memory point, uint256 scalar) internal view returns (bytes memory) {
        return call(0x0c, abi.encodePacked(point, scalar));
    }

    function g2(bytes memory point, uint256 scalar) internal view returns (bytes memory) {
        return call(0x0e, abi.encodePacked(point, scalar));
    }

    function addG1(bytes memory a, bytes memory b) internal view returns (bytes memory) {
        return call(0x0b, abi.encodePacked(a, b));
    }

    function addG2(bytes memory a, bytes memory b) internal view returns (bytes memory) {
        return call(0x0d, abi.encodePacked(a, b));
    }

    /// @dev Packed.
    function key(uint256 secret_) internal view returns (bytes memory) {
        return pack(g2(GENERATOR_G2, secret_));
    }

    /// @dev Packed. The aggregate of several signers is the signature of the sum of their secrets.
    function sign(uint256 secret_, bytes32 digest) internal view returns (bytes memory) {
        return signTagged(secret_, digest, BlsLib.SIGNATURE_TAG);
    }

    function possession(uint256 secret_, bytes32 statement) internal view returns (bytes memory) {
        return signTagged(secret_, statement, BlsLib.POSSESSION_TAG);
    }

    function signTagged(uint256 secret_, bytes32 digest, bytes memory tag)
        internal
        view
        returns (bytes memory)
    {
        return pack(g1(BlsLib.hashToG1(abi.encodePacked(digest), tag), secret_));
    }

    /// @dev Sum of secrets, mod the order.
    function sum(uint256[] memory secrets, uint64 signers) internal pure returns (uint256 total) {
        for (uint256 i = 0; i < secrets.length; ++i) {
            if ((signers >> i) & 1 == 1) total = addmod(total, secrets[i], ORDER);
        }
    }

    /// @dev Drops the 16 zero bytes before each element.
    function pack(bytes memory padded) internal pure returns (bytes memory packed) {
        for (uint256 at = 0; at < padded.length; at += 64) {
            packed = bytes.concat(packed, slice(padded, at + 16, 48));
        }
    }

    function slice(bytes memory data, uint256 from, uint256 length)
        internal
        pure
        returns (bytes memory part)
    {
        part = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(data, 0x20), from), length)
        }
    }

    function call(uint256 precompile, bytes memory input) internal view returns (bytes memory) {
        (bool done, bytes memory output) = address(uint160(precompile)).staticcall(input);
        require(done && output.length != 0, "precompile");
        return output;
    }
}

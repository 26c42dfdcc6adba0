// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlsLib} from "../../src/libraries/BlsLib.sol";

/// @notice The other variant, keys in G1 (packed 96 bytes) and signatures in G2 (packed 192), for the comparison of
/// docs/adr/0014 alone: written with the same care, so that the difference is the variant's.
library BlsMinPk {
    bytes internal constant SIGNATURE_TAG = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

    uint256 internal constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 internal constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;

    function store(bytes memory sum, bytes memory packed) internal returns (address pointer) {
        bytes memory code =
            abi.encodePacked(hex"61", uint16(129 + packed.length), hex"80600a3d393df3", hex"00", sum, packed);
        assembly ("memory-safe") {
            pointer := create(0, add(code, 0x20), mload(code))
        }
        require(pointer != address(0), "stored");
    }

    function sumWithout(address pointer, uint256 absent) internal view returns (bytes memory sum) {
        sum = new bytes(128);
        assembly ("memory-safe") {
            extcodecopy(pointer, add(sum, 0x20), 1, 128)
        }
        if (absent == 0) return sum;
        bytes memory missing = sumOf(pointer, absent);
        bytes memory input = abi.encodePacked(sum, missing);
        bool done;
        assembly ("memory-safe") {
            let at := add(input, 0xe0)
            let high := mload(at)
            let low := mload(add(at, 0x20))
            if or(high, low) {
                mstore(at, sub(sub(P_HIGH, high), gt(low, P_LOW)))
                mstore(add(at, 0x20), sub(P_LOW, low))
            }
            done := staticcall(gas(), 0x0b, add(input, 0x20), 256, add(sum, 0x20), 128)
        }
        require(done, "add");
    }

    function sumOf(address keys, uint256 chosen) private view returns (bytes memory sum) {
        sum = new bytes(256);
        uint256 offset = 129;
        bool done = true;
        assembly ("memory-safe") {
            let room := add(sum, 0x20)
            for {} chosen { chosen := shr(1, chosen) } {
                if and(chosen, 1) {
                    extcodecopy(keys, add(room, 160), offset, 96)
                    let low := mload(add(room, 176))
                    mstore(add(room, 128), shr(128, mload(add(room, 160))))
                    mstore(add(room, 160), low)
                    low := mload(add(room, 224))
                    mstore(add(room, 192), shr(128, mload(add(room, 208))))
                    mstore(add(room, 224), low)
                    done := and(done, staticcall(gas(), 0x0b, room, 256, room, 128))
                }
                offset := add(offset, 96)
            }
            mstore(sum, 128)
        }
        require(done, "add");
    }

    function hashToG2(bytes memory message, bytes memory tag) internal view returns (bytes memory point) {
        bytes memory uniform = BlsLib.expand(message, tag, 8);
        point = new bytes(512);
        bool done = true;
        assembly ("memory-safe") {
            let first := add(point, 0x20)
            let input := mload(0x40)
            mstore(input, 64)
            mstore(add(input, 0x20), 1)
            mstore(add(input, 0x40), 64)
            mstore8(add(input, 0xa0), 1)
            mstore(add(input, 0xa1), P_HIGH)
            mstore(add(input, 0xc1), P_LOW)
            // Elements 0 and 1 become the first point, 2 and 3 the second; a result has twice the room of its input.
            for { let i := 0 } lt(i, 4) { i := add(i, 1) } {
                mcopy(add(input, 0x60), add(add(uniform, 0x20), shl(6, i)), 64)
                let to := add(add(first, shl(8, shr(1, i))), shl(6, and(i, 1)))
                done := and(done, staticcall(gas(), 0x05, input, 0xe1, to, 64))
            }
            done := and(done, staticcall(gas(), 0x11, first, 128, first, 256))
            done := and(done, staticcall(gas(), 0x11, add(first, 256), 128, add(first, 256), 256))
            done := and(done, staticcall(gas(), 0x0d, first, 512, first, 256))
            mstore(point, 256)
        }
        require(done, "hash");
    }

    function verify(bytes memory key, bytes32 digest, bytes calldata signature)
        internal
        view
        returns (bool valid)
    {
        bytes memory hashed = hashToG2(abi.encodePacked(digest), SIGNATURE_TAG);
        assembly ("memory-safe") {
            let input := mload(0x40)
            // minus the generator of G1
            mstore(input, 0x17f1d3a73197d7942695638c4fa9ac0f)
            mstore(add(input, 0x20), 0xc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb)
            mstore(add(input, 0x40), 0x114d1d6855d545a8aa7d76c8cf2e21f2)
            mstore(add(input, 0x60), 0x67816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca)
            for { let i := 0 } lt(i, 4) { i := add(i, 1) } {
                let from := add(signature.offset, mul(i, 48))
                let to := add(add(input, 0x80), shl(6, i))
                mstore(to, shr(128, calldataload(from)))
                mstore(add(to, 0x20), calldataload(add(from, 16)))
            }
            mcopy(add(input, 0x180), add(key, 0x20), 128)
            mcopy(add(input, 0x200), add(hashed, 0x20), 256)
            let done := staticcall(gas(), 0x0f, input, 0x300, 0, 0x20)
            valid := and(done, eq(mload(0), 1))
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Sha256Lib
/// @notice SHA-256 from the middle of a message on (FIPS 180-4), so that the end of a long blob can be shown without the
/// rest. A state that leads to a given hash over a chosen end cannot be found but by hashing a true beginning: that is
/// a pseudo-preimage of the compression function.
library Sha256Lib {
    uint256 internal constant BLOCK_BYTES = 64;

    bytes private constant K =
        hex"428a2f9871374491b5c0fbcfe9b5dba53956c25b59f111f1923f82a4ab1c5ed5d807aa9812835b01243185be550c7dc372be5d7480deb1fe9bdc06a7c19bf174e49b69c1efbe47860fc19dc6240ca1cc2de92c6f4a7484aa5cb0a9dc76f988da983e5152a831c66db00327c8bf597fc7c6e00bf3d5a7914706ca63511429296727b70a852e1b21384d2c6dfc53380d13650a7354766a0abb81c2c92e92722c85a2bfe8a1a81a664bc24b8b70c76c51a3d192e819d6990624f40e3585106aa07019a4c1161e376c082748774c34b0bcb5391c0cb34ed8aa4a5b9cca4f682e6ff3748f82ee78a5636f84c878148cc7020890befffaa4506cebbef9a3f7c67178f2";

    /// @notice Hash of a message that went through `state` after its first `skipped` bytes and ends with `rest`.
    /// @param state Eight words of 32 bits.
    /// @param skipped A multiple of BLOCK_BYTES.
    function finish(bytes32 state, uint64 skipped, bytes memory rest) internal pure returns (bytes32) {
        uint256 zeros = (119 - rest.length % BLOCK_BYTES) % BLOCK_BYTES;
        bytes memory padded = abi.encodePacked(
            rest, bytes1(0x80), new bytes(zeros), uint64((uint256(skipped) + rest.length) * 8)
        );
        // What `K` is copied to, and the schedule of one block, are used again for all blocks.
        bytes memory constants = K;
        uint256[64] memory schedule;
        for (uint256 offset = 0; offset < padded.length; offset += BLOCK_BYTES) {
            state = compress(state, padded, offset, constants, schedule);
        }
        return state;
    }

    function compress(
        bytes32 state,
        bytes memory data,
        uint256 offset,
        bytes memory constants,
        uint256[64] memory w
    ) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            // The word twice in a row: a rotation is a shift.
            function twice(x) -> y {
                y := or(x, shl(32, x))
            }
            let from := add(add(data, 0x20), offset)
            for { let i := 0 } lt(i, 16) { i := add(i, 1) } {
                mstore(add(w, shl(5, i)), shr(224, mload(add(from, shl(2, i)))))
            }
            for { let to := add(w, 0x200) } lt(to, add(w, 0x800)) { to := add(to, 0x20) } {
                let x := mload(sub(to, 0x1e0))
                let y := mload(sub(to, 0x40))
                let xx := twice(x)
                let yy := twice(y)
                let s0 := xor(and(xor(shr(7, xx), shr(18, xx)), 0xffffffff), shr(3, x))
                let s1 := xor(and(xor(shr(17, yy), shr(19, yy)), 0xffffffff), shr(10, y))
                mstore(
                    to,
                    and(add(add(mload(sub(to, 0x200)), s0), add(mload(sub(to, 0xe0)), s1)), 0xffffffff)
                )
            }
            // The eight working variables, in memory: there are too many of them for the stack.
            let v := mload(0x40)
            for { let i := 0 } lt(i, 8) { i := add(i, 1) } {
                mstore(add(v, shl(5, i)), and(shr(sub(224, shl(5, i)), state), 0xffffffff))
            }
            for { let i := 0 } lt(i, 64) { i := add(i, 1) } {
                // Sums may run over: they are cut where they are stored.
                let e := mload(add(v, 0x80))
                let g := mload(add(v, 0xc0))
                let t := add(xor(g, and(e, xor(mload(add(v, 0xa0)), g))), mload(add(v, 0xe0)))
                let x := twice(e)
                t := add(t, and(xor(xor(shr(6, x), shr(11, x)), shr(25, x)), 0xffffffff))
                t := add(t, shr(224, mload(add(add(constants, 0x20), shl(2, i)))))
                t := add(t, mload(add(w, shl(5, i))))
                let a := mload(v)
                let b := mload(add(v, 0x20))
                x := mload(add(v, 0x40))
                let u := xor(and(a, xor(b, x)), and(b, x))
                x := twice(a)
                u := add(u, and(xor(xor(shr(2, x), shr(13, x)), shr(22, x)), 0xffffffff))
                let d := mload(add(v, 0x60))
                mcopy(add(v, 0x20), v, 0xe0)
                mstore(add(v, 0x80), and(add(d, t), 0xffffffff))
                mstore(v, and(add(t, u), 0xffffffff))
            }
            for { let i := 0 } lt(i, 8) { i := add(i, 1) } {
                let place := sub(224, shl(5, i))
                let sum := and(add(shr(place, state), mload(add(v, shl(5, i)))), 0xffffffff)
                result := or(result, shl(place, sum))
            }
        }
    }
}

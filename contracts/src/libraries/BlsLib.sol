// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title BlsLib
/// @notice BLS12-381 aggregates through the precompiles of EIP-2537: keys in G2, signatures in G1 (the "minimal
/// signature" variant), ciphersuite BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_ of the IETF draft
/// draft-irtf-cfrg-bls-signature, hashing by RFC 9380.
///
/// A field element has 48 bytes, big-endian. *Packed*, a point is its coordinates without padding (a signature 96 bytes:
/// x, y; a key 192 bytes: x.c0, x.c1, y.c0, y.c1); the precompiles take each element behind 16 zero bytes. All zero is the
/// point at infinity.
library BlsLib {
    /// @notice A packed point of G1.
    uint256 internal constant SIGNATURE_BYTES = 96;
    /// @notice A packed point of G2.
    uint256 internal constant KEY_BYTES = 192;

    /// @dev Same length, so that both fit one routine; a signature can never be shown as a proof of possession.
    bytes internal constant SIGNATURE_TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    bytes internal constant POSSESSION_TAG = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

    /// @dev The field's modulus: its upper 16 and its lower 32 bytes.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;

    uint256 private constant FP = 64;
    uint256 private constant G1 = 128;
    uint256 private constant G2 = 256;

    uint256 private constant MODEXP = 0x05;
    uint256 private constant G1_ADD = 0x0b;
    uint256 private constant G2_ADD = 0x0d;
    uint256 private constant PAIRING = 0x0f;
    uint256 private constant MAP_TO_G1 = 0x10;

    /// @notice Bytes that are no points of the curve.
    error PointInvalid();

    /// @notice Whether `signature` is the aggregate over `digest` of the keys whose sum is `key`.
    /// @param key Padded point of G2 of the right subgroup, not infinity: the caller's duty.
    /// @param signature Packed, SIGNATURE_BYTES long: the caller's duty. Infinity signs nothing.
    function verify(bytes memory key, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        return _verify(key, abi.encodePacked(digest), SIGNATURE_TAG, signature);
    }

    /// @notice Whether `proof` shows that whoever speaks with `statement` knows the secret of `key`. The pairing refuses
    /// keys outside the subgroup.
    /// @param key Packed, KEY_BYTES long. Infinity is nobody's key: only infinity would fit it, and proves nothing.
    /// @param statement What binds the proof to one account in one place; it should cover `key`.
    function verifyPossession(bytes calldata key, bytes32 statement, bytes calldata proof)
        internal
        view
        returns (bool)
    {
        return _verify(unpackKey(key), abi.encodePacked(statement), POSSESSION_TAG, proof);
    }

    /// @notice A packed key in the precompiles' form.
    function unpackKey(bytes memory key) internal pure returns (bytes memory padded) {
        padded = new bytes(G2);
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, 4) { i := add(i, 1) } {
                let from := add(add(key, 0x20), mul(i, 48))
                let to := add(add(padded, 0x20), shl(6, i))
                mstore(to, shr(128, mload(from)))
                mstore(add(to, 0x20), mload(add(from, 16)))
            }
        }
    }

    /// @notice Padded sum of those keys in the code of `keys` whose bit in `chosen` is set.
    /// @param offset Where in that code the first packed key begins; the others follow it.
    function sumOf(address keys, uint256 offset, uint256 chosen) internal view returns (bytes memory sum) {
        sum = new bytes(2 * G2);
        bool done = true;
        // The sum and the next key lie side by side, as the precompile wants them, and it writes over the sum. A packed
        // key is read to where the padded one ends, and moved from the front to the back: no word is overwritten that
        // is still to be read.
        assembly ("memory-safe") {
            let room := add(sum, 0x20)
            for {} chosen { chosen := shr(1, chosen) } {
                if and(chosen, 1) {
                    extcodecopy(keys, add(room, 320), offset, KEY_BYTES)
                    let low := mload(add(room, 336))
                    mstore(add(room, 256), shr(128, mload(add(room, 320))))
                    mstore(add(room, 288), low)
                    low := mload(add(room, 384))
                    mstore(add(room, 320), shr(128, mload(add(room, 368))))
                    mstore(add(room, 352), low)
                    low := mload(add(room, 432))
                    mstore(add(room, 384), shr(128, mload(add(room, 416))))
                    mstore(add(room, 416), low)
                    low := mload(add(room, 480))
                    mstore(add(room, 448), shr(128, mload(add(room, 464))))
                    mstore(add(room, 480), low)
                    done := and(done, staticcall(gas(), G2_ADD, room, 512, room, G2))
                }
                offset := add(offset, KEY_BYTES)
            }
            mstore(sum, G2)
        }
        if (!done) revert PointInvalid();
    }

    /// @notice Sum of two padded points of G2, written over the first.
    function add(bytes memory sum, bytes memory other) internal view {
        bytes memory input = abi.encodePacked(sum, other);
        bool done;
        assembly ("memory-safe") {
            done := staticcall(gas(), G2_ADD, add(input, 0x20), 512, add(sum, 0x20), 256)
        }
        if (!done) revert PointInvalid();
    }

    /// @notice Turns a padded point of G2 into its negative: both parts of y are taken from p.
    function negate(bytes memory point) internal pure {
        assembly ("memory-safe") {
            for { let at := add(point, 0xa0) } lt(at, add(point, 0x120)) { at := add(at, 0x40) } {
                let high := mload(at)
                let low := mload(add(at, 0x20))
                // The negative of zero is zero: p itself is no element.
                if or(high, low) {
                    mstore(at, sub(sub(P_HIGH, high), gt(low, P_LOW)))
                    mstore(add(at, 0x20), sub(P_LOW, low))
                }
            }
        }
    }

    /// @notice RFC 9380 hash_to_curve for G1 (BLS12381G1_XMD:SHA-256_SSWU_RO_), padded.
    /// @param tag Domain separation tag, at most 255 bytes.
    function hashToG1(bytes memory message, bytes memory tag) internal view returns (bytes memory point) {
        bytes memory uniform = expand(message, tag, 4);
        point = new bytes(G2);
        bool done;
        assembly ("memory-safe") {
            let first := add(point, 0x20)
            let input := mload(0x40)
            // base of 64 bytes, exponent 1, modulus of 64 bytes: the result is padded as the precompiles want it
            mstore(input, FP)
            mstore(add(input, 0x20), 1)
            mstore(add(input, 0x40), FP)
            mstore8(add(input, 0xa0), 1)
            mstore(add(input, 0xa1), P_HIGH)
            mstore(add(input, 0xc1), P_LOW)
            mcopy(add(input, 0x60), add(uniform, 0x20), FP)
            done := staticcall(gas(), MODEXP, input, 0xe1, first, FP)
            done := and(done, staticcall(gas(), MAP_TO_G1, first, FP, first, G1))
            mcopy(add(input, 0x60), add(uniform, 0x60), FP)
            done := and(done, staticcall(gas(), MODEXP, input, 0xe1, add(first, G1), FP))
            done := and(done, staticcall(gas(), MAP_TO_G1, add(first, G1), FP, add(first, G1), G1))
            done := and(done, staticcall(gas(), G1_ADD, first, G2, first, G1))
            mstore(point, G1)
        }
        if (!done) revert PointInvalid();
    }

    /// @notice RFC 9380 expand_message_xmd with SHA-256: `blocks` times 32 bytes, at most 255 blocks.
    function expand(bytes memory message, bytes memory tag, uint256 blocks)
        internal
        pure
        returns (bytes memory uniform)
    {
        bytes memory suffix = abi.encodePacked(tag, uint8(tag.length));
        bytes32 seed =
            sha256(abi.encodePacked(bytes32(0), bytes32(0), message, uint16(blocks * 32), uint8(0), suffix));
        uniform = new bytes(blocks * 32);
        bytes memory input = abi.encodePacked(seed, uint8(1), suffix);
        bytes32 last = 0;
        for (uint256 i = 1; i <= blocks; ++i) {
            assembly ("memory-safe") {
                mstore(add(input, 0x20), xor(seed, last))
                mstore8(add(input, 0x40), i)
            }
            last = sha256(input);
            assembly ("memory-safe") {
                mstore(add(uniform, shl(5, i)), last)
            }
        }
    }

    /// @dev e(signature, -generator) * e(hash, key) = 1. The precompile refuses points off the curve or outside the
    /// subgroup by failing, which is no signature either.
    function _verify(bytes memory key, bytes memory message, bytes memory tag, bytes calldata signature)
        private
        view
        returns (bool valid)
    {
        bytes memory hashed = hashToG1(message, tag);
        assembly ("memory-safe") {
            let input := mload(0x40)
            let x := calldataload(add(signature.offset, 16))
            let y := calldataload(add(signature.offset, 64))
            mstore(input, shr(128, calldataload(signature.offset)))
            mstore(add(input, 0x20), x)
            mstore(add(input, 0x40), shr(128, calldataload(add(signature.offset, 48))))
            mstore(add(input, 0x60), y)
            // minus the generator of G2: x.c0, x.c1, y.c0, y.c1
            mstore(add(input, 0x080), 0x024aa2b2f08f0a91260805272dc51051)
            mstore(add(input, 0x0a0), 0xc6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8)
            mstore(add(input, 0x0c0), 0x13e02b6052719f607dacd3a088274f65)
            mstore(add(input, 0x0e0), 0x596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e)
            mstore(add(input, 0x100), 0x0d1b3cc2c7027888be51d9ef691d77bc)
            mstore(add(input, 0x120), 0xb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa)
            mstore(add(input, 0x140), 0x13fa4d4a0ad8b1ce186ed5061789213d)
            mstore(add(input, 0x160), 0x993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed)
            mcopy(add(input, 0x180), add(hashed, 0x20), G1)
            mcopy(add(input, 0x200), add(key, 0x20), G2)
            // A signature at infinity is refused here: it would fit a key at
            // infinity, which colluding members can make.
            let seen := or(or(mload(input), x), or(mload(add(input, 0x40)), y))
            let done := staticcall(gas(), PAIRING, input, 0x300, 0, 0x20)
            valid := and(and(done, eq(mload(0), 1)), iszero(iszero(seen)))
        }
    }
}

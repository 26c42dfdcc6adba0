// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {MarkLib} from "../../src/libraries/MarkLib.sol";
import {BlobTail} from "../../src/types/Canary.sol";
import {Test} from "../utils/Test.sol";

contract MarkLibTest is Test {
    bytes32 private constant BEGIN = 0x6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19;
    uint256 private constant CODES = 128;

    function testFuzz_mark__anyShard__isTheUpperHalfOfAHash(
        bytes32 salt,
        bytes32 spec,
        uint32 round,
        uint32 shard
    ) public pure {
        bytes32 hash = keccak256(abi.encode(salt, spec, uint256(round), uint256(shard)));
        assertEq(MarkLib.mark(salt, spec, round, shard), uint128(bytes16(hash)), "mark");
    }

    /// @dev Codes of one byte and of two, with nothing before and nothing behind them.
    function testFuzz_requireMark__nothingButCodes__isTaken(uint128 mark, uint8 noise) public view {
        for (uint256 width = 1; width <= 2; ++width) {
            BlobTail memory tail = tailOf(codes(mark, width, noise), width);
            this.requireMark(sha256(tail.data), mark, tail);
        }
    }

    function testFuzz_requireMark__oneBitIsAnother__isNotMarked(uint128 mark, uint8 bit) public {
        bit = uint8(bound(bit, 0, CODES - 1));
        BlobTail memory tail = tailOf(codes(mark, 2, 0), 2);
        uint128 other = mark ^ (uint128(1) << bit);
        bytes32 gradient = sha256(tail.data);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotMarked.selector, gradient, other, mark));
        this.requireMark(gradient, other, tail);
    }

    /// @dev The mark ends where the codes end, not where the blob does.
    function test_requireMark__bytesAround__areNotLookedAt() public view {
        uint128 mark = type(uint128).max / 3;
        bytes memory blob = bytes.concat("head", codes(mark, 1, 7), "exponents");
        BlobTail memory tail = BlobTail(BEGIN, 0, blob, uint32(4 + CODES), 1);
        this.requireMark(sha256(blob), mark, tail);
    }

    function test_requireMark_revertsIfTheCodesAreFewerThanTheBits() public {
        for (uint256 width = 1; width <= 2; ++width) {
            BlobTail memory tail = tailOf(codes(0, width, 0), width);
            tail.codesEnd -= 1;
            uint256 whole = CODES * width;
            bytes32 gradient = sha256(tail.data); // hashing is a call, which would be taken for the refused one
            vm.expectRevert(
                abi.encodeWithSelector(ICanaries.OutOfBounds.selector, "codesEnd", whole - 1, whole, whole)
            );
            this.requireMark(gradient, 0, tail);
        }
    }

    function test_requireMark_revertsIfACodeHasNoSuchWidth() public {
        uint8[2] memory widths = [0, 3];
        for (uint256 i = 0; i < 2; ++i) {
            BlobTail memory tail = tailOf(new bytes(CODES * 3), widths[i]);
            bytes32 gradient = sha256(tail.data);
            vm.expectRevert(
                abi.encodeWithSelector(ICanaries.OutOfBounds.selector, "codeBytes", widths[i], 1, 2)
            );
            this.requireMark(gradient, 0, tail);
        }
    }

    function requireMark(bytes32 gradient, uint128 mark, BlobTail calldata tail) external pure {
        MarkLib.requireMark(gradient, mark, tail);
    }

    function tailOf(bytes memory blob, uint256 width) private pure returns (BlobTail memory) {
        return BlobTail(BEGIN, 0, blob, uint32(blob.length), uint8(width));
    }

    /// @dev 128 codes, the least significant byte first; all bits but the mark's are noise.
    function codes(uint128 mark, uint256 width, uint8 noise) private pure returns (bytes memory blob) {
        blob = new bytes(CODES * width);
        for (uint256 i = 0; i < CODES; ++i) {
            blob[i * width] = bytes1((noise & 0xFE) | uint8((mark >> (CODES - 1 - i)) & 1));
            if (width == 2) blob[i * width + 1] = bytes1(noise ^ 0x55);
        }
    }
}

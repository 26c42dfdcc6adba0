// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {QuorumLib} from "../../src/libraries/QuorumLib.sol";
import {Test} from "../utils/Test.sol";

contract QuorumLibTest is Test {
    /// @dev The dumb twin: the smallest q whose any two sets share more than the faulty members.
    function test_quorum__everySize__isTheSmallestThatIntersectsHonestly() public pure {
        for (uint256 n = 1; n <= 64; ++n) {
            uint256 f = 0;
            while (3 * (f + 1) + 1 <= n) {
                ++f;
            }
            uint256 q = 1;
            while (2 * q < n + f + 1) {
                ++q;
            }
            assertEq(QuorumLib.faulty(n), f, "faulty");
            assertEq(QuorumLib.quorum(n), q, "quorum");
            assertTrue(q <= n - f, "honest members alone reach it");
        }
    }

    function test_faulty__nobodyOrOne__isNone() public pure {
        assertEq(QuorumLib.faulty(0), 0, "of nobody");
        assertEq(QuorumLib.faulty(1), 0, "of one");
    }

    function testFuzz_popcount__anyBitmap__countsEachBit(uint64 bitmap) public pure {
        uint256 count = 0;
        for (uint256 i = 0; i < 64; ++i) {
            if ((bitmap >> i) & 1 == 1) ++count;
        }
        assertEq(QuorumLib.popcount(bitmap), count, "bits");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundingLib} from "../../src/libraries/RoundingLib.sol";
import {Test} from "../utils/Test.sol";

contract RoundingLibTest is Test {
    function test_shareDown__noParts__isNothing() public pure {
        assertEq(RoundingLib.shareDown(0, 0), 0, "nothing of nothing");
        assertEq(RoundingLib.shareDown(7, 0), 0, "no part of something");
    }

    function testFuzz_shareDown__anyParts__leavesLessThanOneEach(uint128 total, uint8 parts) public pure {
        uint256 n = bound(parts, 1, 64);
        uint256 share = RoundingLib.shareDown(total, n);
        assertAtMost(share * n, total, "shares");
        assertAtMost(total - share * n, n - 1, "dust");
    }

    function testFuzz_bpsDown__anyAmount__isTheFloor(uint128 amount, uint16 bps) public pure {
        uint256 points = bound(bps, 0, RoundingLib.BPS);
        uint256 part = RoundingLib.bpsDown(amount, points);
        assertAtMost(part * RoundingLib.BPS, uint256(amount) * points, "floor");
        assertAtMost(uint256(amount) * points, part * RoundingLib.BPS + RoundingLib.BPS - 1, "no less");
    }
}

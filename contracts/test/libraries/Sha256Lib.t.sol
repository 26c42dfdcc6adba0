// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Sha256Lib} from "../../src/libraries/Sha256Lib.sol";
import {Test} from "../utils/Test.sol";

contract Sha256LibTest is Test {
    bytes32 private constant BEGIN = 0x6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19;

    function testFuzz_finish__fromTheBeginning__isSha256(bytes memory data) public pure {
        assertEq(Sha256Lib.finish(BEGIN, 0, data), sha256(data), "hash");
    }

    function test_finish__aroundTheBlocks__isSha256() public pure {
        for (uint256 length = 0; length < 200; ++length) {
            bytes memory data = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                data[i] = bytes1(uint8(length + i * 7));
            }
            assertEq(Sha256Lib.finish(BEGIN, 0, data), sha256(data), "hash");
        }
    }
}

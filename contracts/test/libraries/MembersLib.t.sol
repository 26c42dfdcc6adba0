// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {Test} from "../utils/Test.sol";

contract MembersLibTest is Test {
    function testFuzz_store__anyList__isReadBack(uint256 seed, uint8 size) public {
        uint256[] memory words = new uint256[](bound(size, 0, 64));
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = uint256(keccak256(abi.encode(seed, i)));
        }
        address pointer = MembersLib.store(words, bytes32(seed));
        assertEq(uint256(uint8(pointer.code[0])), 0, "a call stops at once");
        bytes memory packed = MembersLib.load(pointer);
        bytes memory behind = new bytes(32);
        assertEq(MembersLib.seedAt(pointer), bytes32(seed), "seed");
        assertEq(MembersLib.count(packed), words.length, "count");
        address[] memory accounts = MembersLib.accounts(words);
        uint256[] memory stakes = MembersLib.stakes(words);
        for (uint256 i = 0; i < words.length; ++i) {
            assertEq(MembersLib.get(packed, i), accounts[i], "member");
            assertEq(MembersLib.indexOf(packed, accounts[i]), i, "index");
            assertEq(MembersLib.word(accounts[i], stakes[i]), words[i], "address and stake make the word");
        }
        assertEq(MembersLib.indexOf(packed, address(this)), words.length, "no member");
        assertEq(keccak256(abi.encode(MembersLib.words(packed))), keccak256(abi.encode(words)), "array");
        assertEq(keccak256(behind), keccak256(new bytes(32)), "memory behind the list is untouched");
    }

    /// @dev The only way to make `create` fail for a list of at most 64 members and enough gas.
    function test_store_revertsIfNothingCanBeCreated() public {
        vm.setNonceUnsafe(address(this), type(uint64).max);
        vm.expectRevert(abi.encodeWithSelector(MembersLib.MembersNotStored.selector));
        this.store(new uint256[](4));
    }

    function test_words__anyList__writesNothingBehindTheArray() public {
        bytes memory packed = MembersLib.load(MembersLib.store(new uint256[](4), bytes32(0)));
        bytes memory behind = hex"ff";
        uint256[] memory words = MembersLib.words(packed);
        bytes32 next;
        assembly ("memory-safe") {
            next := mload(add(add(words, 0x20), shl(5, mload(words))))
        }
        assertEq(next, bytes32(0), "fresh memory");
        assertEq(behind.length, 1, "what lies behind the list is there to be copied");
    }

    function test_isList__codeOfEachLength__holdsAtLeastOneMember() public {
        assertTrue(!MembersLib.isList(address(0xC0FFEE)), "no code");
        assertTrue(!MembersLib.isList(MembersLib.store(new uint256[](0), bytes32(0))), "no member");
        assertTrue(MembersLib.isList(MembersLib.store(new uint256[](1), bytes32(0))), "one member");
        vm.etch(address(0xC0FFEE), new bytes(64));
        assertTrue(!MembersLib.isList(address(0xC0FFEE)), "one byte less than one member");
    }

    function store(uint256[] memory words) external returns (address) {
        return MembersLib.store(words, bytes32(0));
    }

    function test_word__stakeTooLarge__isCut() public pure {
        uint256 word = MembersLib.word(address(1), uint256(type(uint96).max) + 5);
        assertEq(MembersLib.stakeOf(word), type(uint96).max, "stake");
        assertEq(MembersLib.accountOf(word), address(1), "the address is untouched");
    }
}

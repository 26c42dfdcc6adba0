// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {Test} from "../utils/Test.sol";

contract MembersLibTest is Test {
    function testFuzz_store__anyList__isReadBack(uint256 seed, uint8 size) public {
        address[] memory members = new address[](bound(size, 0, 64));
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = address(uint160(uint256(keccak256(abi.encode(seed, i)))));
        }
        address pointer = MembersLib.store(members);
        assertEq(uint256(uint8(pointer.code[0])), 0, "a call stops at once");
        bytes memory packed = MembersLib.load(pointer);
        bytes memory behind = new bytes(32);
        assertEq(MembersLib.count(packed), members.length, "count");
        for (uint256 i = 0; i < members.length; ++i) {
            assertEq(MembersLib.get(packed, i), members[i], "member");
            assertEq(MembersLib.indexOf(packed, members[i]), i, "index");
        }
        assertEq(MembersLib.indexOf(packed, address(this)), members.length, "no member");
        assertEq(keccak256(abi.encode(MembersLib.unpack(packed))), keccak256(abi.encode(members)), "array");
        assertEq(keccak256(behind), keccak256(new bytes(32)), "memory behind the list is untouched");
    }

    /// @dev The only way to make `create` fail for a list of at most 64 members and enough gas.
    function test_store_revertsIfNothingCanBeCreated() public {
        vm.setNonceUnsafe(address(this), type(uint64).max);
        vm.expectRevert(abi.encodeWithSelector(MembersLib.MembersNotStored.selector));
        this.store(new address[](4));
    }

    function store(address[] memory members) external returns (address) {
        return MembersLib.store(members);
    }
}

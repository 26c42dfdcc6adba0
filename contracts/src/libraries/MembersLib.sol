// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title MembersLib
/// @notice Lists of addresses stored as the code of a contract that is never called: 20 bytes for each address, in
/// ascending order, behind one STOP byte. Reading 64 members costs what reading two storage slots costs.
library MembersLib {
    uint256 private constant ADDRESS_BYTES = 20;

    /// @notice The list could not be stored.
    error MembersNotStored();

    /// @notice Stores `members`, which ascend, and returns where they are.
    function store(address[] memory members) internal returns (address pointer) {
        // PUSH2 size DUP1 PUSH1 10 RETURNDATASIZE CODECOPY RETURNDATASIZE RETURN: return what follows these 10 bytes.
        uint256 size = 1 + members.length * ADDRESS_BYTES;
        bytes memory code = abi.encodePacked(hex"61", uint16(size), hex"80600a3d393df3", hex"00");
        for (uint256 i = 0; i < members.length; ++i) {
            code = bytes.concat(code, bytes20(members[i]));
        }
        assembly ("memory-safe") {
            pointer := create(0, add(code, 0x20), mload(code))
        }
        if (pointer == address(0)) revert MembersNotStored();
    }

    /// @notice Reads the packed list at `pointer`.
    function load(address pointer) internal view returns (bytes memory packed) {
        assembly ("memory-safe") {
            let size := sub(extcodesize(pointer), 1)
            packed := mload(0x40)
            mstore(packed, size)
            extcodecopy(pointer, add(packed, 0x20), 1, size)
            mstore(0x40, and(add(add(packed, size), 0x3f), not(0x1f)))
        }
    }

    /// @notice Number of addresses in a packed list.
    function count(bytes memory packed) internal pure returns (uint256) {
        return packed.length / ADDRESS_BYTES;
    }

    /// @notice Address number `index`, which the caller has checked to be below `count(packed)`.
    function get(bytes memory packed, uint256 index) internal pure returns (address member) {
        assembly ("memory-safe") {
            member := shr(96, mload(add(add(packed, 0x20), mul(index, ADDRESS_BYTES))))
        }
    }

    /// @notice Position of `account`, or `count(packed)` when it is not there. At most 64 steps.
    function indexOf(bytes memory packed, address account) internal pure returns (uint256 index) {
        uint256 n = count(packed);
        while (index < n && get(packed, index) != account) {
            ++index;
        }
    }

    /// @notice The list as an array.
    function unpack(bytes memory packed) internal pure returns (address[] memory members) {
        members = new address[](count(packed));
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = get(packed, i);
        }
    }
}

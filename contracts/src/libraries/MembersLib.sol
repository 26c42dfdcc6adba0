// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title MembersLib
/// @notice Lists of members stored as the code of a contract that is never called: behind one STOP byte and a seed, one
/// word for each member, its address and in the low 12 bytes its stake (at most 2**96 - 1 is recorded), ascending by
/// address. Reading 64 members costs what reading two storage slots costs.
library MembersLib {
    uint256 private constant WORD = 32;
    /// @dev The STOP byte and the seed.
    uint256 private constant HEAD = 33;
    uint256 private constant STAKE_BITS = 96;

    /// @notice The list could not be stored.
    error MembersNotStored();

    /// @notice One word for `account` with `stake`.
    function word(address account, uint256 stake) internal pure returns (uint256) {
        if (stake > type(uint96).max) stake = type(uint96).max;
        return (uint256(uint160(account)) << STAKE_BITS) | stake;
    }

    /// @notice Address in a word.
    function accountOf(uint256 word_) internal pure returns (address) {
        return address(uint160(word_ >> STAKE_BITS));
    }

    /// @notice Stake in a word.
    function stakeOf(uint256 word_) internal pure returns (uint256) {
        return uint96(word_);
    }

    /// @notice Stores the words of `list`, which ascend, with `seed`, and returns where they are.
    function store(uint256[] memory list, bytes32 seed) internal returns (address pointer) {
        // PUSH2 size DUP1 PUSH1 10 RETURNDATASIZE CODECOPY RETURNDATASIZE RETURN: return what follows these 10 bytes.
        uint256 size = HEAD + list.length * WORD;
        bytes memory code = abi.encodePacked(hex"61", uint16(size), hex"80600a3d393df3", hex"00", seed, list);
        assembly ("memory-safe") {
            pointer := create(0, add(code, 0x20), mload(code))
        }
        if (pointer == address(0)) revert MembersNotStored();
    }

    /// @notice Whether there can be a list of at least one member at `pointer`.
    function isList(address pointer) internal view returns (bool) {
        return pointer.code.length >= HEAD + WORD;
    }

    /// @notice Reads the packed list at `pointer`.
    function load(address pointer) internal view returns (bytes memory packed) {
        assembly ("memory-safe") {
            let size := sub(extcodesize(pointer), HEAD)
            packed := mload(0x40)
            mstore(packed, size)
            extcodecopy(pointer, add(packed, 0x20), HEAD, size)
            mstore(0x40, add(add(packed, size), 0x20))
        }
    }

    /// @notice Seed that was stored with the list at `pointer`.
    function seedAt(address pointer) internal view returns (bytes32 seed) {
        assembly ("memory-safe") {
            extcodecopy(pointer, 0, 1, 0x20)
            seed := mload(0)
        }
    }

    /// @notice Number of members in a packed list.
    function count(bytes memory packed) internal pure returns (uint256) {
        return packed.length / WORD;
    }

    /// @notice Address number `index`, which the caller has checked to be below `count(packed)`.
    function get(bytes memory packed, uint256 index) internal pure returns (address member) {
        assembly ("memory-safe") {
            member := shr(STAKE_BITS, mload(add(add(packed, 0x20), shl(5, index))))
        }
    }

    /// @notice Position of `account`, or `count(packed)` when it is not there. At most 64 steps.
    function indexOf(bytes memory packed, address account) internal pure returns (uint256 index) {
        uint256 n = count(packed);
        while (index < n && get(packed, index) != account) {
            ++index;
        }
    }

    /// @notice The words as an array.
    function words(bytes memory packed) internal pure returns (uint256[] memory list) {
        list = new uint256[](count(packed));
        for (uint256 i = 0; i < list.length; ++i) {
            assembly ("memory-safe") {
                mstore(add(add(list, 0x20), shl(5, i)), mload(add(add(packed, 0x20), shl(5, i))))
            }
        }
    }

    /// @notice The addresses of a list of words.
    function accounts(uint256[] memory words_) internal pure returns (address[] memory members) {
        members = new address[](words_.length);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = accountOf(words_[i]);
        }
    }

    /// @notice The stakes of a list of words.
    function stakes(uint256[] memory words_) internal pure returns (uint256[] memory list) {
        list = new uint256[](words_.length);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = stakeOf(words_[i]);
        }
    }
}

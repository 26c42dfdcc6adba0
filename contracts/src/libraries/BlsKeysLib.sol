// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlsLib} from "./BlsLib.sol";

/// @title BlsKeysLib
/// @notice BLS keys as the code of contracts that are never called: behind a STOP byte, one packed key; or the padded sum
/// of a committee's keys and then the packed keys in the order of its members. A certificate reads the sum and takes the
/// keys of those away who did not sign, at most a third: it never reads the others.
library BlsKeysLib {
    /// @dev The STOP byte and the sum.
    uint256 private constant HEAD = 257;
    uint256 private constant SUM_BYTES = 256;

    /// @notice The keys could not be stored.
    error KeysNotStored();

    /// @notice Stores `data` behind a STOP byte, and returns where it is.
    function storeCode(bytes memory data) internal returns (address pointer) {
        // PUSH2 size DUP1 PUSH1 10 RETURNDATASIZE CODECOPY RETURNDATASIZE RETURN: return what follows these 10 bytes.
        bytes memory code =
            abi.encodePacked(hex"61", uint16(1 + data.length), hex"80600a3d393df3", hex"00", data);
        assembly ("memory-safe") {
            pointer := create(0, add(code, 0x20), mload(code))
        }
        if (pointer == address(0)) revert KeysNotStored();
    }

    /// @notice What `storeCode` stored at `pointer`; nothing where nothing is.
    function loadCode(address pointer) internal view returns (bytes memory data) {
        uint256 size = pointer.code.length;
        if (size == 0) return data;
        data = new bytes(size - 1);
        assembly ("memory-safe") {
            extcodecopy(pointer, add(data, 0x20), 1, sub(size, 1))
        }
    }

    /// @notice Stores the sum of the keys at `pointers` and the keys, and returns where they are.
    function gather(address[] memory pointers) internal returns (address keys) {
        bytes memory data = new bytes(SUM_BYTES + pointers.length * BlsLib.KEY_BYTES);
        bytes memory sum = new bytes(SUM_BYTES);
        for (uint256 i = 0; i < pointers.length; ++i) {
            bytes memory key = loadCode(pointers[i]);
            BlsLib.add(sum, BlsLib.unpackKey(key));
            uint256 offset = SUM_BYTES + i * BlsLib.KEY_BYTES;
            assembly ("memory-safe") {
                mcopy(add(add(data, 0x20), offset), add(key, 0x20), mload(key))
            }
        }
        assembly ("memory-safe") {
            mcopy(add(data, 0x20), add(sum, 0x20), SUM_BYTES)
        }
        return storeCode(data);
    }

    /// @notice Number of keys gathered at `keys`.
    function count(address keys) internal view returns (uint256) {
        return (keys.code.length - HEAD) / BlsLib.KEY_BYTES;
    }

    /// @notice Padded sum of the gathered keys of the members whose bit in `absent` is not set.
    /// @param absent Has no bit at or beyond `count(keys)`: the caller's duty.
    function sumWithout(address keys, uint256 absent) internal view returns (bytes memory sum) {
        sum = new bytes(SUM_BYTES);
        assembly ("memory-safe") {
            extcodecopy(keys, add(sum, 0x20), 1, SUM_BYTES)
        }
        if (absent == 0) return sum;
        bytes memory missing = BlsLib.sumOf(keys, HEAD, absent);
        BlsLib.negate(missing);
        BlsLib.add(sum, missing);
    }
}

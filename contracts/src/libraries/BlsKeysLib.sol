// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlsLib} from "./BlsLib.sol";

/// @title BlsKeysLib
/// @notice The BLS keys of a committee as the code of a contract that is never called: a STOP byte, the padded sum of all
/// keys, and the packed keys in the order of the members. A certificate reads the sum and takes the keys of those away
/// who did not sign, at most a third: it never reads the others.
library BlsKeysLib {
    /// @dev The STOP byte and the sum.
    uint256 private constant HEAD = 257;
    uint256 private constant SUM_BYTES = 256;

    /// @notice The keys could not be stored.
    error KeysNotStored();

    /// @notice Stores `packed` keys behind their padded `sum`, and returns where they are.
    function store(bytes memory sum, bytes memory packed) internal returns (address pointer) {
        // PUSH2 size DUP1 PUSH1 10 RETURNDATASIZE CODECOPY RETURNDATASIZE RETURN: return what follows these 10 bytes.
        bytes memory code = abi.encodePacked(
            hex"61", uint16(HEAD + packed.length), hex"80600a3d393df3", hex"00", sum, packed
        );
        assembly ("memory-safe") {
            pointer := create(0, add(code, 0x20), mload(code))
        }
        if (pointer == address(0)) revert KeysNotStored();
    }

    /// @notice Padded sum of the keys of the members whose bit in `absent` is not set.
    /// @param absent Has no bit at or beyond the number of keys: the caller's duty.
    function sumWithout(address pointer, uint256 absent) internal view returns (bytes memory sum) {
        sum = new bytes(SUM_BYTES);
        assembly ("memory-safe") {
            extcodecopy(pointer, add(sum, 0x20), 1, SUM_BYTES)
        }
        if (absent == 0) return sum;
        bytes memory missing = BlsLib.sumOf(pointer, HEAD, absent);
        BlsLib.negate(missing);
        BlsLib.add(sum, missing);
    }
}

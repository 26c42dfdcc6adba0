// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Vm} from "./Vm.sol";

/// @notice Cheatcodes and the asserts that the tests use. A failed assert reverts, and forge fails the test.
abstract contract Test {
    bool public constant IS_TEST = true;

    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(string what, uint256 got, uint256 wanted);
    error NotEqualAddress(string what, address got, address wanted);
    error NotEqualBytes32(string what, bytes32 got, bytes32 wanted);
    error NotTrue(string what);
    error NotAtMost(string what, uint256 got, uint256 max);

    function assertEq(uint256 got, uint256 wanted, string memory what) internal pure {
        if (got != wanted) revert NotEqual(what, got, wanted);
    }

    function assertEq(address got, address wanted, string memory what) internal pure {
        if (got != wanted) revert NotEqualAddress(what, got, wanted);
    }

    function assertEq(bytes32 got, bytes32 wanted, string memory what) internal pure {
        if (got != wanted) revert NotEqualBytes32(what, got, wanted);
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertAtMost(uint256 got, uint256 max, string memory what) internal pure {
        if (got > max) revert NotAtMost(what, got, max);
    }

    /// @notice Deploys a compiled contract with ABI-encoded constructor arguments; its revert is passed on.
    function create(string memory artifact, bytes memory arguments) internal returns (address at) {
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            at := create(0, add(code, 0x20), mload(code))
            if iszero(at) {
                let free := mload(0x40)
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
        }
    }

    /// @notice `value` folded into `min..max`.
    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        if (value >= min && value <= max) return value;
        return min + value % (max - min + 1);
    }
}

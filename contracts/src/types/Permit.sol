// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice An EIP-2612 approval signed by the caller, for the contract that is called.
/// @param value Allowance granted, in the token's smallest unit.
/// @param deadline Last second at which the token accepts the signature.
/// @param v Recovery id, 27 or 28.
/// @param r First half of the signature.
/// @param s Second half of the signature.
struct Permit {
    uint256 value;
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

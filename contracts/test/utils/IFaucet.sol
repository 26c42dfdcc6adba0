// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice What a development token has beside ERC-20 and EIP-2612.
interface IFaucet {
    function FAUCET_AMOUNT() external view returns (uint256);
    function faucet(address account) external;
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title DevToken
/// @notice Worthless ERC-20 with EIP-2612 permit and an open faucet, for local and test chains.
contract DevToken is ERC20, ERC20Permit {
    /// @notice Amount that one call of the faucet mints, in the smallest unit (18 decimals).
    uint256 public constant FAUCET_AMOUNT = 1_000_000 ether;

    /// @notice The chain holds real money; a token that anyone may mint does not belong there.
    /// @param chainId Id of the refused chain.
    error RealChain(uint256 chainId);

    constructor() ERC20("Proof of Training dev token", "POT") ERC20Permit("Proof of Training dev token") {
        if (block.chainid == 1) {
            revert RealChain(block.chainid);
        }
    }

    /// @notice Mints `FAUCET_AMOUNT` to `account`; anyone may call it, as often as they like.
    /// @param account Receiver of the tokens.
    function faucet(address account) external {
        _mint(account, FAUCET_AMOUNT);
    }
}

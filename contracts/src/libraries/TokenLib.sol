// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {Permit} from "../types/Permit.sol";

/// @title TokenLib
/// @notice Token movements into a contract that keeps books.
library TokenLib {
    using SafeERC20 for IERC20;

    /// @notice The token took `expected` from the payer, and `received` arrived: it charges a fee or lies.
    error TransferMismatch(uint256 expected, uint256 received);

    /// @notice Takes `amount` from the caller, never from anybody else, and checks that exactly this arrived.
    function pull(IERC20 token, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 balance = token.balanceOf(address(this));
        if (balance != before + amount) {
            revert TransferMismatch(amount, balance > before ? balance - before : 0);
        }
    }

    /// @notice Spends the caller's permit. A failure says nothing: the permit may have been used by whoever saw it
    /// first, and then the allowance is there.
    function tryPermit(IERC20 token, Permit calldata permit) internal {
        try IERC20Permit(address(token))
            .permit(msg.sender, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s) {}
            catch {}
    }
}

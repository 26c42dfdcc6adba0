// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

import {IStakeVault} from "../interfaces/IStakeVault.sol";

/// @notice Stake of one account. A coin is in exactly one of `stake` and `unbonding`, or has left.
/// @param stake Not unbonding.
/// @param unbonding On its way out; slashable until it is withdrawn.
/// @param unlocksAt Second from which `unbonding` can be withdrawn.
/// @param history Sum of both after each change, keyed by the second.
struct StakeAccount {
    uint128 stake;
    uint128 unbonding;
    uint48 unlocksAt;
    Checkpoints.Trace208 history;
}

/// @title StakeLib
/// @notice The books of one staker, one function for each transition.
library StakeLib {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for uint256;

    /// @notice All that a slash can reach.
    function slashable(StakeAccount storage self) internal view returns (uint256) {
        return uint256(self.stake) + self.unbonding;
    }

    /// @notice `slashable` at the end of second `time`.
    function slashableAt(StakeAccount storage self, uint256 time) internal view returns (uint256) {
        return self.history.upperLookupRecent(time.toUint48());
    }

    /// @notice Adds `amount` and returns the stake.
    function deposit(StakeAccount storage self, uint256 amount) internal returns (uint256 stake) {
        if (amount == 0) revert IStakeVault.ZeroAmount();
        uint256 total = slashable(self) + amount;
        if (total > type(uint128).max) revert IStakeVault.StakeTooLarge(total, type(uint128).max);
        stake = self.stake + amount;
        self.stake = uint128(stake);
        record(self);
    }

    /// @notice Moves `amount` from the stake to unbonding; all of it unlocks after `delay` seconds.
    function unbond(StakeAccount storage self, uint256 amount, uint256 delay) internal {
        if (amount == 0) revert IStakeVault.ZeroAmount();
        uint256 stake = self.stake;
        if (amount > stake) revert IStakeVault.InsufficientStake(msg.sender, stake, amount);
        self.stake = uint128(stake - amount);
        self.unbonding += uint128(amount);
        self.unlocksAt = (block.timestamp + delay).toUint48();
    }

    /// @notice Empties what was unbonding and returns it.
    function withdraw(StakeAccount storage self) internal returns (uint256 amount) {
        amount = self.unbonding;
        if (amount == 0) revert IStakeVault.NothingUnbonding(msg.sender);
        if (block.timestamp < self.unlocksAt) {
            revert IStakeVault.StillUnbonding(msg.sender, self.unlocksAt, block.timestamp);
        }
        self.unbonding = 0;
        record(self);
    }

    /// @notice Takes up to `wanted`, bounded by what is here and by what was here at `faultAt`; the stake goes first.
    function slash(StakeAccount storage self, address account, uint256 wanted, uint256 faultAt)
        internal
        returns (uint256 amount)
    {
        amount = Math.min(wanted, Math.min(slashable(self), slashableAt(self, faultAt)));
        if (amount == 0) revert IStakeVault.NothingToSlash(account, faultAt);
        uint256 fromStake = Math.min(amount, self.stake);
        self.stake -= uint128(fromStake);
        self.unbonding -= uint128(amount - fromStake);
        record(self);
    }

    function record(StakeAccount storage self) private {
        self.history.push(block.timestamp.toUint48(), uint208(slashable(self)));
    }
}

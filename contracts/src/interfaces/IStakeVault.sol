// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Permit} from "../types/Permit.sol";
import {SlashSplit} from "../types/Slash.sol";

/// @title IStakeVault
/// @notice Holds the stakes of miners and validators. It knows accounts, amounts and the contracts that may
/// slash; it knows nothing of tasks or committees. Nobody, the deployer included, can move a stake in
/// another way than the functions below.
interface IStakeVault {
    /// @notice `account` added `amount` and holds `stake` that is not unbonding.
    event Deposited(address indexed account, uint256 amount, uint256 stake);

    /// @notice `account` began to unbond `amount`; all of its `unbonding` can leave from `unlocksAt` on.
    event Unbonded(address indexed account, uint256 amount, uint256 unbonding, uint256 unlocksAt);

    /// @notice `account` took `amount` out.
    event Withdrawn(address indexed account, uint256 amount);

    /// @notice `slasher` took `split.amount` of `account`'s stake, and it was paid out as `split` says.
    event Slashed(
        address indexed account,
        address indexed slasher,
        address victim,
        address indexed reporter,
        SlashSplit split
    );

    /// @notice An amount is zero where that does nothing.
    error ZeroAmount();

    /// @notice An address that must receive money or hold code is zero.
    error ZeroAddress();

    /// @notice The constructor got no slasher, or more than the bound.
    error SlasherCountOutOfBounds(uint256 count, uint256 max);

    /// @notice The unbonding delay is outside its bounds, in seconds.
    error UnbondingDelayOutOfBounds(uint256 delay, uint256 min, uint256 max);

    /// @notice `account` holds `stake` and cannot unbond `needed`.
    error InsufficientStake(address account, uint256 stake, uint256 needed);

    /// @notice `account` has nothing that is unbonding.
    error NothingUnbonding(address account);

    /// @notice The unbonding of `account` ends at `unlocksAt`; the block's time is `time`.
    error StillUnbonding(address account, uint256 unlocksAt, uint256 time);

    /// @notice `caller` was not named as a slasher at construction.
    error NotSlasher(address caller);

    /// @notice `account` had no stake at `faultAt` that is still here.
    error NothingToSlash(address account, uint256 faultAt);

    /// @notice A deposit would exceed what the books can hold.
    error StakeTooLarge(uint256 stake, uint256 max);

    /// @notice The token in which stakes are held.
    function TOKEN() external view returns (IERC20);

    /// @notice Receives the part of a slash that goes to nobody else.
    function TREASURY() external view returns (address);

    /// @notice Seconds between `unbond` and `withdraw`.
    function UNBONDING_DELAY() external view returns (uint256);

    /// @notice Absolute bound of the bounty of one slash, in the token's smallest unit.
    function MAX_BOUNTY() external view returns (uint256);

    /// @notice Whether `account` was named as a slasher at construction.
    function isSlasher(address account) external view returns (bool);

    /// @notice Stake of `account` that is not unbonding; only this counts for admission to work.
    function stakeOf(address account) external view returns (uint256);

    /// @notice What `account` is unbonding and the second from which it can leave.
    function unbondingOf(address account) external view returns (uint256 amount, uint256 unlocksAt);

    /// @notice All that a slash can reach: stake and unbonding, until it is withdrawn.
    function slashableOf(address account) external view returns (uint256);

    /// @notice `slashableOf(account)` at the end of second `time`, which must not lie in the future.
    function slashableAt(address account, uint256 time) external view returns (uint256);

    /// @notice Adds `amount` to the caller's stake. Needs an allowance.
    /// @param amount In the token's smallest unit.
    function deposit(uint256 amount) external;

    /// @notice `deposit` with an EIP-2612 permit in the same transaction. A permit that fails is ignored, so
    /// that whoever front-runs it blocks nobody; the allowance decides.
    /// @param amount In the token's smallest unit.
    /// @param permit Approval for this contract, signed by the caller.
    function depositWithPermit(uint256 amount, Permit calldata permit) external;

    /// @notice Moves `amount` of the caller's stake into unbonding. The delay starts anew for everything that
    /// is already unbonding: one aggregate per account keeps every path free of loops.
    /// @param amount In the token's smallest unit.
    function unbond(uint256 amount) external;

    /// @notice Pays the caller all that it was unbonding, once the delay is over.
    /// @return amount What was paid.
    function withdraw() external returns (uint256 amount);

    /// @notice Takes up to `amount` of `account`'s stake: never more than it holds, nor more than it held at
    /// `faultAt`. Half goes to `victim`, a tenth to `reporter` but at most `MAX_BOUNTY`, the rest to the treasury.
    /// @dev Only for slashers. Reverts when there is nothing to take.
    /// @param account Who is slashed.
    /// @param amount Most that is taken.
    /// @param faultAt Second of the fault.
    /// @param victim Wronged party; zero when there is none, and its half goes to the treasury. A slashed account is
    /// never its own victim.
    /// @param reporter Who brought the proof; gets nothing when it is the slashed account.
    /// @return split Where the stake went.
    function slash(address account, uint256 amount, uint256 faultAt, address victim, address reporter)
        external
        returns (SlashSplit memory split);
}

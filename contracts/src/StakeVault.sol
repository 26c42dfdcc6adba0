// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {SlashLib} from "./libraries/SlashLib.sol";
import {StakeAccount, StakeLib} from "./libraries/StakeLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";
import {Permit} from "./types/Permit.sol";
import {SlashSplit} from "./types/Slash.sol";

/// @title StakeVault
/// @notice See {IStakeVault}. The slashers are fixed at construction; there is no owner.
contract StakeVault is IStakeVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using StakeLib for StakeAccount;
    using TokenLib for IERC20;

    /// @notice Bounds of the unbonding delay, in seconds.
    uint256 public constant MIN_UNBONDING_DELAY = 1 hours;
    uint256 public constant MAX_UNBONDING_DELAY = 365 days;

    /// @notice Most contracts that may slash.
    uint256 public constant MAX_SLASHERS = 8;

    /// @inheritdoc IStakeVault
    IERC20 public immutable TOKEN;
    /// @inheritdoc IStakeVault
    address public immutable TREASURY;
    /// @inheritdoc IStakeVault
    uint256 public immutable UNBONDING_DELAY;
    /// @inheritdoc IStakeVault
    uint256 public immutable MAX_BOUNTY;

    /// @inheritdoc IStakeVault
    mapping(address account => bool) public isSlasher;

    mapping(address account => StakeAccount) private _accounts;

    /// @param token ERC-20 of the stakes; without transfer fees, callbacks or rebasing.
    /// @param unbondingDelay Seconds between `unbond` and `withdraw`.
    /// @param maxBounty Absolute bound of one bounty, in the token's smallest unit.
    /// @param treasury Receives what goes to nobody else.
    /// @param slashers Contracts that may slash, for ever; their addresses may be computed before they exist.
    constructor(
        IERC20 token,
        uint256 unbondingDelay,
        uint256 maxBounty,
        address treasury,
        address[] memory slashers
    ) {
        if (address(token) == address(0) || treasury == address(0)) revert ZeroAddress();
        if (unbondingDelay < MIN_UNBONDING_DELAY || unbondingDelay > MAX_UNBONDING_DELAY) {
            revert UnbondingDelayOutOfBounds(unbondingDelay, MIN_UNBONDING_DELAY, MAX_UNBONDING_DELAY);
        }
        if (slashers.length == 0 || slashers.length > MAX_SLASHERS) {
            revert SlasherCountOutOfBounds(slashers.length, MAX_SLASHERS);
        }
        TOKEN = token;
        UNBONDING_DELAY = unbondingDelay;
        MAX_BOUNTY = maxBounty;
        TREASURY = treasury;
        for (uint256 i = 0; i < slashers.length; ++i) {
            if (slashers[i] == address(0)) revert ZeroAddress();
            isSlasher[slashers[i]] = true;
        }
    }

    /// @inheritdoc IStakeVault
    function deposit(uint256 amount) external nonReentrant {
        _deposit(amount);
    }

    /// @inheritdoc IStakeVault
    function depositWithPermit(uint256 amount, Permit calldata permit) external nonReentrant {
        TOKEN.tryPermit(permit);
        _deposit(amount);
    }

    /// @inheritdoc IStakeVault
    function unbond(uint256 amount) external nonReentrant {
        StakeAccount storage account = _accounts[msg.sender];
        account.unbond(amount, UNBONDING_DELAY);
        emit Unbonded(msg.sender, amount, account.unbonding, account.unlocksAt);
    }

    /// @inheritdoc IStakeVault
    function withdraw() external nonReentrant returns (uint256 amount) {
        amount = _accounts[msg.sender].withdraw();
        emit Withdrawn(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function slash(address account, uint256 amount, uint256 faultAt, address victim, address reporter)
        external
        nonReentrant
        returns (SlashSplit memory split)
    {
        if (!isSlasher[msg.sender]) revert NotSlasher(msg.sender);
        if (amount == 0) revert ZeroAmount();
        uint256 taken = _accounts[account].slash(account, amount, faultAt);
        bool hasVictim = victim != address(0) && victim != account;
        bool hasReporter = reporter != address(0) && reporter != account;
        split = SlashLib.split(taken, hasVictim, hasReporter, MAX_BOUNTY);
        emit Slashed(account, msg.sender, victim, reporter, split);
        if (split.victimShare != 0) TOKEN.safeTransfer(victim, split.victimShare);
        if (split.bounty != 0) TOKEN.safeTransfer(reporter, split.bounty);
        TOKEN.safeTransfer(TREASURY, split.treasuryShare);
    }

    /// @inheritdoc IStakeVault
    function stakeOf(address account) external view returns (uint256) {
        return _accounts[account].stake;
    }

    /// @inheritdoc IStakeVault
    function unbondingOf(address account) external view returns (uint256 amount, uint256 unlocksAt) {
        StakeAccount storage record = _accounts[account];
        return (record.unbonding, record.unlocksAt);
    }

    /// @inheritdoc IStakeVault
    function slashableOf(address account) external view returns (uint256) {
        return _accounts[account].slashable();
    }

    /// @inheritdoc IStakeVault
    function slashableAt(address account, uint256 time) external view returns (uint256) {
        return _accounts[account].slashableAt(time);
    }

    function _deposit(uint256 amount) private {
        uint256 stake = _accounts[msg.sender].deposit(amount);
        emit Deposited(msg.sender, amount, stake);
        TOKEN.pull(amount);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {ICommittee} from "./interfaces/ICommittee.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket} from "./interfaces/ITrainingMarket.sol";
import {CertificateLib} from "./libraries/CertificateLib.sol";
import {LeafLib} from "./libraries/LeafLib.sol";
import {QuorumLib} from "./libraries/QuorumLib.sol";
import {TaskLib} from "./libraries/TaskLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";
import {FaultLeaf, RoundCertificate} from "./types/Certificate.sol";
import {Epoch, TaskId} from "./types/Ids.sol";
import {Permit} from "./types/Permit.sol";
import {SlashSplit} from "./types/Slash.sol";
import {Task, TaskParams, TaskStatus} from "./types/Task.sol";

/// @title TrainingMarket
/// @notice See {ITrainingMarket}.
contract TrainingMarket is ITrainingMarket, EIP712, ReentrancyGuardTransient {
    using CertificateLib for RoundCertificate;
    using SafeERC20 for IERC20;
    using TaskLib for Task;
    using TokenLib for IERC20;

    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_ROUNDS = TaskLib.MAX_ROUNDS;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_SHARDS = TaskLib.MAX_SHARDS;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_SPAN = TaskLib.MAX_SPAN;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MIN_TASK_LIFE = 60 seconds;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_TASK_LIFE = 30 days;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_EPOCH_AGE = 7 days;
    /// @inheritdoc ITrainingMarket
    uint256 public constant SETTLEMENT_MARGIN = 7 days;

    /// @inheritdoc ITrainingMarket
    IERC20 public immutable TOKEN;
    /// @inheritdoc ITrainingMarket
    IStakeVault public immutable VAULT;
    /// @inheritdoc ITrainingMarket
    ICommittee public immutable COMMITTEE;

    /// @inheritdoc ITrainingMarket
    uint256 public taskCount;
    /// @inheritdoc ITrainingMarket
    mapping(TaskId taskId => mapping(address account => uint256)) public claimed;
    /// @inheritdoc ITrainingMarket
    mapping(TaskId taskId => mapping(bytes32 leaf => bool)) public slashed;

    mapping(TaskId taskId => Task) private _tasks;

    /// @param token ERC-20 of escrow and stakes; without transfer fees, callbacks or rebasing.
    /// @param vault Vault that names this contract and `committee` as slashers.
    /// @param committee Committee that names this contract as its market.
    constructor(IERC20 token, IStakeVault vault, ICommittee committee)
        EIP712(CertificateLib.DOMAIN_NAME, CertificateLib.DOMAIN_VERSION)
    {
        // The three contracts refer to each other by addresses computed beforehand; a slip must not go live.
        if (address(vault.TOKEN()) != address(token)) revert MiswiredDeployment("vault.TOKEN");
        if (!vault.isSlasher(address(this))) revert MiswiredDeployment("vault.isSlasher(market)");
        if (!vault.isSlasher(address(committee))) revert MiswiredDeployment("vault.isSlasher(committee)");
        if (address(committee.VAULT()) != address(vault)) revert MiswiredDeployment("committee.VAULT");
        if (address(committee.MARKET()) != address(this)) revert MiswiredDeployment("committee.MARKET");
        uint256 needed = MAX_EPOCH_AGE + MAX_TASK_LIFE + SETTLEMENT_MARGIN;
        if (vault.UNBONDING_DELAY() < needed) revert UnbondingTooShort(vault.UNBONDING_DELAY(), needed);
        TOKEN = token;
        VAULT = vault;
        COMMITTEE = committee;
    }

    /// @inheritdoc ITrainingMarket
    function createTask(TaskParams calldata params) external nonReentrant returns (TaskId taskId) {
        return _create(params);
    }

    /// @inheritdoc ITrainingMarket
    function createTaskWithPermit(TaskParams calldata params, Permit calldata permit)
        external
        nonReentrant
        returns (TaskId taskId)
    {
        TOKEN.tryPermit(permit);
        return _create(params);
    }

    /// @inheritdoc ITrainingMarket
    function certify(RoundCertificate calldata certificate, uint64 signers, bytes calldata signatures)
        external
    {
        Task storage self = _tasks[certificate.taskId];
        self.checkCertificate(certificate);
        COMMITTEE.verify(certificate.epoch, _digest(certificate), signers, signatures);
        self.certify(certificate, signers);
        emit CertificateAccepted(certificate.taskId, certificate.lastRound, certificate, signers);
    }

    /// @inheritdoc ITrainingMarket
    function claim(TaskId taskId, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        Task storage self = _requireKnown(taskId);
        // No check of the status: an empty root has no leaf, and what is certified is owed for ever.
        _requireLeaf(taskId, LeafLib.payout(account, cumulative), self.payoutsRoot, proof);
        uint256 before = claimed[taskId][account];
        if (cumulative <= before) revert NothingToClaim(taskId, account, before);
        amount = cumulative - before;
        uint256 total = self.claimedTotal + amount;
        if (total > self.paidTotal) revert ClaimsExceedPaidTotal(taskId, total, self.paidTotal);
        claimed[taskId][account] = cumulative;
        self.claimedTotal = uint128(total);
        emit Claimed(taskId, account, amount, cumulative);
        TOKEN.safeTransfer(account, amount);
    }

    /// @inheritdoc ITrainingMarket
    function claimSigningFee(TaskId taskId, address account) external nonReentrant returns (uint256 amount) {
        Task storage self = _requireKnown(taskId);
        if (self.status != TaskStatus.Closed) revert TaskNotClosed(taskId, self.status);
        // A position is below 64, the size of the bitmap.
        uint64 bit = uint64(1) << uint64(COMMITTEE.memberIndex(self.epoch, account));
        if (self.lastSigners & bit == 0) revert NotSigner(taskId, account);
        amount = self.feeShare();
        if (amount == 0 || self.feesPaid & bit != 0) revert NothingToClaim(taskId, account, amount);
        self.feesPaid |= bit;
        emit SigningFeeClaimed(taskId, account, amount);
        TOKEN.safeTransfer(account, amount);
    }

    /// @inheritdoc ITrainingMarket
    function slash(TaskId taskId, FaultLeaf calldata leaf, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        Task storage self = _requireKnown(taskId);
        bytes32 leafHash = LeafLib.fault(leaf);
        _requireLeaf(taskId, leafHash, self.faultsRoot, proof);
        if (slashed[taskId][leafHash]) revert AlreadySlashed(taskId, leafHash);
        uint256 expiresAt = self.faultsAt + VAULT.UNBONDING_DELAY();
        if (block.timestamp > expiresAt) revert FaultsExpired(taskId, expiresAt);
        slashed[taskId][leafHash] = true;
        SlashSplit memory split =
            VAULT.slash(leaf.miner, self.slashPerFault, self.faultsAt, self.poster, msg.sender);
        amount = split.amount;
        emit FaultSlashed(taskId, leaf.miner, msg.sender, leaf, amount, split.bounty);
    }

    /// @inheritdoc ITrainingMarket
    function cancel(TaskId taskId) external nonReentrant returns (uint256 refund) {
        refund = _tasks[taskId].cancel(taskId);
        emit TaskCancelled(taskId, refund);
        TOKEN.safeTransfer(msg.sender, refund);
    }

    /// @inheritdoc ITrainingMarket
    function close(TaskId taskId) external nonReentrant returns (uint256 refund) {
        Task storage self = _tasks[taskId];
        refund = self.close(taskId);
        emit TaskClosed(taskId, self.lastRound, refund);
        // Nothing is left when every reward was earned and the fee divides evenly.
        if (refund != 0) TOKEN.safeTransfer(self.poster, refund);
    }

    /// @inheritdoc ITrainingMarket
    function task(TaskId taskId) external view returns (Task memory) {
        return _tasks[taskId].snapshot();
    }

    /// @inheritdoc ITrainingMarket
    function refundable(TaskId taskId) external view returns (uint256) {
        return _tasks[taskId].refundable();
    }

    /// @inheritdoc ITrainingMarket
    function held(TaskId taskId) external view returns (uint256) {
        return _tasks[taskId].held();
    }

    /// @inheritdoc ITrainingMarket
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ITrainingMarket
    function certificateDigest(RoundCertificate calldata certificate) external view returns (bytes32) {
        return _digest(certificate);
    }

    function _create(TaskParams memory params) private returns (TaskId taskId) {
        TaskLib.checkParams(params);
        if (params.startsAt < block.timestamp) params.startsAt = uint64(block.timestamp);
        uint256 earliest = uint256(params.startsAt) + MIN_TASK_LIFE;
        uint256 latest = block.timestamp + MAX_TASK_LIFE;
        if (params.deadline < earliest || params.deadline > latest) {
            revert OutOfBounds("deadline", params.deadline, earliest, latest);
        }
        Epoch epoch = _freshEpoch();
        taskId = TaskId.wrap(++taskCount);
        Task storage self = _tasks[taskId];
        self.open(params, epoch, msg.sender);
        uint256 escrow = self.escrow();
        emit TaskCreated(taskId, msg.sender, params.specHash, params, epoch, escrow);
        TOKEN.pull(escrow);
    }

    function _freshEpoch() private view returns (Epoch epoch) {
        epoch = COMMITTEE.currentEpoch();
        if (Epoch.unwrap(epoch) == 0) revert NoCommittee();
        uint256 startedAt = COMMITTEE.startedAt(epoch);
        if (block.timestamp > startedAt + MAX_EPOCH_AGE) revert EpochStale(epoch, startedAt, MAX_EPOCH_AGE);
    }

    function _requireKnown(TaskId taskId) private view returns (Task storage self) {
        self = _tasks[taskId];
        if (self.status == TaskStatus.None) revert TaskUnknown(taskId);
    }

    function _requireLeaf(TaskId taskId, bytes32 leaf, bytes32 root, bytes32[] calldata proof) private pure {
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert ProofInvalid(taskId, leaf, root);
    }

    function _digest(RoundCertificate calldata certificate) private view returns (bytes32) {
        return _hashTypedDataV4(certificate.structHash());
    }
}

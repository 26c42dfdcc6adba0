// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAppeals} from "./interfaces/IAppeals.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket} from "./interfaces/ITrainingMarket.sol";
import {CertificateLib} from "./libraries/CertificateLib.sol";
import {ContributionLib} from "./libraries/ContributionLib.sol";
import {LeafLib} from "./libraries/LeafLib.sol";
import {RecordLib, Ring, Stored} from "./libraries/RecordLib.sol";
import {TaskLib} from "./libraries/TaskLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";
import {
    CertificateRecord,
    Contribution,
    FaultLeaf,
    PayoutRecord,
    RoundCertificate
} from "./types/Certificate.sol";
import {PayoutClaim, SignedCertificate} from "./types/Claim.sol";
import {Epoch, TaskId} from "./types/Ids.sol";
import {Permit} from "./types/Permit.sol";
import {SlashSplit} from "./types/Slash.sol";
import {Task, TaskParams, TaskStatus} from "./types/Task.sol";

/// @title TrainingMarket
/// @notice See {ITrainingMarket}.
contract TrainingMarket is ITrainingMarket, EIP712, ReentrancyGuardTransient {
    using CertificateLib for RoundCertificate;
    using ContributionLib for Contribution;
    using RecordLib for Ring;
    using SafeERC20 for IERC20;
    using TaskLib for Task;
    using TokenLib for IERC20;

    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_ROUNDS = TaskLib.MAX_ROUNDS;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_SHARDS = TaskLib.MAX_SHARDS;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_CHALLENGE_WINDOW = TaskLib.MAX_CHALLENGE_WINDOW;
    /// @inheritdoc ITrainingMarket
    uint256 public constant RING = RecordLib.RING;
    /// @inheritdoc ITrainingMarket
    uint256 public constant MAX_BATCH = 64;
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
    IAppeals public immutable APPEALS;

    /// @inheritdoc ITrainingMarket
    uint256 public taskCount;
    /// @inheritdoc ITrainingMarket
    mapping(TaskId taskId => mapping(address account => uint256)) public claimed;
    /// @inheritdoc ITrainingMarket
    mapping(TaskId taskId => mapping(bytes32 leaf => bool)) public slashed;

    mapping(TaskId taskId => Task) private _tasks;
    mapping(TaskId taskId => Ring) private _rings;

    modifier onlyAppeals() {
        if (msg.sender != address(APPEALS)) revert NotAppeals(msg.sender);
        _;
    }

    /// @param token ERC-20 of escrow and stakes; without transfer fees, callbacks or rebasing.
    /// @param vault Vault that names this contract, `committee` and `appeals` as slashers.
    /// @param committee Committee that names this contract as its market.
    /// @param appeals Appeals contract that names this contract as its market.
    constructor(IERC20 token, IStakeVault vault, ICommittee committee, IAppeals appeals)
        EIP712(CertificateLib.DOMAIN_NAME, CertificateLib.DOMAIN_VERSION)
    {
        // The four contracts refer to each other by addresses computed beforehand; a slip must not go live.
        if (address(vault.TOKEN()) != address(token)) revert MiswiredDeployment("vault.TOKEN");
        if (!vault.isSlasher(address(this))) revert MiswiredDeployment("vault.isSlasher(market)");
        if (!vault.isSlasher(address(committee))) revert MiswiredDeployment("vault.isSlasher(committee)");
        if (address(committee.VAULT()) != address(vault)) revert MiswiredDeployment("committee.VAULT");
        if (address(committee.MARKET()) != address(this)) revert MiswiredDeployment("committee.MARKET");
        if (!vault.isSlasher(address(appeals))) revert MiswiredDeployment("vault.isSlasher(appeals)");
        if (address(appeals.MARKET()) != address(this)) revert MiswiredDeployment("appeals.MARKET");
        uint256 needed = MAX_EPOCH_AGE + MAX_TASK_LIFE + SETTLEMENT_MARGIN;
        if (vault.UNBONDING_DELAY() < needed) revert UnbondingTooShort(vault.UNBONDING_DELAY(), needed);
        TOKEN = token;
        VAULT = vault;
        COMMITTEE = committee;
        APPEALS = appeals;
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
        _certify(certificate, signers, signatures);
    }

    /// @inheritdoc ITrainingMarket
    function certifyMany(SignedCertificate[] calldata batch) external returns (uint256 accepted) {
        _checkBatch(batch.length);
        for (uint256 i = 0; i < batch.length; ++i) {
            RoundCertificate calldata certificate = batch[i].certificate;
            if (certificate.lastRound <= _tasks[certificate.taskId].lastRound) continue;
            _certify(certificate, batch[i].signers, batch[i].signatures);
            ++accepted;
        }
    }

    /// @inheritdoc ITrainingMarket
    function claim(
        TaskId taskId,
        PayoutRecord calldata record,
        address account,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external nonReentrant returns (uint256 amount) {
        amount = _claim(taskId, record, account, cumulative, proof);
        if (amount == 0) revert NothingToClaim(taskId, account, claimed[taskId][account]);
    }

    /// @inheritdoc ITrainingMarket
    function claimMany(PayoutClaim[] calldata batch) external nonReentrant returns (uint256 amount) {
        _checkBatch(batch.length);
        for (uint256 i = 0; i < batch.length; ++i) {
            PayoutClaim calldata item = batch[i];
            amount += _claim(item.taskId, item.record, item.account, item.cumulative, item.proof);
        }
    }

    /// @inheritdoc ITrainingMarket
    function claimSigningFee(TaskId taskId, CertificateRecord calldata record, address account)
        external
        nonReentrant
        returns (uint256 amount)
    {
        Task storage self = _requireKnown(taskId);
        if (self.status != TaskStatus.Closed) revert TaskNotClosed(taskId, self.status);
        _requireRecord(self, taskId, record);
        if (uint256(record.index) + 1 != self.certificates) revert RecordUnknown(taskId, record.index);
        // A position is below 64, the size of the bitmap.
        uint64 bit = uint64(1) << uint64(COMMITTEE.memberIndex(taskId, account));
        if (record.signers & bit == 0) revert NotSigner(taskId, account);
        amount = self.feeShare(_newest(taskId));
        if (amount == 0 || self.feesPaid & bit != 0) revert NothingToClaim(taskId, account, amount);
        self.feesPaid |= bit;
        emit SigningFeeClaimed(taskId, account, amount);
        TOKEN.safeTransfer(account, amount);
    }

    /// @inheritdoc ITrainingMarket
    function slash(
        TaskId taskId,
        CertificateRecord calldata record,
        Contribution calldata contribution,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external nonReentrant returns (uint256 amount) {
        Task storage self = _requireKnown(taskId);
        uint256 finalAt = _requireRecord(self, taskId, record);
        self.requireMature(taskId, record.index, finalAt);
        if (!(contribution.taskId == taskId)) revert WrongTask(contribution.taskId, taskId);
        bytes32 leafHash = LeafLib.fault(contribution);
        LeafLib.requireLeaf(taskId, leafHash, record.faultsRoot, proof);
        contribution.requireSigned(contribution.digest(_domainSeparatorV4()), signature);
        if (slashed[taskId][leafHash]) revert AlreadySlashed(taskId, leafHash);
        slashed[taskId][leafHash] = true;
        return _takeStake(self, contribution, finalAt - self.challengeWindow);
    }

    /// @inheritdoc ITrainingMarket
    function dispute(TaskId taskId, CertificateRecord calldata record)
        external
        onlyAppeals
        returns (uint256 begunAt)
    {
        Task storage self = _requireKnown(taskId);
        uint256 finalAt = _requireRecord(self, taskId, record);
        uint256 window = self.challengeWindow;
        self.dispute(taskId, record.index, finalAt, window + APPEALS.COURT_TERM());
        begunAt = finalAt - window;
        emit TaskDisputed(taskId, self.disputedFrom);
    }

    /// @inheritdoc ITrainingMarket
    function endDispute(TaskId taskId) external onlyAppeals {
        _requireKnown(taskId).endDispute(taskId);
        emit DisputeEnded(taskId);
    }

    /// @inheritdoc ITrainingMarket
    function overturn(TaskId taskId, uint256 from, CertificateRecord calldata before) external onlyAppeals {
        Task storage self = _requireKnown(taskId);
        if (from != 0) {
            _requireRecord(self, taskId, before);
            if (before.index != from - 1) revert RecordUnknown(taskId, before.index);
        }
        self.overturn(taskId, from, before);
        emit CertificatesOverturned(taskId, from, self.lastRound);
    }

    /// @inheritdoc ITrainingMarket
    function voidFault(TaskId taskId, bytes32 leaf) external {
        if (msg.sender != address(APPEALS) && !VAULT.isSlasher(msg.sender)) revert NotAppeals(msg.sender);
        slashed[taskId][leaf] = true;
        emit FaultVoided(taskId, leaf);
    }

    /// @inheritdoc ITrainingMarket
    function cancel(TaskId taskId) external nonReentrant returns (uint256 refund) {
        refund = _tasks[taskId].cancel(taskId);
        // Once the committee can be known, cancelling would be a way to draw another one.
        uint256 drawBlock = COMMITTEE.panelOf(taskId, 0).drawBlock;
        if (drawBlock != 0 && block.number > drawBlock) revert CommitteeFixed(taskId, drawBlock);
        emit TaskCancelled(taskId, refund);
        TOKEN.safeTransfer(msg.sender, refund);
    }

    /// @inheritdoc ITrainingMarket
    function close(TaskId taskId) external nonReentrant returns (uint256 refund) {
        Task storage self = _tasks[taskId];
        refund = self.close(taskId, _newest(taskId));
        emit TaskClosed(taskId, self.lastRound, refund);
        // Nothing is left when every reward was earned and the fee divides evenly.
        if (refund != 0) TOKEN.safeTransfer(self.poster, refund);
    }

    /// @inheritdoc ITrainingMarket
    function task(TaskId taskId) external view returns (Task memory) {
        return _tasks[taskId];
    }

    /// @inheritdoc ITrainingMarket
    function refundable(TaskId taskId) external view returns (uint256) {
        return _tasks[taskId].refundable(_newest(taskId));
    }

    /// @inheritdoc ITrainingMarket
    function held(TaskId taskId) external view returns (uint256) {
        return _tasks[taskId].held(_newest(taskId));
    }

    /// @inheritdoc ITrainingMarket
    function signingFee(TaskId taskId) external view returns (uint256 share, uint256 signers) {
        Stored memory last = _newest(taskId);
        return (_tasks[taskId].feeShare(last), last.signers);
    }

    /// @inheritdoc ITrainingMarket
    function maturesAt(TaskId taskId, CertificateRecord calldata record) external view returns (uint256) {
        return _requireRecord(_requireKnown(taskId), taskId, record);
    }

    /// @inheritdoc ITrainingMarket
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc ITrainingMarket
    function settlementTime(uint256 challengeWindow) public view returns (uint256) {
        return challengeWindow == 0 ? 0 : 3 * challengeWindow + 2 * APPEALS.COURT_TERM();
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
        taskId = TaskId.wrap(++taskCount);
        Epoch epoch = COMMITTEE.assign(taskId, params.committeeSize);
        _checkStakesStay(epoch, params);
        Task storage self = _tasks[taskId];
        self.open(params, epoch, msg.sender);
        _rings[taskId].open(params.challengeWindow);
        uint256 escrow = self.escrow();
        emit TaskCreated(taskId, msg.sender, params.specHash, params, epoch, escrow);
        TOKEN.pull(escrow);
    }

    /// @dev Who was in the snapshot could unbond in the next block, and must still be there for the last slash.
    function _checkStakesStay(Epoch epoch, TaskParams memory params) private view {
        uint256 startedAt = COMMITTEE.startedAt(epoch);
        if (block.timestamp > startedAt + MAX_EPOCH_AGE) revert EpochStale(epoch, startedAt, MAX_EPOCH_AGE);
        uint256 needed =
            params.deadline - startedAt + settlementTime(params.challengeWindow) + SETTLEMENT_MARGIN;
        uint256 delay = VAULT.UNBONDING_DELAY();
        if (delay < needed) revert UnbondingTooShort(delay, needed);
    }

    function _certify(RoundCertificate calldata certificate, uint64 signers, bytes calldata signatures)
        private
    {
        Task storage self = _tasks[certificate.taskId];
        self.checkCertificate(certificate);
        uint256 index = self.certify(certificate);
        uint256 window = self.challengeWindow;
        _rings[certificate.taskId].push(
            certificate, signers, index, window, window == 0 ? block.timestamp : self.windowBegins()
        );
        // Last, and a view: what is known of the slots above stays known to the compiler.
        COMMITTEE.verify(certificate.taskId, _digest(certificate), signers, signatures);
        certificate.emitAccepted(index, signers);
    }

    /// @dev Pays nothing, and changes nothing, when nothing is left to claim.
    function _claim(
        TaskId taskId,
        PayoutRecord calldata record,
        address account,
        uint256 cumulative,
        bytes32[] calldata proof
    ) private returns (uint256 amount) {
        Task storage self = _requireKnown(taskId);
        // No check of the status: what is final is owed for ever.
        _requireFinal(self, taskId, record, LeafLib.rootOf(LeafLib.payout(account, cumulative), proof));
        uint256 before = claimed[taskId][account];
        if (cumulative <= before) return 0;
        amount = cumulative - before;
        uint256 total = self.claimedTotal + amount;
        // Bounded by the record and not by the newest one, which an appeal may yet overturn.
        if (total > record.paidTotal) revert ClaimsExceedPaidTotal(taskId, total, record.paidTotal);
        claimed[taskId][account] = cumulative;
        self.claimedTotal = uint96(total);
        emit Claimed(taskId, account, amount, cumulative);
        TOKEN.safeTransfer(account, amount);
    }

    function _takeStake(Task storage self, Contribution calldata contribution, uint256 faultAt)
        private
        returns (uint256 amount)
    {
        TaskId taskId = contribution.taskId;
        uint256 expiresAt = faultAt + VAULT.UNBONDING_DELAY();
        if (block.timestamp > expiresAt) revert FaultsExpired(taskId, expiresAt);
        SlashSplit memory split =
            VAULT.slash(contribution.miner, self.slashPerFault, faultAt, self.poster, msg.sender);
        amount = split.amount;
        FaultLeaf memory leaf =
            FaultLeaf(contribution.round, contribution.shard, contribution.miner, contribution.gradient);
        emit FaultSlashed(taskId, leaf.miner, msg.sender, leaf, amount, split.bounty);
    }

    function _requireFinal(Task storage self, TaskId taskId, PayoutRecord calldata record, bytes32 root)
        private
        view
    {
        uint256 finalAt =
            _rings[taskId].requireKept(taskId, record, root, self.certificates, self.challengeWindow);
        self.requireMature(taskId, record.index, finalAt);
    }

    function _newest(TaskId taskId) private view returns (Stored memory) {
        Task storage self = _tasks[taskId];
        return _rings[taskId].newest(self.certificates, self.challengeWindow);
    }

    function _checkBatch(uint256 length) private pure {
        if (length > MAX_BATCH) revert BatchTooLong(length, MAX_BATCH);
    }

    function _requireRecord(Task storage self, TaskId taskId, CertificateRecord calldata record)
        private
        view
        returns (uint256)
    {
        return _rings[taskId].requireKept(taskId, record, self.certificates, self.challengeWindow);
    }

    function _requireKnown(TaskId taskId) private view returns (Task storage self) {
        self = _tasks[taskId];
        if (self.status == TaskStatus.None) revert TaskUnknown(taskId);
    }

    function _digest(RoundCertificate calldata certificate) private view returns (bytes32) {
        return _hashTypedDataV4(certificate.structHash());
    }
}

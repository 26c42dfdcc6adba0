// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {FaultLeaf, RoundCertificate} from "../types/Certificate.sol";
import {Epoch, TaskId} from "../types/Ids.sol";
import {Permit} from "../types/Permit.sol";
import {Task, TaskParams, TaskStatus} from "../types/Task.sol";
import {ICommittee} from "./ICommittee.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @title ITrainingMarket
/// @notice Tasks, their escrow, the certificates that say what was trained, and the payouts that follow. The only
/// contract that holds task money. It has no owner: every coin leaves by a poster's refund, a certified
/// payout or a signer's fee. Money is in the token's smallest unit, time in Unix seconds.
///
/// Conservation, for each task: escrow = claimed payouts + signing fees + refund + what is still held.
interface ITrainingMarket {
    /// @notice `poster` funded `taskId` with `escrow`. `params.startsAt` is the effective start.
    event TaskCreated(
        TaskId indexed taskId,
        address indexed poster,
        bytes32 indexed specHash,
        TaskParams params,
        Epoch epoch,
        uint256 escrow
    );

    /// @notice The task advanced to `lastRound`. The event holds the whole certificate; the signatures are in the
    /// transaction's calldata, in the order of the bits of `signers`.
    event CertificateAccepted(
        TaskId indexed taskId, uint32 indexed lastRound, RoundCertificate certificate, uint64 signers
    );

    /// @notice `account` was paid `amount`; all its payouts of the task together are `cumulative`.
    event Claimed(TaskId indexed taskId, address indexed account, uint256 amount, uint256 cumulative);

    /// @notice `account` was paid its share of the last certificate's fee.
    event SigningFeeClaimed(TaskId indexed taskId, address indexed account, uint256 amount);

    /// @notice The fault `leaf` cost its miner `amount` of stake, of which `reporter` got `bounty`.
    event FaultSlashed(
        TaskId indexed taskId,
        address indexed miner,
        address indexed reporter,
        FaultLeaf leaf,
        uint256 amount,
        uint256 bounty
    );

    /// @notice The poster withdrew the task before its start.
    event TaskCancelled(TaskId indexed taskId, uint256 refund);

    /// @notice The task ended at `lastRound`, and the poster got `refund`.
    event TaskClosed(TaskId indexed taskId, uint32 lastRound, uint256 refund);

    /// @notice The contracts given to the constructor do not refer to each other as they must.
    error MiswiredDeployment(string what);

    /// @notice Stake could leave the vault before the faults of a task are settled.
    error UnbondingTooShort(uint256 delay, uint256 needed);

    /// @notice A parameter lies outside its bounds.
    error OutOfBounds(string field, uint256 value, uint256 min, uint256 max);

    /// @notice A hash that names a blob is zero.
    error ZeroHash(string field);

    /// @notice There is no committee yet.
    error NoCommittee();

    /// @notice The snapshot is so old that its members may have taken their stake back: advance the epoch.
    error EpochStale(Epoch epoch, uint256 startedAt, uint256 maxAge);

    /// @notice There is no such task.
    error TaskUnknown(TaskId taskId);

    /// @notice The task is not open.
    error TaskNotOpen(TaskId taskId, TaskStatus status);

    /// @notice The task is not closed.
    error TaskNotClosed(TaskId taskId, TaskStatus status);

    /// @notice Rounds are missing and the deadline has not passed, or the task has ended before.
    error TaskNotEnded(TaskId taskId, TaskStatus status, uint256 deadline);

    /// @notice Work begins at `startsAt`.
    error TaskNotStarted(TaskId taskId, uint256 startsAt);

    /// @notice Work began at `startsAt`.
    error TaskStarted(TaskId taskId, uint256 startsAt);

    /// @notice No certificate is accepted after `deadline`.
    error DeadlinePassed(TaskId taskId, uint256 deadline);

    /// @notice `caller` did not post the task.
    error NotPoster(TaskId taskId, address caller, address poster);

    /// @notice The certificate must begin at round `expected`.
    error FirstRoundMismatch(TaskId taskId, uint256 firstRound, uint256 expected);

    /// @notice The certificate must end within `min..max`.
    error LastRoundOutOfBounds(TaskId taskId, uint256 lastRound, uint256 min, uint256 max);

    /// @notice The task belongs to the committee `expected`.
    error EpochMismatch(TaskId taskId, Epoch epoch, Epoch expected);

    /// @notice The task has the spec `expected`.
    error SpecMismatch(TaskId taskId, bytes32 specHash, bytes32 expected);

    /// @notice The certified model is `expected`.
    error ParentModelMismatch(TaskId taskId, bytes32 parentModel, bytes32 expected);

    /// @notice Cumulative payouts cannot fall.
    error PaidTotalFell(TaskId taskId, uint256 paidTotal, uint256 certified);

    /// @notice Payouts and the fee of this certificate exceed what the certified rounds earned.
    error PaidTotalExceedsEarned(TaskId taskId, uint256 paidTotal, uint256 fee, uint256 earned);

    /// @notice The proof does not lead from the leaf to the certified root.
    error ProofInvalid(TaskId taskId, bytes32 leaf, bytes32 root);

    /// @notice `account` has been paid `claimed`, and nothing is due.
    error NothingToClaim(TaskId taskId, address account, uint256 claimed);

    /// @notice The committee certified leaves that add up to more than `paidTotal`; other tasks' money stays.
    error ClaimsExceedPaidTotal(TaskId taskId, uint256 claims, uint256 paidTotal);

    /// @notice `account` did not sign the last certificate.
    error NotSigner(TaskId taskId, address account);

    /// @notice The fault has been slashed.
    error AlreadySlashed(TaskId taskId, bytes32 leaf);

    /// @notice Faults could be slashed until `expiredAt`; stake that was here then may have left.
    error FaultsExpired(TaskId taskId, uint256 expiredAt);

    /// @notice Least escrowed rounds are 1; this is the most.
    function MAX_ROUNDS() external view returns (uint256);

    /// @notice Most shards per round.
    function MAX_SHARDS() external view returns (uint256);

    /// @notice Most rounds that one certificate covers.
    function MAX_SPAN() external view returns (uint256);

    /// @notice Least seconds between the start and the deadline of a task.
    function MIN_TASK_LIFE() external view returns (uint256);

    /// @notice Most seconds between the creation and the deadline of a task.
    function MAX_TASK_LIFE() external view returns (uint256);

    /// @notice Most seconds between a committee's snapshot and a task that relies on it.
    function MAX_EPOCH_AGE() external view returns (uint256);

    /// @notice Seconds after a deadline in which faults are settled before any stake can leave.
    function SETTLEMENT_MARGIN() external view returns (uint256);

    /// @notice The token of escrow and payouts.
    function TOKEN() external view returns (IERC20);

    /// @notice Where miners and validators hold their stakes.
    function VAULT() external view returns (IStakeVault);

    /// @notice Who signs certificates.
    function COMMITTEE() external view returns (ICommittee);

    /// @notice Number of tasks ever created, and the id of the last.
    function taskCount() external view returns (uint256);

    /// @notice State of `taskId`; all zero when there is no such task.
    function task(TaskId taskId) external view returns (Task memory);

    /// @notice Payouts of `taskId` that `account` has taken.
    function claimed(TaskId taskId, address account) external view returns (uint256);

    /// @notice Whether the fault with this leaf hash has been slashed.
    function slashed(TaskId taskId, bytes32 leaf) external view returns (bool);

    /// @notice What the poster would get back if the task ended now; 0 when it has ended.
    function refundable(TaskId taskId) external view returns (uint256);

    /// @notice Money of `taskId` that this contract holds.
    function held(TaskId taskId) external view returns (uint256);

    /// @notice EIP-712 domain separator: name "ProofOfTraining", version "1", this chain, this contract.
    function domainSeparator() external view returns (bytes32);

    /// @notice EIP-712 digest that the members of the committee sign.
    function certificateDigest(RoundCertificate calldata certificate) external view returns (bytes32);

    /// @notice Creates a task for the current committee and takes its escrow,
    /// `rounds * (shards * rewardPerShard + feePerRound)`, for which an allowance is needed.
    /// @return taskId Number of the task.
    function createTask(TaskParams calldata params) external returns (TaskId taskId);

    /// @notice `createTask` with an EIP-2612 permit in the same transaction. A permit that fails is ignored, so that
    /// whoever front-runs it blocks nobody; the allowance decides.
    /// @return taskId Number of the task.
    function createTaskWithPermit(TaskParams calldata params, Permit calldata permit)
        external
        returns (TaskId taskId);

    /// @notice Advances a task by a certificate. Anyone may post it. Refused, in this order, unless: the task is
    /// open, has started, is not past its deadline; `firstRound` follows the last certified round; `lastRound` is
    /// between it and the task's rounds and at most `MAX_SPAN` rounds are covered; the epoch, the spec and the parent model are
    /// the task's; `paidTotal` does not fall and together with this certificate's fee stays inside what the certified
    /// rounds earned; a quorum of the epoch signed.
    /// @param certificate What the committee signed.
    /// @param signers Bitmap over the epoch's members; bit 0 is the first.
    /// @param signatures 64 bytes (EIP-2098, low s) for each set bit, ascending.
    function certify(RoundCertificate calldata certificate, uint64 signers, bytes calldata signatures)
        external;

    /// @notice Pays `account` what its certified payouts exceed its earlier claims by. Anyone may call it.
    /// @param taskId The task.
    /// @param account Who is paid.
    /// @param cumulative All payouts of `account` in the task, as certified.
    /// @param proof Path from the leaf `(account, cumulative)` to the payouts root.
    /// @return amount What was paid.
    function claim(TaskId taskId, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        returns (uint256 amount);

    /// @notice Pays a signer of the last certificate of a closed task its share of that certificate's fee, once.
    /// The fees of earlier certificates are in the payouts.
    /// @param taskId The task.
    /// @param account The signer.
    /// @return amount What was paid.
    function claimSigningFee(TaskId taskId, address account) external returns (uint256 amount);

    /// @notice Slashes the miner of a certified fault, once for each leaf. Anyone may call it.
    /// @param taskId The task.
    /// @param leaf The fault.
    /// @param proof Path from the leaf to the faults root.
    /// @return amount Stake that was taken.
    function slash(TaskId taskId, FaultLeaf calldata leaf, bytes32[] calldata proof)
        external
        returns (uint256 amount);

    /// @notice Withdraws a task before its start and pays the whole escrow back. Only for the poster.
    /// @return refund What was paid.
    function cancel(TaskId taskId) external returns (uint256 refund);

    /// @notice Ends a task whose rounds are all certified or whose deadline has passed, and pays the poster what
    /// nobody earned. Anyone may call it. Certified payouts stay claimable for ever.
    /// @return refund What was paid.
    function close(TaskId taskId) external returns (uint256 refund);
}

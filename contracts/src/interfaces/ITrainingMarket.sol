// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {
    CertificateRecord,
    Contribution,
    FaultLeaf,
    PayoutRecord,
    RoundCertificate
} from "../types/Certificate.sol";
import {PayoutClaim, SignedCertificate} from "../types/Claim.sol";
import {Epoch, TaskId} from "../types/Ids.sol";
import {Permit} from "../types/Permit.sol";
import {Task, TaskParams, TaskStatus} from "../types/Task.sol";
import {IAppeals} from "./IAppeals.sol";
import {ICommittee} from "./ICommittee.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @title ITrainingMarket
/// @notice Tasks, their escrow, the certificates that say what was trained, and the payouts that follow. The only
/// contract that holds task money. It has no owner: every coin leaves by a poster's refund, a certified
/// payout or a signer's fee. Money is in the token's smallest unit, time in Unix seconds.
///
/// A certificate is final when its challenge window has closed; until then its payouts wait, and a dispute freezes it
/// and all later ones for a bounded time, while the work goes on. What a certificate said is shown again as a *record*, of which the market keeps
/// the hash: of the last 64 certificates, or of the last two where the task has no challenge window.
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

    /// @notice The task advanced by certificate number `index`. The event holds the whole certificate; the signatures
    /// are in the transaction's calldata, in the order of the bits of `signers`.
    event CertificateAccepted(
        TaskId indexed taskId, uint256 indexed index, RoundCertificate certificate, uint64 signers
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

    /// @notice A dispute froze the certificates of the task from number `from` on.
    event TaskDisputed(TaskId indexed taskId, uint256 from);

    /// @notice A dispute ended, and all certificates stand.
    event DisputeEnded(TaskId indexed taskId);

    /// @notice The certificates from number `from` on are void. The task ended at `lastRound`.
    event CertificatesOverturned(TaskId indexed taskId, uint256 from, uint32 lastRound);

    /// @notice An appeal found the fault wrong: it can never be slashed.
    event FaultVoided(TaskId indexed taskId, bytes32 leaf);

    /// @notice The poster withdrew the task before its start.
    event TaskCancelled(TaskId indexed taskId, uint256 refund);

    /// @notice The task ended at `lastRound`, and the poster got `refund`.
    event TaskClosed(TaskId indexed taskId, uint32 lastRound, uint256 refund);

    /// @notice The contracts given to the constructor do not refer to each other as they must.
    error MiswiredDeployment(string what);

    /// @notice Stake could leave the vault before the faults of a task are settled: see `settlementTime`.
    error UnbondingTooShort(uint256 delay, uint256 needed);

    /// @notice A parameter lies outside its bounds.
    error OutOfBounds(string field, uint256 value, uint256 min, uint256 max);

    /// @notice A hash that names a blob is zero.
    error ZeroHash(string field);

    /// @notice Only the appeals contract does that.
    error NotAppeals(address caller);

    /// @notice A batch of `length` items is longer than `max`.
    error BatchTooLong(uint256 length, uint256 max);

    /// @notice The snapshot is so old that its members may have taken their stake back: advance the epoch.
    error EpochStale(Epoch epoch, uint256 startedAt, uint256 maxAge);

    /// @notice There is no such task.
    error TaskUnknown(TaskId taskId);

    /// @notice The task is not open.
    error TaskNotOpen(TaskId taskId, TaskStatus status);

    /// @notice No dispute about the task is running.
    error TaskNotDisputed(TaskId taskId, TaskStatus status);

    /// @notice The task is not closed.
    error TaskNotClosed(TaskId taskId, TaskStatus status);

    /// @notice Rounds are missing and the deadline has not passed, a dispute is running, or the task has ended before.
    error TaskNotEnded(TaskId taskId, TaskStatus status, uint256 deadline);

    /// @notice The challenge window of the last certificate closes at `closesAt`.
    error WindowOpen(TaskId taskId, uint256 closesAt);

    /// @notice The challenge window of certificate number `index` closed at `closedAt`.
    error WindowClosed(TaskId taskId, uint256 index, uint256 closedAt);

    /// @notice The record is not that of a certificate that stands and is kept.
    error RecordUnknown(TaskId taskId, uint256 index);

    /// @notice Certificate number `index` is final at `maturesAt`.
    error NotMature(TaskId taskId, uint256 index, uint256 maturesAt);

    /// @notice Certificate number `index` waits for the end of a dispute about `disputedFrom` and later ones.
    error RecordFrozen(TaskId taskId, uint256 index, uint256 disputedFrom);

    /// @notice A further certificate would leave no record that can be claimed from until `freeAt`. Let one
    /// certificate cover more rounds.
    error RingFull(TaskId taskId, uint256 freeAt);

    /// @notice Work begins at `startsAt`.
    error TaskNotStarted(TaskId taskId, uint256 startsAt);

    /// @notice Work began at `startsAt`.
    error TaskStarted(TaskId taskId, uint256 startsAt);

    /// @notice The committee is drawn with the hash of block `drawBlock`, which is known.
    error CommitteeFixed(TaskId taskId, uint256 drawBlock);

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

    /// @notice The claims exceed the record's `paidTotal`: the record is older than one that others claimed from (show
    /// the newest final one), or the committee certified leaves that add up to more. Other tasks' money stays.
    error ClaimsExceedPaidTotal(TaskId taskId, uint256 claims, uint256 paidTotal);

    /// @notice `account` did not sign the last certificate.
    error NotSigner(TaskId taskId, address account);

    /// @notice The contribution belongs to the task `taskId`.
    error WrongTask(TaskId taskId, TaskId expected);

    /// @notice The contribution names `miner`, but its signature recovers to `signer` (zero: to nobody).
    error NotSignedByMiner(TaskId taskId, address miner, address signer);

    /// @notice The fault has been slashed, or was found wrong on appeal.
    error AlreadySlashed(TaskId taskId, bytes32 leaf);

    /// @notice Faults of this record could be slashed until `expiredAt`; stake that was here then may have left.
    error FaultsExpired(TaskId taskId, uint256 expiredAt);

    /// @notice Least escrowed rounds are 1; this is the most.
    function MAX_ROUNDS() external view returns (uint256);

    /// @notice Most shards per round.
    function MAX_SHARDS() external view returns (uint256);

    /// @notice Most items of a batch.
    function MAX_BATCH() external view returns (uint256);

    /// @notice Longest challenge window, in seconds.
    function MAX_CHALLENGE_WINDOW() external view returns (uint256);

    /// @notice Certificates whose records are kept for a task with a challenge window.
    function RING() external view returns (uint256);

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

    /// @notice Who decides disputes.
    function APPEALS() external view returns (IAppeals);

    /// @notice Number of tasks ever created, and the id of the last.
    function taskCount() external view returns (uint256);

    /// @notice State of `taskId`; all zero when there is no such task.
    function task(TaskId taskId) external view returns (Task memory);

    /// @notice Payouts of `taskId` that `account` has taken.
    function claimed(TaskId taskId, address account) external view returns (uint256);

    /// @notice Whether the fault with this leaf hash has been slashed, or was found wrong on appeal.
    function slashed(TaskId taskId, bytes32 leaf) external view returns (bool);

    /// @notice Share of each of the last certificate's `signers` in its fee, which they can claim when the task is closed.
    function signingFee(TaskId taskId) external view returns (uint256 share, uint256 signers);

    /// @notice Second from which `record` is final; reverts when it is not kept. While a dispute is running the
    /// certificates from `task(taskId).disputedFrom` on wait nevertheless.
    function maturesAt(TaskId taskId, CertificateRecord calldata record) external view returns (uint256);

    /// @notice Seconds after the deadline in which disputes of a task with this challenge window can run: 3 windows and 2
    /// terms of a court; 0 without a window. A certificate that is accepted while a dispute is running waits for its end,
    /// then its own window; whoever challenges it in the last second of that gets a window and a term. A task can be created only
    /// while age of the snapshot + time to the deadline + this + `SETTLEMENT_MARGIN` <= the vault's unbonding delay.
    function settlementTime(uint256 challengeWindow) external view returns (uint256);

    /// @notice What the poster would get back if the task ended now; 0 when it has ended.
    function refundable(TaskId taskId) external view returns (uint256);

    /// @notice Money of `taskId` that this contract holds.
    function held(TaskId taskId) external view returns (uint256);

    /// @notice EIP-712 domain separator: name "ProofOfTraining", version "1", this chain, this contract.
    function domainSeparator() external view returns (bytes32);

    /// @notice EIP-712 digest that the members of the committee sign.
    function certificateDigest(RoundCertificate calldata certificate) external view returns (bytes32);

    /// @notice Creates a task for a committee from the current snapshot and takes its escrow,
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
    /// open or disputed, has started, is not past its deadline; `firstRound` follows the last certified round; `lastRound` is
    /// between it and the task's rounds; the epoch, the spec and the parent model are the task's; `paidTotal` does not fall
    /// and together with this certificate's fee stays inside what the certified rounds earned; the ring of records has
    /// room; a quorum of the task's committee signed.
    /// @param certificate What the committee signed.
    /// @param signers Bitmap over the committee's members; bit 0 is the first.
    /// @param signatures 64 bytes (EIP-2098, low s) for each set bit, ascending.
    function certify(RoundCertificate calldata certificate, uint64 signers, bytes calldata signatures)
        external;

    /// @notice `certify` for up to `MAX_BATCH` certificates, of one or of many tasks. One whose rounds are certified is
    /// passed over, so that whoever posts one of them first blocks nobody; any other refusal reverts all.
    /// @return accepted Number of certificates that advanced a task.
    function certifyMany(SignedCertificate[] calldata batch) external returns (uint256 accepted);

    /// @notice Pays `account` what its certified payouts exceed its earlier claims by. Anyone may call it; the money
    /// goes to `account`. Any final record will do, the newest pays most.
    /// @param taskId The task.
    /// @param record Certificate whose window has closed without a dispute that is still running.
    /// @param account Who is paid.
    /// @param cumulative All payouts of `account` in the task, as certified.
    /// @param proof Path from the leaf `(account, cumulative)` to the record's payouts root.
    /// @return amount What was paid.
    function claim(
        TaskId taskId,
        PayoutRecord calldata record,
        address account,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external returns (uint256 amount);

    /// @notice `claim` for up to `MAX_BATCH` accounts, of one or of many tasks. An item with nothing left to claim is
    /// passed over, so that whoever claims one of them first blocks nobody; any other refusal reverts all.
    /// @return amount What was paid in all.
    function claimMany(PayoutClaim[] calldata batch) external returns (uint256 amount);

    /// @notice Pays a signer of the last certificate of a closed task its share of that certificate's fee, once.
    /// The fees of earlier certificates are in the payouts.
    /// @param taskId The task.
    /// @param record The last certificate that stands.
    /// @param account The signer.
    /// @return amount What was paid.
    function claimSigningFee(TaskId taskId, CertificateRecord calldata record, address account)
        external
        returns (uint256 amount);

    /// @notice Slashes the miner of a certified fault, once for each leaf. Anyone may call it. Refused, in this order,
    /// unless: the record stands and is final; the contribution is of this task; its leaf is under the record's faults
    /// root; the miner signed it; it was not slashed or voided; the stake of that time is still held.
    /// @param taskId The task.
    /// @param record A final certificate that declares the fault; the begin of its window counts as the time of the fault.
    /// @param contribution What the miner claimed to have computed.
    /// @param signature The miner's signature of it, 64 bytes (EIP-2098, low s).
    /// @param proof Path from the leaf to the record's faults root.
    /// @return amount Stake that was taken.
    function slash(
        TaskId taskId,
        CertificateRecord calldata record,
        Contribution calldata contribution,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external returns (uint256 amount);

    /// @notice Withdraws a task before its start and pays the whole escrow back. Only for the poster; and where the
    /// committee is drawn, only until it can be known, lest posters draw until they like it.
    /// @return refund What was paid.
    function cancel(TaskId taskId) external returns (uint256 refund);

    /// @notice Ends a task whose rounds are all certified, whose deadline has passed, or that an appeal ended, when the
    /// window of its last certificate has closed, and pays the poster what nobody earned. Anyone may call it. Certified payouts stay claimable for ever.
    /// @return refund What was paid.
    function close(TaskId taskId) external returns (uint256 refund);

    /// @notice Freezes the certificate of `record` and all later ones until the dispute ends. The first dispute of a
    /// certificate must come within its window; while a dispute is running, what it freezes may be challenged further.
    /// @dev Only for the appeals contract, which bounds the time.
    /// @return begunAt When the window of the certificate began: when it was accepted, or when the dispute that was
    /// running then had to be over.
    function dispute(TaskId taskId, CertificateRecord calldata record) external returns (uint256 begunAt);

    /// @notice Ends a dispute; all certificates stand.
    /// @dev Only for the appeals contract.
    function endDispute(TaskId taskId) external;

    /// @notice Ends a dispute; the certificates from number `from` on are void and the task ends with the one before.
    /// @dev Only for the appeals contract.
    /// @param from Number of the first void certificate.
    /// @param before Record number `from - 1`; not looked at when `from` is 0.
    function overturn(TaskId taskId, uint256 from, CertificateRecord calldata before) external;

    /// @notice Makes a fault unslashable.
    /// @dev Only for the contracts that may slash: the appeals contract, and the one that knows canaries.
    function voidFault(TaskId taskId, bytes32 leaf) external;
}

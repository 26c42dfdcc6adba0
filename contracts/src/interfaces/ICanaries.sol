// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Accusation, AccusationStatus, BlobTail, CanaryTerms, Charge} from "../types/Canary.sol";
import {FaultLeaf} from "../types/Certificate.sol";
import {TaskId} from "../types/Ids.sol";
import {IStakeVault} from "./IStakeVault.sol";
import {ITrainingMarket} from "./ITrainingMarket.sol";

/// @title ICanaries
/// @notice Keeps validators awake. A poster runs miners of its own whose gradients it makes wrong: the least significant
/// bits of the last 128 codes are a hash of a salt, to which it committed before the task began. Nobody sees that
/// without executing the shard; everybody sees it once the salt is known, this contract included, which needs neither the
/// data nor anybody's word to know that the gradient is wrong. A member that signed for it, though its own sample held it,
/// loses the penalty. It holds no money and has no owner. Money is in the token's smallest unit, time in Unix seconds.
///
/// Before `startsAt` the poster plants (`plant`) and each member commits to the secret of its sample (`commitSeed`); who does not
/// is taken to look at everything. Afterwards the poster opens a canary (`open`), anyone accuses a member by its own
/// signature (`accuse`), the member has `ANSWER_TERM` seconds to show that its sample did not hold it (`answer`), and
/// anyone has it punished (`punish`): half to the canary's miner, a bounded bounty to the accuser, the rest to the treasury.
/// A canary that the committee declared a fault is pardoned within the window of its certificate (`pardon`).
interface ICanaries {
    /// @notice The poster of `taskId` committed to its canaries.
    event CanariesPlanted(TaskId indexed taskId, CanaryTerms terms);

    /// @notice `member` committed to its sample of `taskId`.
    event SeedCommitted(TaskId indexed taskId, address indexed member, bytes32 commitment);

    /// @notice `miner` worked for the poster: its marked gradients are canaries.
    event CanaryOpened(TaskId indexed taskId, address indexed miner, bytes32 salt);

    /// @notice The fault of a canary can never be slashed.
    event CanaryPardoned(TaskId indexed taskId, address indexed miner, bytes32 leaf);

    /// @notice `member` is said to have signed for the canary in (`round`, `shard`), and may answer until `answerBy`.
    event MemberAccused(
        TaskId indexed taskId,
        address indexed member,
        bytes32 indexed key,
        uint32 round,
        uint32 shard,
        address miner,
        uint256 answerBy
    );

    /// @notice The sample of `member` did not hold the canary.
    event MemberCleared(TaskId indexed taskId, address indexed member, bytes32 indexed key);

    /// @notice `member` lost `amount` of stake for the canary in (`round`, `shard`).
    event MemberPunished(
        TaskId indexed taskId,
        address indexed member,
        bytes32 indexed key,
        uint32 round,
        uint32 shard,
        uint256 amount
    );

    /// @notice A value lies outside its bounds.
    error OutOfBounds(string field, uint256 value, uint256 min, uint256 max);

    /// @notice The contracts do not name each other: `what` is wrong.
    error MiswiredDeployment(string what);

    /// @notice Only the poster of a task plants canaries in it.
    error NotPoster(TaskId taskId, address caller, address poster);

    /// @notice Commitments are made before the task begins, at `startsAt`.
    error TaskBegun(TaskId taskId, uint256 startsAt);

    /// @notice The task's canaries are planted; there is no second root.
    error AlreadyPlanted(TaskId taskId);

    /// @notice No canaries were planted in the task.
    error NothingPlanted(TaskId taskId);

    /// @notice The member committed to a seed before.
    error SeedFixed(TaskId taskId, address member);

    /// @notice The miner with this salt is not under the root that the poster planted.
    error NotPlanted(TaskId taskId, address miner);

    /// @notice The canary was opened before.
    error AlreadyOpen(TaskId taskId, address miner);

    /// @notice The salt of this miner is not known.
    error NotOpened(TaskId taskId, address miner);

    /// @notice SHA-256 can be continued after whole blocks of 64 bytes only.
    error NotABlock(uint256 skipped);

    /// @notice The bytes that were shown lead to the hash `found`.
    error NotTheGradient(bytes32 gradient, bytes32 found);

    /// @notice The codes of the gradient carry `found`.
    error NotMarked(bytes32 gradient, uint128 mark, uint128 found);

    /// @notice The signature is not the member's but recovers to `recovered` (zero: to nobody).
    error NotSignedByMember(address member, address recovered);

    /// @notice The fault was slashed, or voided, before.
    error FaultSettled(TaskId taskId, bytes32 leaf);

    /// @notice Accusations are taken until `endedAt`.
    error TooLateToAccuse(TaskId taskId, uint256 endedAt);

    /// @notice The accusation is in another state.
    error AccusationIs(bytes32 key, AccusationStatus status);

    /// @notice The time to answer ended at `answerBy`.
    error AnswerTooLate(bytes32 key, uint256 answerBy);

    /// @notice The member can answer until `answerBy`.
    error StillAnswerable(bytes32 key, uint256 answerBy);

    /// @notice The seed is not the one that the member committed to.
    error NotTheSeed(TaskId taskId, address member);

    /// @notice The member's sample held the canary.
    error SampleHolds(TaskId taskId, uint256 round, uint256 shard);

    /// @notice Market whose tasks, certificates and faults are meant.
    function MARKET() external view returns (ITrainingMarket);

    /// @notice Vault whose stakes are slashed, the market's.
    function VAULT() external view returns (IStakeVault);

    /// @notice Seconds that an accused member has to answer.
    function ANSWER_TERM() external view returns (uint256);

    /// @notice Most that one canary may cost a member, in basis points of a validator's stake.
    function MAX_PENALTY_BPS() external view returns (uint256);

    /// @notice What the poster said; all zero when it planted nothing.
    function termsOf(TaskId taskId) external view returns (CanaryTerms memory);

    /// @notice The member's commitment to its sample's seed; zero when it is taken to look at everything.
    function seedOf(TaskId taskId, address member) external view returns (bytes32);

    /// @notice Salt of an opened canary miner; zero when it is not opened.
    function saltOf(TaskId taskId, address miner) external view returns (bytes32);

    /// @notice One accusation; all zero when there is none.
    function accusationOf(bytes32 key) external view returns (Accusation memory);

    /// @notice Name of the accusation that `member` signed for the canary of `miner` in (`round`, `shard`).
    function keyOf(TaskId taskId, address member, address miner, uint256 round, uint256 shard)
        external
        pure
        returns (bytes32);

    /// @notice Last second of accusations in a task: late enough for the last window and dispute, early enough for an answer and
    /// a punishment before any stake of the task's snapshot can have left.
    function accusationsEnd(TaskId taskId) external view returns (uint256);

    /// @notice The bits that a canary carries.
    function markOf(bytes32 salt, bytes32 specHash, uint256 round, uint256 shard)
        external
        pure
        returns (uint128);

    /// @notice Whether the sample of a seed holds a shard.
    function sampleHolds(
        bytes calldata seed,
        uint256 rounds,
        uint256 shards,
        uint256 samplePpm,
        uint256 round,
        uint256 shard
    ) external view returns (bool);

    /// @notice Commits the poster to its canaries. Refused, in this order, unless: the caller is the poster; the task has
    /// not begun; nothing is planted; the root is not zero, the share at most a million, the penalty within its bounds.
    function plant(TaskId taskId, CanaryTerms calldata terms) external;

    /// @notice Commits the caller to its sample, `sha256("ProofOfTraining/sample/3/commitment/" || seed)`. Refused, in this
    /// order, unless: canaries are planted; the task has not begun; it is the caller's first; it is not zero.
    function commitSeed(TaskId taskId, bytes32 commitment) external;

    /// @notice Opens a canary miner. Whoever knows the salt may. Refused, in this order, unless: canaries are planted; it is
    /// not open; the leaf `(miner, salt)` is under the root.
    function open(TaskId taskId, address miner, bytes32 salt, bytes32[] calldata proof) external;

    /// @notice Makes the fault of a canary unslashable. Anyone may call it. Refused, in this order, unless: the miner is open;
    /// the gradient carries its mark; the fault was not slashed or voided before.
    function pardon(TaskId taskId, FaultLeaf calldata leaf, BlobTail calldata tail) external;

    /// @notice Accuses a member by its own signature. Anyone may call it. Refused, in this order, unless: the miner is open; it
    /// is not too late; this member was not accused of this canary before; it is a member of the task's committee; the leaf
    /// is under the certificate's contributions root; the gradient carries the mark; the member signed.
    /// @return key Name of the accusation.
    function accuse(Charge calldata charge) external returns (bytes32 key);

    /// @notice Shows that the accused member's sample did not hold the canary, by its seed, which everybody knows from then
    /// on. Anyone may call it. Refused, in this order, unless: the accusation is open; it is not too late; the seed is the one
    /// that was committed to; the sample does not hold the shard.
    function answer(TaskId taskId, bytes32 key, address member, bytes calldata seed) external;

    /// @notice Slashes a member whose time to answer has passed. Anyone may call it. Refused, in this order, unless: the
    /// accusation is open and of this member; the time has passed.
    /// @return amount Stake that was taken; 0 when nothing is left.
    function punish(TaskId taskId, bytes32 key, address member) external returns (uint256 amount);
}

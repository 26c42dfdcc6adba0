// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundCertificate} from "../types/Certificate.sol";
import {SignedCertificate} from "../types/Claim.sol";
import {Epoch, TaskId} from "../types/Ids.sol";
import {Panel} from "../types/Panel.sol";
import {IBlsKeys} from "./IBlsKeys.sol";
import {IStakeVault} from "./IStakeVault.sol";
import {ITrainingMarket} from "./ITrainingMarket.sol";

/// @title ICommittee
/// @notice Who the validators are, in which snapshot (epoch), which of them are the committee of a task or the court
/// of a dispute, and whether a set of them signed a digest. It holds no money. Nobody has a right here that every
/// account does not have, but that the market assigns committees and its appeals contract assigns courts.
///
/// Draws: a committee smaller than the snapshot is drawn by stake, without replacement, with the hash of the block
/// `DRAW_DELAY` after its assignment, which nobody knew then. Anyone may execute the draw. Once that hash is out of reach
/// (256 blocks), the seed is the snapshot's own, mixed with the panel's name: fixed before the panel existed, so that
/// waiting never buys a new draw.
interface ICommittee {
    /// @notice `account` entered the pool of validators.
    event ValidatorJoined(address indexed account, string endpoint);

    /// @notice `account` is reached at `endpoint` from this block on.
    event EndpointChanged(address indexed account, string endpoint);

    /// @notice `account` left the pool: by itself, for lack of stake, or for equivocation.
    event ValidatorLeft(address indexed account);

    /// @notice `epoch` is the current committee; `members` ascend by address and bitmaps count in that order.
    event EpochAdvanced(Epoch indexed epoch, address[] members);

    /// @notice `signer` signed two conflicting certificates of `taskId` and lost `amount` of stake.
    event EquivocationProven(
        address indexed signer,
        TaskId indexed taskId,
        bytes32 digestA,
        bytes32 digestB,
        uint256 amount,
        address reporter
    );

    /// @notice `members`, ascending, are the committee of `taskId`; bitmaps count in that order.
    event CommitteeDrawn(TaskId indexed taskId, address[] members);

    /// @notice `members`, ascending, are the court of dispute number `dispute` of `taskId`.
    event CourtDrawn(TaskId indexed taskId, uint256 indexed dispute, address[] members);

    /// @notice A constructor argument lies outside its bounds.
    error OutOfBounds(string field, uint256 value, uint256 min, uint256 max);

    /// @notice `account` is in the pool already.
    error AlreadyValidator(address account);

    /// @notice `account` is not in the pool, or never was where an endpoint is changed.
    error NotValidator(address account);

    /// @notice The pool holds `max` validators.
    error PoolFull(uint256 max);

    /// @notice `account` holds `stake` in the vault and needs `needed`.
    error StakeTooSmall(address account, uint256 stake, uint256 needed);

    /// @notice An endpoint of `length` bytes is empty or longer than `max`.
    error EndpointLength(uint256 length, uint256 max);

    /// @notice The epoch ends at block `readyAt`.
    error EpochNotOver(uint256 blockNumber, uint256 readyAt);

    /// @notice Only `have` validators of the pool hold enough stake; a committee needs `needed`.
    error NotEnoughValidators(uint256 have, uint256 needed);

    /// @notice There is no such epoch.
    error EpochUnknown(Epoch epoch);

    /// @notice There is no committee yet: anyone may take the first snapshot.
    error NoCommittee();

    /// @notice `account` is not a member of the committee of `taskId`.
    error NotMember(TaskId taskId, address account);

    /// @notice Only the market, or its appeals contract, assigns panels.
    error NotAssigner(address caller, address expected);

    /// @notice A committee has 3f + 1 members, at least 4 and at most all `members` of the snapshot.
    error CommitteeSizeInvalid(uint256 size, uint256 members);

    /// @notice No committee or court was assigned under this name.
    error PanelUnknown(TaskId taskId, uint256 dispute);

    /// @notice The court was assigned before: there is no other draw.
    error AlreadyAssigned(TaskId taskId, uint256 dispute);

    /// @notice The panel has its members.
    error AlreadyDrawn(TaskId taskId, uint256 dispute);

    /// @notice The seed is the hash of block `drawBlock`, which is known from the next block on.
    error DrawTooEarly(uint256 blockNumber, uint256 drawBlock);

    /// @notice The members are to be drawn first; anyone may do that after block `drawBlock`.
    error NotDrawn(TaskId taskId, uint256 dispute, uint256 drawBlock);

    /// @notice The bitmap names a position beyond the `members` of the panel.
    error SignerOutOfRange(uint64 signers, uint256 members);

    /// @notice `have` signers are fewer than the quorum `needed`.
    error QuorumMissing(uint256 have, uint256 needed);

    /// @notice The signatures have `length` bytes; 64 for each signer make `needed`.
    error SignaturesLength(uint256 length, uint256 needed);

    /// @notice The signature for member `index` is not `expected`'s but recovers to `recovered` (zero: to nobody).
    error WrongSigner(uint256 index, address expected, address recovered);

    /// @notice The signature for member `index` has `s` in the upper half, where a twin of it exists.
    error MalleableSignature(uint256 index, bytes32 s);

    /// @notice The two certificates name different tasks or epochs, cover no round in common, or are the same.
    error NoEquivocation(bytes32 digestA, bytes32 digestB);

    /// @notice The signer of the first certificate is not the signer of the second.
    error SignersDiffer(address signerA, address signerB);

    /// @notice `signer` is not in both bitmaps.
    error NotAmongSigners(address signer, uint64 signersA, uint64 signersB);

    /// @notice `signer` was slashed for equivocation on this task before.
    error AlreadyProven(address signer, TaskId taskId);

    /// @notice The vault whose stakes count and are slashed.
    function VAULT() external view returns (IStakeVault);

    /// @notice The market whose certificates the members sign.
    function MARKET() external view returns (ITrainingMarket);

    /// @notice BLS keys, made and registered beside this contract; a committee whose members all have one may sign by
    /// one aggregate.
    function KEYS() external view returns (IBlsKeys);

    /// @notice Stake that a validator must hold, and that equivocation costs; in the token's smallest unit.
    function VALIDATOR_STAKE() external view returns (uint256);

    /// @notice Least number of blocks between two snapshots.
    function EPOCH_LENGTH() external view returns (uint256);

    /// @notice Number of the current committee; 0 when there was none yet.
    function currentEpoch() external view returns (Epoch);

    /// @notice Blocks between the assignment of a panel and the block whose hash draws it.
    function DRAW_DELAY() external view returns (uint256);

    /// @notice Block at which `advanceEpoch` is possible.
    function nextEpochAt() external view returns (uint256);

    /// @notice Second at which the snapshot `epoch` was taken.
    function startedAt(Epoch epoch) external view returns (uint256);

    /// @notice Members of the snapshot `epoch`, ascending by address.
    function membersOf(Epoch epoch) external view returns (address[] memory);

    /// @notice Stakes of the members of `epoch` when it was taken, in the order of `membersOf`; the weights of draws.
    function stakesOf(Epoch epoch) external view returns (uint256[] memory);

    /// @notice Seed that was fixed with the snapshot `epoch`.
    function seedOf(Epoch epoch) external view returns (bytes32);

    /// @notice Committee of `taskId`, ascending by address; reverts until it is drawn.
    function membersOfTask(TaskId taskId) external view returns (address[] memory);

    /// @notice Signatures that a certificate of `taskId` needs: ceil((n + f + 1) / 2) with f = (n - 1) / 3.
    function quorumOfTask(TaskId taskId) external view returns (uint256);

    /// @notice Court of dispute number `dispute` of `taskId`, ascending by address; reverts until it is drawn.
    function courtOf(TaskId taskId, uint256 dispute) external view returns (address[] memory);

    /// @notice How the committee of `taskId` (`dispute` 0) or the court of a dispute comes about.
    function panelOf(TaskId taskId, uint256 dispute) external view returns (Panel memory);

    /// @notice Position of `account` in `membersOfTask(taskId)`; reverts when it is not there.
    function memberIndex(TaskId taskId, address account) external view returns (uint256);

    /// @notice Accounts in the pool, in no particular order.
    function pool() external view returns (address[] memory);

    /// @notice Whether `account` is in the pool.
    function isValidator(address account) external view returns (bool);

    /// @notice Where `account` is reached. It stays after leaving: the tasks of past epochs go on.
    function endpointOf(address account) external view returns (string memory);

    /// @notice Whether `signer` was slashed for equivocation on `taskId`.
    function equivocated(address signer, TaskId taskId) external view returns (bool);

    /// @notice Puts the caller into the pool. Needs `VALIDATOR_STAKE` in the vault.
    /// @param endpoint 1 to 200 bytes, for example `wss://host:port`.
    function join(string calldata endpoint) external;

    /// @notice Changes where the caller is reached; also after leaving.
    /// @param endpoint 1 to 200 bytes.
    function setEndpoint(string calldata endpoint) external;

    /// @notice Takes the caller out of the pool. Duties of epochs that it is a member of go on.
    function leave() external;

    /// @notice Takes the snapshot of the next epoch: the validators of the pool that hold enough stake. Those that
    /// do not are put out of the pool. Anyone may call it.
    /// @return epoch Number of the snapshot.
    function advanceEpoch() external returns (Epoch epoch);

    /// @notice Gives a new task its committee: the whole current snapshot, or as many of it as `size` says.
    /// @dev Only for the market.
    /// @param size 3f + 1 members, 4 to those of the snapshot; 0, or the snapshot's size, means all of it.
    /// @return epoch The snapshot.
    function assign(TaskId taskId, uint256 size) external returns (Epoch epoch);

    /// @notice Gives a dispute its court, from the current snapshot: up to 2n - 1 members for a committee of n, and
    /// none of that committee if at least `MIN_MEMBERS` others are there; if not, all others and members of the
    /// committee up to that number.
    /// @dev Only for the market's appeals contract.
    /// @param dispute Number of the dispute in its task, from 1.
    function assignCourt(TaskId taskId, uint256 dispute) external;

    /// @notice Draws the committee of a task. Anyone may call it, from the block after the draw block on.
    function drawCommittee(TaskId taskId) external;

    /// @notice Draws the court of a dispute. Anyone may call it, from the block after the draw block on.
    function drawCourt(TaskId taskId, uint256 dispute) external;

    /// @notice Returns if a quorum of the committee of `taskId` signed `digest`, and reverts with the reason if not.
    /// Checked in this order: the committee is there, the bitmap stays in range, the quorum is there, the length fits,
    /// each signature; an aggregate as `IBlsKeys.verify` says.
    /// @param taskId The task.
    /// @param digest EIP-712 digest.
    /// @param signers Bitmap over `membersOfTask(taskId)`; bit 0 is the first member.
    /// @param signatures 64 bytes (EIP-2098 `r`, `vs`; low s) for each set bit, ascending; or 96 bytes, the BLS aggregate
    /// of all of them, if the keys of the committee were gathered in `KEYS`.
    function verify(TaskId taskId, bytes32 digest, uint64 signers, bytes calldata signatures) external view;

    /// @notice The same for the court of a dispute.
    function verifyCourt(
        TaskId taskId,
        uint256 dispute,
        bytes32 digest,
        uint64 signers,
        bytes calldata signatures
    ) external view;

    /// @notice Slashes a committee member that signed two different certificates with a round in common, once for each
    /// task. An honest replica signs one certificate for each round, ever.
    /// @param certificateA One certificate.
    /// @param signatureA 64 bytes (EIP-2098) over it.
    /// @param certificateB The other.
    /// @param signatureB 64 bytes (EIP-2098) over it by the same member.
    function proveEquivocation(
        RoundCertificate calldata certificateA,
        bytes calldata signatureA,
        RoundCertificate calldata certificateB,
        bytes calldata signatureB
    ) external;

    /// @notice The same with what was signed together: for each certificate a bitmap, which need be no quorum, and its
    /// signatures or its aggregate, as `verify` takes them. Slashes `signer`, who must be in both.
    function proveJointEquivocation(
        address signer,
        SignedCertificate calldata a,
        SignedCertificate calldata b
    ) external;
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {
    Contest,
    ContestId,
    ContestParams,
    ContestStatus,
    Entry,
    LearningBlock,
    Outcome,
    ScoreCertificate
} from "../types/Contest.sol";
import {Epoch} from "../types/Ids.sol";
import {Permit} from "../types/Permit.sol";
import {ICommittee} from "./ICommittee.sol";
import {IContestPanels} from "./IContestPanels.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @title ILearningContest
/// @notice Contests for whole models. A poster funds a reward and seals a test set; miners commit to models; the key
/// to the test set is released only when no commitment is accepted any more; models are revealed; a drawn committee counts
/// each one's right answers; whoever doubts the counts has a larger court count again; the winner is paid and appends the
/// next block of the learning chain.
///
/// The winner follows from the scores by one rule, applied here: the first entry in the order of commitments that reaches
/// the target, otherwise the one with the most right answers, ties going to the earlier commitment. So no signature
/// of anybody can make two winners.
///
/// Money of a contest is the escrow `reward + fee + compensation * maxEntries`. Whatever happens, or does not, somebody can
/// end the contest by `close` after a time that is known from the start; what it owes is collected by or for each account.
interface ILearningContest {
    /// @notice `poster` funded `contestId` with `escrow`. Seeds follow from `parent`.
    event ContestPosted(
        ContestId indexed contestId,
        address indexed poster,
        bytes32 indexed specHash,
        ContestParams params,
        Epoch epoch,
        bytes32 parent,
        uint256 escrow
    );

    /// @notice `miner` entered at position `entry`.
    event EntryCommitted(
        ContestId indexed contestId, uint256 indexed entry, address indexed miner, bytes32 commitment
    );

    /// @notice `key` opens the sealed test set; models are revealed until `revealEnds`.
    event TestSetReleased(ContestId indexed contestId, bytes32 key, uint256 revealEnds);

    /// @notice `miner` showed what it had committed to.
    event EntryRevealed(
        ContestId indexed contestId,
        uint256 indexed entry,
        address indexed miner,
        bytes32 model,
        bytes32 traceRoot,
        bytes32 salt
    );

    /// @notice The scores of an instance were accepted; `winner` follows from them and is NO_WINNER when nobody wins.
    event ScoresAccepted(
        ContestId indexed contestId,
        uint256 indexed instance,
        ScoreCertificate certificate,
        uint32[] scores,
        uint64 signers,
        uint256 winner
    );

    /// @notice `challenger` doubts the scores; the court has until `courtEnds`.
    event ScoresChallenged(ContestId indexed contestId, address indexed challenger, uint256 courtEnds);

    /// @notice The court decided; `upheld` tells whether the challenger was right.
    event ChallengeDecided(ContestId indexed contestId, bool upheld);

    /// @notice `signer` lost `taken` of its stake for scores that a court found wrong.
    event SignerSlashed(ContestId indexed contestId, address indexed signer, uint256 taken);

    /// @notice `miner` lost `taken` of its stake for a false trace.
    event EntrySlashed(
        ContestId indexed contestId, uint256 indexed entry, address indexed miner, uint256 taken
    );

    /// @notice The contest ended. `winner` is zero unless the outcome is `Won`.
    event ContestClosed(ContestId indexed contestId, Outcome outcome, address indexed winner, uint256 refund);

    /// @notice A block was appended to the learning chain: by the winner of a contest, or by whoever solved a puzzle.
    event BlockAppended(bytes32 indexed blockHash, LearningBlock added);

    /// @notice The list of payloads that the block appended next orders. No committee vouches for the list of a puzzle, so
    /// it is shown here, where every reader of the chain has it.
    event PayloadsShown(bytes32 indexed root, bytes payloads);

    /// @notice `account` was paid `amount`.
    event Collected(address indexed account, uint256 amount);

    /// @notice A parameter lies outside its bounds.
    error OutOfBounds(string field, uint256 value, uint256 min, uint256 max);

    /// @notice Two contracts of the deployment do not name each other.
    error MiswiredDeployment(string what);

    /// @notice A hash is zero where that names nothing.
    error ZeroHash(string field);

    /// @notice The snapshot was taken at `startedAt`, more than `maxAge` seconds ago: anyone may take the next one.
    error EpochStale(Epoch epoch, uint256 startedAt, uint256 maxAge);

    /// @notice Stakes leave after `delay` seconds, but the contest needs them for `needed`.
    error UnbondingTooShort(uint256 delay, uint256 needed);

    /// @notice There is no such contest.
    error ContestUnknown(ContestId contestId);

    /// @notice The contest's status does not allow this.
    error ContestIs(ContestId contestId, ContestStatus phase);

    /// @notice Only the poster may do this.
    error NotContestPoster(ContestId contestId, address caller);

    /// @notice Somebody has entered: the poster cannot step back any more.
    error HasEntries(ContestId contestId, uint256 entries);

    /// @notice The contest has no entry, so nothing is to be released.
    error HasNoEntries(ContestId contestId);

    /// @notice The commitment is zero.
    error ZeroCommitment(ContestId contestId);

    /// @notice `miner` entered before.
    error AlreadyEntered(ContestId contestId, address miner);

    /// @notice The contest has its `max` entries.
    error ContestFull(ContestId contestId, uint256 max);

    /// @notice `miner` holds `stake` in the vault and needs `needed`.
    error MinerStakeTooSmall(address miner, uint256 stake, uint256 needed);

    /// @notice This is possible from `from` on.
    error TooEarly(ContestId contestId, uint256 time, uint256 from);

    /// @notice This was possible until `until`.
    error TooLate(ContestId contestId, uint256 time, uint256 until);

    /// @notice The key is not the one that the poster promised.
    error WrongKey(ContestId contestId, bytes32 keyHash, bytes32 promised);

    /// @notice `account` has no entry.
    error NotEntered(ContestId contestId, address account);

    /// @notice `account` has revealed.
    error AlreadyRevealed(ContestId contestId, address account);

    /// @notice What was shown has the digest `shown`, and the commitment was `committed`.
    error CommitmentMismatch(ContestId contestId, bytes32 shown, bytes32 committed);

    /// @notice A field of the certificate is not the contest's.
    error CertificateMismatch(ContestId contestId, string field);

    /// @notice The score of entry `entry` cannot be: more than the answers, or one for an entry without a usable model.
    error ScoreInvalid(ContestId contestId, uint256 entry, uint256 score);

    /// @notice `open` contests are not closed: the next block is to be won by training.
    error ContestsOpen(uint256 open);

    /// @notice The block follows `parent`, and the newest one is `head`.
    error StaleParent(bytes32 parent, bytes32 head);

    /// @notice The block has the number `height` and needs `needed`.
    error HeightOutOfOrder(uint64 height, uint64 needed);

    /// @notice The block's time must be later than `parentTime`, and not later than `time`.
    error BlockTimeOutOfRange(uint64 blockTime, uint64 parentTime, uint256 time);

    /// @notice This field of the block is not a puzzle's.
    error NotAPuzzle(string field);

    /// @notice The block's hash is above the target.
    error PuzzleUnsolved(bytes32 blockHash, uint256 target);

    /// @notice The list that was shown has the hash `shown`, and the block names `root`.
    error PayloadsMismatch(bytes32 shown, bytes32 root);

    /// @notice Nothing is owed to `account`.
    error NothingOwed(address account);

    /// @notice Most entries of a contest.
    function MAX_ENTRIES() external view returns (uint256);

    /// @notice Score of an entry that was not revealed or is no usable model.
    function NO_SCORE() external view returns (uint32);

    /// @notice Position that names no entry.
    function NO_WINNER() external view returns (uint8);

    /// @notice Share of the validators' stake that wrong scores cost each signer, in basis points.
    function SIGNER_BPS() external view returns (uint256);

    /// @notice Token of escrow, bonds and stakes.
    function TOKEN() external view returns (IERC20);

    /// @notice The vault whose stakes count and are slashed.
    function VAULT() external view returns (IStakeVault);

    /// @notice Where the validators' snapshots come from.
    function COMMITTEE() external view returns (ICommittee);

    /// @notice Committees and courts of the contests.
    function PANELS() external view returns (IContestPanels);

    /// @notice Bond of a challenge.
    function BOND() external view returns (uint256);

    /// @notice Seconds that a court has.
    function COURT_TERM() external view returns (uint256);

    /// @notice Number of contests so far; the newest has this number.
    function contestCount() external view returns (uint256);

    /// @notice Hash of the newest block of the learning chain.
    function head() external view returns (bytes32);

    /// @notice Number of the newest block of the learning chain; 0 is its genesis.
    function height() external view returns (uint64);

    /// @notice Time of the newest block.
    function headTime() external view returns (uint64);

    /// @notice Number of contests that are not closed; a puzzle is taken while there is none.
    function openContests() external view returns (uint64);

    /// @notice What `account` can collect.
    function owed(address account) external view returns (uint256);

    /// @notice State of a contest; empty for one that does not exist.
    function contest(ContestId contestId) external view returns (Contest memory);

    /// @notice What the poster asked for.
    function paramsOf(ContestId contestId) external view returns (ContestParams memory);

    /// @notice Entry number `entry`. Reverts with `NotEntered` beyond the last one.
    function entryOf(ContestId contestId, uint256 entry) external view returns (Entry memory);

    /// @notice Position of the entry of `miner`, plus 1; 0 when it has none.
    function entryNumber(ContestId contestId, address miner) external view returns (uint256);

    /// @notice What the contract holds for a contest that is not closed; 0 afterwards. The bond of a challenge is apart.
    function held(ContestId contestId) external view returns (uint256);

    /// @notice EIP-712 domain separator of everything signed for this contract.
    function domainSeparator() external view returns (bytes32);

    /// @notice What a miner commits to: the EIP-712 digest of
    /// `Commitment(uint256 contestId,address miner,bytes32 model,bytes32 traceRoot,bytes32 salt)`. A copy of it is worth
    /// nothing to another account, on another chain or in another contest.
    function commitmentDigest(
        ContestId contestId,
        address miner,
        bytes32 model,
        bytes32 traceRoot,
        bytes32 salt
    ) external view returns (bytes32);

    /// @notice What a committee signs.
    function scoreDigest(ScoreCertificate calldata certificate) external view returns (bytes32);

    /// @notice Posts a contest and takes its escrow. Needs an allowance.
    function post(ContestParams calldata params) external returns (ContestId contestId);

    /// @notice `post` with an EIP-2612 permit in the same transaction; one that fails is ignored.
    function postWithPermit(ContestParams calldata params, Permit calldata permit)
        external
        returns (ContestId contestId);

    /// @notice Takes a contest back that nobody entered. Only the poster.
    function cancel(ContestId contestId) external;

    /// @notice Enters the caller with a commitment. The order of entries decides ties.
    /// Refused, in this order, unless: the contest is open; its deadline has not passed; the commitment is not zero; the
    /// caller has not entered; there is room; the caller's stake is enough. Equal commitments are not refused: whoever
    /// copies one out of the mempool must not keep its author out, and cannot reveal it.
    function commit(ContestId contestId, bytes32 commitment) external returns (uint256 entry);

    /// @notice Releases the key to the sealed test set. Anybody who knows it may.
    function release(ContestId contestId, bytes32 key) external;

    /// @notice Shows what the caller committed to.
    function reveal(ContestId contestId, bytes32 model, bytes32 traceRoot, bytes32 salt) external;

    /// @notice Accepts scores: of the committee, once everything is revealed or the reveals' time is over, or of the
    /// court while a challenge runs. Anyone may post it.
    /// @param certificate What the panel signed.
    /// @param scores Right answers of each entry; NO_SCORE for one that was not revealed or is no usable model.
    /// @param signers Bitmap over the panel.
    /// @param signatures 64 bytes (EIP-2098, low s) for each set bit, ascending.
    function certify(
        ScoreCertificate calldata certificate,
        uint32[] calldata scores,
        uint64 signers,
        bytes calldata signatures
    ) external;

    /// @notice Doubts the committee's scores, with a bond: a court of twice the size counts again. Once a contest.
    /// The bond comes back when the court finds other scores or none; otherwise half goes to the winner. Who signed the
    /// other scores is slashed, unless the findings differ only for entries that it gave neither a score nor a false trace.
    function challenge(ContestId contestId) external;

    /// @notice Ends a contest when its time has come, and books what it owes. Anyone may call it.
    function close(ContestId contestId) external returns (Outcome outcome);

    /// @notice Appends a block for which a hash was searched, so that the learning chain goes on while nobody trains. Anyone
    /// may, and nobody is paid for it. Refused, in this order, unless: no contest is open; the block follows the newest one
    /// in hash and height; its time rises and is not in the future; it is a puzzle of the fixed target and claims nothing
    /// of a contest's; its hash meets the target; `payloads` is the list that it names, empty for a root of zero.
    /// What the list holds is not looked at: whoever reads the chain takes the payloads that are signed and next by their
    /// authors, and passes over the others.
    function appendPuzzle(LearningBlock calldata added, bytes calldata payloads)
        external
        returns (bytes32 blockHash);

    /// @notice Pays `account` what is owed to it. Anyone may call it.
    function collect(address account) external returns (uint256 amount);
}

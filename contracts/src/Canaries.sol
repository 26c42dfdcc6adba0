// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICanaries} from "./interfaces/ICanaries.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket} from "./interfaces/ITrainingMarket.sol";
import {LeafLib} from "./libraries/LeafLib.sol";
import {MarkLib} from "./libraries/MarkLib.sol";
import {RoundingLib} from "./libraries/RoundingLib.sol";
import {SampleLib} from "./libraries/SampleLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {Accusation, AccusationStatus, BlobTail, CanaryTerms, Charge} from "./types/Canary.sol";
import {FaultLeaf} from "./types/Certificate.sol";
import {TaskId} from "./types/Ids.sol";
import {Task} from "./types/Task.sol";

/// @title Canaries
/// @notice See {ICanaries}. Everything is fixed at construction; there is no owner.
contract Canaries is ICanaries {
    /// @inheritdoc ICanaries
    uint256 public constant MAX_PENALTY_BPS = 5_000;
    /// @notice Bounds of the time to answer, in seconds.
    uint256 public constant MIN_ANSWER_TERM = 1 minutes;
    uint256 public constant MAX_ANSWER_TERM = 3 days;

    /// @dev Domain of the agreement's statements, and its phase: `protocol/pbft_messages.py`.
    bytes private constant AGREEMENT = "ProofOfTraining/PBFT/1";
    uint8 private constant PREPARE = 2;

    /// @inheritdoc ICanaries
    ITrainingMarket public immutable MARKET;
    /// @inheritdoc ICanaries
    IStakeVault public immutable VAULT;
    /// @inheritdoc ICanaries
    uint256 public immutable ANSWER_TERM;

    /// @inheritdoc ICanaries
    mapping(TaskId taskId => mapping(address member => bytes32)) public seedOf;
    /// @inheritdoc ICanaries
    mapping(TaskId taskId => mapping(address miner => bytes32)) public saltOf;

    mapping(TaskId taskId => CanaryTerms) private _terms;
    mapping(bytes32 key => Accusation) private _accusations;

    /// @param market Market whose vault names this contract as a slasher.
    /// @param answerTerm Seconds that an accused member has, MIN_ANSWER_TERM..MAX_ANSWER_TERM.
    constructor(ITrainingMarket market, uint256 answerTerm) {
        if (answerTerm < MIN_ANSWER_TERM || answerTerm > MAX_ANSWER_TERM) {
            revert OutOfBounds("answerTerm", answerTerm, MIN_ANSWER_TERM, MAX_ANSWER_TERM);
        }
        IStakeVault vault = market.VAULT();
        if (!vault.isSlasher(address(this))) revert MiswiredDeployment("vault.isSlasher(canaries)");
        MARKET = market;
        VAULT = vault;
        ANSWER_TERM = answerTerm;
    }

    /// @inheritdoc ICanaries
    function plant(TaskId taskId, CanaryTerms calldata terms) external {
        Task memory task = MARKET.task(taskId);
        if (msg.sender != task.poster) revert NotPoster(taskId, msg.sender, task.poster);
        if (block.timestamp >= task.startsAt) revert TaskBegun(taskId, task.startsAt);
        if (_terms[taskId].root != 0) revert AlreadyPlanted(taskId);
        if (terms.root == 0) revert OutOfBounds("root", 0, 1, type(uint256).max);
        if (terms.samplePpm > SampleLib.PPM) {
            revert OutOfBounds("samplePpm", terms.samplePpm, 0, SampleLib.PPM);
        }
        uint256 most = RoundingLib.bpsDown(MARKET.COMMITTEE().VALIDATOR_STAKE(), MAX_PENALTY_BPS);
        if (terms.penalty == 0 || terms.penalty > most) {
            revert OutOfBounds("penalty", terms.penalty, 1, most);
        }
        _terms[taskId] = terms;
        emit CanariesPlanted(taskId, terms);
    }

    /// @inheritdoc ICanaries
    function commitSeed(TaskId taskId, bytes32 commitment) external {
        if (_terms[taskId].root == 0) revert NothingPlanted(taskId);
        uint256 startsAt = MARKET.task(taskId).startsAt;
        if (block.timestamp >= startsAt) revert TaskBegun(taskId, startsAt);
        if (seedOf[taskId][msg.sender] != 0) revert SeedFixed(taskId, msg.sender);
        if (commitment == 0) revert OutOfBounds("commitment", 0, 1, type(uint256).max);
        seedOf[taskId][msg.sender] = commitment;
        emit SeedCommitted(taskId, msg.sender, commitment);
    }

    /// @inheritdoc ICanaries
    function open(TaskId taskId, address miner, bytes32 salt, bytes32[] calldata proof) external {
        bytes32 root = _terms[taskId].root;
        if (root == 0) revert NothingPlanted(taskId);
        if (saltOf[taskId][miner] != 0) revert AlreadyOpen(taskId, miner);
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(miner, salt))));
        if (salt == 0 || LeafLib.rootOf(leaf, proof) != root) revert NotPlanted(taskId, miner);
        saltOf[taskId][miner] = salt;
        emit CanaryOpened(taskId, miner, salt);
    }

    /// @inheritdoc ICanaries
    function pardon(TaskId taskId, FaultLeaf calldata leaf, BlobTail calldata tail) external {
        _requireMarked(taskId, leaf.miner, leaf.round, leaf.shard, leaf.gradient, tail);
        bytes32 hash = LeafLib.fault(leaf);
        if (MARKET.slashed(taskId, hash)) revert FaultSettled(taskId, hash);
        emit CanaryPardoned(taskId, leaf.miner, hash);
        MARKET.voidFault(taskId, hash);
    }

    /// @inheritdoc ICanaries
    function accuse(Charge calldata charge) external returns (bytes32 key) {
        TaskId taskId = charge.certificate.taskId;
        address member = charge.member;
        address miner = charge.leaf.miner;
        if (saltOf[taskId][miner] == 0) revert NotOpened(taskId, miner);
        uint256 endedAt = accusationsEnd(taskId);
        if (block.timestamp > endedAt) revert TooLateToAccuse(taskId, endedAt);
        (uint32 round, uint32 shard) = (charge.leaf.round, charge.leaf.shard);
        key = keyOf(taskId, member, miner, round, shard);
        AccusationStatus status = _accusations[key].status;
        if (status != AccusationStatus.None) revert AccusationIs(key, status);
        MARKET.COMMITTEE().memberIndex(taskId, member); // reverts for whoever is no member, whose word binds nobody
        LeafLib.requireLeaf(
            taskId, LeafLib.contribution(charge.leaf), charge.certificate.contributionsRoot, charge.proof
        );
        _requireMarked(taskId, miner, round, shard, charge.leaf.gradient, charge.tail);
        _requireSigned(charge);
        uint256 answerBy = block.timestamp + (seedOf[taskId][member] == 0 ? 0 : ANSWER_TERM);
        _accusations[key] =
            Accusation(msg.sender, uint40(answerBy), AccusationStatus.Open, miner, round, shard);
        emit MemberAccused(taskId, member, key, round, shard, miner, answerBy);
    }

    /// @inheritdoc ICanaries
    function answer(TaskId taskId, bytes32 key, address member, bytes calldata seed) external {
        Accusation storage self = _requireOpen(taskId, key, member);
        if (block.timestamp > self.answerBy) revert AnswerTooLate(key, self.answerBy);
        bool own = seed.length == SampleLib.SEED_BYTES && SampleLib.commitment(seed) == seedOf[taskId][member];
        if (!own) revert NotTheSeed(taskId, member);
        Task memory task = MARKET.task(taskId);
        uint256 share = _terms[taskId].samplePpm;
        if (SampleLib.holds(seed, task.rounds, task.shards, share, self.round, self.shard)) {
            revert SampleHolds(taskId, self.round, self.shard);
        }
        self.status = AccusationStatus.Cleared;
        emit MemberCleared(taskId, member, key);
    }

    /// @inheritdoc ICanaries
    function punish(TaskId taskId, bytes32 key, address member) external returns (uint256 amount) {
        Accusation storage self = _requireOpen(taskId, key, member);
        bool answerable = seedOf[taskId][member] != 0 && block.timestamp <= self.answerBy;
        if (answerable) revert StillAnswerable(key, self.answerBy);
        self.status = AccusationStatus.Punished;
        // A member's stake of the snapshot stands for all that it signs.
        ICommittee committee = MARKET.COMMITTEE();
        uint256 heldAt = committee.startedAt(MARKET.task(taskId).epoch);
        // Whoever has nothing left loses nothing.
        if (VAULT.slashableOf(member) != 0 && VAULT.slashableAt(member, heldAt) != 0) {
            amount = VAULT.slash(member, _terms[taskId].penalty, heldAt, self.miner, self.accuser).amount;
        }
        emit MemberPunished(taskId, member, key, self.round, self.shard, amount);
    }

    /// @inheritdoc ICanaries
    function termsOf(TaskId taskId) external view returns (CanaryTerms memory) {
        return _terms[taskId];
    }

    /// @inheritdoc ICanaries
    function accusationOf(bytes32 key) external view returns (Accusation memory) {
        return _accusations[key];
    }

    /// @inheritdoc ICanaries
    function keyOf(TaskId taskId, address member, address miner, uint256 round, uint256 shard)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(taskId, member, miner, round, shard));
    }

    /// @inheritdoc ICanaries
    function accusationsEnd(TaskId taskId) public view returns (uint256) {
        Task memory task = MARKET.task(taskId);
        return task.deadline + MARKET.settlementTime(task.challengeWindow) + MARKET.SETTLEMENT_MARGIN() - 2
            * ANSWER_TERM;
    }

    /// @inheritdoc ICanaries
    function markOf(bytes32 salt, bytes32 specHash, uint256 round, uint256 shard)
        external
        pure
        returns (uint128)
    {
        return MarkLib.mark(salt, specHash, round, shard);
    }

    /// @inheritdoc ICanaries
    function sampleHolds(
        bytes calldata seed,
        uint256 rounds,
        uint256 shards,
        uint256 samplePpm,
        uint256 round,
        uint256 shard
    ) external view returns (bool) {
        return SampleLib.holds(seed, rounds, shards, samplePpm, round, shard);
    }

    /// @dev The gradient is wrong, and its maker knew it before the task began.
    function _requireMarked(
        TaskId taskId,
        address miner,
        uint256 round,
        uint256 shard,
        bytes32 gradient,
        BlobTail calldata tail
    ) private view {
        bytes32 salt = saltOf[taskId][miner];
        if (salt == 0) revert NotOpened(taskId, miner);
        MarkLib.requireMark(gradient, MarkLib.mark(salt, MARKET.task(taskId).specHash, round, shard), tail);
    }

    function _requireSigned(Charge calldata charge) private view {
        address signer = charge.signature.length == SignatureLib.SIGNATURE_BYTES
            ? SignatureLib.recover(_digest(charge), charge.signature, 0, 0)
            : address(0);
        if (signer == address(0) || signer != charge.member) revert NotSignedByMember(charge.member, signer);
    }

    /// @dev What the member signed: the certificate itself, or that it accepts it in one view of the agreement. An honest
    /// member does neither before it has executed its sample of it.
    function _digest(Charge calldata charge) private view returns (bytes32) {
        if (!charge.prepared) return MARKET.certificateDigest(charge.certificate);
        return sha256(
            abi.encodePacked(
                AGREEMENT,
                MARKET.domainSeparator(),
                TaskId.unwrap(charge.certificate.taskId),
                PREPARE,
                charge.view_,
                charge.seq,
                sha256(abi.encode(charge.certificate)),
                charge.member
            )
        );
    }

    function _requireOpen(TaskId taskId, bytes32 key, address member)
        private
        view
        returns (Accusation storage self)
    {
        self = _accusations[key];
        if (self.status != AccusationStatus.Open) revert AccusationIs(key, self.status);
        if (key != keyOf(taskId, member, self.miner, self.round, self.shard)) {
            revert AccusationIs(key, AccusationStatus.None);
        }
    }
}

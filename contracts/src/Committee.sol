// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {BlsKeys} from "./BlsKeys.sol";
import {IBlsKeys} from "./interfaces/IBlsKeys.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket} from "./interfaces/ITrainingMarket.sol";
import {BlsLib} from "./libraries/BlsLib.sol";
import {CertificateLib} from "./libraries/CertificateLib.sol";
import {DrawLib} from "./libraries/DrawLib.sol";
import {MembersLib} from "./libraries/MembersLib.sol";
import {QuorumLib} from "./libraries/QuorumLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {RoundCertificate} from "./types/Certificate.sol";
import {SignedCertificate} from "./types/Claim.sol";
import {Epoch, TaskId} from "./types/Ids.sol";
import {Panel} from "./types/Panel.sol";
import {SlashSplit} from "./types/Slash.sol";

/// @title Committee
/// @notice See {ICommittee}. All references are fixed at construction; there is no owner.
contract Committee is ICommittee {
    using CertificateLib for RoundCertificate;
    using EnumerableSet for EnumerableSet.AddressSet;
    using MembersLib for bytes;
    using MembersLib for uint256[];
    using SafeCast for uint256;

    /// @notice A snapshot, in one slot.
    struct Snapshot {
        address members;
        uint48 startedAt;
    }

    /// @notice Least members of a committee: n = 3f + 1 with f = 1.
    uint256 public constant MIN_MEMBERS = 4;
    /// @notice Most validators in the pool, and so in a committee: the bits of a signers bitmap.
    uint256 public constant MAX_MEMBERS = 64;
    /// @inheritdoc ICommittee
    uint256 public constant DRAW_DELAY = 2;
    /// @notice Blocks for which the EVM tells a block's hash.
    uint256 public constant BLOCKHASH_WINDOW = 256;
    /// @notice Most bytes of an endpoint.
    uint256 public constant MAX_ENDPOINT_LENGTH = 200;
    /// @notice Most blocks that an epoch may be long.
    uint256 public constant MAX_EPOCH_LENGTH = 1_000_000;

    /// @inheritdoc ICommittee
    IStakeVault public immutable VAULT;
    /// @inheritdoc ICommittee
    ITrainingMarket public immutable MARKET;
    /// @inheritdoc ICommittee
    IBlsKeys public immutable KEYS;
    /// @inheritdoc ICommittee
    uint256 public immutable VALIDATOR_STAKE;
    /// @inheritdoc ICommittee
    uint256 public immutable EPOCH_LENGTH;

    /// @inheritdoc ICommittee
    Epoch public currentEpoch;
    /// @inheritdoc ICommittee
    uint256 public nextEpochAt;
    /// @inheritdoc ICommittee
    mapping(address account => string) public endpointOf;
    /// @inheritdoc ICommittee
    mapping(address signer => mapping(TaskId taskId => bool)) public equivocated;

    EnumerableSet.AddressSet private _pool;
    mapping(Epoch epoch => Snapshot) private _snapshots;
    /// @dev Dispute 0 is the task's committee; a court has the number of its dispute.
    mapping(TaskId taskId => mapping(uint256 dispute => Panel)) private _panels;

    /// @param vault Vault that names this contract as a slasher.
    /// @param market Market whose certificates are signed; its address may be computed before it exists, and its
    /// constructor refuses a committee that names another.
    /// @param validatorStake Stake of a validator, in the token's smallest unit; at least 1.
    /// @param epochLength Least number of blocks between two snapshots, 1..MAX_EPOCH_LENGTH.
    constructor(IStakeVault vault, ITrainingMarket market, uint256 validatorStake, uint256 epochLength) {
        if (validatorStake == 0 || validatorStake > type(uint128).max) {
            revert OutOfBounds("validatorStake", validatorStake, 1, type(uint128).max);
        }
        if (epochLength == 0 || epochLength > MAX_EPOCH_LENGTH) {
            revert OutOfBounds("epochLength", epochLength, 1, MAX_EPOCH_LENGTH);
        }
        VAULT = vault;
        MARKET = market;
        KEYS = new BlsKeys();
        VALIDATOR_STAKE = validatorStake;
        EPOCH_LENGTH = epochLength;
    }

    /// @inheritdoc ICommittee
    function join(string calldata endpoint) external {
        if (_pool.contains(msg.sender)) revert AlreadyValidator(msg.sender);
        if (_pool.length() == MAX_MEMBERS) revert PoolFull(MAX_MEMBERS);
        uint256 stake = VAULT.stakeOf(msg.sender);
        if (stake < VALIDATOR_STAKE) revert StakeTooSmall(msg.sender, stake, VALIDATOR_STAKE);
        _checkEndpoint(endpoint);
        _pool.add(msg.sender);
        endpointOf[msg.sender] = endpoint;
        emit ValidatorJoined(msg.sender, endpoint);
    }

    /// @inheritdoc ICommittee
    function setEndpoint(string calldata endpoint) external {
        if (bytes(endpointOf[msg.sender]).length == 0) revert NotValidator(msg.sender);
        _checkEndpoint(endpoint);
        endpointOf[msg.sender] = endpoint;
        emit EndpointChanged(msg.sender, endpoint);
    }

    /// @inheritdoc ICommittee
    function leave() external {
        if (!_pool.remove(msg.sender)) revert NotValidator(msg.sender);
        emit ValidatorLeft(msg.sender);
    }

    /// @inheritdoc ICommittee
    function advanceEpoch() external returns (Epoch epoch) {
        if (block.number < nextEpochAt) revert EpochNotOver(block.number, nextEpochAt);
        uint256[] memory words = _eligible();
        if (words.length < MIN_MEMBERS) revert NotEnoughValidators(words.length, MIN_MEMBERS);
        epoch = Epoch.wrap(Epoch.unwrap(currentEpoch) + 1);
        currentEpoch = epoch;
        nextEpochAt = block.number + EPOCH_LENGTH;
        bytes32 seed = keccak256(abi.encode(blockhash(block.number - 1), block.prevrandao, epoch));
        _snapshots[epoch] = Snapshot(MembersLib.store(words, seed), block.timestamp.toUint48());
        emit EpochAdvanced(epoch, words.accounts());
    }

    /// @inheritdoc ICommittee
    function assign(TaskId taskId, uint256 size) external returns (Epoch epoch) {
        if (msg.sender != address(MARKET)) revert NotAssigner(msg.sender, address(MARKET));
        epoch = currentEpoch;
        if (Epoch.unwrap(epoch) == 0) revert NoCommittee();
        address all = _snapshots[epoch].members;
        uint256 members = MembersLib.load(all).count();
        if (size == 0 || size == members) {
            _panels[taskId][0] = Panel(all, epoch, 0, uint8(members));
            return epoch;
        }
        if (size < MIN_MEMBERS || size > members || size % 3 != 1) {
            revert CommitteeSizeInvalid(size, members);
        }
        _panels[taskId][0] = Panel(address(0), epoch, _drawBlock(), uint8(size));
    }

    /// @inheritdoc ICommittee
    function assignCourt(TaskId taskId, uint256 dispute) external {
        address appeals = address(MARKET.APPEALS());
        if (msg.sender != appeals) revert NotAssigner(msg.sender, appeals);
        if (_panels[taskId][dispute].size != 0) revert AlreadyAssigned(taskId, dispute);
        uint256 size = 2 * uint256(_panels[taskId][0].size) - 1;
        if (size > MAX_MEMBERS) size = MAX_MEMBERS;
        _panels[taskId][dispute] = Panel(address(0), currentEpoch, _drawBlock(), uint8(size));
    }

    /// @inheritdoc ICommittee
    function drawCommittee(TaskId taskId) external {
        (uint256[] memory words, bytes32 seed) = _beginDraw(taskId, 0);
        uint256[] memory drawn = DrawLib.sample(words, seed, _panels[taskId][0].size);
        _panels[taskId][0].members = MembersLib.store(drawn, seed);
        emit CommitteeDrawn(taskId, drawn.accounts());
    }

    /// @inheritdoc ICommittee
    function drawCourt(TaskId taskId, uint256 dispute) external {
        (uint256[] memory words, bytes32 seed) = _beginDraw(taskId, dispute);
        Panel storage panel = _panels[taskId][dispute];
        uint256[] memory drawn = DrawLib.court(words, _panelMembers(taskId, 0), seed, panel.size);
        panel.members = MembersLib.store(drawn, seed);
        emit CourtDrawn(taskId, dispute, drawn.accounts());
    }

    /// @inheritdoc ICommittee
    function verify(TaskId taskId, bytes32 digest, uint64 signers, bytes calldata signatures) external view {
        _verify(_panelPointer(taskId, 0), digest, signers, signatures, true);
    }

    /// @inheritdoc ICommittee
    function verifyCourt(
        TaskId taskId,
        uint256 dispute,
        bytes32 digest,
        uint64 signers,
        bytes calldata signatures
    ) external view {
        _verify(_panelPointer(taskId, dispute), digest, signers, signatures, true);
    }

    /// @inheritdoc ICommittee
    function proveEquivocation(
        RoundCertificate calldata certificateA,
        bytes calldata signatureA,
        RoundCertificate calldata certificateB,
        bytes calldata signatureB
    ) external {
        bytes32 digestA = MARKET.certificateDigest(certificateA);
        bytes32 digestB = MARKET.certificateDigest(certificateB);
        _requireConflict(certificateA, digestA, certificateB, digestB);
        address signer = _recover(digestA, signatureA, 0);
        address other = _recover(digestB, signatureB, 1);
        if (signer != other) revert SignersDiffer(signer, other);
        TaskId taskId = certificateA.taskId;
        memberIndex(taskId, signer); // reverts for whoever is no member, whose signature binds nobody
        _punish(signer, taskId, digestA, digestB);
    }

    /// @inheritdoc ICommittee
    function proveJointEquivocation(
        address signer,
        SignedCertificate calldata a,
        SignedCertificate calldata b
    ) external {
        bytes32 digestA = MARKET.certificateDigest(a.certificate);
        bytes32 digestB = MARKET.certificateDigest(b.certificate);
        _requireConflict(a.certificate, digestA, b.certificate, digestB);
        TaskId taskId = a.certificate.taskId;
        uint256 index = memberIndex(taskId, signer);
        if ((a.signers & b.signers) >> index & 1 == 0) revert NotAmongSigners(signer, a.signers, b.signers);
        address members = _panelPointer(taskId, 0);
        _verify(members, digestA, a.signers, a.signatures, false);
        _verify(members, digestB, b.signers, b.signatures, false);
        _punish(signer, taskId, digestA, digestB);
    }

    /// @inheritdoc ICommittee
    function startedAt(Epoch epoch) public view returns (uint256) {
        return _snapshots[epoch].startedAt;
    }

    /// @inheritdoc ICommittee
    function membersOf(Epoch epoch) external view returns (address[] memory) {
        return _words(epoch).accounts();
    }

    /// @inheritdoc ICommittee
    function stakesOf(Epoch epoch) external view returns (uint256[] memory) {
        return _words(epoch).stakes();
    }

    /// @inheritdoc ICommittee
    function seedOf(Epoch epoch) external view returns (bytes32) {
        return MembersLib.seedAt(_snapshot(epoch));
    }

    /// @inheritdoc ICommittee
    function membersOfTask(TaskId taskId) external view returns (address[] memory) {
        return _panelMembers(taskId, 0).words().accounts();
    }

    /// @inheritdoc ICommittee
    function quorumOfTask(TaskId taskId) external view returns (uint256) {
        return QuorumLib.quorum(_panelMembers(taskId, 0).count());
    }

    /// @inheritdoc ICommittee
    function courtOf(TaskId taskId, uint256 dispute) external view returns (address[] memory) {
        return _panelMembers(taskId, dispute).words().accounts();
    }

    /// @inheritdoc ICommittee
    function panelOf(TaskId taskId, uint256 dispute) external view returns (Panel memory) {
        return _panels[taskId][dispute];
    }

    /// @inheritdoc ICommittee
    function pool() external view returns (address[] memory) {
        return _pool.values();
    }

    /// @inheritdoc ICommittee
    function isValidator(address account) external view returns (bool) {
        return _pool.contains(account);
    }

    /// @inheritdoc ICommittee
    function memberIndex(TaskId taskId, address account) public view returns (uint256 index) {
        bytes memory members = _panelMembers(taskId, 0);
        index = members.indexOf(account);
        if (index == members.count()) revert NotMember(taskId, account);
    }

    /// @dev Words of the pool, ascending, after those without enough stake were put out. At most MAX_MEMBERS steps,
    /// and they go backwards because removal swaps the last member in.
    function _eligible() private returns (uint256[] memory words) {
        words = new uint256[](_pool.length());
        uint256 found = 0;
        for (uint256 i = words.length; i > 0; --i) {
            address account = _pool.at(i - 1);
            uint256 stake = VAULT.stakeOf(account);
            if (stake >= VALIDATOR_STAKE) {
                words[found++] = MembersLib.word(account, stake);
                continue;
            }
            _pool.remove(account);
            emit ValidatorLeft(account);
        }
        assembly ("memory-safe") {
            mstore(words, found)
        }
        Arrays.sort(words);
    }

    function _drawBlock() private view returns (uint48) {
        return (block.number + DRAW_DELAY).toUint48();
    }

    /// @dev The candidates and the seed of a draw that is due.
    function _beginDraw(TaskId taskId, uint256 dispute)
        private
        view
        returns (uint256[] memory words, bytes32 seed)
    {
        Panel storage panel = _panels[taskId][dispute];
        if (panel.size == 0) revert PanelUnknown(taskId, dispute);
        if (panel.members != address(0)) revert AlreadyDrawn(taskId, dispute);
        uint256 drawBlock = panel.drawBlock;
        if (block.number <= drawBlock) revert DrawTooEarly(block.number, drawBlock);
        Epoch epoch = panel.epoch;
        bytes32 source = block.number - drawBlock <= BLOCKHASH_WINDOW
            ? blockhash(drawBlock)
            : MembersLib.seedAt(_snapshots[epoch].members);
        seed = keccak256(abi.encode(source, taskId, dispute));
        words = _words(epoch);
    }

    function _words(Epoch epoch) private view returns (uint256[] memory) {
        return MembersLib.load(_snapshot(epoch)).words();
    }

    function _snapshot(Epoch epoch) private view returns (address pointer) {
        pointer = _snapshots[epoch].members;
        if (pointer == address(0)) revert EpochUnknown(epoch);
    }

    function _panelMembers(TaskId taskId, uint256 dispute) private view returns (bytes memory) {
        return MembersLib.load(_panelPointer(taskId, dispute));
    }

    function _panelPointer(TaskId taskId, uint256 dispute) private view returns (address pointer) {
        Panel storage panel = _panels[taskId][dispute];
        pointer = panel.members;
        if (pointer == address(0)) {
            if (panel.size == 0) revert PanelUnknown(taskId, dispute);
            revert NotDrawn(taskId, dispute, panel.drawBlock);
        }
    }

    /// @dev The length tells the scheme: that of one aggregate is no multiple of an ECDSA signature's.
    function _verify(
        address members,
        bytes32 digest,
        uint64 signers,
        bytes calldata signatures,
        bool needQuorum
    ) private view {
        if (signatures.length == BlsLib.SIGNATURE_BYTES) {
            KEYS.verify(members, digest, signers, signatures, needQuorum);
        } else {
            SignatureLib.verify(MembersLib.load(members), digest, signers, signatures, needQuorum);
        }
    }

    function _requireConflict(
        RoundCertificate calldata certificateA,
        bytes32 digestA,
        RoundCertificate calldata certificateB,
        bytes32 digestB
    ) private pure {
        if (digestA == digestB || !certificateA.overlaps(certificateB)) {
            revert NoEquivocation(digestA, digestB);
        }
    }

    function _punish(address signer, TaskId taskId, bytes32 digestA, bytes32 digestB) private {
        if (equivocated[signer][taskId]) revert AlreadyProven(signer, taskId);
        equivocated[signer][taskId] = true;
        if (_pool.remove(signer)) emit ValidatorLeft(signer);
        SlashSplit memory split =
            VAULT.slash(signer, VALIDATOR_STAKE, startedAt(_panels[taskId][0].epoch), address(0), msg.sender);
        emit EquivocationProven(signer, taskId, digestA, digestB, split.amount, msg.sender);
    }

    function _recover(bytes32 digest, bytes calldata signature, uint256 index)
        private
        view
        returns (address)
    {
        if (signature.length != SignatureLib.SIGNATURE_BYTES) {
            revert SignaturesLength(signature.length, SignatureLib.SIGNATURE_BYTES);
        }
        return SignatureLib.recover(digest, signature, 0, index);
    }

    function _checkEndpoint(string calldata endpoint) private pure {
        uint256 length = bytes(endpoint).length;
        if (length == 0 || length > MAX_ENDPOINT_LENGTH) revert EndpointLength(length, MAX_ENDPOINT_LENGTH);
    }
}

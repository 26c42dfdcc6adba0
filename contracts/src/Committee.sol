// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {ICommittee} from "./interfaces/ICommittee.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket} from "./interfaces/ITrainingMarket.sol";
import {CertificateLib} from "./libraries/CertificateLib.sol";
import {MembersLib} from "./libraries/MembersLib.sol";
import {QuorumLib} from "./libraries/QuorumLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {RoundCertificate} from "./types/Certificate.sol";
import {Epoch, TaskId} from "./types/Ids.sol";
import {SlashSplit} from "./types/Slash.sol";

/// @title Committee
/// @notice See {ICommittee}. All references are fixed at construction; there is no owner.
contract Committee is ICommittee {
    using CertificateLib for RoundCertificate;
    using EnumerableSet for EnumerableSet.AddressSet;
    using MembersLib for bytes;
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
    /// @notice Most bytes of an endpoint.
    uint256 public constant MAX_ENDPOINT_LENGTH = 200;
    /// @notice Most blocks that an epoch may be long.
    uint256 public constant MAX_EPOCH_LENGTH = 1_000_000;

    /// @inheritdoc ICommittee
    IStakeVault public immutable VAULT;
    /// @inheritdoc ICommittee
    ITrainingMarket public immutable MARKET;
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
        address[] memory members = _eligible();
        if (members.length < MIN_MEMBERS) revert NotEnoughValidators(members.length, MIN_MEMBERS);
        epoch = Epoch.wrap(Epoch.unwrap(currentEpoch) + 1);
        currentEpoch = epoch;
        nextEpochAt = block.number + EPOCH_LENGTH;
        _snapshots[epoch] = Snapshot(MembersLib.store(members), block.timestamp.toUint48());
        emit EpochAdvanced(epoch, members);
    }

    /// @inheritdoc ICommittee
    function verify(Epoch epoch, bytes32 digest, uint64 signers, bytes calldata signatures) external view {
        SignatureLib.verify(_members(epoch), digest, signers, signatures);
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
        if (digestA == digestB || !certificateA.overlaps(certificateB)) {
            revert NoEquivocation(digestA, digestB);
        }
        address signer = _recover(digestA, signatureA, 0);
        address other = _recover(digestB, signatureB, 1);
        if (signer != other) revert SignersDiffer(signer, other);
        TaskId taskId = certificateA.taskId;
        Epoch epoch = certificateA.epoch;
        memberIndex(epoch, signer); // reverts for whoever is no member, whose signature binds nobody
        if (equivocated[signer][taskId]) revert AlreadyProven(signer, taskId);
        equivocated[signer][taskId] = true;
        if (_pool.remove(signer)) emit ValidatorLeft(signer);
        SlashSplit memory split =
            VAULT.slash(signer, VALIDATOR_STAKE, _snapshots[epoch].startedAt, address(0), msg.sender);
        emit EquivocationProven(signer, taskId, digestA, digestB, split.amount, msg.sender);
    }

    /// @inheritdoc ICommittee
    function startedAt(Epoch epoch) external view returns (uint256) {
        return _snapshots[epoch].startedAt;
    }

    /// @inheritdoc ICommittee
    function membersOf(Epoch epoch) external view returns (address[] memory) {
        return _members(epoch).unpack();
    }

    /// @inheritdoc ICommittee
    function quorumOf(Epoch epoch) external view returns (uint256) {
        return QuorumLib.quorum(_members(epoch).count());
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
    function memberIndex(Epoch epoch, address account) public view returns (uint256 index) {
        bytes memory members = _members(epoch);
        index = members.indexOf(account);
        if (index == members.count()) revert NotMember(epoch, account);
    }

    /// @dev The pool, ascending, after those without enough stake were put out. At most MAX_MEMBERS steps, and they
    /// go backwards because removal swaps the last member in.
    function _eligible() private returns (address[] memory members) {
        for (uint256 i = _pool.length(); i > 0; --i) {
            address account = _pool.at(i - 1);
            if (VAULT.stakeOf(account) >= VALIDATOR_STAKE) continue;
            _pool.remove(account);
            emit ValidatorLeft(account);
        }
        members = _pool.values();
        Arrays.sort(members);
    }

    function _members(Epoch epoch) private view returns (bytes memory) {
        address pointer = _snapshots[epoch].members;
        if (pointer == address(0)) revert EpochUnknown(epoch);
        return MembersLib.load(pointer);
    }

    function _recover(bytes32 digest, bytes calldata signature, uint256 index)
        private
        pure
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

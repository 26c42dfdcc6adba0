// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IBlsKeys
/// @notice BLS12-381 keys of validators, and aggregates checked against them. It holds no money and knows no committee:
/// whoever registers speaks for itself, and a list of members is named by where `MembersLib` stored it.
///
/// A key never changes and never goes, so that every list of members has the same keys for ever. Points are packed:
/// coordinates of 48 bytes, big-endian, without padding; see `BlsLib`.
interface IBlsKeys {
    /// @notice `account` signs with `key` (192 bytes: x.c0, x.c1, y.c0, y.c1).
    event KeyRegistered(address indexed account, bytes key);

    /// @notice The keys of the list stored at `members` are together at `keys`: aggregates over it can be checked.
    event KeysGathered(address indexed members, address keys);

    /// @notice `account` has a key already.
    error KeyRegisteredBefore(address account);

    /// @notice The key is `holder`'s.
    error KeyTaken(address holder);

    /// @notice `length` bytes are no packed point, which has `needed`.
    error PointLength(uint256 length, uint256 needed);

    /// @notice The proof does not show that the caller knows the secret of the key, or the key is no point of the group.
    error PossessionNotProven(address account);

    /// @notice `account` has no key.
    error KeyMissing(address account);

    /// @notice No list of members is stored at `members`.
    error MembersUnknown(address members);

    /// @notice The keys of the list at `members` are together already, at `keys`.
    error KeysGatheredBefore(address members, address keys);

    /// @notice The keys of the list at `members` are to be gathered first; anyone may do that once all have keys.
    error KeysNotGathered(address members);

    /// @notice The aggregate is not the sum of one signature by each of `signers`, and of nobody else's.
    error AggregateInvalid(uint64 signers);

    /// @notice Where the keys of the list at `members` are together; zero until they are gathered.
    function gathered(address members) external view returns (address);

    /// @notice Whose key has this keccak256; zero when it is nobody's.
    function holderOf(bytes32 keyHash) external view returns (address);

    /// @notice Packed key of `account`; empty when it has none.
    function keyOf(address account) external view returns (bytes memory);

    /// @notice What a proof of possession signs, with the tag for proofs: chain, this contract, account and key.
    function possessionStatement(address account, bytes calldata key) external view returns (bytes32);

    /// @notice Gives the caller its key, for ever.
    /// @param key Packed point of G2, of the subgroup, not infinity.
    /// @param possession Packed signature over `possessionStatement(caller, key)`. Without it, a key that is a difference
    /// of others' keys would sign for them.
    function register(bytes calldata key, bytes calldata possession) external;

    /// @notice Puts the keys of a list of members together, so that aggregates over it can be checked. Anyone may call it,
    /// once, when all members have keys.
    /// @param members Where `MembersLib` stored the list: `Panel.members` of a task's committee.
    /// @return keys Where they are.
    function gather(address members) external returns (address keys);

    /// @notice Returns if `signature` is the aggregate over `digest` of the members in `signers`, and reverts with the
    /// reason if not. Checked in this order: the keys are together, the bitmap stays in range, the quorum is there if
    /// asked for, the aggregate.
    /// @param signers Bitmap over the list; bit 0 is the first member.
    /// @param signature Packed point of G1.
    /// @param quorum Whether the signers must be a quorum of the list.
    function verify(address members, bytes32 digest, uint64 signers, bytes calldata signature, bool quorum)
        external
        view;
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ContributionLeaf, RoundCertificate} from "./Certificate.sol";

/// @notice What a poster said before its task began.
/// @param root Merkle root of the leaves `(address miner, bytes32 salt)` of its canary miners.
/// @param samplePpm Share of the task's shards that each member is to execute, in parts per million.
/// @param penalty Stake that one canary costs a member that signed for it, in the token's smallest unit.
struct CanaryTerms {
    bytes32 root;
    uint32 samplePpm;
    uint96 penalty;
}

/// @notice Where an accusation is in its life: None -> Open -> Cleared | Punished.
enum AccusationStatus {
    None,
    Open,
    Cleared,
    Punished
}

/// @notice One member is said to have signed for one canary of its sample.
/// @param accuser Who said so and gets the bounty.
/// @param answerBy Second until which the member can show that its sample held another thing; when the accusation
/// was made, where the member has no sample but everything.
/// @param status Where it is in its life.
/// @param miner Whose canary it is.
/// @param round Round of the canary.
/// @param shard Shard of the canary.
struct Accusation {
    address accuser;
    uint40 answerBy;
    AccusationStatus status;
    address miner;
    uint32 round;
    uint32 shard;
}

/// @notice The end of a gradient blob, which shows the mark in it.
/// @param state SHA-256 state after the `skipped` bytes before `data`.
/// @param skipped Bytes before `data`; a multiple of 64.
/// @param data The rest of the blob.
/// @param codesEnd Place in `data` after the last code.
/// @param codeBytes Bytes of one code, 1 or 2, the least significant one first.
struct BlobTail {
    bytes32 state;
    uint64 skipped;
    bytes data;
    uint32 codesEnd;
    uint8 codeBytes;
}

/// @notice A member's signature for a certificate that contains a canary.
/// @param member Who signed.
/// @param certificate What was signed; it need not have been accepted by anybody else.
/// @param prepared Whether the signature is a PREPARE of the committee's agreement; else it is the one that certifies.
/// @param view_ View of the PREPARE.
/// @param seq Sequence number of the PREPARE.
/// @param signature 64 bytes (EIP-2098, low s).
/// @param leaf The canary, a leaf of the certificate's contributions.
/// @param proof Path from the leaf to the certificate's contributions root.
/// @param tail End of the canary's gradient blob.
struct Charge {
    address member;
    RoundCertificate certificate;
    bool prepared;
    uint64 view_;
    uint64 seq;
    bytes signature;
    ContributionLeaf leaf;
    bytes32[] proof;
    BlobTail tail;
}

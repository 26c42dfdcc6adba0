// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Epoch, TaskId} from "./Ids.sol";

/// @notice What a committee signs (EIP-712) about the rounds `firstRound..lastRound` of one task.
/// @param taskId The task.
/// @param firstRound First round covered; follows the last certified round.
/// @param lastRound Last round covered.
/// @param epoch Committee that signs; fixed for the task's life.
/// @param specHash sha256 of the task's canonical spec.
/// @param parentModel sha256 of the checkpoint before `firstRound`.
/// @param model sha256 of the checkpoint after `lastRound`.
/// @param contributionsRoot Merkle root of the contributions accepted in these rounds.
/// @param faultsRoot Merkle root of all faults of the task so far; zero when there are none.
/// @param payoutsRoot Merkle root of the cumulative payouts of the task; zero when there are none.
/// @param paidTotal Sum of all cumulative payouts under `payoutsRoot`, in the token's smallest unit.
/// @param segment sha256 of the segment record from which every root can be rebuilt.
struct RoundCertificate {
    TaskId taskId;
    uint32 firstRound;
    uint32 lastRound;
    Epoch epoch;
    bytes32 specHash;
    bytes32 parentModel;
    bytes32 model;
    bytes32 contributionsRoot;
    bytes32 faultsRoot;
    bytes32 payoutsRoot;
    uint128 paidTotal;
    bytes32 segment;
}

/// @notice What the market remembers of an accepted certificate, as the preimage of a stored hash. Whoever relies on a
/// certificate shows this; all of it is in the event of its acceptance.
/// @param index Number of the certificate in its task, from 0.
/// @param paidTotal Sum of all cumulative payouts under `payoutsRoot`.
/// @param payoutsRoot Merkle root of the cumulative payouts.
/// @param firstRound First round covered.
/// @param lastRound Last round covered.
/// @param signers Bitmap of the signers over the task's committee.
/// @param model sha256 of the checkpoint after `lastRound`.
/// @param contributionsRoot Merkle root of the contributions accepted in these rounds.
/// @param faultsRoot Merkle root of all faults of the task so far.
struct CertificateRecord {
    uint32 index;
    uint128 paidTotal;
    bytes32 payoutsRoot;
    uint32 firstRound;
    uint32 lastRound;
    uint64 signers;
    bytes32 model;
    bytes32 contributionsRoot;
    bytes32 faultsRoot;
}

/// @notice The part of a record that a claim needs; the payouts root follows from the leaf and its proof.
/// @param index Number of the certificate in its task, from 0.
/// @param paidTotal Sum of all cumulative payouts under the certificate's payouts root.
/// @param details Hash of the record's other fields, `keccak256(abi.encode(firstRound, lastRound, signers, model,
/// contributionsRoot, faultsRoot))`.
struct PayoutRecord {
    uint32 index;
    uint128 paidTotal;
    bytes32 details;
}

/// @notice What a miner signs (EIP-712) about one shard.
/// @param taskId The task.
/// @param round Round of the contribution.
/// @param shard Shard of the contribution.
/// @param miner Account that signs.
/// @param specHash sha256 of the task's canonical spec.
/// @param parentModel sha256 of the checkpoint that the gradient was computed on.
/// @param gradient sha256 of the gradient blob.
/// @param batches Merkle root of the gradients of its micro-batches, leaves `(uint32 index, bytes32 sha256)`.
/// @param samples Number of samples.
/// @param lossMicros Mean loss in 1e-6 nats.
struct Contribution {
    TaskId taskId;
    uint32 round;
    uint32 shard;
    address miner;
    bytes32 specHash;
    bytes32 parentModel;
    bytes32 gradient;
    bytes32 batches;
    uint32 samples;
    uint64 lossMicros;
}

/// @notice One leaf under `contributionsRoot`: a contribution that a committee accepted.
/// @param round Round of the contribution.
/// @param shard Shard of the contribution.
/// @param miner Account that signed the contribution.
/// @param gradient sha256 of the gradient blob.
/// @param contributionDigest EIP-712 digest that the miner signed.
struct ContributionLeaf {
    uint32 round;
    uint32 shard;
    address miner;
    bytes32 gradient;
    bytes32 contributionDigest;
}

/// @notice One leaf under `faultsRoot`: a contribution that the committee proved wrong by re-execution.
/// @param round Round of the contribution.
/// @param shard Shard of the contribution.
/// @param miner Account that signed the contribution.
/// @param gradient sha256 of the gradient blob that the contribution named.
struct FaultLeaf {
    uint32 round;
    uint32 shard;
    address miner;
    bytes32 gradient;
}

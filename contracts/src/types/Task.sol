// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Epoch} from "./Ids.sol";

/// @notice Where a task is in its life. The only steps are
/// None -> Open, Open -> Completed | Cancelled | Closed, Completed -> Closed.
enum TaskStatus {
    None,
    Open,
    Completed,
    Closed,
    Cancelled
}

/// @notice What a poster asks for. Money is in the token's smallest unit, time in Unix seconds.
/// @param specHash sha256 of the canonical spec.
/// @param genesisModel sha256 of the checkpoint before round 1.
/// @param rounds Number of rounds, 1..MAX_ROUNDS.
/// @param shards Shards per round, 1..MAX_SHARDS.
/// @param rewardPerShard Reward of one accepted contribution; at least 1.
/// @param feePerRound Fee of the validators for one certified round; may be 0.
/// @param minerStake Stake that a miner must hold to be assigned a shard.
/// @param slashPerFault Most that one proven fault costs the miner; at most `minerStake`.
/// @param startsAt When work begins; a time that has passed means "at once".
/// @param deadline Last second at which a certificate is accepted.
struct TaskParams {
    bytes32 specHash;
    bytes32 genesisModel;
    uint32 rounds;
    uint32 shards;
    uint128 rewardPerShard;
    uint128 feePerRound;
    uint128 minerStake;
    uint128 slashPerFault;
    uint64 startsAt;
    uint64 deadline;
}

/// @notice State of one task. The first slot holds all the small values that every certificate rewrites.
/// @param paidTotal Sum of the certified cumulative payouts.
/// @param lastRound Last certified round; 0 when nothing is certified.
/// @param lastSpan Number of rounds that the last certificate covers.
/// @param lastSigners Bitmap of the last certificate's signers over the epoch's member list.
/// @param status Where the task is in its life.
/// @param hasFaults Whether `faultsRoot` is not empty; spares each certificate without faults a cold slot.
/// @param model sha256 of the last certified checkpoint; the genesis checkpoint at first.
/// @param payoutsRoot Merkle root of the certified cumulative payouts.
/// @param faultsRoot Merkle root of the certified faults.
/// @param specHash sha256 of the canonical spec.
/// @param rounds Number of rounds.
/// @param shards Shards per round.
/// @param epoch Committee of the task.
/// @param startsAt When work begins.
/// @param deadline Last second at which a certificate is accepted.
/// @param faultsAt When `faultsRoot` was certified; slashing looks at the stake of that second.
/// @param feesPaid Bitmap of the last certificate's signers that have taken their fee.
/// @param rewardPerShard Reward of one accepted contribution.
/// @param feePerRound Fee of the validators for one certified round.
/// @param minerStake Stake that a miner must hold to be assigned a shard.
/// @param claimedTotal Sum of the payouts that left the contract.
/// @param poster Account that funded the task and gets the refund.
/// @param slashPerFault Most that one proven fault costs the miner.
struct Task {
    uint128 paidTotal;
    uint32 lastRound;
    uint16 lastSpan;
    uint64 lastSigners;
    TaskStatus status;
    bool hasFaults;
    bytes32 model;
    bytes32 payoutsRoot;
    bytes32 faultsRoot;
    bytes32 specHash;
    uint24 rounds;
    uint16 shards;
    Epoch epoch;
    uint40 startsAt;
    uint40 deadline;
    uint40 faultsAt;
    uint64 feesPaid;
    uint128 rewardPerShard;
    uint128 feePerRound;
    uint128 minerStake;
    uint128 claimedTotal;
    address poster;
    uint96 slashPerFault;
}

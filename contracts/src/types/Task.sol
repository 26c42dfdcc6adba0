// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Epoch} from "./Ids.sol";

/// @notice Where a task is in its life. The only steps are
/// None -> Open; Open -> Completed | Cancelled | Closed | Disputed; Completed -> Closed | Disputed;
/// Disputed -> Open | Completed (the certificates stand) | Overturned (they do not); Overturned -> Closed.
/// A disputed task still takes certificates: they fall with the disputed one, or stand with it.
enum TaskStatus {
    None,
    Open,
    Completed,
    Closed,
    Cancelled,
    Disputed,
    Overturned
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
/// @param challengeWindow Seconds in which a certificate can be challenged and its payouts wait, 0..7 days; 0 means
/// that certificates are final at once.
/// @param committeeSize Members of the task's committee, 3f + 1 and at least 4, drawn from the newest snapshot; the
/// size of that snapshot, or 0, means all of it and no draw.
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
    uint32 challengeWindow;
    uint32 committeeSize;
}

/// @notice State of one task. The first slot holds all the small values that certificates and claims rewrite.
/// @param paidTotal Sum of the certified cumulative payouts.
/// @param claimedTotal Sum of the payouts that left the contract.
/// @param lastRound Last certified round; 0 when nothing is certified.
/// @param certificates Number of certificates that stand; the next one has this index.
/// @param challengeWindow Seconds in which a certificate can be challenged.
/// @param status Where the task is in its life.
/// @param model sha256 of the last certified checkpoint; the genesis checkpoint at first, and zero when an appeal
/// overturned the first certificate.
/// @param specHash sha256 of the canonical spec.
/// @param rewardPerShard Reward of one accepted contribution.
/// @param feePerRound Fee of the validators for one certified round.
/// @param rounds Number of rounds.
/// @param shards Shards per round.
/// @param epoch Snapshot from which the task's committee comes.
/// @param startsAt When work begins.
/// @param deadline Last second at which a certificate is accepted.
/// @param feesPaid Bitmap of the last certificate's signers that have taken their fee.
/// @param disputedFrom While disputed: index of the first certificate that is frozen.
/// @param disputesEnd When the last dispute ends at the latest; windows of certificates accepted before begin then.
/// @param poster Account that funded the task and gets the refund.
/// @param slashPerFault Most that one proven fault costs the miner.
/// @param minerStake Stake that a miner must hold to be assigned a shard.
struct Task {
    uint96 paidTotal;
    uint96 claimedTotal;
    uint16 lastRound;
    uint16 certificates;
    uint24 challengeWindow;
    TaskStatus status;
    bytes32 model;
    bytes32 specHash;
    uint96 rewardPerShard;
    uint96 feePerRound;
    uint16 rounds;
    uint16 shards;
    Epoch epoch;
    uint40 startsAt;
    uint40 deadline;
    uint64 feesPaid;
    uint16 disputedFrom;
    uint40 disputesEnd;
    address poster;
    uint96 slashPerFault;
    uint96 minerStake;
}

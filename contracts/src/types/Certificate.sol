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

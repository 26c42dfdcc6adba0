// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @dev A case that names no micro-batch: `protocol/batches.py`.
uint32 constant WHOLE = type(uint32).max;

/// @notice Where a dispute is in its life: None -> Open -> Decided | Lapsed.
enum DisputeStatus {
    None,
    Open,
    Decided,
    Lapsed
}

/// @notice What a case says was wrong: a contribution that was accepted, or a fault that was declared.
enum CaseKind {
    Contribution,
    Fault
}

/// @notice One joint dispute about the certificates of one task that were open to challenge when it began.
/// @param status Where it is in its life.
/// @param cases Number of cases, 1..64.
/// @param first Lowest index of a challenged certificate: claims on it and on later ones wait.
/// @param joinEnds Until then others may add cases; from then on the court may decide.
/// @param verdictEnds Without a verdict until then the certificates stand.
/// @param upheld Bitmap of the upheld cases.
struct Dispute {
    DisputeStatus status;
    uint8 cases;
    uint32 first;
    uint40 joinEnds;
    uint40 verdictEnds;
    uint64 upheld;
}

/// @notice One challenged leaf.
/// @param challenger Who brought the case and its bond.
/// @param signers Bitmap of the certificate's signers over the task's committee.
/// @param index Number of the certificate in its task.
/// @param miner Account that the leaf names.
/// @param kind What is said to be wrong.
/// @param settled Whether the bond has been paid out.
/// @param acceptedAt When the certificate's window began; slashing looks at the miner's stake of that second.
/// @param batch Where the challenger found the lie, for the court to look at first: the number of a micro-batch, of their sum, or WHOLE.
/// @param leaf Hash of the leaf.
struct Case {
    address challenger;
    uint64 signers;
    uint32 index;
    address miner;
    CaseKind kind;
    bool settled;
    uint40 acceptedAt;
    uint32 batch;
    bytes32 leaf;
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Epoch} from "./Ids.sol";

/// @notice Number of a contest; the first one is 1, so 0 never names one.
type ContestId is uint256;

/// @notice Where a contest is in its life. The only steps are
/// None -> Open; Open -> Released | Closed; Released -> Scored | Closed; Scored -> Challenged | Closed;
/// Challenged -> Scored | Closed.
enum ContestStatus {
    None,
    Open,
    Released,
    Scored,
    Challenged,
    Closed
}

/// @notice How a contest ended, which decides who is paid what.
enum Outcome {
    None,
    Cancelled,
    NoEntries,
    NotReleased,
    NothingRevealed,
    NotScored,
    BadTestSet,
    NoWinner,
    Won
}

/// @notice What a poster asks for. Money is in the token's smallest unit, time in Unix seconds.
/// @param specHash sha256 of the canonical spec.
/// @param testSet sha256 of the test set, which nobody but the poster can read before its release.
/// @param keyHash keccak256 of the 32-byte key that opens the sealed test set.
/// @param testAnswers Number of answers that the test set asks for.
/// @param targetCorrect The first entry, in the order of commitments, with so many right answers wins.
/// @param minCorrect An entry with fewer right answers never wins; at least 1.
/// @param maxEntries Most entries, 1..MAX_ENTRIES.
/// @param reward What the winner gets; at least 1.
/// @param fee What the signers of the deciding certificate share.
/// @param compensation What each entry gets when the poster does not release the test set that it promised.
/// @param minerStake Stake that a miner must hold to enter.
/// @param slashPerFault Most that a trace proven false costs the miner; at most `minerStake`.
/// @param commitDeadline Last second at which an entry is accepted.
/// @param releaseTerm Seconds after the commitments' end in which the poster releases the key.
/// @param revealTerm Seconds after the release in which models are revealed.
/// @param scoreTerm Seconds after the reveals' end in which a certificate is accepted.
/// @param challengeWindow Seconds in which the scores can be challenged, 0..7 days; 0 means that they are final at once.
/// @param committeeSize Members of the scoring committee, 3f + 1 and at least 4, drawn when the test set is released; the
/// size of the snapshot, or 0, means all of it and no draw.
struct ContestParams {
    bytes32 specHash;
    bytes32 testSet;
    bytes32 keyHash;
    uint32 testAnswers;
    uint32 targetCorrect;
    uint32 minCorrect;
    uint32 maxEntries;
    uint128 reward;
    uint128 fee;
    uint128 compensation;
    uint128 minerStake;
    uint128 slashPerFault;
    uint64 commitDeadline;
    uint32 releaseTerm;
    uint32 revealTerm;
    uint32 scoreTerm;
    uint32 challengeWindow;
    uint32 committeeSize;
}

/// @notice State of one contest.
/// @param poster Account that funded the contest.
/// @param status Where the contest is in its life.
/// @param outcome How it ended.
/// @param epoch Snapshot from which its committee and its court come.
/// @param entries Number of entries.
/// @param badTestSet Whether the standing certificate says that the test set is not the promised one.
/// @param decidedBy Instance whose certificate stands: 0 the committee, 1 the court.
/// @param winner Position of the winning entry under the standing certificate; NO_WINNER when there is none.
/// @param winnerCorrect Right answers of that entry.
/// @param revealed Bitmap of the entries that were revealed.
/// @param frauds Bitmap of the entries whose trace the standing certificate calls false.
/// @param signers Bitmap of the signers of the standing certificate over their panel.
/// @param endsAt When the phase that the status names ends: commitments, reveals, the challenge window, the court.
/// @param challenger Who challenged the scores.
/// @param parent Head of the learning chain when the contest was posted: from it follow the miners' seeds.
/// @param result Hash of what the standing certificate says.
/// @param transactions Root of the transactions of the winner's block under the standing certificate.
struct Contest {
    address poster;
    ContestStatus status;
    Outcome outcome;
    Epoch epoch;
    uint8 entries;
    bool badTestSet;
    uint8 decidedBy;
    uint8 winner;
    uint32 winnerCorrect;
    uint64 revealed;
    uint64 frauds;
    uint64 signers;
    uint40 endsAt;
    address challenger;
    bytes32 parent;
    bytes32 result;
    bytes32 transactions;
}

/// @notice One miner's entry.
/// @param miner Who entered.
/// @param committedAt Second of the commitment: slashing looks at the stake of that second.
/// @param commitment EIP-712 digest of the `Commitment` that is revealed later.
/// @param model sha256 of the revealed model; zero before.
/// @param traceRoot Merkle root of the checkpoints of the training; zero when there is no trace.
struct Entry {
    address miner;
    uint40 committedAt;
    bytes32 commitment;
    bytes32 model;
    bytes32 traceRoot;
}

/// @notice What a committee signs (EIP-712) about one contest.
/// @param contestId The contest.
/// @param instance 0 for the committee, 1 for the court.
/// @param epoch Snapshot of the contest.
/// @param specHash sha256 of the canonical spec.
/// @param testSet sha256 of the test set that the entries were scored on.
/// @param revealed Bitmap of the entries that were revealed.
/// @param frauds Bitmap of the entries whose trace is false.
/// @param badTestSet Whether the released test set is not the promised one; then there are no scores.
/// @param scores keccak256 of the scores, one 32-byte word for each entry.
/// @param transactions Root of the transactions that the winner's block orders.
/// @param record sha256 of the record from which everything here can be repeated.
struct ScoreCertificate {
    ContestId contestId;
    uint32 instance;
    Epoch epoch;
    bytes32 specHash;
    bytes32 testSet;
    uint64 revealed;
    uint64 frauds;
    bool badTestSet;
    bytes32 scores;
    bytes32 transactions;
    bytes32 record;
}

/// @notice Header of a block of the learning chain; the block's hash is the sha256 of its ABI encoding.
/// @param kind 0 the genesis, 1 a block that the winner of a contest appended, 2 a puzzle.
/// @param parent Hash of the block before; of the genesis, the domain separator of the contest contract.
/// @param height Number of the block; the genesis is 0.
/// @param winner Who appended it.
/// @param task Contest whose winner appended it; zero for a puzzle, as are model, correct and answers.
/// @param model sha256 of the winning model.
/// @param correct Right answers of that model.
/// @param answers Number of answers that the test set asks for.
/// @param transactions Root of the transactions that the block orders.
/// @param time Unix time of the block, later than its parent's.
/// @param nextTask Zero: whichever contest ends next appends the next block.
/// @param target Of a puzzle, what its hash is at most, as a number; zero: nothing was searched for.
/// @param nonce Of a puzzle, what was searched for.
struct LearningBlock {
    uint8 kind;
    bytes32 parent;
    uint64 height;
    address winner;
    ContestId task;
    bytes32 model;
    uint32 correct;
    uint32 answers;
    bytes32 transactions;
    uint64 time;
    uint256 nextTask;
    uint256 target;
    uint256 nonce;
}

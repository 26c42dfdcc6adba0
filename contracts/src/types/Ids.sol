// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice Number of a task in the market; the first task is 1, so 0 never names one.
type TaskId is uint256;

/// @notice Number of a committee snapshot; the first snapshot is 1, so 0 means "no committee yet".
type Epoch is uint32;

using {sameTask as ==} for TaskId global;
using {sameEpoch as ==, differentEpoch as !=} for Epoch global;

function sameTask(TaskId a, TaskId b) pure returns (bool) {
    return TaskId.unwrap(a) == TaskId.unwrap(b);
}

function sameEpoch(Epoch a, Epoch b) pure returns (bool) {
    return Epoch.unwrap(a) == Epoch.unwrap(b);
}

function differentEpoch(Epoch a, Epoch b) pure returns (bool) {
    return Epoch.unwrap(a) != Epoch.unwrap(b);
}

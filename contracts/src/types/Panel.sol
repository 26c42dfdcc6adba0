// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Epoch} from "./Ids.sol";

/// @notice The committee of a task or the court of a dispute, in one slot.
/// @param members Where the list of members is stored; zero until it is drawn.
/// @param epoch Snapshot that the members come from.
/// @param drawBlock Block whose hash is the seed; 0 when there is nothing to draw.
/// @param size Most members.
struct Panel {
    address members;
    Epoch epoch;
    uint48 drawBlock;
    uint8 size;
}

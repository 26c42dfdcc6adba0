// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ContestId} from "../types/Contest.sol";
import {Epoch} from "../types/Ids.sol";
import {Panel} from "../types/Panel.sol";
import {ICommittee} from "./ICommittee.sol";

/// @title IContestPanels
/// @notice Who scores a contest: its committee (instance 0) and its court (instance 1), drawn from a snapshot of the validators
/// as those of tasks are, with the hash of a block that nobody knew when the panel was assigned. It holds no money; only
/// the contest contract that made it assigns panels, and anyone executes a draw.
interface IContestPanels {
    /// @notice `members`, ascending, are the panel; bitmaps count in that order.
    event PanelDrawn(ContestId indexed contestId, uint256 indexed instance, address[] members);

    /// @notice Only the contest contract assigns panels.
    error NotAssigner(address caller, address expected);

    /// @notice A committee has 3f + 1 members, at least 4 and at most all `members` of the snapshot.
    error CommitteeSizeInvalid(uint256 size, uint256 members);

    /// @notice The panel has its members, or none was assigned.
    error NothingToDraw(ContestId contestId, uint256 instance);

    /// @notice The seed is the hash of block `drawBlock`, which is known from the next block on.
    error DrawTooEarly(uint256 blockNumber, uint256 drawBlock);

    /// @notice The members are to be drawn first; anyone may do that after block `drawBlock`.
    error PanelNotDrawn(ContestId contestId, uint256 instance, uint256 drawBlock);

    /// @notice Blocks between the assignment of a panel and the block whose hash draws it.
    function DRAW_DELAY() external view returns (uint256);

    /// @notice Age in blocks from which on a block's hash is out of reach, and the snapshot's own seed draws.
    function BLOCKHASH_WINDOW() external view returns (uint256);

    /// @notice Where the snapshots come from.
    function COMMITTEE() external view returns (ICommittee);

    /// @notice The contest contract.
    function CONTEST() external view returns (address);

    /// @notice Size, snapshot and draw block of a panel; empty for one that was not assigned.
    function panelOf(ContestId contestId, uint256 instance) external view returns (Panel memory);

    /// @notice Members of a panel, ascending. Reverts with `PanelNotDrawn`.
    function members(ContestId contestId, uint256 instance) external view returns (address[] memory);

    /// @notice Reverts unless a quorum of the panel signed `digest`.
    /// @param signers Bitmap over the panel.
    /// @param signatures 64 bytes (EIP-2098, low s) for each set bit, ascending.
    function verify(
        ContestId contestId,
        uint256 instance,
        bytes32 digest,
        uint64 signers,
        bytes calldata signatures
    ) external view;

    /// @notice Reverts unless `size` members can be drawn from the snapshot; 0 means all of it.
    function checkSize(Epoch epoch, uint256 size) external view;

    /// @notice Assigns the committee: the whole snapshot at once, or `size` members to be drawn.
    function assign(ContestId contestId, Epoch epoch, uint256 size) external;

    /// @notice Assigns the court: twice the committee's size less one, at most 64, drawn from those outside first.
    function assignCourt(ContestId contestId) external;

    /// @notice Draws the members of an assigned panel. Anyone may call it.
    function draw(ContestId contestId, uint256 instance) external;
}

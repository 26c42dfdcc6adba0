// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ICommittee} from "./interfaces/ICommittee.sol";
import {IContestPanels} from "./interfaces/IContestPanels.sol";
import {DrawLib} from "./libraries/DrawLib.sol";
import {MembersLib} from "./libraries/MembersLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {ContestId} from "./types/Contest.sol";
import {Epoch} from "./types/Ids.sol";
import {Panel} from "./types/Panel.sol";

/// @title ContestPanels
/// @notice See {IContestPanels}. The contest contract makes it, and is the only one to assign panels.
contract ContestPanels is IContestPanels {
    using MembersLib for bytes;
    using MembersLib for uint256[];
    using SafeCast for uint256;

    /// @inheritdoc IContestPanels
    uint256 public constant DRAW_DELAY = 2;
    /// @inheritdoc IContestPanels
    uint256 public constant BLOCKHASH_WINDOW = 256;
    /// @notice Fewest and most members of a panel.
    uint256 public constant MIN_MEMBERS = 4;
    uint256 public constant MAX_MEMBERS = 64;

    /// @inheritdoc IContestPanels
    ICommittee public immutable COMMITTEE;
    /// @inheritdoc IContestPanels
    address public immutable CONTEST;

    mapping(ContestId contestId => mapping(uint256 instance => Panel)) private _panels;

    modifier onlyContest() {
        if (msg.sender != CONTEST) revert NotAssigner(msg.sender, CONTEST);
        _;
    }

    /// @param committee Where the snapshots come from.
    constructor(ICommittee committee) {
        COMMITTEE = committee;
        CONTEST = msg.sender;
    }

    /// @inheritdoc IContestPanels
    function assign(ContestId contestId, Epoch epoch, uint256 size) external onlyContest {
        Panel storage panel = _panels[contestId][0];
        uint256[] memory words = _snapshot(epoch);
        if (size != 0 && size != words.length) {
            _plan(panel, epoch, size);
            return;
        }
        panel.members = MembersLib.store(words, bytes32(0));
        (panel.epoch, panel.size) = (epoch, uint8(words.length));
        emit PanelDrawn(contestId, 0, words.accounts());
    }

    /// @inheritdoc IContestPanels
    function assignCourt(ContestId contestId) external onlyContest {
        Panel storage first = _panels[contestId][0];
        uint256 size = 2 * uint256(first.size) - 1;
        _plan(_panels[contestId][1], first.epoch, size > MAX_MEMBERS ? MAX_MEMBERS : size);
    }

    /// @inheritdoc IContestPanels
    function draw(ContestId contestId, uint256 instance) external {
        Panel storage panel = _panels[contestId][instance];
        if (panel.size == 0 || panel.members != address(0)) revert NothingToDraw(contestId, instance);
        uint256 drawBlock = panel.drawBlock;
        if (block.number <= drawBlock) revert DrawTooEarly(block.number, drawBlock);
        bytes32 source = block.number - drawBlock <= BLOCKHASH_WINDOW
            ? blockhash(drawBlock)
            : COMMITTEE.seedOf(panel.epoch);
        bytes32 seed = keccak256(abi.encode(source, address(this), contestId, instance));
        uint256[] memory words = _snapshot(panel.epoch);
        uint256[] memory drawn = instance == 0
            ? DrawLib.sample(words, seed, panel.size)
            : DrawLib.court(words, _load(contestId, 0), seed, panel.size);
        panel.members = MembersLib.store(drawn, seed);
        emit PanelDrawn(contestId, instance, drawn.accounts());
    }

    /// @inheritdoc IContestPanels
    function checkSize(Epoch epoch, uint256 size) external view {
        if (size == 0) return;
        uint256 all = COMMITTEE.membersOf(epoch).length;
        if (size == all) return;
        if (size < MIN_MEMBERS || size > all || size % 3 != 1) revert CommitteeSizeInvalid(size, all);
    }

    /// @inheritdoc IContestPanels
    function panelOf(ContestId contestId, uint256 instance) external view returns (Panel memory) {
        return _panels[contestId][instance];
    }

    /// @inheritdoc IContestPanels
    function members(ContestId contestId, uint256 instance) external view returns (address[] memory) {
        return _load(contestId, instance).words().accounts();
    }

    /// @inheritdoc IContestPanels
    function verify(
        ContestId contestId,
        uint256 instance,
        bytes32 digest,
        uint64 signers,
        bytes calldata signatures
    ) external view {
        SignatureLib.verify(_load(contestId, instance), digest, signers, signatures, true);
    }

    function _plan(Panel storage panel, Epoch epoch, uint256 size) private {
        (panel.epoch, panel.size) = (epoch, uint8(size));
        panel.drawBlock = (block.number + DRAW_DELAY).toUint48();
    }

    function _load(ContestId contestId, uint256 instance) private view returns (bytes memory) {
        Panel storage panel = _panels[contestId][instance];
        if (panel.members == address(0)) revert PanelNotDrawn(contestId, instance, panel.drawBlock);
        return MembersLib.load(panel.members);
    }

    /// @dev One word for each member, ascending. At most MAX_MEMBERS steps.
    function _snapshot(Epoch epoch) private view returns (uint256[] memory words) {
        address[] memory accounts = COMMITTEE.membersOf(epoch);
        uint256[] memory stakes = COMMITTEE.stakesOf(epoch);
        words = new uint256[](accounts.length);
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = MembersLib.word(accounts[i], stakes[i]);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {DrawLib} from "../../src/libraries/DrawLib.sol";
import {MembersLib} from "../../src/libraries/MembersLib.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Panel} from "../../src/types/Panel.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `assign` and `drawCommittee`: a pool of ten, committees of four.
contract DrawCommitteeTest is MarketFixture {
    TaskId private taskId;
    uint256 private drawBlock;

    function setUp() public override {
        super.setUp();
        addValidators(6);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        taskId = taskOf(4);
        drawBlock = vm.getBlockNumber() + committee.DRAW_DELAY();
    }

    function test_assign_revertsIfCallerIsNotTheMarket() public {
        vm.expectRevert(
            abi.encodeWithSelector(ICommittee.NotAssigner.selector, address(this), address(market))
        );
        committee.assign(TaskId.wrap(9), 4);
    }

    function test_assign_revertsIfThereIsNoSnapshot() public {
        deploy(token);
        vm.prank(address(market));
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NoCommittee.selector));
        committee.assign(TaskId.wrap(1), 0);
    }

    function test_assign_revertsIfSizeIsNot3fPlus1WithinTheSnapshot() public {
        uint32[5] memory bad = [uint32(1), 3, 5, 6, 13];
        for (uint256 i = 0; i < bad.length; ++i) {
            TaskParams memory p = someParams();
            p.committeeSize = bad[i];
            vm.prank(poster);
            vm.expectRevert(abi.encodeWithSelector(ICommittee.CommitteeSizeInvalid.selector, bad[i], 10));
            market.createTask(p);
        }
    }

    function test_assign__zeroOrAll__isTheSnapshotAtOnce() public {
        assertEq(committee.membersOfTask(taskOf(0)).length, 10, "zero means all");
        TaskId all = taskOf(10);
        assertEq(committee.membersOfTask(all).length, 10, "all");
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyDrawn.selector, all, 0));
        committee.drawCommittee(all);
    }

    function test_drawCommittee_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ICommittee.PanelUnknown.selector, 9, 0));
        committee.drawCommittee(TaskId.wrap(9));
    }

    function test_drawCommittee_revertsIfDrawnBefore() public {
        vm.roll(drawBlock + 1);
        committee.drawCommittee(taskId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyDrawn.selector, taskId, 0));
        committee.drawCommittee(taskId);
    }

    function test_drawCommittee_revertsIfTheBlockIsNotKnown() public {
        vm.roll(drawBlock);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.DrawTooEarly.selector, drawBlock, drawBlock));
        committee.drawCommittee(taskId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotDrawn.selector, taskId, 0, drawBlock));
        committee.membersOfTask(taskId);
    }

    function test_drawCommittee__blockhash__isAscendingAndOnceAndForAll() public {
        vm.roll(drawBlock + 1);
        vm.setBlockhash(drawBlock, keccak256("future"));
        vm.prank(stranger);
        committee.drawCommittee(taskId);
        address[] memory members = committee.membersOfTask(taskId);
        assertEq(members.length, 4, "size");
        for (uint256 i = 0; i < members.length; ++i) {
            assertTrue(i == 0 || members[i - 1] < members[i], "ascending, so nobody is there twice");
            assertEq(committee.memberIndex(taskId, members[i]), i, "index");
        }
        assertEq(committee.quorumOfTask(taskId), 3, "quorum");
        Panel memory panel = committee.panelOf(taskId, 0);
        assertEq(panel.size, 4, "size");
        assertEq(panel.drawBlock, drawBlock, "block");
    }

    function test_drawCommittee__blockhash__isTheSeedForTaskAndDispute() public {
        vm.roll(drawBlock + 1);
        bytes32 hash = keccak256("future");
        vm.setBlockhash(drawBlock, hash);
        committee.drawCommittee(taskId);
        assertSame(committee.membersOfTask(taskId), drawnFrom(hash));
    }

    function test_drawCommittee__after256Blocks__isDrawnFromTheSeedOfTheSnapshot() public {
        vm.roll(drawBlock + 257);
        committee.drawCommittee(taskId);
        assertSame(committee.membersOfTask(taskId), drawnFrom(committee.seedOf(committee.currentEpoch())));
    }

    function test_drawCommittee__after256Blocks__isWhatTheSnapshotFixed() public {
        vm.roll(drawBlock + 257);
        uint256 state = vm.snapshotState();
        committee.drawCommittee(taskId);
        bytes32 first = keccak256(abi.encode(committee.membersOfTask(taskId)));
        // Whoever waits longer, or for another block, draws the same committee.
        for (uint256 later = 258; later < 268; ++later) {
            require(vm.revertToState(state), "state");
            state = vm.snapshotState();
            vm.roll(drawBlock + later);
            committee.drawCommittee(taskId);
            assertEq(keccak256(abi.encode(committee.membersOfTask(taskId))), first, "never a new draw");
        }
    }

    function test_drawCommittee__anyBlockOfTheWindow__isTheSameCommittee() public {
        bytes32 hash = keccak256("future");
        vm.roll(drawBlock + 1);
        vm.setBlockhash(drawBlock, hash);
        uint256 state = vm.snapshotState();
        committee.drawCommittee(taskId);
        bytes32 first = keccak256(abi.encode(committee.membersOfTask(taskId)));
        require(vm.revertToState(state), "state");
        vm.roll(drawBlock + 256);
        vm.setBlockhash(drawBlock, hash);
        committee.drawCommittee(taskId);
        assertEq(keccak256(abi.encode(committee.membersOfTask(taskId))), first, "when does not matter");
    }

    function test_certify__drawnCommittee__onlyItsMembersCount() public {
        vm.roll(drawBlock + 1);
        vm.warp(vm.getBlockTimestamp() + START_DELAY);
        RoundCertificate memory c = nextCertificate(taskId);
        bytes memory none = new bytes(192);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotDrawn.selector, taskId, 0, drawBlock));
        market.certify(c, THREE, none);
        committee.drawCommittee(taskId);
        bytes memory signed =
            panelSignatures(committee.membersOfTask(taskId), market.certificateDigest(c), THREE);
        market.certify(c, THREE, signed);
        assertEq(market.task(taskId).lastRound, 1, "certified");
    }

    /// @dev What anybody can work out beforehand from the snapshot and a source.
    function drawnFrom(bytes32 source) private view returns (address[] memory) {
        address[] memory members = committee.membersOf(committee.currentEpoch());
        uint256[] memory stakes = committee.stakesOf(committee.currentEpoch());
        uint256[] memory words = new uint256[](members.length);
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = MembersLib.word(members[i], stakes[i]);
        }
        return MembersLib.accounts(DrawLib.sample(words, keccak256(abi.encode(source, taskId, 0)), 4));
    }

    function assertSame(address[] memory got, address[] memory wanted) private pure {
        assertEq(keccak256(abi.encode(got)), keccak256(abi.encode(wanted)), "members");
    }

    function taskOf(uint32 size) private returns (TaskId) {
        TaskParams memory p = someParams();
        p.committeeSize = size;
        return createTask(p);
    }
}

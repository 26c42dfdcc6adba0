// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract CreateTaskTest is MarketFixture {
    function test_createTask_revertsIfSpecHashIsZero() public {
        TaskParams memory p = someParams();
        p.specHash = 0;
        createExpecting(p, abi.encodeWithSelector(ITrainingMarket.ZeroHash.selector, "specHash"));
    }

    function test_createTask_revertsIfGenesisModelIsZero() public {
        TaskParams memory p = someParams();
        p.genesisModel = 0;
        createExpecting(p, abi.encodeWithSelector(ITrainingMarket.ZeroHash.selector, "genesisModel"));
    }

    function test_createTask_revertsIfRoundsAreOutOfBounds() public {
        TaskParams memory p = someParams();
        p.rounds = 0;
        createExpecting(p, outOfBounds("rounds", 0, 1, market.MAX_ROUNDS()));
        p.rounds = 1_000_000_000;
        createExpecting(p, outOfBounds("rounds", 1_000_000_000, 1, market.MAX_ROUNDS()));
    }

    function test_createTask_revertsIfShardsAreOutOfBounds() public {
        TaskParams memory p = someParams();
        p.shards = 0;
        createExpecting(p, outOfBounds("shards", 0, 1, market.MAX_SHARDS()));
        p.shards = 1_025;
        createExpecting(p, outOfBounds("shards", 1_025, 1, market.MAX_SHARDS()));
    }

    function test_createTask_revertsIfRewardIsZero() public {
        TaskParams memory p = someParams();
        p.rewardPerShard = 0;
        createExpecting(p, outOfBounds("rewardPerShard", 0, 1, type(uint128).max));
    }

    function test_createTask_revertsIfSlashIsTooLarge() public {
        TaskParams memory p = someParams();
        p.slashPerFault = uint128(type(uint96).max) + 1;
        createExpecting(p, outOfBounds("slashPerFault", p.slashPerFault, 0, type(uint96).max));
    }

    function test_createTask_revertsIfMinerStakeIsBelowSlash() public {
        TaskParams memory p = someParams();
        p.minerStake = SLASH - 1;
        createExpecting(p, outOfBounds("minerStake", SLASH - 1, SLASH, type(uint96).max));
    }

    function test_createTask_revertsIfEscrowOverflows() public {
        TaskParams memory p = someParams();
        (p.rounds, p.shards, p.rewardPerShard) = (65_535, 1_024, type(uint128).max);
        uint256 escrow = 65_535 * (1_024 * uint256(type(uint128).max) + FEE);
        createExpecting(p, outOfBounds("escrow", escrow, 1, type(uint96).max));
    }

    function test_createTask_revertsIfDeadlineIsTooSoon() public {
        TaskParams memory p = someParams();
        p.deadline = p.startsAt + 59;
        createExpecting(p, deadlineError(p));
    }

    function test_createTask_revertsIfDeadlineIsTooLate() public {
        TaskParams memory p = someParams();
        p.deadline = uint64(vm.getBlockTimestamp() + market.MAX_TASK_LIFE() + 1);
        createExpecting(p, deadlineError(p));
    }

    function test_createTask_revertsIfThereIsNoCommittee() public {
        deploy(token);
        createExpecting(someParams(), abi.encodeWithSelector(ICommittee.NoCommittee.selector));
    }

    function test_createTask_revertsIfEpochIsStale() public {
        uint256 taken = vm.getBlockTimestamp();
        vm.warp(taken + market.MAX_EPOCH_AGE() + 1);
        bytes memory data = abi.encodeWithSelector(
            ITrainingMarket.EpochStale.selector, epochOne(), taken, market.MAX_EPOCH_AGE()
        );
        createExpecting(someParams(), data);
    }

    function test_createTask_revertsIfAllowanceIsMissing() public {
        vm.prank(poster);
        token.approve(address(market), ESCROW - 1);
        bytes memory data = abi.encodeWithSelector(
            IERC20Errors.ERC20InsufficientAllowance.selector, address(market), ESCROW - 1, ESCROW
        );
        createExpecting(someParams(), data);
    }

    function test_createTask_revertsIfBalanceIsMissing() public {
        uint256 all = token.balanceOf(poster);
        vm.prank(poster);
        token.transfer(stranger, all - 1);
        bytes memory data =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, poster, 1, ESCROW);
        createExpecting(someParams(), data);
    }

    function test_createTask__goodParameters__storesThemAndTakesTheEscrow() public {
        TaskParams memory p = someParams();
        uint256 before = token.balanceOf(poster);
        vm.expectEmit(address(market));
        emit ITrainingMarket.TaskCreated(TaskId.wrap(1), poster, p.specHash, p, epochOne(), ESCROW);
        TaskId taskId = createTask();
        assertEq(id(taskId), 1, "first id");
        assertEq(market.taskCount(), 1, "count");
        assertEq(before - token.balanceOf(poster), ESCROW, "escrow taken");
        assertEq(market.held(taskId), ESCROW, "held");
        assertEq(market.refundable(taskId), ESCROW, "refundable");
        Task memory task = market.task(taskId);
        assertEq(task.model, p.genesisModel, "model");
        assertEq(task.specHash, p.specHash, "spec");
        assertEq(task.certificates, 0, "certificates");
        assertEq(task.poster, poster, "poster");
        assertEq(uint256(task.status), uint256(TaskStatus.Open), "status");
        assertEq(task.rounds, p.rounds, "rounds");
        assertEq(task.shards, p.shards, "shards");
        assertEq(task.startsAt, p.startsAt, "start");
        assertEq(task.deadline, p.deadline, "deadline");
        assertEq(task.rewardPerShard, p.rewardPerShard, "reward");
        assertEq(task.feePerRound, p.feePerRound, "fee");
        assertEq(task.minerStake, p.minerStake, "miner stake");
        assertEq(task.slashPerFault, p.slashPerFault, "slash");
    }

    function test_createTask__startInThePast__startsAtOnce() public {
        TaskParams memory p = someParams();
        p.startsAt = 0;
        vm.prank(poster);
        TaskId taskId = market.createTask(p);
        assertEq(market.task(taskId).startsAt, vm.getBlockTimestamp(), "start");
    }

    function test_createTask__leastOfEverything__isAllowed() public {
        TaskParams memory p = someParams();
        (p.rounds, p.shards, p.rewardPerShard, p.feePerRound) = (1, 1, 1, 0);
        (p.minerStake, p.slashPerFault) = (0, 0);
        p.deadline = p.startsAt + uint64(market.MIN_TASK_LIFE());
        assertEq(market.held(createTask(p)), 1, "an escrow of one unit");
    }

    function test_createTask__mostOfEverything__isAllowed() public {
        TaskParams memory p = someParams();
        p.rounds = uint32(market.MAX_ROUNDS());
        p.shards = uint32(market.MAX_SHARDS());
        (p.rewardPerShard, p.feePerRound) = (1, 1);
        (p.minerStake, p.slashPerFault) = (type(uint96).max, type(uint96).max);
        p.deadline = uint64(vm.getBlockTimestamp() + market.MAX_TASK_LIFE());
        TaskId taskId = createTask(p);
        assertEq(market.held(taskId), 65_535 * 1_025, "escrow");
        assertEq(market.task(taskId).slashPerFault, type(uint96).max, "slash");
    }

    function test_createTask__oldestSnapshot__isGoodToTheLastSecond() public {
        vm.warp(vm.getBlockTimestamp() + market.MAX_EPOCH_AGE());
        createTask();
    }

    function testFuzz_createTask__anyMoney__escrowIsTheFormula(
        uint32 rounds,
        uint32 shards,
        uint96 reward,
        uint96 fee
    ) public {
        TaskParams memory p = someParams();
        p.rounds = uint32(bound(rounds, 1, market.MAX_ROUNDS()));
        p.shards = uint32(bound(shards, 1, market.MAX_SHARDS()));
        p.rewardPerShard = uint128(bound(reward, 1, 1e6));
        p.feePerRound = uint128(bound(fee, 0, 1e6));
        uint256 before = token.balanceOf(address(market));
        vm.prank(poster);
        TaskId taskId = market.createTask(p);
        uint256 escrow = uint256(p.rounds) * (uint256(p.shards) * p.rewardPerShard + p.feePerRound);
        assertEq(token.balanceOf(address(market)) - before, escrow, "escrow");
        assertEq(market.held(taskId), escrow, "held");
    }

    function deadlineError(TaskParams memory p) private view returns (bytes memory) {
        uint256 latest = vm.getBlockTimestamp() + market.MAX_TASK_LIFE();
        return outOfBounds("deadline", p.deadline, p.startsAt + market.MIN_TASK_LIFE(), latest);
    }

    function outOfBounds(string memory field, uint256 value, uint256 min, uint256 max)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(ITrainingMarket.OutOfBounds.selector, field, value, min, max);
    }

    function createExpecting(TaskParams memory p, bytes memory data) private {
        vm.prank(poster);
        vm.expectRevert(data);
        market.createTask(p);
    }
}

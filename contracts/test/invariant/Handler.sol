// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {SentenceSteps} from "./SentenceSteps.sol";
import {World} from "./World.sol";

/// @notice All steps, and the question whether from here everybody gets out what is theirs.
contract Handler is SentenceSteps {
    uint256 public longestExit;
    uint256 public exits;

    /// @dev What an exit of everybody left behind, and how long it took; an error, so that nothing of it stays.
    error Left(uint256 inMarket, uint256 inVault, uint256 seconds_, bool sound);

    function setUp() public override(World) {
        super.setUp();
    }

    /// @notice From the state at hand everybody leaves: posters, miners, validators, without anybody's help.
    function tryExits(uint256 wait) external step(wait) {
        uint256 now_ = time();
        try this.exitEverything() {
            check(false, "exit");
        } catch (bytes memory data) {
            (uint256 inMarket, uint256 inVault, uint256 took, bool sound) = decode(data);
            check(inMarket == 0, "money stays in the market");
            check(inVault == 0, "stake stays in the vault");
            check(sound, "exit paid wrongly");
            if (took > longestExit) longestExit = took;
        }
        vm.warp(now_);
        ++exits;
    }

    /// @dev Reverts always: the state before stays.
    function exitEverything() external {
        uint256 begun = time();
        unbondAll();
        vm.warp(endOfAllTasks());
        endAllDisputes();
        for (uint256 i = 1; i <= tasks; ++i) {
            settleTask(TaskId.wrap(i));
        }
        uint256 lastUnlock = begun + UNBONDING_DELAY;
        if (time() < lastUnlock) vm.warp(lastUnlock);
        for (uint256 i = 0; i < people.length; ++i) {
            (uint256 unbonding,) = vault.unbondingOf(people[i]);
            if (unbonding != 0) takeOut(people[i]);
        }
        bool sound = !broken["claim paid another"] && !broken["fee paid another"]
            && !broken["refund paid another"] && !broken["withdrawal paid another"];
        uint256 left = token.balanceOf(address(market)) + token.balanceOf(address(appeals));
        revert Left(left, token.balanceOf(address(vault)), time() - begun, sound);
    }

    function unbondAll() private {
        for (uint256 i = 0; i < people.length; ++i) {
            uint256 stake = vault.stakeOf(people[i]);
            if (stake == 0) continue;
            vm.prank(people[i]);
            vault.unbond(stake);
        }
    }

    /// @dev What has not begun is cancelled at once; the rest ends at its deadline.
    function endOfAllTasks() private returns (uint256 end) {
        end = time();
        for (uint256 i = 1; i <= tasks; ++i) {
            Task memory t = market.task(TaskId.wrap(i));
            bool missing = t.lastRound < t.rounds;
            bool waits = t.status == TaskStatus.Open || (t.status == TaskStatus.Disputed && missing);
            if (canCancel(TaskId.wrap(i), t)) {
                vm.prank(poster);
                market.cancel(TaskId.wrap(i));
            } else if (waits && end <= t.deadline) {
                end = uint256(t.deadline) + 1;
            }
        }
    }

    /// @dev Nobody has to judge: a dispute ends by itself, and every bond comes back.
    function endAllDisputes() private {
        for (uint256 i = 1; i <= tasks; ++i) {
            TaskId taskId = TaskId.wrap(i);
            uint256 count = appeals.disputesOf(taskId);
            if (market.task(taskId).status == TaskStatus.Disputed) {
                uint256 end = appeals.disputeOf(taskId, count).verdictEnds;
                if (time() < end) vm.warp(end);
                appeals.lapse(taskId);
            }
            for (uint256 d = 1; d <= count; ++d) {
                uint256 cases = appeals.disputeOf(taskId, d).cases;
                for (uint256 n = 0; n < cases; ++n) {
                    if (!appeals.caseOf(taskId, d, n).settled) appeals.settle(taskId, d, n);
                }
            }
        }
    }

    function settleTask(TaskId taskId) private {
        Task memory t = market.task(taskId);
        if (t.status == TaskStatus.Cancelled) return;
        uint256 last = t.certificates == 0 ? 0 : market.maturesAt(taskId, lastRecord(taskId));
        if (time() < last) vm.warp(last);
        if (t.status != TaskStatus.Closed) closeAs(stranger, taskId);
        if (t.certificates == 0) return;
        for (uint256 who = 0; who < PAYEES; ++who) {
            uint256 due = payoutsAt[id(taskId)][t.certificates - 1][who];
            if (due > market.claimed(taskId, payees[who])) claimFor(taskId, t.certificates - 1, who);
        }
        address[] memory members = membersOf(taskId);
        uint256 fee = uint256(t.feePerRound) * spanOf(id(taskId));
        for (uint256 i = 0; i < members.length; ++i) {
            bool owed = (lastRecord(taskId).signers >> i) & 1 == 1 && (t.feesPaid >> i) & 1 == 0;
            if (owed && fee >= bits(lastRecord(taskId).signers)) feeFor(taskId, members[i]);
        }
    }

    function bits(uint64 bitmap) private pure returns (uint256 count) {
        for (uint256 i = 0; i < 64; ++i) {
            count += (bitmap >> i) & 1;
        }
    }

    /// @dev Anything but `Left` means that somebody could not leave.
    function decode(bytes memory data) private pure returns (uint256, uint256, uint256, bool) {
        if (data.length != 132 || bytes4(data) != Left.selector) return (1, 1, 0, false);
        bytes memory arguments = new bytes(128);
        for (uint256 i = 0; i < 128; ++i) {
            arguments[i] = data[i + 4];
        }
        return abi.decode(arguments, (uint256, uint256, uint256, bool));
    }
}

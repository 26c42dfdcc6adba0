// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {Task} from "../../src/types/Task.sol";
import {World} from "./World.sol";

/// @notice Legal steps with stakes and the committee. A step that the state at hand does not allow does nothing.
abstract contract StakeSteps is World {
    /// @dev Everybody but the poster and the stranger holds stake.
    uint256 private constant STAKERS = CANDIDATES + 4;

    uint256 public advancedAt = 1_000;

    function deposit(uint256 wait, uint256 who, uint256 amount) external step(wait) {
        address account = people[who % STAKERS];
        amount = bound(amount, 1, persons[account].validator ? 600 ether : 50 ether);
        fund(account, amount);
        as_(account);
        token.approve(address(vault), amount);
        as_(account);
        vault.deposit(amount);
        persons[account].deposited += amount;
    }

    function unbond(uint256 wait, uint256 who, uint256 amount) external step(wait) {
        address account = people[who % STAKERS];
        uint256 stake = vault.stakeOf(account);
        if (stake == 0) return;
        uint256 slashable = vault.slashableOf(account);
        vm.prank(account);
        vault.unbond(bound(amount, 1, stake));
        (, uint256 unlocksAt) = vault.unbondingOf(account);
        check(unlocksAt == time() + UNBONDING_DELAY, "delay is not the delay");
        check(vault.slashableOf(account) == slashable, "unbonding escaped");
    }

    function withdraw(uint256 wait, uint256 who, uint8 patience) external step(wait) {
        address account = people[who % STAKERS];
        (uint256 unbonding, uint256 unlocksAt) = vault.unbondingOf(account);
        if (unbonding == 0) return;
        if (time() < unlocksAt) {
            if (patience % 64 != 0) return;
            vm.warp(unlocksAt);
        }
        takeOut(account);
    }

    function join(uint256 wait, uint256 who) external step(wait) {
        address account = validator(who % CANDIDATES);
        if (committee.isValidator(account) || vault.stakeOf(account) < VALIDATOR_STAKE) return;
        as_(account);
        committee.join("ws://127.0.0.1:9000");
        persons[account].validator = true;
    }

    function leave(uint256 wait, uint256 who) external step(wait) {
        address account = validator(who % CANDIDATES);
        if (!committee.isValidator(account)) return;
        as_(account);
        committee.leave();
        persons[account].validator = false;
    }

    function advanceEpoch(uint256 wait) external step(wait) {
        if (epochs == MAX_EPOCHS || eligible() < 4) return;
        if (vm.getBlockNumber() < committee.nextEpochAt()) vm.roll(committee.nextEpochAt());
        check(vm.getBlockNumber() >= advancedAt + EPOCH_LENGTH, "epoch too short");
        advancedAt = vm.getBlockNumber();
        Epoch epoch = committee.advanceEpoch();
        rememberEpoch();
        check(Epoch.unwrap(epoch) == epochs, "epochs skip");
        checkMembers(committee.membersOf(epoch));
    }

    function proveEquivocation(uint256 wait, uint256 pick, uint256 who, bool selfReport) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (tasks == 0) return;
        address[] memory members = membersOf(taskId);
        if (members.length == 0) return;
        address culprit = members[who % members.length];
        uint256 since = committee.startedAt(t.epoch);
        if (committee.equivocated(culprit, taskId)) return;
        if (vault.slashableOf(culprit) == 0 || vault.slashableAt(culprit, since) == 0) return;
        denounce(culprit, taskId, t, selfReport ? culprit : stranger);
    }

    function takeOut(address account) internal {
        uint256 before = token.balanceOf(account);
        as_(account);
        uint256 amount = vault.withdraw();
        check(token.balanceOf(account) == before + amount, "withdrawal paid another");
        persons[account].withdrawn += amount;
    }

    /// @dev Two certificates for round 1 that differ in their model.
    function equivocation(TaskId taskId, Task memory t)
        internal
        pure
        returns (RoundCertificate memory a, RoundCertificate memory b)
    {
        (a.taskId, a.epoch, a.firstRound, a.lastRound) = (taskId, t.epoch, 1, 2);
        (b.taskId, b.epoch, b.firstRound, b.lastRound) = (taskId, t.epoch, 2, 3);
    }

    function denounce(address culprit, TaskId taskId, Task memory t, address reporter) private {
        (RoundCertificate memory a, RoundCertificate memory b) = equivocation(taskId, t);
        bytes memory signedA = compact(keys[culprit], market.certificateDigest(a));
        bytes memory signedB = compact(keys[culprit], market.certificateDigest(b));
        uint256 stake = vault.slashableOf(culprit);
        uint256 toReporter = token.balanceOf(reporter);
        uint256 toTreasury = token.balanceOf(treasury);
        as_(reporter);
        committee.proveEquivocation(a, signedA, b, signedB);
        uint256 amount = stake - vault.slashableOf(culprit);
        punish(culprit, amount);
        persons[culprit].validator = false;
        toReporter = token.balanceOf(reporter) - toReporter;
        toTreasury = token.balanceOf(treasury) - toTreasury;
        treasuryIn += toTreasury;
        check(toReporter + toTreasury == amount, "split does not add up");
        check(amount <= VALIDATOR_STAKE, "equivocation cost too much");
        check(toReporter <= MAX_BOUNTY && toReporter <= amount / 10, "bounty too large");
        check(reporter != culprit || toReporter == 0, "culprit got a bounty");
        check(committee.equivocated(culprit, taskId), "equivocation forgotten");
        check(!committee.isValidator(culprit), "equivocator still validates");
    }

    function eligible() private view returns (uint256 count) {
        for (uint256 i = 0; i < CANDIDATES; ++i) {
            bool in_ = committee.isValidator(validator(i));
            if (in_ && vault.stakeOf(validator(i)) >= VALIDATOR_STAKE) ++count;
        }
    }

    function checkMembers(address[] memory members) private {
        check(members.length >= 4, "committee too small");
        for (uint256 i = 0; i < members.length; ++i) {
            check(i == 0 || members[i - 1] < members[i], "members do not ascend");
            check(persons[members[i]].validator, "member never joined");
            check(vault.stakeOf(members[i]) >= VALIDATOR_STAKE, "member without stake");
        }
        for (uint256 i = 0; i < CANDIDATES; ++i) {
            Person storage p = persons[validator(i)];
            if (vault.stakeOf(validator(i)) < VALIDATOR_STAKE) p.validator = false;
        }
    }
}

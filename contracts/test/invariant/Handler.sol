// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

<<<<<<< HEAD
import {CertificateRecord, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
=======
>>>>>>> main
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {AttemptSteps} from "./AttemptSteps.sol";
import {World} from "./World.sol";

/// @notice All steps, and the question whether from here everybody gets out what is theirs.
contract Handler is AttemptSteps {
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
        revert Left(token.balanceOf(address(market)), token.balanceOf(address(vault)), time() - begun, sound);
    }

    function unbondAll() private {
        for (uint256 i = 0; i < people.length; ++i) {
            uint256 stake = vault.stakeOf(people[i]);
            if (stake == 0) continue;
            vm.prank(people[i]);
            vault.unbond(stake);
        }
    }

<<<<<<< HEAD
    function create(uint256 wait, uint32 rounds, uint128 fee, uint64 delay) external step(wait) {
        if (market.taskCount() == MAX_TASKS) return;
        uint256 age = vm.getBlockTimestamp() - committee.startedAt(committee.currentEpoch());
        if (age > market.MAX_EPOCH_AGE()) {
            if (vm.getBlockNumber() < committee.nextEpochAt()) vm.roll(committee.nextEpochAt());
            if (!enoughValidators()) return;
            committee.advanceEpoch();
        }
        TaskParams memory p = someParams();
        p.rounds = uint32(bound(rounds, 1, 50));
        p.feePerRound = uint128(bound(fee, 0, 5 ether + 7));
        p.startsAt = uint64(vm.getBlockTimestamp() + delay % 1 days);
        vm.prank(poster);
        TaskId taskId = market.createTask(p);
        funded[id(taskId)] = market.held(taskId);
    }

    function certify(uint256 wait, uint256 pick, uint32 span, uint128 paid, uint64 chooser, bool faulty)
        external
        step(wait)
    {
        (TaskId taskId, Task memory task) = chosen(pick);
        if (task.status != TaskStatus.Open) return;
        if (vm.getBlockTimestamp() > task.deadline) return;
        if (vm.getBlockTimestamp() < task.startsAt) vm.warp(task.startsAt);
        RoundCertificate memory c =
            nextCertificate(taskId, uint32(bound(span, 1, task.rounds - task.lastRound)));
        c.paidTotal = uint128(bound(paid, task.paidTotal, uint256(c.lastRound) * SHARDS * REWARD));
        c.payoutsRoot = MerkleTree.root(payoutLeaves(c.paidTotal));
        if (faulty) {
            faults[id(taskId)].push(FaultLeaf(c.lastRound, 0, miner(pick % 4), keccak256(abi.encode(steps))));
            c.faultsRoot = MerkleTree.root(faultLeaves(id(taskId)));
        }
        uint64 signers = [uint64(7), 11, 13, 14, 15][chooser % 5];
        // All tasks belong to snapshots of the same four validators: nobody leaves the pool in this model.
        certify(c, signers);
    }

    function claim(uint256 wait, uint256 pick, uint256 who) external step(wait) {
        (TaskId taskId, Task memory task) = chosen(pick);
        uint256 due = task.paidTotal / 4;
        if (task.lastRound == 0 || due <= market.claimed(taskId, miner(who % 4))) return;
        bytes32[] memory proof = minerProof(taskId, who % 4);
        paidOut[id(taskId)] += market.claim(taskId, lastPayouts(taskId), miner(who % 4), due, proof);
    }

    function claimSigningFee(uint256 wait, uint256 pick, uint256 who) external step(wait) {
        (TaskId taskId, Task memory task) = chosen(pick);
        who %= 4;
        if (task.status != TaskStatus.Closed) return;
        // A fee below one unit for each signer is dust, and there is nothing to claim.
        (uint256 share,) = market.signingFee(taskId);
        if (share == 0) return;
        if ((lastRecord(taskId).signers >> who) & 1 == 0 || (task.feesPaid >> who) & 1 == 1) return;
        paidOut[id(taskId)] += market.claimSigningFee(taskId, lastRecord(taskId), validator(who));
    }

    function cancel(uint256 wait, uint256 pick) external step(wait) {
        (TaskId taskId, Task memory task) = chosen(pick);
        if (task.status != TaskStatus.Open || vm.getBlockTimestamp() >= task.startsAt) return;
        vm.prank(poster);
        paidOut[id(taskId)] += market.cancel(taskId);
    }

    function close(uint256 wait, uint256 pick, bool late) external step(wait) {
        (TaskId taskId, Task memory task) = chosen(pick);
        if (task.status == TaskStatus.Open) {
            if (!late) return;
            if (vm.getBlockTimestamp() <= task.deadline) vm.warp(task.deadline + 1);
        } else if (task.status != TaskStatus.Completed) {
            return;
        }
        paidOut[id(taskId)] += market.close(taskId);
    }

    function slash(uint256 wait, uint256 pick, uint256 which) external step(wait) {
        (TaskId taskId,) = chosen(pick);
        uint256 count = faults[id(taskId)].length;
        if (count == 0) return;
        FaultLeaf memory leaf = faults[id(taskId)][which % count];
        // Without a challenge window a certificate is final when it is accepted.
        uint256 faultsAt = market.maturesAt(taskId, lastRecord(taskId));
        bool expired = vm.getBlockTimestamp() > faultsAt + UNBONDING_DELAY;
        if (expired || market.slashed(taskId, faultLeaf(leaf))) return;
        if (vault.slashableOf(leaf.miner) == 0 || vault.slashableAt(leaf.miner, faultsAt) == 0) return;
        bytes32[] memory proof = MerkleTree.proof(faultLeaves(id(taskId)), which % count);
        slashedTotal += market.slash(taskId, lastRecord(taskId), leaf, proof);
    }

    function deposit(uint256 wait, uint256 who, uint256 amount) external step(wait) {
        amount = bound(amount, 1, 50 ether);
        stakeAs(stakers[who % stakers.length], amount);
        deposited += amount;
    }

    /// @dev Only miners unbond, so that each epoch has the same members.
    function unbond(uint256 wait, uint256 who, uint256 amount) external step(wait) {
        uint256 stake = vault.stakeOf(miner(who % 4));
        if (stake == 0) return;
        vm.prank(miner(who % 4));
        vault.unbond(bound(amount, 1, stake));
    }

    function withdraw(uint256 wait, uint256 who, bool late) external step(wait) {
        (uint256 amount, uint256 unlocksAt) = vault.unbondingOf(miner(who % 4));
        if (amount == 0) return;
        if (vm.getBlockTimestamp() < unlocksAt) {
            if (!late) return;
            vm.warp(unlocksAt);
        }
        vm.prank(miner(who % 4));
        withdrawn += vault.withdraw();
    }

    /// @dev The committee slashes too; here it reaches miners, so that each epoch keeps its members.
    function slashThroughVault(uint256 wait, uint256 who, uint256 amount) external step(wait) {
        address account = miner(who % 4);
        if (vault.slashableOf(account) == 0) return;
        vm.prank(address(committee));
        SlashSplit memory split =
            vault.slash(account, bound(amount, 1, 20 ether), vm.getBlockTimestamp(), address(0), stranger);
        slashedTotal += split.amount;
    }

    function marketBooks() external view returns (uint256 balance, uint256 debts) {
        balance = token.balanceOf(address(market));
        for (uint256 i = 1; i <= market.taskCount(); ++i) {
            debts += market.held(TaskId.wrap(i));
=======
    /// @dev What has not begun is cancelled at once; the rest ends at its deadline.
    function endOfAllTasks() private returns (uint256 end) {
        end = time();
        for (uint256 i = 1; i <= tasks; ++i) {
            Task memory t = market.task(TaskId.wrap(i));
            if (t.status != TaskStatus.Open) continue;
            if (time() < t.startsAt) {
                vm.prank(poster);
                market.cancel(TaskId.wrap(i));
            } else if (end <= t.deadline) {
                end = uint256(t.deadline) + 1;
            }
>>>>>>> main
        }
    }

    function settleTask(TaskId taskId) private {
        Task memory t = market.task(taskId);
        if (t.status == TaskStatus.Cancelled) return;
        if (t.status != TaskStatus.Closed) closeAs(stranger, taskId);
        for (uint256 who = 0; who < PAYEES; ++who) {
            uint256 due = cumulative[id(taskId)][who];
            if (due > market.claimed(taskId, payees[who])) claimFor(taskId, who, due);
        }
        address[] memory members = committee.membersOf(t.epoch);
        uint256 fee = uint256(t.feePerRound) * t.lastSpan;
        for (uint256 i = 0; i < members.length; ++i) {
            bool owed = (t.lastSigners >> i) & 1 == 1 && (t.feesPaid >> i) & 1 == 0;
            if (owed && fee >= bits(t.lastSigners)) feeFor(taskId, members[i]);
        }
    }

<<<<<<< HEAD
    function historyIsTrue() external view returns (bool) {
        for (uint256 i = 0; i < stakers.length; ++i) {
            uint256 recorded = vault.slashableAt(stakers[i], vm.getBlockTimestamp());
            if (recorded != vault.slashableOf(stakers[i])) return false;
        }
        return true;
    }

    function lastSigners(uint256 taskId) external view returns (uint64) {
        return lastRecord(TaskId.wrap(taskId)).signers;
    }

    function lastSpan(uint256 taskId) external view returns (uint256) {
        CertificateRecord memory record = lastRecord(TaskId.wrap(taskId));
        return record.lastRound == 0 ? 0 : record.lastRound - record.firstRound + 1;
    }

    function taskCount() external view returns (uint256) {
        return market.taskCount();
    }

    function taskAt(uint256 taskId) external view returns (Task memory, uint256 held, uint256 refundable) {
        return (
            market.task(TaskId.wrap(taskId)),
            market.held(TaskId.wrap(taskId)),
            market.refundable(TaskId.wrap(taskId))
        );
    }

    function chosen(uint256 pick) private view returns (TaskId taskId, Task memory task) {
        uint256 count = market.taskCount();
        taskId = TaskId.wrap(count == 0 ? 0 : 1 + pick % count);
        task = market.task(taskId);
    }

    function enoughValidators() private view returns (bool) {
        for (uint256 i = 0; i < 4; ++i) {
            if (vault.stakeOf(validator(i)) < VALIDATOR_STAKE) return false;
        }
        return true;
    }

    function faultLeaves(uint256 taskId) private view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](faults[taskId].length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = faultLeaf(faults[taskId][i]);
=======
    function bits(uint64 bitmap) private pure returns (uint256 count) {
        for (uint256 i = 0; i < 64; ++i) {
            count += (bitmap >> i) & 1;
>>>>>>> main
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

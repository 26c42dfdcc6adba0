// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {QuorumLib} from "../../src/libraries/QuorumLib.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {World} from "./World.sol";

/// @notice Legal steps with the market. A step that the state at hand does not allow does nothing.
abstract contract MarketSteps is World {
    function openTask(uint256 wait, uint32 rounds, uint128 fee, uint64 delay, uint256 kind)
        external
        step(wait)
    {
        open(rounds, fee, delay, kind);
    }

    function certifyNext(uint256 wait, uint256 pick, uint32 span, uint128 paid, uint256 chooser, bool faulty)
        external
        step(wait)
    {
        (TaskId taskId,) = chosen(pick);
        certifyOn(taskId, span, paid, chooser, faulty);
    }

    function claim(uint256 wait, uint256 pick, uint256 who) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        who %= PAYEES;
        uint256 index = newestFinal(taskId);
        if (index == t.certificates) return;
        uint256 due = payoutsAt[id(taskId)][index][who];
        if (due <= market.claimed(taskId, payees[who])) return;
        claimFor(taskId, index, who);
    }

    function claimSigningFee(uint256 wait, uint256 pick, uint256 who) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (t.status != TaskStatus.Closed || t.certificates == 0) return;
        address[] memory members = membersOf(taskId);
        who %= members.length;
        // A fee below one unit for each signer is dust, and there is nothing to claim.
        if (uint256(t.feePerRound) * spanOf(id(taskId)) < CANDIDATES) return;
        if ((lastRecord(taskId).signers >> who) & 1 == 0 || (t.feesPaid >> who) & 1 == 1) return;
        feeFor(taskId, members[who]);
    }

    function cancel(uint256 wait, uint256 pick) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (!canCancel(taskId, t)) return;
        as_(poster);
        books[id(taskId)].refunded += market.cancel(taskId);
    }

    function close(uint256 wait, uint256 pick, uint8 patience) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (t.status == TaskStatus.Open) {
            if (time() <= t.deadline) {
                if (patience % 16 != 0) return;
                vm.warp(uint256(t.deadline) + 1);
            }
        } else if (t.status != TaskStatus.Completed && t.status != TaskStatus.Overturned) {
            return;
        }
        uint256 last = t.certificates == 0 ? 0 : market.maturesAt(taskId, lastRecord(taskId));
        if (time() < last) vm.warp(last);
        closeAs(stranger, taskId);
    }

    function slash(uint256 wait, uint256 pick, uint256 which, bool selfReport) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        uint256 index = newestFinal(taskId);
        if (index == t.certificates) return;
        uint256 count = faultsIn[id(taskId)][index];
        uint256 at = begunAt(taskId, index);
        if (count == 0 || time() > at + UNBONDING_DELAY) return;
        FaultLeaf memory leaf = faults[id(taskId)][which % count];
        if (market.slashed(taskId, faultLeaf(leaf))) return;
        if (vault.slashableOf(leaf.miner) == 0 || vault.slashableAt(leaf.miner, at) == 0) return;
        slashBy(selfReport ? leaf.miner : stranger, taskId, index, which % count);
    }

    function open(uint32 rounds, uint128 fee, uint64 delay, uint256 kind) internal {
        uint256 age = time() - committee.startedAt(committee.currentEpoch());
        if (tasks == MAX_TASKS || age > market.MAX_EPOCH_AGE()) return;
        TaskParams memory p = someParams();
        p.rounds = uint32(bound(rounds, 1, 50));
        p.feePerRound = uint128(bound(fee, 0, 5 ether + 7));
        p.startsAt = uint64(time() + delay % 1 days);
        // Every other task can be challenged, and every other one has a committee that is drawn where it can be.
        if (kind & 1 == 1) p.challengeWindow = uint32(bound(kind >> 8, 1 hours, WINDOW));
        if (kind & 2 == 2) p.committeeSize = 4;
        uint256 before = token.balanceOf(poster);
        as_(poster);
        TaskId taskId = market.createTask(p);
        check(id(taskId) == ++tasks, "ids skip");
        Task memory t = market.task(taskId);
        books[tasks].funded = before - token.balanceOf(poster);
        books[tasks].createdAt = time();
        books[tasks].terms = terms(t);
        books[tasks].head = head(t.model, 0, 0, 0, 0);
    }

    function certifyOn(TaskId taskId, uint32 span, uint128 paid, uint256 chooser, bool faulty) internal {
        Task memory t = market.task(taskId);
        if (t.status != TaskStatus.Open && t.status != TaskStatus.Disputed) return;
        if (t.lastRound == t.rounds || time() > t.deadline || membersOf(taskId).length == 0) return;
        if (time() < t.startsAt) vm.warp(t.startsAt);
        chooser %= 1 << 64;
        RoundCertificate memory c = nextCertificate(taskId, uint32(bound(span, 1, t.rounds - t.lastRound)));
        c.paidTotal = uint128(bound(paid, t.paidTotal, maxPaid(t, c)));
        pay(id(taskId), t.certificates, chooser, c.paidTotal - t.paidTotal);
        c.payoutsRoot = MerkleTree.root(payoutTree(id(taskId), t.certificates));
        c.contributionsRoot = contributionLeaf(leafOf(contributionAt(taskId, t.certificates, c.lastRound)));
        addFault(c, t.certificates, chooser, faulty);
        uint64 signers = quorumFrom(taskId, chooser);
        market.certify(c, signers, signed(membersOf(taskId), market.certificateDigest(c), signers));
        records[id(taskId)].push(recordOf(c, signers, t.certificates));
        acceptedAt[id(taskId)][t.certificates] = time();
        roundOf[id(taskId)][t.certificates] = c.lastRound;
        books[id(taskId)].spans += c.lastRound - c.firstRound + 1;
        books[id(taskId)].signers = signers;
        books[id(taskId)].head = head(c.model, c.payoutsRoot, c.faultsRoot, c.paidTotal, c.lastRound);
    }

    function claimFor(TaskId taskId, uint256 index, uint256 who) internal {
        bytes32[] memory proof = MerkleTree.proof(payoutTree(id(taskId), index), who);
        uint256 due = payoutsAt[id(taskId)][index][who];
        uint256 before = token.balanceOf(payees[who]);
        as_(stranger);
        uint256 amount =
            market.claim(taskId, payoutRecord(records[id(taskId)][index]), payees[who], due, proof);
        check(time() >= acceptedAt[id(taskId)][index] + market.task(taskId).challengeWindow, "paid too early");
        check(token.balanceOf(payees[who]) == before + amount, "claim paid another");
        books[id(taskId)].paid += amount;
    }

    function feeFor(TaskId taskId, address account) internal {
        uint256 before = token.balanceOf(account);
        as_(stranger);
        uint256 amount = market.claimSigningFee(taskId, lastRecord(taskId), account);
        check(token.balanceOf(account) == before + amount, "fee paid another");
        books[id(taskId)].paid += amount;
        ++books[id(taskId)].feeClaims;
    }

    function closeAs(address account, TaskId taskId) internal {
        uint256 before = token.balanceOf(poster);
        as_(account);
        uint256 refund = market.close(taskId);
        check(token.balanceOf(poster) == before + refund, "refund paid another");
        books[id(taskId)].refunded += refund;
    }

    /// @dev paidTotal + fee of this certificate <= all that its rounds earned.
    function maxPaid(Task memory t, RoundCertificate memory c) internal pure returns (uint256) {
        uint256 perRound = uint256(t.shards) * t.rewardPerShard + t.feePerRound;
        return c.lastRound * perRound - uint256(t.feePerRound) * (c.lastRound - c.firstRound + 1);
    }

    /// @dev Some quorum of the task's committee: `chooser` adds members beyond the least number.
    function quorumFrom(TaskId taskId, uint256 chooser) internal view returns (uint64 signers) {
        uint256 n = membersOf(taskId).length;
        uint256 wanted = QuorumLib.quorum(n) + (chooser >> 8) % 2;
        for (uint256 i = 0; i < wanted && i < n; ++i) {
            signers |= uint64(1) << uint64((chooser + i) % n);
        }
    }

    /// @dev Before the start, and where the committee is drawn, before it can be known.
    function canCancel(TaskId taskId, Task memory t) internal view returns (bool) {
        uint256 drawBlock = committee.panelOf(taskId, 0).drawBlock;
        bool fixed_ = drawBlock != 0 && vm.getBlockNumber() > drawBlock;
        return t.status == TaskStatus.Open && time() < t.startsAt && !fixed_;
    }

    function slashBy(address reporter, TaskId taskId, uint256 index, uint256 which) private {
        FaultLeaf memory leaf = faults[id(taskId)][which];
        bytes32[] memory proof = MerkleTree.proof(faultTree(id(taskId), index), which);
        uint256 toPoster = token.balanceOf(poster);
        uint256 toReporter = token.balanceOf(reporter);
        uint256 toTreasury = token.balanceOf(treasury);
        as_(reporter);
        uint256 amount = market.slash(
            taskId, records[id(taskId)][index], claimOf(taskId, leaf), signedClaim(taskId, leaf), proof
        );
        punish(leaf.miner, amount);
        check(!voided[faultLeaf(leaf)], "slashed a void fault");
        ++books[id(taskId)].slashes;
        (toPoster, toReporter, toTreasury) =
        (
            token.balanceOf(poster) - toPoster,
            token.balanceOf(reporter) - toReporter,
            token.balanceOf(treasury) - toTreasury
        );
        treasuryIn += toTreasury;
        check(toPoster + toReporter + toTreasury == amount, "split does not add up");
        check(toPoster == amount / 2, "victim's half");
        check(toReporter <= MAX_BOUNTY && toReporter <= amount / 10, "bounty too large");
        check(reporter != leaf.miner || toReporter == 0, "culprit got a bounty");
        check(amount <= SLASH, "slashed more than the terms say");
    }

    function pay(uint256 taskId, uint256 index, uint256 chooser, uint256 amount) private {
        if (index != 0) payoutsAt[taskId][index] = payoutsAt[taskId][index - 1];
        payoutsAt[taskId][index][chooser % PAYEES] += amount / 3;
        payoutsAt[taskId][index][(chooser + 1) % PAYEES] += amount - amount / 3;
    }

    function addFault(RoundCertificate memory c, uint256 index, uint256 chooser, bool faulty) private {
        uint256 taskId = id(c.taskId);
        bytes32 gradient = keccak256(abi.encode(steps));
        FaultLeaf memory leaf = FaultLeaf(c.lastRound, uint32(chooser % SHARDS), miner(chooser % 4), gradient);
        if (faulty) faults[taskId].push(leaf);
        faultsIn[taskId][index] = faults[taskId].length;
        if (faults[taskId].length != 0) c.faultsRoot = MerkleTree.root(faultTree(taskId, index));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf, PayoutRecord, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketSteps} from "./MarketSteps.sol";
import {StakeSteps} from "./StakeSteps.sol";

/// @notice Steps that must fail in the state at hand, tried by somebody who hopes. They are low-level calls, so a
/// refusal is no revert of the handler; a success is remembered for ever.
abstract contract AttemptSteps is MarketSteps, StakeSteps {
    function attemptCertificate(uint256 wait, uint256 pick, uint256 kind) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (t.status != TaskStatus.Open || time() > t.deadline || membersOf(taskId).length == 0) return;
        RoundCertificate memory c = nextCertificate(taskId);
        c.paidTotal = t.paidTotal;
        uint64 signers = quorumFrom(taskId, (kind >> 8) % 256); // the least number
        kind %= 8;
        if (kind == 0) signers &= signers - 1;
        if (kind == 1) c.paidTotal = uint128(maxPaid(t, c) + 1);
        if (kind == 2) c.parentModel = keccak256("another");
        if (kind == 3) (c.firstRound, c.lastRound) = (t.lastRound, t.lastRound);
        if (kind == 4) c.lastRound = t.rounds + 1;
        if (kind == 5) c.specHash = keccak256("another");
        bytes memory packed = signed(membersOf(taskId), market.certificateDigest(c), signers);
        if (kind == 6) packed = repeated(packed);
        if (kind == 7) c.model = keccak256("changed after signing");
        if (kind == 3 && t.lastRound == 0) return;
        refused(address(market), abi.encodeCall(market.certify, (c, signers, packed)), "certificate");
    }

    function attemptMoney(uint256 wait, uint256 pick, uint256 who) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (tasks == 0) return;
        attemptClaims(taskId, who % PAYEES);
        if (t.status != TaskStatus.Closed) {
            address member = validator(0);
            refused(
                address(market),
                abi.encodeCall(market.claimSigningFee, (taskId, lastRecord(taskId), member)),
                "fee"
            );
        }
        bool ended = t.status == TaskStatus.Completed || t.status == TaskStatus.Overturned
            || (t.status == TaskStatus.Open && time() > t.deadline);
        uint256 last = t.certificates == 0 ? 0 : market.maturesAt(taskId, lastRecord(taskId));
        if (!ended || time() < last) {
            refused(address(market), abi.encodeCall(market.close, (taskId)), "close");
        }
        bytes memory data = abi.encodeCall(market.cancel, (taskId));
        refused(address(market), data, "cancel by a stranger");
        if (canCancel(taskId, t)) return;
        vm.prank(poster);
        refused(address(market), data, "cancel too late");
    }

    function attemptFees(uint256 wait, uint256 pick) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (tasks == 0) return;
        address[] memory members = membersOf(taskId);
        for (uint256 i = 0; i < members.length; ++i) {
            if ((lastRecord(taskId).signers >> i) & 1 == 1 && (t.feesPaid >> i) & 1 == 0) continue;
            refused(
                address(market),
                abi.encodeCall(market.claimSigningFee, (taskId, lastRecord(taskId), members[i])),
                "fee"
            );
        }
        refused(
            address(market),
            abi.encodeCall(market.claimSigningFee, (taskId, lastRecord(taskId), stranger)),
            "fee"
        );
    }

    function attemptSlash(uint256 wait, uint256 pick, uint256 which) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        address account = people[which % people.length];
        bytes memory direct = abi.encodeCall(vault.slash, (account, 1, time(), stranger, stranger));
        refused(address(vault), direct, "slash by a stranger");
        if (t.certificates == 0 || faultsIn[id(taskId)][t.certificates - 1] == 0) return;
        attemptFault(taskId, t.certificates - 1, which % faultsIn[id(taskId)][t.certificates - 1]);
    }

    function attemptStake(uint256 wait, uint256 who) external step(wait) {
        address account = people[who % people.length];
        (uint256 unbonding, uint256 unlocksAt) = vault.unbondingOf(account);
        uint256 stake = vault.stakeOf(account);
        vm.prank(account);
        refused(address(vault), abi.encodeCall(vault.unbond, (stake + 1)), "unbond too much");
        if (unbonding == 0 || time() < unlocksAt) {
            vm.prank(account);
            refused(address(vault), abi.encodeCall(vault.withdraw, ()), "withdraw too early");
        }
        if (vm.getBlockNumber() < committee.nextEpochAt()) {
            refused(address(committee), abi.encodeCall(committee.advanceEpoch, ()), "epoch too early");
        }
        if (stake < VALIDATOR_STAKE) {
            bytes memory data = abi.encodeCall(committee.join, ("ws://127.0.0.1:9000"));
            vm.prank(account);
            refused(address(committee), data, "join without stake");
        }
    }

    function attemptAccusation(uint256 wait, uint256 pick, uint256 who) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (tasks == 0) return;
        (RoundCertificate memory a, RoundCertificate memory b) = equivocation(taskId, t);
        address accused = validator(who % CANDIDATES);
        bytes memory one = compact(keys[accused], market.certificateDigest(a));
        accuse(a, one, a, one, "one certificate twice");
        bytes memory foreign = compact(posterKey, market.certificateDigest(b));
        accuse(a, one, b, foreign, "two signers");
        accuse(a, compact(posterKey, market.certificateDigest(a)), b, foreign, "no member");
        bytes memory two = compact(keys[accused], market.certificateDigest(b));
        if (committee.equivocated(accused, taskId)) accuse(a, one, b, two, "accused twice");
    }

    /// @dev Certificates for tasks that ended, and claims of what nobody certified.
    function attemptOverdue(uint256 wait, uint256 pick) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        bool runs = t.status == TaskStatus.Open || t.status == TaskStatus.Disputed;
        if (runs && time() <= t.deadline && t.lastRound < t.rounds) return;
        RoundCertificate memory c = nextCertificate(taskId);
        c.paidTotal = t.paidTotal;
        bool some = tasks != 0 && membersOf(taskId).length != 0;
        uint64 signers = some ? quorumFrom(taskId, pick % 256) : 7;
        bytes memory packed =
            some ? signed(membersOf(taskId), market.certificateDigest(c), signers) : new bytes(192);
        refused(address(market), abi.encodeCall(market.certify, (c, signers, packed)), "overdue");
        TaskParams memory p = someParams();
        p.deadline = uint64(time() + market.MAX_TASK_LIFE() + 1);
        vm.prank(poster);
        refused(address(market), abi.encodeCall(market.createTask, (p)), "task lives too long");
    }

    function attemptFault(TaskId taskId, uint256 index, uint256 which) private {
        bytes32[] memory proof = MerkleTree.proof(faultTree(id(taskId), index), which);
        FaultLeaf memory leaf = faults[id(taskId)][which];
        bool again = market.slashed(taskId, faultLeaf(leaf));
        bool late = time() > begunAt(taskId, index) + UNBONDING_DELAY;
        if (again || late || !isFinal(taskId, index)) {
            bytes memory own = signedClaim(taskId, leaf);
            refused(address(market), slashData(taskId, leaf, own, proof), "slash twice or too late");
        }
        // Signed by another miner, over something else.
        bytes memory other = compact(minerKey(miner(leaf.miner == miner(0) ? 1 : 0)), leaf.gradient);
        refused(address(market), slashData(taskId, leaf, other, proof), "slash without a signature");
    }

    function slashData(TaskId taskId, FaultLeaf memory leaf, bytes memory signature, bytes32[] memory proof)
        private
        view
        returns (bytes memory)
    {
        return
            abi.encodeCall(
                market.slash, (taskId, lastRecord(taskId), claimOf(taskId, leaf), signature, proof)
            );
    }

    function attemptClaims(TaskId taskId, uint256 who) private {
        uint256 count = records[id(taskId)].length;
        if (count == 0) return;
        address account = payees[who];
        uint256 due = payoutsAt[id(taskId)][count - 1][who];
        PayoutRecord memory record = lastPayouts(taskId);
        bytes32[] memory proof = MerkleTree.proof(payoutTree(id(taskId), count - 1), who);
        bytes memory data = abi.encodeCall(market.claim, (taskId, record, account, due + 1, proof));
        refused(address(market), data, "claim of more");
        data = abi.encodeCall(market.claim, (taskId, record, stranger, due, proof));
        refused(address(market), data, "claim by another");
        if (market.claimed(taskId, account) < due && isFinal(taskId, count - 1)) return;
        data = abi.encodeCall(market.claim, (taskId, record, account, due, proof));
        refused(address(market), data, "claim twice or too early");
    }

    function accuse(
        RoundCertificate memory a,
        bytes memory signedA,
        RoundCertificate memory b,
        bytes memory signedB,
        bytes32 what
    ) private {
        bytes memory data = abi.encodeCall(committee.proveEquivocation, (a, signedA, b, signedB));
        refused(address(committee), data, what);
    }

    function refused(address target, bytes memory data, bytes32 what) internal {
        (bool ok,) = target.call(data);
        check(!ok, "forbidden step");
        check(!ok, what);
    }

    /// @dev The first signature in every place.
    function repeated(bytes memory packed) private pure returns (bytes memory copies) {
        copies = packed;
        for (uint256 i = 64; i < copies.length; ++i) {
            copies[i] = packed[i % 64];
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
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
        if (t.status != TaskStatus.Open || time() > t.deadline) return;
        RoundCertificate memory c = nextCertificate(taskId);
        c.paidTotal = t.paidTotal;
        uint64 signers = quorumFrom(t, (kind >> 8) % 256); // the least number
        kind %= 8;
        if (kind == 0) signers &= signers - 1;
        if (kind == 1) c.paidTotal = uint128(maxPaid(t, c) + 1);
        if (kind == 2) c.parentModel = keccak256("another");
        if (kind == 3) (c.firstRound, c.lastRound) = (t.lastRound, t.lastRound);
        if (kind == 4) c.lastRound = t.rounds + 1;
        if (kind == 5) c.specHash = keccak256("another");
        bytes memory packed = signed(t.epoch, market.certificateDigest(c), signers);
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
            address member = committee.membersOf(t.epoch)[0];
            refused(
                address(market),
                abi.encodeCall(market.claimSigningFee, (taskId, lastRecord(taskId), member)),
                "fee"
            );
        }
        bool ended = t.status == TaskStatus.Completed || (t.status == TaskStatus.Open && time() > t.deadline);
        if (!ended) refused(address(market), abi.encodeCall(market.close, (taskId)), "close");
        bytes memory data = abi.encodeCall(market.cancel, (taskId));
        refused(address(market), data, "cancel by a stranger");
        if (t.status == TaskStatus.Open && time() < t.startsAt) return;
        vm.prank(poster);
        refused(address(market), data, "cancel too late");
    }

    function attemptFees(uint256 wait, uint256 pick) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (tasks == 0) return;
        address[] memory members = committee.membersOf(t.epoch);
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
        uint256 count = tasks == 0 ? 0 : faults[id(taskId)].length;
        if (count == 0) return;
        which %= count;
        bytes32[] memory proof = MerkleTree.proof(faultTree(id(taskId)), which);
        FaultLeaf memory leaf = faults[id(taskId)][which];
        bytes memory data = abi.encodeCall(
            market.slash,
            (taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), proof)
        );
        bool again = market.slashed(taskId, faultLeaf(faults[id(taskId)][which]));
        bool late = time() > faultsAt(taskId) + UNBONDING_DELAY;
        if (again || late) refused(address(market), data, "slash twice or too late");
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
        if (t.status == TaskStatus.Open && time() <= t.deadline) return;
        RoundCertificate memory c = nextCertificate(taskId);
        c.paidTotal = t.paidTotal;
        uint64 signers = tasks == 0 ? 7 : quorumFrom(t, pick % 256);
        bytes memory packed =
            tasks == 0 ? new bytes(192) : signed(t.epoch, market.certificateDigest(c), signers);
        refused(address(market), abi.encodeCall(market.certify, (c, signers, packed)), "overdue");
        TaskParams memory p = someParams();
        p.deadline = uint64(time() + market.MAX_TASK_LIFE() + 1);
        vm.prank(poster);
        refused(address(market), abi.encodeCall(market.createTask, (p)), "task lives too long");
    }

    function attemptClaims(TaskId taskId, uint256 who) private {
        address account = payees[who];
        uint256 due = cumulative[id(taskId)][who];
        bytes32[] memory proof = MerkleTree.proof(payoutTree(id(taskId)), who);
        bytes memory data =
            abi.encodeCall(market.claim, (taskId, lastPayouts(taskId), account, due + 1, proof));
        refused(address(market), data, "claim of more");
        data = abi.encodeCall(market.claim, (taskId, lastPayouts(taskId), stranger, due, proof));
        refused(address(market), data, "claim by another");
        if (market.claimed(taskId, account) < due) return;
        data = abi.encodeCall(market.claim, (taskId, lastPayouts(taskId), account, due, proof));
        refused(address(market), data, "claim twice");
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

    function refused(address target, bytes memory data, bytes32 what) private {
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

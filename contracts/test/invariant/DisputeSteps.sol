// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Case, CaseKind, Dispute, DisputeStatus, WHOLE} from "../../src/types/Appeal.sol";
import {CertificateRecord, Contribution, FaultLeaf} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {AttemptSteps} from "./AttemptSteps.sol";

/// @notice Legal steps with draws, disputes and courts.
abstract contract DisputeSteps is AttemptSteps {
    /// @dev Bonds that wait in the appeals contract, by our own count.
    uint256 public bonds;
    uint256 public disputes;
    uint256 public verdicts;
    uint256 public longestDispute;

    mapping(bytes32 key => bool) private brought;

    function drawCommittee(uint256 wait, uint256 pick) external step(wait) {
        (TaskId taskId,) = chosen(pick);
        if (tasks == 0 || membersOf(taskId).length != 0) return;
        uint256 drawBlock = committee.panelOf(taskId, 0).drawBlock;
        if (vm.getBlockNumber() <= drawBlock) vm.roll(drawBlock + 1);
        committee.drawCommittee(taskId);
        check(committee.membersOfTask(taskId).length == 4, "committee of another size");
    }

    function challenge(uint256 wait, uint256 pick, uint256 which, bool asFault) external step(wait) {
        TaskId taskId = windowed(pick);
        if (id(taskId) == 0) {
            open(uint32(which), uint128(which), 0, 1 + (which << 8));
            taskId = windowed(pick);
        }
        // Something to be challenged, as a rule: else hardly anything ever would be.
        if ((which >> 16) % 4 != 0 && id(taskId) != 0) certifyOn(taskId, 1, uint128(which), which, asFault);
        Task memory t = market.task(taskId);
        if (t.certificates == 0) return;
        uint256 index = oldest(t) + which % (t.certificates - oldest(t));
        if (!canChallenge(taskId, t, index)) return;
        uint256 fault = faultsIn[id(taskId)][index];
        if (!asFault) challengeContribution(taskId, index);
        else if (fault != 0) challengeFault(taskId, index, (which >> 8) % fault);
    }

    function decide(uint256 wait, uint256 pick, uint64 upheld) external step(wait) {
        (TaskId taskId, Task memory t) = disputed(pick, false);
        if (id(taskId) == 0) return;
        uint256 number = appeals.disputesOf(taskId);
        Dispute memory d = appeals.disputeOf(taskId, number);
        if (time() < d.joinEnds) vm.warp(d.joinEnds);
        if (time() >= d.verdictEnds) return;
        sit(taskId, number);
        if (d.cases < 64) upheld %= uint64(1) << uint64(d.cases);
        uint256 from = firstWrong(taskId, number, d.cases, upheld);
        bytes memory data = verdictOf(taskId, number, upheld, from < t.certificates ? from : 0);
        (bool ok,) = address(appeals).call(data);
        require(ok, "verdict refused");
        ++verdicts;
        if (from < t.certificates) fall(taskId, from);
        else check(market.task(taskId).status != TaskStatus.Overturned, "fell without a reason");
        voidFaults(taskId, number, d.cases, upheld);
        refused(address(appeals), data, "verdict twice");
    }

    function lapse(uint256 wait, uint256 pick, uint8 patience) external step(wait) {
        (TaskId taskId, Task memory t) = disputed(pick, false);
        if (id(taskId) == 0) return;
        uint256 end = appeals.disputeOf(taskId, appeals.disputesOf(taskId)).verdictEnds;
        if (time() < end) {
            refused(address(appeals), abi.encodeCall(appeals.lapse, (taskId)), "lapse too early");
            if (patience % 4 != 0) return;
            vm.warp(end);
        }
        appeals.lapse(taskId);
        check(market.task(taskId).certificates == t.certificates, "lapse voided a certificate");
    }

    /// @dev The first task from a random one on whose certificates can be challenged.
    function windowed(uint256 pick) private view returns (TaskId) {
        for (uint256 i = 0; i < tasks; ++i) {
            (TaskId taskId, Task memory t) = chosen(pick % tasks + i);
            bool runs = t.status == TaskStatus.Open || t.status == TaskStatus.Disputed;
            if (runs && t.challengeWindow != 0 && membersOf(taskId).length != 0) return taskId;
        }
        return TaskId.wrap(0);
    }

    /// @dev Contributions and faults of one certificate, by whoever has the bond.
    function challengeContribution(TaskId taskId, uint256 index) private {
        Contribution memory c = contributionAt(taskId, index, roundOf[id(taskId)][index]);
        bytes32 leaf = contributionLeaf(leafOf(c));
        if (isBrought(taskId, index, leaf)) return;
        CertificateRecord memory r = records[id(taskId)][index];
        uint256 before = putUp();
        appeals.challengeContribution(taskId, r, leafOf(c), noProof(), WHOLE);
        remember(taskId, index, leaf, before);
    }

    function challengeFault(TaskId taskId, uint256 index, uint256 which) private {
        FaultLeaf memory leaf = faults[id(taskId)][which];
        bool done = market.slashed(taskId, faultLeaf(leaf));
        if (done || isBrought(taskId, index, faultLeaf(leaf))) return;
        bytes32[] memory proof = MerkleTree.proof(faultTree(id(taskId), index), which);
        CertificateRecord memory r = records[id(taskId)][index];
        uint256 before = putUp();
        appeals.challengeFault(taskId, r, leaf, proof);
        remember(taskId, index, faultLeaf(leaf), before);
    }

    function putUp() private returns (uint256 before) {
        fund(stranger, appeals.bondOf(15));
        before = token.balanceOf(stranger);
        as_(stranger);
    }

    function remember(TaskId taskId, uint256 index, bytes32 leaf, uint256 before) private {
        uint256 number = appeals.disputesOf(taskId);
        Dispute memory d = appeals.disputeOf(taskId, number);
        brought[keccak256(abi.encode(taskId, number, index, leaf))] = true;
        if (d.cases == 1) {
            ++disputes;
            check(
                d.verdictEnds == time() + market.task(taskId).challengeWindow + COURT_TERM, "dispute too long"
            );
            if (d.verdictEnds - time() > longestDispute) longestDispute = d.verdictEnds - time();
        }
        uint256 bond = before - token.balanceOf(stranger);
        check(bond == appeals.bondOf(d.cases - 1), "another bond");
        bonds += bond;
        check(market.task(taskId).disputedFrom == d.first, "frozen from another one");
    }

    function isBrought(TaskId taskId, uint256 index, bytes32 leaf) private view returns (bool) {
        uint256 number = appeals.disputesOf(taskId);
        return brought[keccak256(abi.encode(taskId, number, index, leaf))];
    }

    /// @dev Within its window, or frozen by a dispute that takes cases.
    function canChallenge(TaskId taskId, Task memory t, uint256 index) internal view returns (bool) {
        bool open = t.status == TaskStatus.Open || t.status == TaskStatus.Completed;
        bool inWindow = time() < market.maturesAt(taskId, records[id(taskId)][index]);
        if (t.status != TaskStatus.Disputed) return open && inWindow;
        Dispute memory d = appeals.disputeOf(taskId, appeals.disputesOf(taskId));
        return time() < d.joinEnds && d.cases < 16 && (inWindow || index >= t.disputedFrom);
    }

    /// @dev The court of a dispute, drawn; there is one and never another.
    function sit(TaskId taskId, uint256 number) private {
        if (committee.panelOf(taskId, number).size == 0) appeals.summon(taskId);
        refused(address(appeals), abi.encodeCall(appeals.summon, (taskId)), "another court");
        uint256 drawBlock = committee.panelOf(taskId, number).drawBlock;
        if (vm.getBlockNumber() <= drawBlock) vm.roll(drawBlock + 1);
        if (committee.panelOf(taskId, number).members == address(0)) committee.drawCourt(taskId, number);
        bytes memory data = abi.encodeCall(committee.drawCourt, (taskId, number));
        refused(address(committee), data, "another court");
    }

    function verdictOf(TaskId taskId, uint256 number, uint64 upheld, uint256 from)
        private
        view
        returns (bytes memory)
    {
        address[] memory court = committee.courtOf(taskId, number);
        uint64 all = uint64((uint256(1) << court.length) - 1);
        bytes memory packed = signed(court, appeals.verdictDigest(taskId, number, upheld), all);
        CertificateRecord memory before;
        if (from != 0) before = records[id(taskId)][from - 1];
        return abi.encodeCall(appeals.decide, (taskId, upheld, all, packed, before));
    }

    function firstWrong(TaskId taskId, uint256 number, uint256 cases, uint64 upheld)
        private
        view
        returns (uint256 from)
    {
        from = type(uint256).max;
        for (uint256 n = 0; n < cases; ++n) {
            Case memory matter = appeals.caseOf(taskId, number, n);
            bool wrong = matter.kind == CaseKind.Contribution && (upheld >> n) & 1 == 1;
            if (wrong && matter.index < from) from = matter.index;
        }
    }

    function voidFaults(TaskId taskId, uint256 number, uint256 cases, uint64 upheld) private {
        for (uint256 n = 0; n < cases; ++n) {
            Case memory matter = appeals.caseOf(taskId, number, n);
            if (matter.kind != CaseKind.Fault || (upheld >> n) & 1 == 0) continue;
            if (!market.slashed(taskId, matter.leaf)) check(false, "void fault can be slashed");
            voided[matter.leaf] = true;
        }
    }

    /// @dev The books go back to the certificate before.
    function fall(TaskId taskId, uint256 from) private {
        uint256 i = id(taskId);
        Task memory t = market.task(taskId);
        check(t.status == TaskStatus.Overturned && t.certificates == from, "did not fall");
        while (records[i].length > from) {
            records[i].pop();
        }
        uint256 left = from == 0 ? 0 : faultsIn[i][from - 1];
        while (faults[i].length > left) {
            faults[i].pop();
        }
        CertificateRecord memory r = lastRecord(taskId);
        (books[i].spans, books[i].signers, books[i].paidTotal) = (r.lastRound, r.signers, r.paidTotal);
        books[i].head = head(r.model, r.payoutsRoot, r.faultsRoot, r.paidTotal, r.lastRound);
        check(t.claimedTotal <= r.paidTotal, "paid what fell");
    }
}

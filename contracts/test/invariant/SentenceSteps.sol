// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Case, CaseKind, DisputeStatus, WHOLE} from "../../src/types/Appeal.sol";
import {CertificateRecord, Contribution} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {DisputeSteps} from "./DisputeSteps.sol";

/// @notice What follows from a dispute: bonds, convictions, punishments; and attempts to get them out of turn.
abstract contract SentenceSteps is DisputeSteps {
    mapping(bytes32 key => uint256) private punishments;

    function settleCase(uint256 wait, uint256 pick, uint256 which) external step(wait) {
        (TaskId taskId,) = disputed(pick, true);
        (uint256 number, uint256 n, bool any) = someCase(taskId, which);
        if (!any) return;
        bytes memory data = abi.encodeCall(appeals.settle, (taskId, number, n));
        bool early = appeals.disputeOf(taskId, number).status == DisputeStatus.Open;
        if (early || appeals.caseOf(taskId, number, n).settled) {
            refused(address(appeals), data, "settled twice or too early");
            return;
        }
        uint256 before = token.balanceOf(address(appeals));
        uint256 toTreasury = token.balanceOf(treasury);
        appeals.settle(taskId, number, n);
        treasuryIn += token.balanceOf(treasury) - toTreasury;
        uint256 out = before - token.balanceOf(address(appeals));
        check(out == appeals.bondOf(n), "another bond");
        bonds -= out;
    }

    function convict(uint256 wait, uint256 pick, uint256 which) external step(wait) {
        (TaskId taskId,) = disputed(pick, true);
        (uint256 number, uint256 n, bool any) = someCase(taskId, which);
        if (!any) return;
        Case memory matter = appeals.caseOf(taskId, number, n);
        Contribution memory c = contributionAt(taskId, matter.index, roundOf[id(taskId)][matter.index]);
        bytes memory data = abi.encodeCall(appeals.convict, (taskId, number, n, c, signedBy(c)));
        bool due = isUpheld(taskId, number, n) && matter.kind == CaseKind.Contribution;
        if (!due || appeals.convicted(taskId, matter.leaf)) {
            refused(address(appeals), data, "convicted without a verdict");
            return;
        }
        uint256 toTreasury = token.balanceOf(treasury);
        uint256 stake = vault.slashableOf(c.miner);
        uint256 taken = appeals.convict(taskId, number, n, c, signedBy(c));
        treasuryIn += token.balanceOf(treasury) - toTreasury;
        check(stake - vault.slashableOf(c.miner) == taken && taken <= SLASH, "convicted to more");
        punish(c.miner, taken);
    }

    function punishSigner(uint256 wait, uint256 pick, uint256 which, uint256 who) external step(wait) {
        (TaskId taskId,) = disputed(pick, true);
        (uint256 number, uint256 n, bool any) = someCase(taskId, which);
        if (!any) return;
        Case memory matter = appeals.caseOf(taskId, number, n);
        address[] memory members = membersOf(taskId);
        who %= members.length;
        uint64 bit = uint64(1) << uint64(who);
        bytes memory data = abi.encodeCall(appeals.punish, (taskId, number, n, bit));
        bool before = appeals.punishedOf(taskId, number, matter.kind) & bit != 0;
        if (!isUpheld(taskId, number, n) || before || matter.signers & bit == 0) {
            refused(address(appeals), data, "punished without a reason");
            return;
        }
        bytes32 key = keccak256(abi.encode(taskId, number, matter.kind, who));
        uint256 most = matter.kind == CaseKind.Fault ? VALIDATOR_STAKE / 2 : SLASH;
        if (punished(members[who], data, most)) check(++punishments[key] == 1, "punished twice or too much");
    }

    /// @dev False when the member is charged with an earlier case.
    function punished(address member, bytes memory data, uint256 most) private returns (bool ok) {
        uint256 stake = vault.slashableOf(member);
        uint256 toTreasury = token.balanceOf(treasury);
        (ok,) = address(appeals).call(data);
        treasuryIn += token.balanceOf(treasury) - toTreasury;
        uint256 taken = stake - vault.slashableOf(member);
        punish(member, taken);
        check(taken <= most, "punished twice or too much");
    }

    function attemptDispute(uint256 wait, uint256 pick, uint256 which) external step(wait) {
        (TaskId taskId, Task memory t) = chosen(pick);
        if (t.certificates == 0) return;
        uint256 index = oldest(t) + which % (t.certificates - oldest(t));
        CertificateRecord memory r = records[id(taskId)][index];
        bytes memory direct = abi.encodeCall(market.overturn, (taskId, 0, r));
        refused(address(market), direct, "overturned by a stranger");
        refused(address(market), abi.encodeCall(market.dispute, (taskId, r)), "disputed by a stranger");
        if (t.status == TaskStatus.Disputed) {
            bytes memory none = abi.encodeCall(appeals.decide, (taskId, 1, 7, new bytes(192), r));
            refused(address(appeals), none, "verdict without a court");
            if (time() < appeals.disputeOf(taskId, appeals.disputesOf(taskId)).joinEnds) {
                refused(address(appeals), abi.encodeCall(appeals.summon, (taskId)), "summoned too early");
            }
            return;
        }
        if (canChallenge(taskId, t, index)) return;
        Contribution memory c = contributionAt(taskId, index, r.lastRound);
        bytes memory data =
            abi.encodeCall(appeals.challengeContribution, (taskId, r, leafOf(c), noProof(), WHOLE));
        vm.prank(stranger);
        refused(address(appeals), data, "challenged out of turn");
    }

    function isUpheld(TaskId taskId, uint256 number, uint256 n) private view returns (bool) {
        return (appeals.disputeOf(taskId, number).upheld >> n) & 1 == 1;
    }

    function someCase(TaskId taskId, uint256 which)
        private
        view
        returns (uint256 number, uint256 n, bool any)
    {
        uint256 count = tasks == 0 ? 0 : appeals.disputesOf(taskId);
        if (count == 0) return (0, 0, false);
        number = 1 + which % count;
        return (number, (which >> 8) % appeals.disputeOf(taskId, number).cases, true);
    }
}

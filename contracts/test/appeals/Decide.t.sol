// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {DisputeStatus, WHOLE} from "../../src/types/Appeal.sol";
import {CertificateRecord, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskStatus} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {AppealsFixture} from "./AppealsFixture.sol";

/// @notice `drawCourt`, `decide` and `lapse`.
contract DecideTest is AppealsFixture {
    function test_assignCourt_revertsIfCallerIsNotAppeals() public {
        vm.expectRevert(
            abi.encodeWithSelector(ICommittee.NotAssigner.selector, address(this), address(appeals))
        );
        committee.assignCourt(taskId, 1);
    }

    function test_drawCourt_revertsIfThereIsNoDispute() public {
        vm.expectRevert(abi.encodeWithSelector(ICommittee.PanelUnknown.selector, taskId, 1));
        committee.drawCourt(taskId, 1);
    }

    function test_summon_revertsIfNoDisputeRuns() public {
        vm.expectRevert(abi.encodeWithSelector(IAppeals.DisputeIs.selector, taskId, 0, DisputeStatus.None));
        appeals.summon(taskId);
    }

    function test_summon_revertsIfCasesCanStillJoin() public {
        challengeBad();
        uint256 joinEnds = vm.getBlockTimestamp() + WINDOW;
        vm.warp(joinEnds - 1);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.VerdictTooEarly.selector, taskId, 1, joinEnds));
        appeals.summon(taskId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.PanelUnknown.selector, taskId, 1));
        committee.drawCourt(taskId, 1);
    }

    function test_summon_revertsIfSummonedBefore() public {
        challengeBad();
        toVerdict(1);
        appeals.summon(taskId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyAssigned.selector, taskId, 1));
        appeals.summon(taskId);
        drawCourt1();
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyAssigned.selector, taskId, 1));
        appeals.summon(taskId);
    }

    function test_summon__joiningEnded__anyoneMay() public {
        challengeBad();
        toVerdict(1);
        vm.expectEmit(address(appeals));
        emit IAppeals.CourtSummoned(taskId, 1);
        vm.prank(stranger);
        appeals.summon(taskId);
        assertEq(
            committee.panelOf(taskId, 1).drawBlock, vm.getBlockNumber() + committee.DRAW_DELAY(), "draw block"
        );
    }

    function test_drawCourt_revertsIfTheBlockIsNotKnown() public {
        challengeBad();
        toVerdict(1);
        appeals.summon(taskId);
        uint256 drawBlock = vm.getBlockNumber() + committee.DRAW_DELAY();
        vm.expectRevert(
            abi.encodeWithSelector(ICommittee.DrawTooEarly.selector, vm.getBlockNumber(), drawBlock)
        );
        committee.drawCourt(taskId, 1);
    }

    function test_drawCourt__eightOthers__areSevenAndDisjoint() public {
        challengeBad();
        drawCourt(1);
        address[] memory court = committee.courtOf(taskId, 1);
        assertEq(court.length, 7, "2n - 1");
        for (uint256 i = 0; i < court.length; ++i) {
            for (uint256 j = 0; j < committeeMembers.length; ++j) {
                assertTrue(court[i] != committeeMembers[j], "nobody judges itself");
            }
        }
    }

    function test_decide_revertsIfNoDisputeRuns() public {
        CertificateRecord memory r = record(0);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.DisputeIs.selector, taskId, 0, DisputeStatus.None));
        appeals.decide(taskId, 1, 31, "", r);
    }

    function test_decide_revertsIfCasesCanStillJoin() public {
        challengeBad();
        CertificateRecord memory r = record(0);
        uint256 joinEnds = vm.getBlockTimestamp() + WINDOW;
        vm.warp(joinEnds - 1);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.VerdictTooEarly.selector, taskId, 1, joinEnds));
        appeals.decide(taskId, 1, 31, "", r);
    }

    function test_decide_revertsIfTheTermIsOver() public {
        challengeBad();
        CertificateRecord memory r = record(0);
        uint256 ends = vm.getBlockTimestamp() + WINDOW + COURT_TERM;
        vm.warp(ends);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.VerdictTooLate.selector, taskId, 1, ends));
        appeals.decide(taskId, 1, 31, "", r);
    }

    function test_decide_revertsIfThereIsNoSuchCase() public {
        challengeBad();
        toVerdict(1);
        CertificateRecord memory r = record(0);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseUnknown.selector, taskId, 1, 1));
        appeals.decide(taskId, 2, 31, "", r);
    }

    function test_decide_revertsIfTheCourtIsNotDrawn() public {
        challengeBad();
        toVerdict(1);
        appeals.summon(taskId);
        uint256 drawBlock = vm.getBlockNumber() + committee.DRAW_DELAY();
        CertificateRecord memory r = record(0);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotDrawn.selector, taskId, 1, drawBlock));
        appeals.decide(taskId, 1, 31, "", r);
    }

    function test_decide_revertsIfTheQuorumIsMissing() public {
        challengeBad();
        drawCourt(1);
        toVerdict(1);
        CertificateRecord memory r = record(0);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.QuorumMissing.selector, 4, 5));
        appeals.decide(taskId, 1, 15, "", r);
    }

    function test_decide_revertsIfSignedForAnotherVerdict() public {
        challengeBad();
        drawCourt(1);
        toVerdict(1);
        bytes memory signed = verdict(1, 0);
        CertificateRecord memory r = record(0);
        vm.expectPartialRevert(ICommittee.WrongSigner.selector);
        appeals.decide(taskId, 1, 31, signed, r);
    }

    function test_decide_revertsIfTheRecordIsNotTheOneBefore() public {
        challengeBad();
        drawCourt(1);
        toVerdict(1);
        bytes memory signed = verdict(1, 1);
        CertificateRecord memory r = record(1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 1));
        appeals.decide(taskId, 1, 31, signed, r);
    }

    function test_decide_revertsIfTheRecordBeforeIsForged() public {
        challengeBad();
        drawCourt(1);
        bytes memory signed = verdict(1, 1);
        CertificateRecord memory forged = record(0);
        forged.paidTotal = 0;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 0));
        appeals.decide(taskId, 1, 31, signed, forged);
    }

    function test_decide__contributionUpheld__taskEndsAtTheRecordBefore() public {
        decided(1);
        Task memory task = market.task(taskId);
        assertEq(uint256(task.status), uint256(TaskStatus.Overturned), "status");
        assertEq(task.lastRound, 1, "round");
        assertEq(task.certificates, 1, "certificates");
        assertEq(task.paidTotal, record(0).paidTotal, "paid");
        assertEq(task.model, record(0).model, "model");
        CertificateRecord memory r = record(1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 1));
        market.maturesAt(taskId, r);
        uint256 share = uint256(FEE) / 3;
        assertEq(market.close(taskId), ESCROW - record(0).paidTotal - 3 * share, "the rest comes back");
        uint256 out = 0;
        for (uint256 i = 0; i < 4; ++i) {
            bytes32[] memory proof = MerkleTree.proof(payoutLeaves(record(0).paidTotal), i);
            out += market.claim(taskId, payoutRecord(record(0)), miner(i), REWARD, proof);
        }
        for (uint256 i = 0; i < 3; ++i) {
            out += market.claimSigningFee(taskId, record(0), committeeMembers[i]);
        }
        assertEq(out, record(0).paidTotal + 3 * share, "earlier payouts and fees stay");
        assertEq(token.balanceOf(address(market)), 0, "nothing stays here");
    }

    function test_decide__firstCertificateFalls__everythingComesBack() public {
        taskId = startFresh();
        certifyBad(committee.membersOfTask(taskId));
        CertificateRecord memory r = record(0);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
        drawCourt(1);
        toVerdict(1);
        uint64 all = uint64((1 << committee.courtOf(taskId, 1).length) - 1);
        bytes32 digest = appeals.verdictDigest(taskId, 1, 1);
        bytes memory signed = panelSignatures(committee.courtOf(taskId, 1), digest, all);
        // The record before the first does not exist, and what is shown is not looked at.
        appeals.decide(taskId, 1, all, signed, r);
        assertEq(market.task(taskId).model, bytes32(0), "no model");
        assertEq(market.task(taskId).lastRound, 0, "no round");
        assertEq(market.close(taskId), ESCROW, "all of it");
        assertEq(market.held(taskId), 0, "nothing is owed");
    }

    function test_decide__faultUpheld__isVoidAndTheTaskGoesOn() public {
        uint256 deadline = market.task(taskId).deadline;
        decided(2);
        Task memory task = market.task(taskId);
        assertEq(uint256(task.status), uint256(TaskStatus.Open), "open");
        assertEq(task.deadline, deadline, "the work went on meanwhile");
        assertTrue(market.slashed(taskId, faultLeaf(wrong)), "can never be slashed");
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.AlreadySlashed.selector, taskId, faultLeaf(wrong))
        );
        market.slash(taskId, record(1), claimOf(taskId, wrong), signedClaim(taskId, wrong), noProof());
        certifyPanel(nextCertificate(taskId));
        assertEq(market.task(taskId).lastRound, 3, "goes on");
    }

    function test_decide__allRejected__everythingStandsAndIsFinal() public {
        decided(0);
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Open), "open");
        bytes32[] memory proof = MerkleTree.proof(payoutLeaves(record(1).paidTotal), 2);
        market.claim(taskId, payoutRecord(record(1)), miner(2), 2 * REWARD, proof);
        CertificateRecord memory r = record(1);
        vm.expectPartialRevert(ITrainingMarket.WindowClosed.selector);
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_decide__courtWithInsiders__whenThePoolHasNoOthers() public {
        // The newest snapshot holds the committee and two others: fewer than a court of its own needs.
        for (uint256 i = 0; i < validatorKeys.length; ++i) {
            address account = validator(i);
            bool member = false;
            for (uint256 j = 0; j < 4; ++j) {
                member = member || committeeMembers[j] == account;
            }
            if (member || committee.pool().length == 6) continue;
            vm.prank(account);
            committee.leave();
        }
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        challengeBad();
        drawCourt(1);
        assertEq(committee.courtOf(taskId, 1).length, 6, "everybody there is");
    }

    /// @dev A court is as large as its bitmap at most: of 64 validators that all signed, all judge.
    function test_drawCourt__committeeOf64__isNoLargerThanTheBitmap() public {
        addValidators(52);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        taskId = startFresh();
        bad = badLeaf(1);
        certifyBad(committee.membersOfTask(taskId));
        CertificateRecord memory r = record(0);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
        drawCourt(1);
        assertEq(committee.courtOf(taskId, 1).length, 64, "everybody");
    }

    function test_lapse_revertsIfNoDisputeRuns() public {
        vm.expectRevert(abi.encodeWithSelector(IAppeals.DisputeIs.selector, taskId, 0, DisputeStatus.None));
        appeals.lapse(taskId);
    }

    function test_lapse_revertsIfAVerdictIsPossible() public {
        challengeBad();
        uint256 ends = appeals.disputeOf(taskId, 1).verdictEnds;
        vm.warp(ends - 1);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.VerdictStillPossible.selector, taskId, 1, ends));
        appeals.lapse(taskId);
    }

    function test_lapse__noVerdict__certificatesStand() public {
        lapsed();
        Task memory task = market.task(taskId);
        assertEq(uint256(task.status), uint256(TaskStatus.Open), "open");
        assertEq(task.certificates, 2, "both stand");
        certifyPanel(nextCertificate(taskId));
    }

    function test_lapse__certifiedMeanwhile__getsAWindowOfItsOwn() public {
        challengeBad();
        uint256 verdictEnds = appeals.disputeOf(taskId, 1).verdictEnds;
        vm.warp(verdictEnds - 1);
        bad = badLeaf(3);
        certifyBad(committeeMembers);
        assertEq(market.maturesAt(taskId, record(2)), verdictEnds + WINDOW, "begins with the end of the term");
        vm.warp(verdictEnds);
        appeals.lapse(taskId);
        vm.warp(verdictEnds + WINDOW - 1);
        CertificateRecord memory r = record(2);
        vm.prank(challenger);
        (uint256 dispute,) = appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
        assertEq(dispute, 2, "a dispute of its own");
        assertEq(appeals.caseOf(taskId, 2, 0).acceptedAt, verdictEnds, "window");
        // The last path there is: it ends within a window and a term of this second.
        vm.warp(verdictEnds - 1 + 2 * uint256(WINDOW) + COURT_TERM);
        appeals.lapse(taskId);
    }

    function test_lapse__everyRoundCertifiedMeanwhile__isCompleted() public {
        challengeBad();
        certifyPanel(nextCertificate(taskId, ROUNDS - 2));
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Disputed), "still disputed");
        vm.warp(appeals.disputeOf(taskId, 1).verdictEnds);
        appeals.lapse(taskId);
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Completed), "no round is missing");
    }

    /// @dev A new task of the whole new snapshot, twelve members.
    function startFresh() private returns (TaskId fresh) {
        fresh = challengeableTask();
    }

    function drawCourt1() private {
        vm.roll(vm.getBlockNumber() + committee.DRAW_DELAY() + 1);
        committee.drawCourt(taskId, 1);
    }

    function certifyBad(address[] memory members) private {
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        uint64 signers = uint64((uint256(1) << members.length) - 1);
        uint256 index = market.task(taskId).certificates;
        market.certify(c, signers, panelSignatures(members, market.certificateDigest(c), signers));
        records[id(taskId)].push(recordOf(c, signers, index));
    }
}

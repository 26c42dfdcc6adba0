// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {DisputeStatus, WHOLE} from "../../src/types/Appeal.sol";
import {CertificateRecord, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {AppealsFixture} from "../appeals/AppealsFixture.sol";

/// @notice A verdict that a court did sign is shown again: for another dispute, task, chain, contract, or other cases.
contract VerdictReplayAttack is AppealsFixture {
    bytes private signed;
    CertificateRecord private before;

    function setUp() public override {
        super.setUp();
        challengeBad();
        drawCourt(1);
        signed = verdict(1, 1);
        before = record(0);
    }

    function test_replay__decidedDispute__isRefused() public {
        appeals.decide(taskId, 1, 31, signed, before);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.DisputeIs.selector, taskId, 1, DisputeStatus.Decided));
        appeals.decide(taskId, 1, 31, signed, before);
    }

    function test_replay__nextDisputeOfTheTask__isRefused() public {
        vm.warp(appeals.disputeOf(taskId, 1).verdictEnds);
        appeals.lapse(taskId);
        RoundCertificate memory c = nextCertificate(taskId);
        bad = badLeaf(3);
        c.contributionsRoot = contributionLeaf(bad);
        certifyPanel(c);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(2), bad, noProof(), WHOLE);
        drawCourt(2);
        before = record(1);
        vm.expectPartialRevert(ICommittee.WrongSigner.selector);
        appeals.decide(taskId, 1, 31, signed, before);
    }

    function test_replay__otherBitmap__isRefused() public {
        vm.expectPartialRevert(ICommittee.WrongSigner.selector);
        appeals.decide(taskId, 0, 31, signed, before);
    }

    function test_replay__otherChain__isRefused() public {
        vm.chainId(block.chainid + 1);
        vm.expectPartialRevert(ICommittee.WrongSigner.selector);
        appeals.decide(taskId, 1, 31, signed, before);
    }

    function test_replay__committeeInsteadOfTheCourt__isRefused() public {
        bytes32 digest = appeals.verdictDigest(taskId, 1, 1);
        bytes memory own = panelSignatures(committeeMembers, digest, 15);
        vm.expectPartialRevert(ICommittee.QuorumMissing.selector);
        appeals.decide(taskId, 1, 15, own, before);
    }

    function test_replay__oneSignatureForAll__isRefused() public {
        bytes memory one =
            panelSignatures(committee.courtOf(taskId, 1), appeals.verdictDigest(taskId, 1, 1), 1);
        bytes memory five = bytes.concat(one, one, one, one, one);
        vm.expectPartialRevert(ICommittee.WrongSigner.selector);
        appeals.decide(taskId, 1, 31, five, before);
    }

    function test_replay__everyDigest__namesTaskDisputeAndBitmap() public view {
        bytes32 here = appeals.verdictDigest(taskId, 1, 1);
        assertTrue(here != appeals.verdictDigest(TaskId.wrap(id(taskId) + 1), 1, 1), "task");
        assertTrue(here != appeals.verdictDigest(taskId, 2, 1), "dispute");
        assertTrue(here != appeals.verdictDigest(taskId, 1, 3), "bitmap");
    }
}

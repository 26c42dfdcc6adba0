// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {CaseKind, WHOLE} from "../../src/types/Appeal.sol";
import {
    CertificateRecord,
    Contribution,
    ContributionLeaf,
    FaultLeaf,
    RoundCertificate
} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A task of the first four validators with a challenge window, two certificates (the second with a bad
/// contribution and a wrong fault), a newer snapshot with eight more validators, and a challenger with money.
abstract contract AppealsFixture is MarketFixture {
    TaskId internal taskId;
    address internal challenger = address(0xC4A11E);
    ContributionLeaf internal bad;
    FaultLeaf internal wrong;
    address[] internal committeeMembers;

    function setUp() public virtual override {
        super.setUp();
        taskId = challengeableTask();
        committeeMembers = committee.membersOfTask(taskId);
        bad = badLeaf(2);
        wrong = FaultLeaf(2, 1, miner(1), keccak256("good work"));
        certifyPanel(nextCertificate(taskId));
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        c.faultsRoot = faultLeaf(wrong);
        certifyPanel(c);
        addValidators(8);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        rich(challenger);
    }

    function rich(address account) internal {
        fund(account, 100 * BOND);
        vm.prank(account);
        token.approve(address(appeals), type(uint256).max);
    }

    /// @dev The fixture's keys are sorted anew when validators join, so signers are found by address.
    function certifyPanel(RoundCertificate memory c) internal {
        uint256 index = market.task(c.taskId).certificates;
        bytes memory signed = panelSignatures(committeeMembers, market.certificateDigest(c), THREE);
        market.certify(c, THREE, signed);
        records[id(c.taskId)].push(recordOf(c, THREE, index));
    }

    /// @dev What miner 0 signed about shard 0 of a round, and what it is in the tree.
    function badClaim(uint32 round) internal view returns (Contribution memory) {
        return claimOf(taskId, FaultLeaf(round, 0, miner(0), keccak256("noise")));
    }

    function badLeaf(uint32 round) internal view returns (ContributionLeaf memory) {
        return leafOf(badClaim(round));
    }

    function leafOf(Contribution memory c) internal view returns (ContributionLeaf memory) {
        return ContributionLeaf(c.round, c.shard, c.miner, c.gradient, contributionDigest(c));
    }

    function record(uint256 index) internal view returns (CertificateRecord memory) {
        return records[id(taskId)][index];
    }

    function challengeBad() internal returns (uint256 dispute, uint256 number) {
        vm.prank(challenger);
        return appeals.challengeContribution(taskId, record(1), bad, noProof(), WHOLE);
    }

    function challengeWrong() internal returns (uint256 dispute, uint256 number) {
        vm.prank(challenger);
        return appeals.challengeFault(taskId, record(1), wrong, noProof());
    }

    function drawCourt(uint256 dispute) internal {
        toVerdict(dispute);
        appeals.summon(taskId);
        vm.roll(vm.getBlockNumber() + committee.DRAW_DELAY() + 1);
        committee.drawCourt(taskId, dispute);
    }

    function toVerdict(uint256 dispute) internal {
        vm.warp(appeals.disputeOf(taskId, dispute).joinEnds);
    }

    function decide(uint256 dispute, uint64 upheld) internal {
        bytes memory signed = verdict(dispute, upheld);
        appeals.decide(taskId, upheld, 31, signed, record(0));
    }

    /// @dev Signatures of the first five of the court's seven.
    function verdict(uint256 dispute, uint64 upheld) internal view returns (bytes memory) {
        bytes32 digest = appeals.verdictDigest(taskId, dispute, upheld);
        return panelSignatures(committee.courtOf(taskId, dispute), digest, 31);
    }

    /// @dev A dispute about the bad contribution (case 0) and the wrong fault (case 1), decided by its court.
    function decided(uint64 upheld) internal returns (uint256 dispute) {
        (dispute,) = challengeBad();
        challengeWrong();
        drawCourt(dispute);
        toVerdict(dispute);
        decide(dispute, upheld);
    }

    function lapsed() internal returns (uint256 dispute) {
        (dispute,) = challengeBad();
        challengeWrong();
        vm.warp(appeals.disputeOf(taskId, dispute).verdictEnds);
        appeals.lapse(taskId);
    }
}

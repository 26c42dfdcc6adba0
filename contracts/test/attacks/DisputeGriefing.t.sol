// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {WHOLE} from "../../src/types/Appeal.sol";
import {
    CertificateRecord,
    Contribution,
    ContributionLeaf,
    FaultLeaf,
    RoundCertificate
} from "../../src/types/Certificate.sol";
import {TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {AppealsFixture} from "../appeals/AppealsFixture.sol";

/// @notice Disputes as a weapon: to stall a task, to shield a fraud, to keep others out, to earn.
contract DisputeGriefingAttack is AppealsFixture {
    /// @dev One frivolous dispute after the other: the work is done in time, and the last payout comes when the longest
    /// path that the time rule allows is over.
    function test_stall__disputeAfterDispute__workGoesOnAndPayoutsAreBounded() public {
        uint256 deadline = market.task(taskId).deadline;
        while (market.task(taskId).lastRound < ROUNDS) {
            FaultLeaf memory none = FaultLeaf(market.task(taskId).lastRound + 1, 3, miner(3), keccak256("x"));
            RoundCertificate memory c = nextCertificate(taskId);
            c.contributionsRoot = contributionLeaf(leafOf(claimOf(taskId, none)));
            certifyPanel(c);
            endDue();
            if (market.task(taskId).status != TaskStatus.Disputed) {
                CertificateRecord memory newest = lastRecord(taskId);
                vm.prank(challenger);
                appeals.challengeContribution(taskId, newest, leafOf(claimOf(taskId, none)), noProof(), WHOLE);
            }
            vm.warp(vm.getBlockTimestamp() + 1 days - 1 hours);
        }
        assertTrue(vm.getBlockTimestamp() <= deadline, "done in time, whatever was disputed");
        uint256 dispute = appeals.disputesOf(taskId);
        assertTrue(dispute >= 2, "it was tried more than once");
        vm.warp(appeals.disputeOf(taskId, dispute).verdictEnds);
        endDue();
        CertificateRecord memory last = lastRecord(taskId);
        uint256 maturesAt = market.maturesAt(taskId, last);
        assertAtMost(maturesAt, deadline + market.settlementTime(WINDOW), "the time rule");
        if (vm.getBlockTimestamp() < maturesAt) vm.warp(maturesAt);
        market.close(taskId);
        bytes32[] memory proof = MerkleTree.proof(payoutLeaves(last.paidTotal), 3);
        market.claim(taskId, payoutRecord(last), miner(3), uint256(last.paidTotal) / 4, proof);
    }

    /// @dev 63 cases of nonsense to leave no room for the true one: each eight cost twice as much as those before, the
    /// last place costs 128 bonds, and half of each is lost.
    function test_shield__disputeFilledWithNonsense__costsATwoThousandBonds() public {
        uint256 n = appeals.MAX_CASES();
        (ContributionLeaf[] memory junk, bytes32[] memory leaves) = nonsense(n - 1);
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = MerkleTree.root(leaves);
        certifyPanel(c);
        fund(challenger, 3_000 * BOND);
        uint256 before = token.balanceOf(challenger);
        for (uint256 i = 0; i < n - 1; ++i) {
            bytes32[] memory proof = MerkleTree.proof(leaves, i);
            vm.prank(challenger);
            appeals.challengeContribution(taskId, record(2), junk[i], proof, WHOLE);
        }
        uint256 price = before - token.balanceOf(challenger);
        assertEq(price, (8 * 255 - 128) * BOND, "eight of each power of two, but for the last place");
        // The place that is left costs a fifteenth of that, and it comes back.
        address honest = address(0x600D);
        rich(honest);
        fund(honest, 128 * BOND);
        vm.prank(honest);
        (uint256 dispute, uint256 number) =
            appeals.challengeContribution(taskId, record(1), bad, noProof(), WHOLE);
        assertEq(appeals.bondOf(number), 128 * BOND, "the last bond");
        assertTrue(price > 14 * appeals.bondOf(number), "keeping others out is dearer than coming in");
        drawCourt(dispute);
        uint64 upheld = uint64(1) << uint64(number);
        bytes memory signed = verdict(dispute, upheld);
        appeals.decide(taskId, upheld, 31, signed, record(0));
        assertEq(market.task(taskId).certificates, 1, "the fraud fell");
        for (uint256 i = 0; i <= number; ++i) {
            appeals.settle(taskId, dispute, i);
        }
        assertAtMost(price, 2 * token.balanceOf(treasury), "half of the nonsense is gone");
        assertEq(token.balanceOf(address(appeals)), 0, "every bond left");
    }

    /// @dev A frivolous dispute about the newest certificate does not carry the bad one over its window.
    function test_shield__newestDisputedFirst__olderOneIsStillJudged() public {
        FaultLeaf memory none = FaultLeaf(3, 3, miner(3), keccak256("fine"));
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(leafOf(claimOf(taskId, none)));
        certifyPanel(c);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(2), leafOf(claimOf(taskId, none)), noProof(), WHOLE);
        vm.warp(market.maturesAt(taskId, record(1)) - 1);
        challengeBad();
        drawCourt(1);
        decide(1, 2);
        assertEq(market.task(taskId).certificates, 1, "it fell with the newest");
    }

    /// @dev A miner plants bad work that no sample meets, and a friend challenges it: the miner loses more than both gain,
    /// and nothing of what honest signers lose comes to them, nor to a poster that is in it.
    function test_profit__plantedWork__paysNobody() public {
        uint256 friend = token.balanceOf(challenger);
        uint256 posterBefore = token.balanceOf(poster);
        decided(1);
        appeals.settle(taskId, 1, 0);
        appeals.convict(taskId, 1, 0, badClaim(2), signedBy(badClaim(2)));
        appeals.punish(taskId, 1, 0, type(uint64).max);
        uint256 lost = MINER_STAKE - vault.stakeOf(miner(0));
        // Case 1 was rejected: its bond is not part of this plan.
        uint256 gain = token.balanceOf(challenger) + BOND - friend;
        gain += token.balanceOf(poster) - posterBefore;
        assertTrue(gain < lost, "even with the poster they lose");
        assertAtMost(lost - lost * 6 / 10, lost - gain, "at least four tenths");
        for (uint256 i = 0; i < 3; ++i) {
            assertAtMost(
                VALIDATOR_STAKE - vault.stakeOf(committeeMembers[i]), lost, "no signer more than the miner"
            );
        }
    }

    /// @dev A signer that knows what is coming has an accomplice bring a case of its own, to be the victim or the reporter.
    function test_profit__accompliceAsVictim__comesTooLate() public {
        FaultLeaf memory second = FaultLeaf(3, 2, miner(2), keccak256("of an accomplice"));
        bytes32[] memory leaves = new bytes32[](2);
        (leaves[0], leaves[1]) = (faultLeaf(wrong), faultLeaf(second));
        RoundCertificate memory c = nextCertificate(taskId);
        c.faultsRoot = MerkleTree.root(leaves);
        certifyPanel(c);
        vm.prank(challenger);
        appeals.challengeFault(taskId, record(2), wrong, MerkleTree.proof(leaves, 0));
        vm.prank(challenger);
        appeals.challengeFault(taskId, record(2), second, MerkleTree.proof(leaves, 1));
        drawCourt(1);
        bytes memory signed = verdict(1, 3);
        appeals.decide(taskId, 3, 31, signed, record(0));
        vm.expectRevert(abi.encodeWithSelector(IAppeals.NobodyToPunish.selector, taskId, 1, 1));
        appeals.punish(taskId, 1, 1, THREE);
        uint256 before = token.balanceOf(miner(1));
        appeals.punish(taskId, 1, 0, THREE);
        assertEq(
            token.balanceOf(miner(1)) - before, 3 * VALIDATOR_STAKE / 4, "the first victim gets its half"
        );
    }

    /// @dev A flood of certificates during a dispute: what the task may have to go back to is never overwritten.
    function test_stall__ringFillsDuringADispute__recordBeforeItStays() public {
        TaskParams memory p = someParams();
        (p.rounds, p.startsAt, p.challengeWindow) = (200, 0, WINDOW);
        // Twelve members, nine signatures.
        taskId = createTask(p);
        committeeMembers = committee.membersOfTask(taskId);
        uint64 nine = (1 << 9) - 1;
        bad = badLeaf(2);
        for (uint256 i = 0; i < 3; ++i) {
            RoundCertificate memory c = nextCertificate(taskId);
            c.contributionsRoot = contributionLeaf(bad);
            certifyBy(c, nine);
        }
        challengeBad();
        uint256 term = appeals.disputeOf(taskId, 1).verdictEnds;
        // By the clock alone, record number 1 could be overwritten long before.
        vm.warp(term - 1);
        for (uint256 i = 3; i < 64; ++i) {
            certifyBy(nextCertificate(taskId), nine);
        }
        RoundCertificate memory next = nextCertificate(taskId);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RingFull.selector, taskId, term));
        market.certify(next, nine, "");
        CertificateRecord memory r = record(0);
        assertTrue(market.maturesAt(taskId, r) != 0, "the one before the disputed one is kept");
    }

    function certifyBy(RoundCertificate memory c, uint64 signers) private {
        uint256 index = market.task(c.taskId).certificates;
        bytes memory signed = panelSignatures(committeeMembers, market.certificateDigest(c), signers);
        market.certify(c, signers, signed);
        records[id(c.taskId)].push(recordOf(c, signers, index));
    }

    function endDue() private {
        uint256 dispute = appeals.disputesOf(taskId);
        bool runs = market.task(taskId).status == TaskStatus.Disputed;
        if (runs && vm.getBlockTimestamp() >= appeals.disputeOf(taskId, dispute).verdictEnds) {
            appeals.lapse(taskId);
        }
    }

    function nonsense(uint256 n)
        private
        view
        returns (ContributionLeaf[] memory junk, bytes32[] memory leaves)
    {
        (junk, leaves) = (new ContributionLeaf[](n), new bytes32[](n));
        for (uint32 i = 0; i < n; ++i) {
            Contribution memory c = claimOf(taskId, FaultLeaf(3, i, miner(3), keccak256("fine")));
            junk[i] = leafOf(c);
            leaves[i] = contributionLeaf(junk[i]);
        }
    }
}

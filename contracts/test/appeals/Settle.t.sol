// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {CaseKind, DisputeStatus, WHOLE} from "../../src/types/Appeal.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {CertificateRecord, Contribution, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {AppealsFixture} from "./AppealsFixture.sol";

/// @notice `settle`, `convict` and `punish`. Case 0 is the contribution of miner 0, case 1 the fault of miner 1.
contract SettleTest is AppealsFixture {
    function test_settle_revertsIfCaseIsUnknown() public {
        decided(0);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseUnknown.selector, taskId, 1, 2));
        appeals.settle(taskId, 1, 2);
    }

    function test_settle_revertsIfDisputeRuns() public {
        challengeBad();
        vm.expectRevert(abi.encodeWithSelector(IAppeals.DisputeIs.selector, taskId, 1, DisputeStatus.Open));
        appeals.settle(taskId, 1, 0);
    }

    function test_settle_revertsIfSettledBefore() public {
        decided(0);
        appeals.settle(taskId, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseIsSettled.selector, taskId, 1, 0));
        appeals.settle(taskId, 1, 0);
    }

    function test_settle__lapsed__returnsEveryBond() public {
        uint256 before = token.balanceOf(challenger);
        uint256 dispute = lapsed();
        appeals.settle(taskId, dispute, 0);
        vm.prank(stranger);
        appeals.settle(taskId, dispute, 1);
        assertEq(token.balanceOf(challenger), before, "both bonds are back");
        assertEq(token.balanceOf(address(appeals)), 0, "nothing stays");
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE, "nobody was slashed");
    }

    function test_settle__contributionUpheld__bondIsBack() public {
        uint256 before = token.balanceOf(challenger);
        decided(1);
        vm.expectEmit(address(appeals));
        emit IAppeals.CaseSettled(taskId, 1, 0, BOND, 0);
        appeals.settle(taskId, 1, 0);
        assertEq(before - token.balanceOf(challenger), BOND, "the other bond is still there");
    }

    function test_convict_revertsIfCaseIsUnknown() public {
        Contribution memory c = badClaim(2);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseUnknown.selector, taskId, 1, 0));
        appeals.convict(taskId, 1, 0, c, "");
    }

    function test_convict_revertsIfCaseWasNotUpheld() public {
        Contribution memory c = badClaim(2);
        decided(2);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseNotUpheld.selector, taskId, 1, 0));
        appeals.convict(taskId, 1, 0, c, "");
    }

    function test_convict_revertsIfContributionIsAnotherOne() public {
        decided(1);
        Contribution memory c = badClaim(2);
        c.samples += 1;
        bytes memory signed = signedBy(c);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.NotTheCase.selector, taskId, 1, 0));
        appeals.convict(taskId, 1, 0, c, signed);
    }

    function test_convict_revertsIfTheMinerDidNotSign() public {
        decided(1);
        Contribution memory c = badClaim(2);
        bytes memory foreign = compact(minerKeys[1], contributionDigest(c));
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotSignedByMiner.selector, taskId, miner(0), miner(1))
        );
        appeals.convict(taskId, 1, 0, c, foreign);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotSignedByMiner.selector, taskId, miner(0), address(0))
        );
        appeals.convict(taskId, 1, 0, c, "");
    }

    function test_convict_revertsIfConvictedBefore() public {
        decided(1);
        appeals.convict(taskId, 1, 0, badClaim(2), signedBy(badClaim(2)));
        bytes memory signed = signedBy(badClaim(2));
        vm.expectRevert(
            abi.encodeWithSelector(IAppeals.AlreadyConvicted.selector, taskId, contributionLeaf(bad))
        );
        appeals.convict(taskId, 1, 0, badClaim(2), signed);
    }

    function test_convict__contributionUpheld__minerIsSlashedForPosterAndChallenger() public {
        uint256 before = token.balanceOf(challenger);
        uint256 posterBefore = token.balanceOf(poster);
        decided(1);
        vm.expectEmit(address(appeals));
        emit IAppeals.MinerConvicted(taskId, 1, 0, miner(0), SLASH);
        vm.prank(stranger);
        assertEq(appeals.convict(taskId, 1, 0, badClaim(2), signedBy(badClaim(2))), SLASH, "taken");
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE - SLASH, "stake");
        assertEq(token.balanceOf(poster) - posterBefore, SLASH / 2, "half to the poster");
        assertEq(before - token.balanceOf(challenger), 2 * BOND - SLASH / 10, "the challenger's bounty");
        assertEq(token.balanceOf(treasury), SLASH * 4 / 10, "the rest");
        assertTrue(appeals.convicted(taskId, contributionLeaf(bad)), "remembered");
    }

    function test_convict__minerHasNothingLeft__takesNothing() public {
        decided(1);
        vm.prank(address(market));
        vault.slash(miner(0), MINER_STAKE, vm.getBlockTimestamp(), poster, poster);
        assertEq(appeals.convict(taskId, 1, 0, badClaim(2), signedBy(badClaim(2))), 0, "nothing");
    }

    function test_convict__minerStakedAfterwards__takesNothing() public {
        FaultLeaf memory leaf = FaultLeaf(3, 0, vm.addr(0x1A7E), keccak256("noise"));
        minerKeys.push(0x1A7E);
        bad = leafOf(claimOf(taskId, leaf));
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        certifyPanel(c);
        vm.warp(vm.getBlockTimestamp() + 1);
        stakeAs(leaf.miner, MINER_STAKE);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(2), bad, noProof(), WHOLE);
        drawCourt(1);
        bytes memory signed = verdict(1, 1);
        appeals.decide(taskId, 1, 31, signed, record(1));
        assertEq(
            appeals.convict(taskId, 1, 0, claimOf(taskId, leaf), signedClaim(taskId, leaf)), 0, "nothing"
        );
        assertEq(vault.stakeOf(leaf.miner), MINER_STAKE, "what came later is spared");
    }

    function test_convict__faultsCostNothing__takesNothing() public {
        TaskParams memory p = someParams();
        (p.slashPerFault, p.startsAt, p.challengeWindow) = (0, 0, WINDOW);
        taskId = createTask(p);
        committeeMembers = committee.membersOfTask(taskId);
        bad = badLeaf(1);
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        uint64 nine = (1 << 9) - 1;
        market.certify(c, nine, panelSignatures(committeeMembers, market.certificateDigest(c), nine));
        CertificateRecord memory r = recordOf(c, nine, 0);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
        drawCourt(1);
        // Twelve judges, all there are: nine of them are a quorum.
        bytes memory signed =
            panelSignatures(committee.courtOf(taskId, 1), appeals.verdictDigest(taskId, 1, 1), nine);
        appeals.decide(taskId, 1, nine, signed, r);
        assertEq(appeals.convict(taskId, 1, 0, badClaim(1), signedBy(badClaim(1))), 0, "nothing");
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE, "stake");
    }

    function test_settle__contributionRejected__halfToTheMinerHalfToTheTreasury() public {
        uint256 before = token.balanceOf(miner(0));
        decided(0);
        vm.expectEmit(address(appeals));
        emit IAppeals.CaseSettled(taskId, 1, 0, 0, BOND / 2);
        appeals.settle(taskId, 1, 0);
        assertEq(token.balanceOf(miner(0)) - before, BOND / 2, "the wronged miner");
        assertEq(token.balanceOf(treasury), BOND / 2, "the treasury");
    }

    function test_settle__faultRejected__halfToThePosterHalfToTheTreasury() public {
        uint256 before = token.balanceOf(poster);
        decided(0);
        appeals.settle(taskId, 1, 1);
        assertEq(token.balanceOf(poster) - before, BOND / 2, "the poster waited");
        assertEq(token.balanceOf(treasury), BOND / 2, "the treasury");
    }

    function test_settle__minerChallengedItself__losesTheWholeBond() public {
        rich(miner(0));
        vm.prank(miner(0));
        appeals.challengeContribution(taskId, record(1), bad, noProof(), WHOLE);
        drawCourt(1);
        toVerdict(1);
        decide(1, 0);
        vm.expectCall(address(token), abi.encodeCall(token.transfer, (miner(0), 0)), 0);
        appeals.settle(taskId, 1, 0);
        assertEq(token.balanceOf(treasury), BOND, "all to the treasury");
    }

    function test_punish_revertsIfCaseIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseUnknown.selector, taskId, 1, 0));
        appeals.punish(taskId, 1, 0, 15);
    }

    function test_punish_revertsIfCaseWasNotUpheld() public {
        decided(2);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.CaseNotUpheld.selector, taskId, 1, 0));
        appeals.punish(taskId, 1, 0, 15);
    }

    function test_punish_revertsIfNobodySigned() public {
        decided(1);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.NobodyToPunish.selector, taskId, 1, 0));
        appeals.punish(taskId, 1, 0, 8);
    }

    function test_punish_revertsIfPunishedBefore() public {
        decided(1);
        appeals.punish(taskId, 1, 0, 15);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.NobodyToPunish.selector, taskId, 1, 0));
        appeals.punish(taskId, 1, 0, 15);
    }

    function test_punish__contributionUpheld__signersLoseNoMoreThanTheMinerAndNobodyGains() public {
        decided(1);
        uint256 before = token.balanceOf(poster);
        uint256 challengerBefore = token.balanceOf(challenger);
        uint256 taken = SLASH;
        vm.expectEmit(address(appeals));
        emit IAppeals.SignerPunished(taskId, 1, 0, committeeMembers[0], taken);
        appeals.punish(taskId, 1, 0, 1);
        appeals.punish(taskId, 1, 0, type(uint64).max);
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(vault.stakeOf(committeeMembers[i]), VALIDATOR_STAKE - taken, "what the miner loses");
        }
        assertEq(vault.stakeOf(committeeMembers[3]), VALIDATOR_STAKE, "who did not sign");
        assertEq(token.balanceOf(treasury), 3 * taken, "all of it to the treasury");
        assertEq(token.balanceOf(poster), before, "nothing to the poster");
        assertEq(token.balanceOf(challenger), challengerBefore, "nothing to the challenger");
        assertEq(appeals.punishedOf(taskId, 1, CaseKind.Contribution), THREE, "remembered");
    }

    function test_punish__faultUpheld__signersLoseHalfAndTheMinerIsTheVictim() public {
        decided(2);
        uint256 before = token.balanceOf(miner(1));
        appeals.punish(taskId, 1, 1, THREE);
        uint256 taken = VALIDATOR_STAKE / 2;
        assertEq(vault.stakeOf(committeeMembers[1]), VALIDATOR_STAKE - taken, "half");
        assertEq(token.balanceOf(miner(1)) - before, 3 * taken / 2, "to the miner");
        appeals.settle(taskId, 1, 1);
        assertEq(vault.stakeOf(miner(1)), MINER_STAKE, "the miner keeps its stake");
    }

    function test_punish__bothUpheld__isOncePerKind() public {
        decided(3);
        appeals.punish(taskId, 1, 0, THREE);
        appeals.punish(taskId, 1, 1, THREE);
        uint256 left = VALIDATOR_STAKE - SLASH - VALIDATOR_STAKE / 2;
        assertEq(vault.stakeOf(committeeMembers[2]), left, "one of each");
    }

    function testFuzz_settle__anyVerdict__bondsAreConserved(uint64 upheld) public {
        uint256 dispute = decided(uint64(bound(upheld, 0, 3)));
        appeals.settle(taskId, dispute, 0);
        appeals.settle(taskId, dispute, 1);
        assertEq(token.balanceOf(address(appeals)), 0, "every bond left");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IAppeals} from "../../src/interfaces/IAppeals.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {Case, CaseKind, Dispute, DisputeStatus, WHOLE} from "../../src/types/Appeal.sol";
import {CertificateRecord, ContributionLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Task, TaskParams, TaskStatus} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {AppealsFixture} from "./AppealsFixture.sol";

/// @notice `challengeContribution` and `challengeFault`.
contract ChallengeTest is AppealsFixture {
    function test_challengeContribution_revertsIfLeafIsNotUnderTheRoot() public {
        ContributionLeaf memory other = bad;
        other.shard = 3;
        bytes memory data = abi.encodeWithSelector(
            ITrainingMarket.ProofInvalid.selector, taskId, contributionLeaf(other), contributionLeaf(bad)
        );
        CertificateRecord memory r = record(1);
        vm.expectRevert(data);
        appeals.challengeContribution(taskId, r, other, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfTaskIsUnknown() public {
        CertificateRecord memory r = record(1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, 9));
        appeals.challengeContribution(TaskId.wrap(9), r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfRecordIsForged() public {
        CertificateRecord memory r = record(1);
        r.signers = 15;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 1));
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfTaskIsClosed() public {
        vm.warp(market.task(taskId).deadline + 1);
        market.close(taskId);
        CertificateRecord memory r = record(1);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TaskNotOpen.selector, taskId, TaskStatus.Closed)
        );
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfTheWindowIsClosed() public {
        CertificateRecord memory r = record(1);
        uint256 closedAt = market.maturesAt(taskId, r);
        vm.warp(closedAt);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WindowClosed.selector, taskId, 1, closedAt));
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfJoiningEnded() public {
        (uint256 dispute,) = challengeWrong();
        toVerdict(dispute);
        CertificateRecord memory r = record(1);
        vm.expectRevert(
            abi.encodeWithSelector(IAppeals.JoiningEnded.selector, taskId, dispute, vm.getBlockTimestamp())
        );
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfTheDisputeIsFull() public {
        uint256 n = appeals.MAX_CASES();
        bytes32[] memory leaves = new bytes32[](n + 1);
        ContributionLeaf[] memory contributions = new ContributionLeaf[](n + 1);
        for (uint32 i = 0; i <= n; ++i) {
            contributions[i] = ContributionLeaf(3, i, miner(0), keccak256("g"), keccak256("d"));
            leaves[i] = contributionLeaf(contributions[i]);
        }
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = MerkleTree.root(leaves);
        certifyPanel(c);
        vm.startPrank(challenger);
        for (uint256 i = 0; i < n; ++i) {
            appeals.challengeContribution(
                taskId, record(2), contributions[i], MerkleTree.proof(leaves, i), WHOLE
            );
        }
        bytes32[] memory proof = MerkleTree.proof(leaves, n);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.DisputeFull.selector, taskId, 1, n));
        appeals.challengeContribution(taskId, record(2), contributions[n], proof, WHOLE);
        vm.stopPrank();
        drawCourt(1);
        toVerdict(1);
        // The largest verdict there is, executed in one transaction.
        bytes memory signed = verdict(1, type(uint64).max);
        CertificateRecord memory before = record(1);
        appeals.decide(taskId, type(uint64).max, 31, signed, before);
        assertEq(market.task(taskId).lastRound, 2, "the third certificate fell");
    }

    function test_challengeContribution_revertsIfTheLeafIsThere() public {
        challengeBad();
        CertificateRecord memory r = record(1);
        vm.expectRevert(
            abi.encodeWithSelector(IAppeals.CaseExists.selector, taskId, 1, contributionLeaf(bad))
        );
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfTheBondIsMissing() public {
        CertificateRecord memory r = record(1);
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(appeals), 0, BOND
            )
        );
        appeals.challengeContribution(taskId, r, bad, noProof(), WHOLE);
    }

    function test_challengeContribution_revertsIfThereIsNoWindow() public {
        TaskId short = startedTask();
        RoundCertificate memory c = nextCertificate(short);
        c.contributionsRoot = contributionLeaf(bad);
        bytes memory signed =
            panelSignatures(committee.membersOfTask(short), market.certificateDigest(c), (1 << 9) - 1);
        market.certify(c, (1 << 9) - 1, signed);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.WindowClosed.selector, short, 0, vm.getBlockTimestamp())
        );
        appeals.challengeContribution(short, recordOf(c, (1 << 9) - 1, 0), bad, noProof(), WHOLE);
    }

    function test_challengeContribution__inTheWindow__freezesAndTakesTheBond() public {
        uint256 before = token.balanceOf(challenger);
        uint256 joinEnds = vm.getBlockTimestamp() + WINDOW;
        vm.expectEmit(address(market));
        emit ITrainingMarket.TaskDisputed(taskId, 1);
        vm.expectEmit(address(appeals));
        emit IAppeals.DisputeOpened(taskId, 1, joinEnds, joinEnds + COURT_TERM);
        vm.expectEmit(address(appeals));
        emit IAppeals.CaseBrought(
            taskId, 1, 0, challenger, CaseKind.Contribution, 1, miner(0), contributionLeaf(bad), WHOLE
        );
        (uint256 dispute, uint256 number) = challengeBad();
        assertEq(dispute, 1, "dispute");
        assertEq(number, 0, "case");
        assertEq(before - token.balanceOf(challenger), BOND, "bond");
        Dispute memory d = appeals.disputeOf(taskId, 1);
        assertEq(uint256(d.status), uint256(DisputeStatus.Open), "open");
        assertEq(d.first, 1, "first");
        assertEq(d.cases, 1, "cases");
        Case memory matter = appeals.caseOf(taskId, 1, 0);
        assertEq(matter.challenger, challenger, "challenger");
        assertEq(matter.signers, THREE, "signers");
        assertEq(matter.acceptedAt, market.maturesAt(taskId, record(1)) - WINDOW, "accepted");
        Task memory task = market.task(taskId);
        assertEq(uint256(task.status), uint256(TaskStatus.Disputed), "status");
        assertEq(task.disputedFrom, 1, "from");
    }

    /// @dev Whatever a challenger names, also what no shard has: it is a hint to the court and nothing else.
    function testFuzz_challengeContribution__namesAMicroBatch__isToldAndKeptAndChangesNothingElse(uint32 batch)
        public
    {
        vm.expectEmit(address(appeals));
        emit IAppeals.CaseBrought(
            taskId, 1, 0, challenger, CaseKind.Contribution, 1, miner(0), contributionLeaf(bad), batch
        );
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(1), bad, noProof(), batch);
        Case memory matter = appeals.caseOf(taskId, 1, 0);
        assertEq(matter.batch, batch, "batch");
        assertEq(matter.leaf, contributionLeaf(bad), "leaf");
        assertEq(matter.miner, miner(0), "miner");
        assertEq(matter.acceptedAt, market.maturesAt(taskId, record(1)) - WINDOW, "accepted");
        assertTrue(matter.kind == CaseKind.Contribution && !matter.settled, "state");
        CertificateRecord memory r = record(1);
        vm.prank(challenger);
        vm.expectRevert(
            abi.encodeWithSelector(IAppeals.CaseExists.selector, taskId, 1, contributionLeaf(bad))
        );
        appeals.challengeContribution(taskId, r, bad, noProof(), ~batch);
    }

    function test_challengeContribution__whileDisputed__workGoesOnAndClaimsWait() public {
        challengeBad();
        certifyPanel(nextCertificate(taskId));
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Disputed), "still disputed");
        vm.warp(market.maturesAt(taskId, record(1)));
        uint256 due = uint256(record(1).paidTotal) / 4;
        bytes32[] memory proof = MerkleTree.proof(payoutLeaves(record(1).paidTotal), 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordFrozen.selector, taskId, 1, 1));
        market.claim(taskId, payoutRecord(record(1)), miner(0), due, proof);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordFrozen.selector, taskId, 1, 1));
        market.slash(taskId, record(1), claimOf(taskId, wrong), signedClaim(taskId, wrong), noProof());
        // What was certified before the disputed certificate is paid meanwhile.
        proof = MerkleTree.proof(payoutLeaves(record(0).paidTotal), 0);
        assertEq(market.claim(taskId, payoutRecord(record(0)), miner(0), REWARD, proof), REWARD, "paid");
    }

    /// @dev What a dispute froze can be challenged to the last second of joining, its own window being closed.
    function test_challengeContribution__joinsWhatIsFrozen__toTheLastSecond() public {
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        challengeWrong();
        uint256 joinEnds = appeals.disputeOf(taskId, 1).joinEnds;
        vm.warp(joinEnds - 1);
        assertTrue(market.maturesAt(taskId, record(1)) < joinEnds - 1, "its window is closed");
        (uint256 dispute, uint256 number) = challengeBad();
        assertEq(dispute, 1, "dispute");
        assertEq(number, 1, "case");
    }

    function test_challengeContribution__allRoundsCertified__canStillBeDisputed() public {
        certifyPanel(nextCertificate(taskId, ROUNDS - 2));
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Completed), "completed");
        challengeBad();
        assertEq(uint256(market.task(taskId).status), uint256(TaskStatus.Disputed), "disputed");
    }

    /// @dev However short the window: what is certified during a dispute can be challenged when it is over.
    function test_challengeContribution__windowOfOneSecond__isAWindow() public {
        TaskParams memory p = someParams();
        (p.startsAt, p.challengeWindow) = (0, 1);
        taskId = createTask(p);
        committeeMembers = committee.membersOfTask(taskId);
        certifyByNine(0);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(0), bad, noProof(), WHOLE);
        certifyByNine(1);
        uint256 term = appeals.disputeOf(taskId, 1).verdictEnds;
        assertEq(market.maturesAt(taskId, record(1)), term + 1, "it begins with the end of the term");
    }

    function certifyByNine(uint256 index) private {
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        uint64 nine = (1 << 9) - 1;
        market.certify(c, nine, panelSignatures(committeeMembers, market.certificateDigest(c), nine));
        records[id(taskId)].push(recordOf(c, nine, index));
    }

    function test_bondOf__everyEightCases__doubles() public view {
        for (uint256 i = 0; i < appeals.MAX_CASES(); ++i) {
            assertEq(appeals.bondOf(i), BOND * 2 ** (i / 8), "bond");
        }
    }

    function test_challengeFault_revertsIfLeafIsNotUnderTheRoot() public {
        CertificateRecord memory r = record(0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.ProofInvalid.selector, taskId, faultLeaf(wrong), bytes32(0)
            )
        );
        appeals.challengeFault(taskId, r, wrong, noProof());
    }

    function test_challengeFault_revertsIfTheFaultWasSlashed() public {
        vm.warp(market.maturesAt(taskId, record(1)));
        market.slash(taskId, record(1), claimOf(taskId, wrong), signedClaim(taskId, wrong), noProof());
        CertificateRecord memory r = record(1);
        vm.expectRevert(abi.encodeWithSelector(IAppeals.FaultSettled.selector, taskId, faultLeaf(wrong)));
        appeals.challengeFault(taskId, r, wrong, noProof());
    }

    /// @dev A frivolous dispute about the newest certificate must not carry an older one over its window.
    function test_challengeFault__joins__olderCertificateKeepsItsOwnWindow() public {
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        certifyPanel(c);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(2), bad, noProof(), WHOLE);
        assertEq(market.task(taskId).disputedFrom, 2, "from the third");
        vm.warp(market.maturesAt(taskId, record(1)) - 1);
        challengeWrong();
        assertEq(market.task(taskId).disputedFrom, 1, "from the second");
        assertEq(appeals.disputeOf(taskId, 1).first, 1, "here too");
    }

    function test_challengeFault__joinsTooLateForTheOlderOne__reverts() public {
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = contributionLeaf(bad);
        certifyPanel(c);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, record(2), bad, noProof(), WHOLE);
        uint256 closedAt = market.maturesAt(taskId, record(1));
        vm.warp(closedAt);
        CertificateRecord memory r = record(1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WindowClosed.selector, taskId, 1, closedAt));
        appeals.challengeFault(taskId, r, wrong, noProof());
    }
}

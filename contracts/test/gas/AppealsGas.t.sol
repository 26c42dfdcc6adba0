// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {WHOLE} from "../../src/types/Appeal.sol";
import {
    CertificateRecord,
    Contribution,
    ContributionLeaf,
    FaultLeaf,
    RoundCertificate
} from "../../src/types/Certificate.sol";
import {SignedCertificate} from "../../src/types/Claim.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {AppealsFixture} from "../appeals/AppealsFixture.sol";

/// @notice Gas of disputes, draws and batches, as whole transactions.
/// forge-config: default.isolate = true
contract AppealsGasTest is AppealsFixture {
    function test_dispute__fromChallengeToPunishment__isMeasured() public {
        challengeBad();
        shot("challengeContribution, opens");
        challengeWrong();
        shot("challengeFault, joins");
        toVerdict(1);
        appeals.summon(taskId);
        shot("summon");
        vm.roll(vm.getBlockNumber() + committee.DRAW_DELAY() + 1);
        committee.drawCourt(taskId, 1);
        shot("drawCourt, 7 of 12");
        bytes memory signed = verdict(1, 3);
        CertificateRecord memory before = record(0);
        appeals.decide(taskId, 3, 31, signed, before);
        shot("decide, 2 cases upheld, 5 signatures");
        appeals.settle(taskId, 1, 0);
        shot("settle");
        Contribution memory c = badClaim(2);
        appeals.convict(taskId, 1, 0, c, signedBy(c));
        shot("convict");
        appeals.punish(taskId, 1, 0, THREE);
        shot("punish, 3 signers");
        appeals.punish(taskId, 1, 1, 1);
        shot("punish, 1 signer");
    }

    function test_dispute__withoutAVerdict__isMeasured() public {
        challengeBad();
        vm.warp(appeals.disputeOf(taskId, 1).verdictEnds);
        appeals.lapse(taskId);
        shot("lapse");
    }

    function test_challenge__1024Leaves__isMeasured() public {
        bytes32[] memory leaves = new bytes32[](1_024);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = keccak256(abi.encode(i));
        }
        ContributionLeaf memory leaf = badLeaf(3);
        leaves[0] = contributionLeaf(leaf);
        RoundCertificate memory c = nextCertificate(taskId);
        c.contributionsRoot = MerkleTree.root(leaves);
        certifyPanel(c);
        bytes32[] memory proof = MerkleTree.proof(leaves, 0);
        CertificateRecord memory r = record(2);
        vm.prank(challenger);
        appeals.challengeContribution(taskId, r, leaf, proof, WHOLE);
        shot("challengeContribution, 1024 leaves");
    }

    /// @dev The largest verdict there is: 64 faults become void in one transaction, far below a block's limit.
    function test_decide__everyCaseUpheld__fitsIntoABlock() public {
        bytes32[] memory leaves = new bytes32[](64);
        FaultLeaf[] memory faults = new FaultLeaf[](64);
        for (uint32 i = 0; i < 64; ++i) {
            faults[i] = FaultLeaf(3, i, miner(i % 4), keccak256("good"));
            leaves[i] = faultLeaf(faults[i]);
        }
        RoundCertificate memory c = nextCertificate(taskId);
        c.faultsRoot = MerkleTree.root(leaves);
        certifyPanel(c);
        fund(challenger, 2_100 * BOND);
        CertificateRecord memory r = record(2);
        for (uint256 i = 0; i < 64; ++i) {
            bytes32[] memory proof = MerkleTree.proof(leaves, i);
            vm.prank(challenger);
            appeals.challengeFault(taskId, r, faults[i], proof);
        }
        drawCourt(1);
        bytes memory signed = verdict(1, type(uint64).max);
        CertificateRecord memory none;
        appeals.decide(taskId, type(uint64).max, 31, signed, none);
        uint256 gas = shot("decide, 64 faults void");
        assertAtMost(gas, 4_000_000, "a verdict fits into a block");
        appeals.punish(taskId, 1, 0, THREE);
    }

    function test_draw__committees__areMeasured() public {
        addValidators(52);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        uint32[4] memory sizes = [uint32(4), 16, 31, 61];
        for (uint256 i = 0; i < sizes.length; ++i) {
            TaskParams memory p = someParams();
            p.committeeSize = sizes[i];
            TaskId drawn = createTask(p);
            vm.roll(vm.getBlockNumber() + committee.DRAW_DELAY() + 1);
            committee.drawCommittee(drawn);
            shot(string.concat("drawCommittee, ", vm.toString(sizes[i]), " of 64"));
        }
    }

    function test_certifyMany__fourTasks__sharesTheTransaction() public {
        SignedCertificate[] memory batch = new SignedCertificate[](4);
        uint64 nine = (1 << 9) - 1;
        for (uint256 i = 0; i < 4; ++i) {
            TaskParams memory p = someParams();
            p.startsAt = 0;
            RoundCertificate memory c = nextCertificate(createTask(p));
            bytes memory signed =
                panelSignatures(committee.membersOfTask(c.taskId), market.certificateDigest(c), nine);
            batch[i] = SignedCertificate(c, nine, signed);
        }
        market.certifyMany(batch);
        shot("certifyMany, 4 tasks, 9 signatures each");
    }

    function shot(string memory name) private returns (uint256) {
        return vm.snapshotGasLastCall("appeals", name);
    }
}

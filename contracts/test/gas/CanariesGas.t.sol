// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlobTail, CanaryTerms, Charge} from "../../src/types/Canary.sol";
import {FaultLeaf} from "../../src/types/Certificate.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {CanariesFixture} from "../canaries/CanariesFixture.sol";

/// @notice Gas of canaries, as whole transactions.
/// forge-config: default.isolate = true
contract CanariesGasTest is CanariesFixture {
    function test_canaries__fromPlantingToPunishment__areMeasured() public {
        CanaryTerms memory t = terms();
        vm.prank(poster);
        canaries.plant(taskId, t);
        shot("plant");
        bytes memory seed = seedThat(false, 1, 0);
        bytes32 commitment = commitmentOf(seed);
        vm.prank(lazy);
        canaries.commitSeed(taskId, commitment);
        shot("commitSeed");
        start();
        bytes32[] memory proof = MerkleTree.proof(leaves(), 0);
        canaries.open(taskId, miner(0), saltOf(0), proof);
        shot("open");
        Charge memory c = charge(0, 0, 0);
        bytes32 key = canaries.accuse(c);
        shot("accuse, 3 blocks of SHA-256");
        canaries.answer(taskId, key, lazy, seed);
        shot("answer, 40 shards");
        c = charge(1, 0, 0);
        (c.prepared, c.signature) = (true, compact(validatorKeys[1], prepareDigest(c)));
        key = canaries.accuse(c);
        shot("accuse by a PREPARE");
        canaries.punish(taskId, key, validator(1));
        shot("punish");
        FaultLeaf memory leaf = canaryFault(0, 1, 0);
        BlobTail memory tail = tailOf(canaryBlob(0, 1, 0));
        canaries.pardon(taskId, leaf, tail);
        shot("pardon");
    }

    /// @dev The exponents of 650,000 codes of two bytes lie behind them: a third of a thousand blocks of SHA-256, and still
    /// a transaction that EIP-7825 lets pass.
    function test_accuse__largeModel__fitsIntoABlock() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        bytes memory blob = bytes.concat(canaryBlob(0, 1, 0), new bytes(20_320));
        (c.leaf.gradient, c.tail) = (sha256(blob), tailOf(blob));
        c.certificate.contributionsRoot = contributionLeaf(c.leaf);
        signCharge(c, 0);
        canaries.accuse(c);
        assertAtMost(shot("accuse, 320 blocks of SHA-256"), 1 << 24, "a large model's canary");
    }

    /// @dev A window of 4,096 shards is ranked whole.
    function test_answer__largestWindow__fitsIntoABlock() public {
        bytes memory seed = seedFor(1);
        canaries.sampleHolds(seed, 64, 64, HALF, 1, 0);
        assertAtMost(shot("sampleHolds, 4096 shards"), 4_000_000, "a sample");
    }

    function shot(string memory name) private returns (uint256) {
        return vm.snapshotGasLastCall("canaries", name);
    }
}

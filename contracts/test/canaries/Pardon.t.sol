// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {BlobTail} from "../../src/types/Canary.sol";
import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract PardonTest is CanariesFixture {
    function test_pardon_revertsIfNotOpen() public {
        plant();
        start();
        FaultLeaf memory leaf = canaryFault(0, 1, 0);
        BlobTail memory tail = tailOf(canaryBlob(0, 1, 0));
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotOpened.selector, taskId, miner(0)));
        canaries.pardon(taskId, leaf, tail);
    }

    function test_pardon_revertsIfNotMarked() public {
        openFirst();
        FaultLeaf memory leaf = canaryFault(0, 1, 0);
        BlobTail memory tail = tailOf(canaryBlob(0, 1, 0));
        leaf.shard = 1;
        uint128 wanted = canaries.markOf(saltOf(0), keccak256("spec"), 1, 1);
        uint128 found = canaries.markOf(saltOf(0), keccak256("spec"), 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotMarked.selector, leaf.gradient, wanted, found));
        canaries.pardon(taskId, leaf, tail);
    }

    function test_pardon_revertsIfTheFaultIsSettled() public {
        openFirst();
        FaultLeaf memory leaf = canaryFault(0, 1, 0);
        BlobTail memory tail = tailOf(canaryBlob(0, 1, 0));
        canaries.pardon(taskId, leaf, tail);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.FaultSettled.selector, taskId, faultLeaf(leaf)));
        canaries.pardon(taskId, leaf, tail);
    }

    function test_pardon__certifiedFault__canNeverBeSlashed() public {
        openFirst();
        FaultLeaf memory leaf = canaryFault(0, 1, 0);
        RoundCertificate memory certificate = nextCertificate(taskId);
        certificate.faultsRoot = faultLeaf(leaf);
        certify(certificate);
        vm.expectEmit(address(canaries));
        emit ICanaries.CanaryPardoned(taskId, miner(0), faultLeaf(leaf));
        canaries.pardon(taskId, leaf, tailOf(canaryBlob(0, 1, 0)));
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        bytes memory signature = signedClaim(taskId, leaf);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.AlreadySlashed.selector, taskId, faultLeaf(leaf))
        );
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signature, noProof());
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE, "whole");
    }
}

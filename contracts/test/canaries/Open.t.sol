// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {CanaryTerms} from "../../src/types/Canary.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract OpenTest is CanariesFixture {
    function test_open_revertsIfNothingIsPlanted() public {
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NothingPlanted.selector, taskId));
        canaries.open(taskId, miner(0), SALT, noProof());
    }

    function test_open_revertsIfOpen() public {
        openFirst();
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AlreadyOpen.selector, taskId, miner(0)));
        canaries.open(taskId, miner(0), SALT, noProof());
    }

    function test_open_revertsIfNotUnderTheRoot() public {
        plant();
        bytes32[] memory proof = MerkleTree.proof(leaves(), 0);
        bytes memory refusal = abi.encodeWithSelector(ICanaries.NotPlanted.selector, taskId, miner(0));
        vm.expectRevert(refusal);
        canaries.open(taskId, miner(0), SALT, proof);
        vm.expectRevert(refusal);
        canaries.open(taskId, miner(0), 0, proof);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotPlanted.selector, taskId, miner(2)));
        canaries.open(taskId, miner(2), saltOf(0), proof);
    }

    /// @dev Zero is how a salt that nobody told reads, so it opens nothing even where it was planted.
    function test_open_revertsIfThePlantedSaltIsZero() public {
        CanaryTerms memory t = terms();
        t.root = canaryLeaf(miner(0), 0);
        vm.prank(poster);
        canaries.plant(taskId, t);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotPlanted.selector, taskId, miner(0)));
        canaries.open(taskId, miner(0), 0, noProof());
    }

    function test_open__planted__tellsTheSalt() public {
        plant();
        vm.expectEmit(address(canaries));
        emit ICanaries.CanaryOpened(taskId, miner(1), saltOf(1));
        open(1);
        assertEq(canaries.saltOf(taskId, miner(1)), saltOf(1), "salt");
        assertEq(canaries.saltOf(taskId, miner(0)), bytes32(0), "the other one stays secret");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILearningContest} from "../../src/interfaces/ILearningContest.sol";
import {ContestId, ScoreCertificate} from "../../src/types/Contest.sol";
import {Epoch} from "../../src/types/Ids.sol";
import {ContestFixture} from "../contest/ContestFixture.sol";

/// @notice `tests/vectors/contest.json`: what miners and committees hash in Python is what the contract hashes.
contract ContestVectorTest is ContestFixture {
    string private json;
    ILearningContest private there;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../tests/vectors/contest.json");
        vm.chainId(vm.parseJsonUint(json, ".chain_id"));
        // The domain is the contract's own address: its code is put where the vector says.
        address at = vm.parseJsonAddress(json, ".verifying_contract");
        vm.etch(at, address(contest).code);
        there = ILearningContest(at);
    }

    function test_commitment__sharedVector__hasTheSameDigest() public view {
        bytes32 digest = there.commitmentDigest(
            ContestId.wrap(vm.parseJsonUint(json, ".contest_id")),
            vm.parseJsonAddress(json, ".miner"),
            vm.parseJsonBytes32(json, ".model"),
            vm.parseJsonBytes32(json, ".trace"),
            vm.parseJsonBytes32(json, ".salt")
        );
        assertEq(digest, vm.parseJsonBytes32(json, ".commitment_digest"), "commitment");
    }

    function test_scores__sharedVector__haveTheSameDigest() public view {
        ScoreCertificate memory c = ScoreCertificate({
            contestId: ContestId.wrap(vm.parseJsonUint(json, ".contest_id")),
            instance: uint32(vm.parseJsonUint(json, ".instance")),
            epoch: Epoch.wrap(uint32(vm.parseJsonUint(json, ".epoch"))),
            specHash: vm.parseJsonBytes32(json, ".spec_hash"),
            testSet: vm.parseJsonBytes32(json, ".test_set"),
            revealed: uint64(vm.parseJsonUint(json, ".revealed")),
            frauds: uint64(vm.parseJsonUint(json, ".frauds")),
            badTestSet: vm.parseJsonUint(json, ".bad_test_set") == 1,
            scores: vm.parseJsonBytes32(json, ".scores_hash"),
            transactions: vm.parseJsonBytes32(json, ".transactions"),
            record: vm.parseJsonBytes32(json, ".record")
        });
        assertEq(there.scoreDigest(c), vm.parseJsonBytes32(json, ".score_digest"), "scores");
    }
}

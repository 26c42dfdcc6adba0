// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {CanaryTerms, Charge} from "../../src/types/Canary.sol";
import {ContributionLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {CanariesFixture} from "../canaries/CanariesFixture.sol";

/// @notice A poster would like to have the stakes of validators that worked: by calling honest work a canary, by choosing
/// the canary when it sees who looked at what, by charging twice, or for a certificate that nobody signed.
contract CanaryFramingAttack is CanariesFixture {
    /// @dev Whatever the salt: bits that were there before are not the mark.
    function testFuzz_frame__honestGradientCalledACanary__isNotMarked(uint128 bits, bytes32 salt) public {
        CanaryTerms memory t = terms();
        t.root = canaryLeaf(miner(0), salt);
        vm.assume(salt != 0);
        vm.prank(poster);
        canaries.plant(taskId, t);
        start();
        canaries.open(taskId, miner(0), salt, noProof());
        Charge memory c = charge(0, 0, 0);
        bytes memory blob = blobWith(bits);
        (c.leaf.gradient, c.tail) = (sha256(blob), tailOf(blob));
        c.certificate.contributionsRoot = contributionLeaf(c.leaf);
        signCharge(c, 0);
        uint128 wanted = canaries.markOf(salt, keccak256("spec"), 1, 0);
        vm.assume(bits != wanted);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotMarked.selector, c.leaf.gradient, wanted, bits));
        canaries.accuse(c);
    }

    /// @dev The salt is fixed before anybody trains, by the root: what is seen later cannot choose it.
    function testFuzz_frame__saltChosenAfterTheFact__isNotPlanted(bytes32 salt, uint8 index) public {
        openFirst();
        index = uint8(bound(index, 1, 3));
        vm.assume(salt != saltOf(1));
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = leaves()[0];
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotPlanted.selector, taskId, miner(index)));
        canaries.open(taskId, miner(index), salt, proof);
        CanaryTerms memory t = terms();
        bytes memory refusal =
            abi.encodeWithSelector(ICanaries.TaskBegun.selector, taskId, market.task(taskId).startsAt);
        vm.prank(poster);
        vm.expectRevert(refusal);
        canaries.plant(taskId, t);
    }

    /// @dev A salt belongs to its miner: the poster cannot hang it on a stranger's work.
    function test_frame__anotherMinersWork__isNoCanary() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        c.leaf.miner = miner(2);
        c.certificate.contributionsRoot = contributionLeaf(c.leaf);
        signCharge(c, 0);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotOpened.selector, taskId, miner(2)));
        canaries.accuse(c);
    }

    /// @dev An honest member executes its sample, so it signs for a canary outside of it only; and shows that.
    function testFuzz_frame__honestMember__clearsItself(uint256 number, uint8 shard) public {
        bytes memory seed = seedFor(number);
        plant();
        commitSeed(lazy, seed);
        start();
        open(0);
        shard = uint8(bound(shard, 0, SHARDS - 1));
        vm.assume(!canaries.sampleHolds(seed, ROUNDS, SHARDS, HALF, 1, shard));
        bytes32 key = canaries.accuse(charge(0, 0, shard));
        canaries.answer(taskId, key, lazy, seed);
        vm.warp(canaries.accusationsEnd(taskId));
        vm.expectRevert();
        canaries.punish(taskId, key, lazy);
        assertEq(vault.stakeOf(lazy), VALIDATOR_STAKE, "whole");
    }

    /// @dev A member that is shown to have lied about its sample cannot choose another one.
    function test_frame__memberWithTwoSamples__hasTheFirst() public {
        plant();
        bytes memory seed = seedThat(true, 1, 0);
        commitSeed(lazy, seed);
        bytes32 other = commitmentOf(seedThat(false, 1, 0));
        vm.prank(lazy);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.SeedFixed.selector, taskId, lazy));
        canaries.commitSeed(taskId, other);
    }

    /// @dev The poster owns the canary's miner, accuses itself, and plants as expensively as it may: it gets no more than
    /// the miner's half and the bounty, and nothing at all of a member that did not sign.
    function test_collude__posterMinerAndAccuser__getNoMoreThanHalfAndTheBounty() public {
        CanaryTerms memory t = terms();
        t.penalty = uint96(VALIDATOR_STAKE / 2);
        vm.prank(poster);
        canaries.plant(taskId, t);
        start();
        open(0);
        uint256 before = token.balanceOf(poster) + token.balanceOf(miner(0));
        Charge memory c = charge(0, 0, 0);
        vm.prank(poster);
        bytes32 key = canaries.accuse(c);
        canaries.punish(taskId, key, lazy);
        uint256 gained = token.balanceOf(poster) + token.balanceOf(miner(0)) - before;
        assertEq(gained, VALIDATOR_STAKE / 4 + MAX_BOUNTY, "gained");
        c.member = validator(1);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotSignedByMember.selector, validator(1), lazy));
        canaries.accuse(c);
    }

    /// @dev A statement of another task binds nobody here, though it is the same committee.
    function test_frame__certificateOfAnotherTask__isAnothers() public {
        openFirst();
        TaskId other = createTask();
        Charge memory c = charge(0, 0, 0);
        c.certificate.taskId = other;
        signCharge(c, 0);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotOpened.selector, other, miner(0)));
        canaries.accuse(c);
    }
}

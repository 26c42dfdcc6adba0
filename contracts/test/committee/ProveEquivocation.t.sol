// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract ProveEquivocationTest is MarketFixture {
    RoundCertificate private a;
    RoundCertificate private b;

    function setUp() public override {
        super.setUp();
        a = nextCertificate(startedTask());
        b = a;
        b.model = keccak256("another model");
    }

    function test_proveEquivocation_revertsIfCertificatesAreTheSame() public {
        b = a;
        proveExpecting(noEquivocation(), 0, 0);
    }

    function test_proveEquivocation_revertsIfTasksDiffer() public {
        b.taskId = TaskId.wrap(2);
        proveExpecting(noEquivocation(), 0, 0);
    }

    function test_proveEquivocation_revertsIfEpochsDiffer() public {
        b.epoch = Epoch.wrap(2);
        proveExpecting(noEquivocation(), 0, 0);
    }

    function test_proveEquivocation_revertsIfRoundsDoNotOverlap() public {
        (b.firstRound, b.lastRound) = (2, 5);
        proveExpecting(noEquivocation(), 0, 0);
    }

    function test_proveEquivocation_revertsIfSignatureLengthIsWrong() public {
        bytes memory good = compact(validatorKeys[0], market.certificateDigest(b));
        vm.expectRevert(abi.encodeWithSelector(ICommittee.SignaturesLength.selector, 65, 64));
        committee.proveEquivocation(a, new bytes(65), b, good);
    }

    function test_proveEquivocation_revertsIfASignatureIsMalleable() public {
        bytes32 s = bytes32(type(uint256).max >> 1);
        bytes memory twin = abi.encodePacked(bytes32(uint256(1)), s);
        bytes memory good = compact(validatorKeys[0], market.certificateDigest(a));
        vm.expectRevert(abi.encodeWithSelector(ICommittee.MalleableSignature.selector, 0, s));
        committee.proveEquivocation(a, twin, b, good);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.MalleableSignature.selector, 1, s));
        committee.proveEquivocation(a, good, b, twin);
    }

    function test_proveEquivocation_revertsIfSignersDiffer() public {
        proveExpecting(
            abi.encodeWithSelector(ICommittee.SignersDiffer.selector, validator(0), validator(1)), 0, 1
        );
    }

    function test_proveEquivocation_revertsIfSignerIsNoMember() public {
        validatorKeys.push(posterKey);
        proveExpecting(abi.encodeWithSelector(ICommittee.NotMember.selector, a.taskId, poster), 4, 4);
    }

    function test_proveEquivocation_revertsIfProvenBefore() public {
        prove(2);
        bytes memory data = abi.encodeWithSelector(ICommittee.AlreadyProven.selector, validator(2), a.taskId);
        proveExpecting(data, 2, 2);
    }

    function test_proveEquivocation_revertsIfNoStakeIsLeft() public {
        prove(2);
        (a.taskId, b.taskId) = (createTask(), TaskId.wrap(2));
        bytes memory data = abi.encodeWithSelector(
            IStakeVault.NothingToSlash.selector, validator(2), committee.startedAt(epochOne())
        );
        proveExpecting(data, 2, 2);
    }

    function test_proveEquivocation__twoCertificatesForOneRound__costsTheStake() public {
        address signer = validator(2);
        (bytes32 digestA, bytes32 digestB) = (market.certificateDigest(a), market.certificateDigest(b));
        bytes memory signedA = compact(validatorKeys[2], digestA);
        bytes memory signedB = compact(validatorKeys[2], digestB);
        vm.expectEmit(address(committee));
        emit ICommittee.EquivocationProven(signer, a.taskId, digestA, digestB, VALIDATOR_STAKE, stranger);
        vm.prank(stranger);
        committee.proveEquivocation(a, signedA, b, signedB);
        assertEq(vault.slashableOf(signer), 0, "stake");
        assertEq(token.balanceOf(stranger), MAX_BOUNTY, "a bounded bounty");
        assertEq(token.balanceOf(treasury), VALIDATOR_STAKE - MAX_BOUNTY, "the rest");
        assertTrue(!committee.isValidator(signer), "out of the pool");
        assertTrue(committee.equivocated(signer, a.taskId), "remembered");
    }

    function test_proveEquivocation__rangesOverlapPartly__costsTheStake() public {
        (a.firstRound, a.lastRound) = (1, 5);
        (b.firstRound, b.lastRound) = (5, 9);
        prove(1);
        assertEq(vault.slashableOf(validator(1)), 0, "stake");
    }

    function test_proveEquivocation__leftAndUnbonding__isStillReached() public {
        vm.startPrank(validator(3));
        committee.leave();
        vault.unbond(VALIDATOR_STAKE);
        vm.stopPrank();
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY - 1);
        prove(3);
        assertEq(vault.slashableOf(validator(3)), 0, "stake");
    }

    function noEquivocation() private view returns (bytes memory) {
        return abi.encodeWithSelector(
            ICommittee.NoEquivocation.selector, market.certificateDigest(a), market.certificateDigest(b)
        );
    }

    function prove(uint256 index) private {
        bytes memory signedA = compact(validatorKeys[index], market.certificateDigest(a));
        bytes memory signedB = compact(validatorKeys[index], market.certificateDigest(b));
        committee.proveEquivocation(a, signedA, b, signedB);
    }

    function proveExpecting(bytes memory data, uint256 signerA, uint256 signerB) private {
        bytes memory signedA = compact(validatorKeys[signerA], market.certificateDigest(a));
        bytes memory signedB = compact(validatorKeys[signerB], market.certificateDigest(b));
        vm.expectRevert(data);
        committee.proveEquivocation(a, signedA, b, signedB);
    }
}

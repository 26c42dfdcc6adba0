// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IBlsKeys} from "../../src/interfaces/IBlsKeys.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {SignedCertificate} from "../../src/types/Claim.sol";
import {BlsFixture} from "../bls/BlsFixture.sol";

contract ProveJointEquivocationTest is BlsFixture {
    RoundCertificate private a;
    RoundCertificate private b;

    function setUp() public override {
        super.setUp();
        a = nextCertificate(startedTask());
        b = a;
        b.model = keccak256("another model");
        keys.gather(membersAt(a.taskId));
    }

    function test_proveJointEquivocation_revertsIfCertificatesAreTheSame() public {
        b = a;
        bytes32 digest = market.certificateDigest(a);
        expect(abi.encodeWithSelector(ICommittee.NoEquivocation.selector, digest, digest), validator(2));
    }

    function test_proveJointEquivocation_revertsIfSignerIsNoMember() public {
        expect(abi.encodeWithSelector(ICommittee.NotMember.selector, a.taskId, stranger), stranger);
    }

    function test_proveJointEquivocation_revertsIfSignerIsNotInBoth() public {
        bytes memory data =
            abi.encodeWithSelector(ICommittee.NotAmongSigners.selector, validator(0), uint64(7), uint64(14));
        expect(data, validator(0));
        data =
            abi.encodeWithSelector(ICommittee.NotAmongSigners.selector, validator(3), uint64(7), uint64(14));
        expect(data, validator(3));
    }

    function test_proveJointEquivocation_revertsIfTheFirstIsNotSigned() public {
        SignedCertificate memory first = SignedCertificate(a, 7, aggregate(a, 3));
        SignedCertificate memory second = SignedCertificate(b, 14, aggregate(b, 14));
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(7)));
        committee.proveJointEquivocation(validator(2), first, second);
    }

    function test_proveJointEquivocation_revertsIfTheSecondIsNotSigned() public {
        SignedCertificate memory first = SignedCertificate(a, 7, aggregate(a, 7));
        SignedCertificate memory second = SignedCertificate(b, 14, aggregate(a, 14));
        vm.expectRevert(abi.encodeWithSelector(IBlsKeys.AggregateInvalid.selector, uint64(14)));
        committee.proveJointEquivocation(validator(2), first, second);
    }

    function test_proveJointEquivocation_revertsIfProvenBefore() public {
        prove(validator(2));
        bytes memory data = abi.encodeWithSelector(ICommittee.AlreadyProven.selector, validator(2), a.taskId);
        expect(data, validator(2));
    }

    function test_proveJointEquivocation__twoAggregates__costsEachSignerOfBothTheStake() public {
        address signer = validator(2);
        (bytes32 digestA, bytes32 digestB) = (market.certificateDigest(a), market.certificateDigest(b));
        vm.expectEmit(address(committee));
        emit ICommittee.EquivocationProven(signer, a.taskId, digestA, digestB, VALIDATOR_STAKE, address(this));
        prove(signer);
        assertEq(vault.slashableOf(signer), 0, "stake");
        assertTrue(!committee.isValidator(signer), "out of the pool");
        prove(validator(1));
        assertEq(vault.slashableOf(validator(1)), 0, "the other's stake");
    }

    /// @dev Whoever gives only an aggregate for the one and only an own signature for the other is caught as well.
    function test_proveJointEquivocation__aggregateAndSignature__costsTheStake() public {
        SignedCertificate memory first = SignedCertificate(a, 7, aggregate(a, 7));
        SignedCertificate memory second = SignedCertificate(b, 4, signatures(b, 4));
        committee.proveJointEquivocation(validator(2), first, second);
        assertEq(vault.slashableOf(validator(2)), 0, "stake");
    }

    function test_proveJointEquivocation__oneSignerAlone__costsTheStake() public {
        SignedCertificate memory first = SignedCertificate(a, 2, aggregate(a, 2));
        SignedCertificate memory second = SignedCertificate(b, 2, aggregate(b, 2));
        committee.proveJointEquivocation(validator(1), first, second);
        assertEq(vault.slashableOf(validator(1)), 0, "stake");
    }

    function prove(address signer) private {
        SignedCertificate memory first = SignedCertificate(a, 7, aggregate(a, 7));
        SignedCertificate memory second = SignedCertificate(b, 14, aggregate(b, 14));
        committee.proveJointEquivocation(signer, first, second);
    }

    function expect(bytes memory data, address signer) private {
        SignedCertificate memory first = SignedCertificate(a, 7, aggregate(a, 7));
        SignedCertificate memory second = SignedCertificate(b, 14, aggregate(b, 14));
        vm.expectRevert(data);
        committee.proveJointEquivocation(signer, first, second);
    }
}

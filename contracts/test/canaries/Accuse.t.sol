// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {Accusation, AccusationStatus, Charge} from "../../src/types/Canary.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract AccuseTest is CanariesFixture {
    function test_accuse_revertsIfNotOpen() public {
        plant();
        start();
        Charge memory c = charge(0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotOpened.selector, taskId, miner(0)));
        canaries.accuse(c);
    }

    function test_accuse_revertsIfTooLate() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        uint256 end = canaries.accusationsEnd(taskId);
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.TooLateToAccuse.selector, taskId, end));
        canaries.accuse(c);
        vm.warp(end);
        canaries.accuse(c);
    }

    function test_accuse_revertsIfAccused() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        bytes32 key = canaries.accuse(c);
        bytes memory refusal =
            abi.encodeWithSelector(ICanaries.AccusationIs.selector, key, AccusationStatus.Open);
        vm.expectRevert(refusal);
        canaries.accuse(c);
        // Another certificate with the same canary is no second charge.
        c.certificate.model = keccak256("other");
        signCharge(c, 0);
        vm.expectRevert(refusal);
        canaries.accuse(c);
    }

    function test_accuse_revertsIfNotAMember() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        c.member = stranger;
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotMember.selector, taskId, stranger));
        canaries.accuse(c);
    }

    function test_accuse_revertsIfTheLeafIsNotInTheCertificate() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        c.certificate.contributionsRoot = keccak256("others");
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.ProofInvalid.selector,
                taskId,
                contributionLeaf(c.leaf),
                c.certificate.contributionsRoot
            )
        );
        canaries.accuse(c);
    }

    function test_accuse_revertsIfTheTailIsMalformed() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        c.tail.codeBytes = 4;
        vm.expectRevert(abi.encodeWithSelector(ICanaries.OutOfBounds.selector, "codeBytes", 4, 1, 2));
        canaries.accuse(c);
        c.tail.codeBytes = 2;
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.OutOfBounds.selector, "codesEnd", 134, 256, c.tail.data.length)
        );
        canaries.accuse(c);
        c.tail.codeBytes = 1;
        c.tail.codesEnd = uint32(c.tail.data.length + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICanaries.OutOfBounds.selector, "codesEnd", c.tail.codesEnd, 128, c.tail.data.length
            )
        );
        canaries.accuse(c);
        c.tail.codesEnd = 134;
        c.tail.skipped = 63;
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotABlock.selector, 63));
        canaries.accuse(c);
    }

    function test_accuse_revertsIfTheTailIsNotTheGradients() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        c.tail.data[140] = "x";
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.NotTheGradient.selector, c.leaf.gradient, sha256(c.tail.data))
        );
        canaries.accuse(c);
    }

    function test_accuse_revertsIfNotMarked() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        c.leaf.shard = 1;
        c.certificate.contributionsRoot = contributionLeaf(c.leaf);
        signCharge(c, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICanaries.NotMarked.selector,
                c.leaf.gradient,
                canaries.markOf(saltOf(0), keccak256("spec"), 1, 1),
                canaries.markOf(saltOf(0), keccak256("spec"), 1, 0)
            )
        );
        canaries.accuse(c);
    }

    function test_accuse_revertsIfNotSignedByTheMember() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        signCharge(c, 1);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotSignedByMember.selector, lazy, validator(1)));
        canaries.accuse(c);
        c.signature = "short";
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotSignedByMember.selector, lazy, address(0)));
        canaries.accuse(c);
    }

    function test_accuse__certificateOfAMemberWithoutSeed__isPunishableAtOnce() public {
        openFirst();
        Charge memory c = charge(0, 0, 2);
        bytes32 key = keyFor(lazy, 0, 1, 2);
        vm.expectEmit(address(canaries));
        emit ICanaries.MemberAccused(taskId, lazy, key, 1, 2, miner(0), vm.getBlockTimestamp());
        vm.prank(stranger);
        assertEq(canaries.accuse(c), key, "key");
        Accusation memory a = canaries.accusationOf(key);
        assertEq(a.accuser, stranger, "accuser");
        assertEq(a.miner, miner(0), "miner");
        canaries.punish(taskId, key, lazy);
    }

    function test_accuse__memberWithSeed__hasTheWholeTerm() public {
        plant();
        commitSeed(lazy, seedThat(true, 1, 0));
        start();
        open(0);
        bytes32 key = canaries.accuse(charge(0, 0, 0));
        assertEq(canaries.accusationOf(key).answerBy, vm.getBlockTimestamp() + ANSWER_TERM, "answerBy");
    }

    /// @dev What was never certified, because somebody else looked, convicts all the same.
    function testFuzz_accuse__preparedOnly__isEnough(uint64 view_, uint64 seq) public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        (c.prepared, c.view_, c.seq) = (true, view_, seq);
        c.signature = compact(validatorKeys[0], prepareDigest(c));
        bytes32 key = canaries.accuse(c);
        assertTrue(statusOf(key) == AccusationStatus.Open, "open");
    }

    function testFuzz_accuse__prepareOfAnotherPlace__doesNotCount(uint64 view_, uint64 seq, uint8 what)
        public
    {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        (c.prepared, c.view_, c.seq) = (true, view_, seq);
        c.signature = compact(validatorKeys[0], prepareDigest(c));
        what = uint8(bound(what, 0, 3));
        unchecked {
            if (what == 0) ++c.view_;
            else if (what == 1) ++c.seq;
            else if (what == 2) ++c.certificate.paidTotal;
            else c.prepared = false;
        }
        vm.expectRevert();
        canaries.accuse(c);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {AccusationStatus} from "../../src/types/Canary.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract AnswerTest is CanariesFixture {
    function test_answer_revertsIfThereIsNoSuchAccusation() public {
        bytes memory seed = seedFor(1);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AccusationIs.selector, SALT, AccusationStatus.None));
        canaries.answer(taskId, SALT, lazy, seed);
    }

    function test_answer_revertsIfTheAccusationIsAnotherMembers() public {
        (bytes32 key, bytes memory seed) = accused(false);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AccusationIs.selector, key, AccusationStatus.None));
        canaries.answer(taskId, key, validator(1), seed);
    }

    function test_answer_revertsIfTooLate() public {
        (bytes32 key, bytes memory seed) = accused(false);
        uint256 answerBy = canaries.accusationOf(key).answerBy;
        vm.warp(answerBy + 1);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AnswerTooLate.selector, key, answerBy));
        canaries.answer(taskId, key, lazy, seed);
        vm.warp(answerBy);
        canaries.answer(taskId, key, lazy, seed);
    }

    function test_answer_revertsIfItIsNotTheSeed() public {
        (bytes32 key, bytes memory seed) = accused(false);
        bytes memory refusal = abi.encodeWithSelector(ICanaries.NotTheSeed.selector, taskId, lazy);
        bytes memory other = seed;
        other[0] ^= 0x01;
        vm.expectRevert(refusal);
        canaries.answer(taskId, key, lazy, other);
        vm.expectRevert(refusal);
        canaries.answer(taskId, key, lazy, "short");
    }

    function test_answer_revertsIfThereIsNoSeed() public {
        openFirst();
        bytes32 key = canaries.accuse(charge(0, 0, 0));
        bytes memory seed = seedThat(false, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotTheSeed.selector, taskId, lazy));
        canaries.answer(taskId, key, lazy, seed);
    }

    function test_answer_revertsIfTheSampleHoldsTheCanary() public {
        (bytes32 key, bytes memory seed) = accused(true);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.SampleHolds.selector, taskId, 1, 0));
        canaries.answer(taskId, key, lazy, seed);
    }

    function test_answer__canaryOutsideTheSample__clearsForEver() public {
        (bytes32 key, bytes memory seed) = accused(false);
        vm.expectEmit(address(canaries));
        emit ICanaries.MemberCleared(taskId, lazy, key);
        vm.prank(stranger);
        canaries.answer(taskId, key, lazy, seed);
        vm.warp(vm.getBlockTimestamp() + ANSWER_TERM + 1);
        bytes memory refusal =
            abi.encodeWithSelector(ICanaries.AccusationIs.selector, key, AccusationStatus.Cleared);
        vm.expectRevert(refusal);
        canaries.punish(taskId, key, lazy);
        vm.expectRevert(refusal);
        canaries.answer(taskId, key, lazy, seed);
    }

    function accused(bool holds) private returns (bytes32 key, bytes memory seed) {
        seed = seedThat(holds, 1, 0);
        plant();
        commitSeed(lazy, seed);
        start();
        open(0);
        key = canaries.accuse(charge(0, 0, 0));
    }
}

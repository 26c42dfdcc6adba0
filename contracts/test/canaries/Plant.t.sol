// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {CanaryTerms} from "../../src/types/Canary.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract PlantTest is CanariesFixture {
    function test_constructor_revertsIfTheTermIsOutOfBounds() public {
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.OutOfBounds.selector, "answerTerm", 59, 1 minutes, 3 days)
        );
        newCanaries(market, 59);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICanaries.OutOfBounds.selector, "answerTerm", 3 days + 1, 1 minutes, 3 days
            )
        );
        newCanaries(market, 3 days + 1);
    }

    /// @dev The next thing that is looked at is the vault.
    function test_constructor__termAtABound__isTaken() public {
        bytes memory next =
            abi.encodeWithSelector(ICanaries.MiswiredDeployment.selector, "vault.isSlasher(canaries)");
        vm.expectRevert(next);
        newCanaries(market, 1 minutes);
        vm.expectRevert(next);
        newCanaries(market, 3 days);
    }

    function test_constructor_revertsIfTheVaultDoesNotNameIt() public {
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.MiswiredDeployment.selector, "vault.isSlasher(canaries)")
        );
        newCanaries(market, ANSWER_TERM);
    }

    function test_constructor__setsItsReferences() public view {
        assertEq(address(canaries.MARKET()), address(market), "market");
        assertEq(address(canaries.VAULT()), address(vault), "vault");
        assertEq(canaries.ANSWER_TERM(), ANSWER_TERM, "term");
    }

    function test_plant_revertsIfTheCallerIsNotThePoster() public {
        CanaryTerms memory t = terms();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotPoster.selector, taskId, stranger, poster));
        canaries.plant(taskId, t);
        TaskId unknown = TaskId.wrap(99);
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.NotPoster.selector, unknown, poster, address(0)));
        canaries.plant(unknown, t);
    }

    function test_plant_revertsIfTheTaskHasBegun() public {
        CanaryTerms memory t = terms();
        uint256 startsAt = market.task(taskId).startsAt;
        start();
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.TaskBegun.selector, taskId, startsAt));
        canaries.plant(taskId, t);
        vm.warp(startsAt - 1);
        vm.prank(poster);
        canaries.plant(taskId, t);
    }

    function test_plant_revertsIfPlanted() public {
        plant();
        CanaryTerms memory t = terms();
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AlreadyPlanted.selector, taskId));
        canaries.plant(taskId, t);
    }

    function test_plant_revertsIfATermIsOutOfBounds() public {
        CanaryTerms memory t = terms();
        t.root = 0;
        refuses(t, "root", 0, 1, type(uint256).max);
        t = terms();
        t.samplePpm = 1_000_001;
        refuses(t, "samplePpm", 1_000_001, 0, 1_000_000);
        t = terms();
        t.penalty = 0;
        refuses(t, "penalty", 0, 1, VALIDATOR_STAKE / 2);
        t.penalty = uint96(VALIDATOR_STAKE / 2 + 1);
        refuses(t, "penalty", t.penalty, 1, VALIDATOR_STAKE / 2);
        t.penalty = uint96(VALIDATOR_STAKE / 2);
        t.samplePpm = 1_000_000;
        vm.prank(poster);
        canaries.plant(taskId, t);
    }

    function test_plant__firstTime__keepsTheTerms() public {
        CanaryTerms memory t = terms();
        vm.expectEmit(address(canaries));
        emit ICanaries.CanariesPlanted(taskId, t);
        plant();
        assertEq(keccak256(abi.encode(canaries.termsOf(taskId))), keccak256(abi.encode(t)), "terms");
    }

    function test_plant__leastOfEverything__isTaken() public {
        CanaryTerms memory t = CanaryTerms(bytes32(uint256(1)), 0, 1);
        vm.prank(poster);
        canaries.plant(taskId, t);
        assertEq(canaries.termsOf(taskId).penalty, 1, "penalty");
    }

    function refuses(CanaryTerms memory t, string memory field, uint256 value, uint256 min, uint256 max)
        private
    {
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.OutOfBounds.selector, field, value, min, max));
        canaries.plant(taskId, t);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICanaries} from "../../src/interfaces/ICanaries.sol";
import {AccusationStatus, Charge} from "../../src/types/Canary.sol";
import {CanariesFixture} from "./CanariesFixture.sol";

contract PunishTest is CanariesFixture {
    function test_punish_revertsIfThereIsNoSuchAccusation() public {
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AccusationIs.selector, SALT, AccusationStatus.None));
        canaries.punish(taskId, SALT, lazy);
    }

    function test_punish_revertsIfTheAccusationIsAnotherMembers() public {
        openFirst();
        bytes32 key = canaries.accuse(charge(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(ICanaries.AccusationIs.selector, key, AccusationStatus.None));
        canaries.punish(taskId, key, validator(1));
    }

    function test_punish_revertsIfStillAnswerable() public {
        plant();
        commitSeed(lazy, seedThat(true, 1, 0));
        start();
        open(0);
        bytes32 key = canaries.accuse(charge(0, 0, 0));
        uint256 answerBy = canaries.accusationOf(key).answerBy;
        vm.warp(answerBy);
        vm.expectRevert(abi.encodeWithSelector(ICanaries.StillAnswerable.selector, key, answerBy));
        canaries.punish(taskId, key, lazy);
        vm.warp(answerBy + 1);
        canaries.punish(taskId, key, lazy);
        vm.expectRevert(
            abi.encodeWithSelector(ICanaries.AccusationIs.selector, key, AccusationStatus.Punished)
        );
        canaries.punish(taskId, key, lazy);
    }

    function test_punish__guilty__paysTheMinerTheAccuserAndTheTreasury() public {
        openFirst();
        Charge memory c = charge(0, 0, 0);
        vm.prank(stranger);
        bytes32 key = canaries.accuse(c);
        uint256 minerBefore = token.balanceOf(miner(0));
        uint256 treasuryBefore = token.balanceOf(treasury);
        vm.expectEmit(address(canaries));
        emit ICanaries.MemberPunished(taskId, lazy, key, 1, 0, PENALTY);
        assertEq(canaries.punish(taskId, key, lazy), PENALTY, "taken");
        assertEq(vault.stakeOf(lazy), VALIDATOR_STAKE - PENALTY, "stake");
        assertEq(token.balanceOf(miner(0)) - minerBefore, PENALTY / 2, "miner");
        assertEq(token.balanceOf(stranger), MAX_BOUNTY, "bounty");
        assertEq(token.balanceOf(treasury) - treasuryBefore, PENALTY / 2 - MAX_BOUNTY, "treasury");
    }

    function test_punish__manyCanaries__eachCostsOnce() public {
        openFirst();
        open(1);
        for (uint32 shard = 0; shard < SHARDS; ++shard) {
            canaries.punish(taskId, canaries.accuse(charge(0, 0, shard)), lazy);
            canaries.punish(taskId, canaries.accuse(charge(0, 1, shard)), lazy);
        }
        assertEq(vault.stakeOf(lazy), VALIDATOR_STAKE - 8 * uint256(PENALTY), "stake");
    }

    function test_punish__nothingLeft__endsAllTheSame() public {
        openFirst();
        for (uint32 shard = 0; shard < SHARDS; ++shard) {
            for (uint256 index = 0; index < 2; ++index) {
                if (index == 1 && canaries.saltOf(taskId, miner(1)) == 0) open(1);
                canaries.punish(taskId, canaries.accuse(charge(0, index, shard)), lazy);
            }
        }
        certify(nextCertificate(taskId));
        for (uint32 shard = 0; shard < 3; ++shard) {
            bytes32 key = canaries.accuse(charge(0, 0, shard));
            assertEq(canaries.punish(taskId, key, lazy), shard < 2 ? PENALTY : 0, "taken");
        }
        assertEq(vault.slashableOf(lazy), 0, "stake");
    }

    /// @dev The last token that a member has left is taken too.
    function test_punish__oneUnitLeft__isTaken() public {
        openFirst();
        lose(VALIDATOR_STAKE - 1);
        assertEq(canaries.punish(taskId, canaries.accuse(charge(0, 0, 0)), lazy), 1, "taken");
    }

    /// @dev What was lost in the second of the snapshot did not stand for the signature, what came later does not.
    function test_punish__stakeIsAllNew__costsNothing() public {
        assertEq(committee.startedAt(market.task(taskId).epoch), vm.getBlockTimestamp(), "the same second");
        lose(VALIDATOR_STAKE);
        openFirst();
        stakeAs(lazy, VALIDATOR_STAKE);
        assertEq(canaries.punish(taskId, canaries.accuse(charge(0, 0, 0)), lazy), 0, "taken");
        assertEq(vault.stakeOf(lazy), VALIDATOR_STAKE, "stake");
    }

    function test_accusationsEnd__anyTask__leavesTwoTermsBeforeTheStakesGo() public view {
        uint256 gone =
            market.task(taskId).deadline + market.settlementTime(WINDOW) + market.SETTLEMENT_MARGIN();
        assertEq(canaries.accusationsEnd(taskId), gone - 2 * ANSWER_TERM, "end");
    }

    /// @dev Another contract takes `amount` of the sleeper's stake.
    function lose(uint256 amount) private {
        uint256 time = vm.getBlockTimestamp();
        vm.prank(address(market));
        vault.slash(lazy, amount, time, address(0), address(0));
    }

    /// @dev The last second of an accusation leaves time for an answer and a punishment before any stake can be gone.
    function test_punish__accusedInTheLastSecond__stakeIsStillThere() public {
        plant();
        commitSeed(lazy, seedThat(true, 1, 0));
        vm.prank(lazy);
        vault.unbond(VALIDATOR_STAKE);
        start();
        open(0);
        vm.warp(canaries.accusationsEnd(taskId));
        bytes32 key = canaries.accuse(charge(0, 0, 0));
        vm.warp(canaries.accusationOf(key).answerBy + 1);
        assertEq(canaries.punish(taskId, key, lazy), PENALTY, "taken");
        assertTrue(
            vm.getBlockTimestamp()
                < market.task(taskId).deadline + market.settlementTime(WINDOW) + market.SETTLEMENT_MARGIN(),
            "room"
        );
    }
}

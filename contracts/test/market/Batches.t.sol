// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {PayoutClaim, SignedCertificate} from "../../src/types/Claim.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice `certifyMany` and `claimMany`.
contract BatchesTest is MarketFixture {
    TaskId private first;
    TaskId private second;

    function setUp() public override {
        super.setUp();
        first = createTask();
        second = startedTask();
    }

    function test_certifyMany_revertsIfBatchIsTooLong() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.BatchTooLong.selector, 65, 64));
        market.certifyMany(new SignedCertificate[](65));
    }

    function test_certifyMany_revertsIfOneIsRefused() public {
        SignedCertificate[] memory batch = twoTasks();
        batch[1].certificate.specHash = keccak256("other");
        vm.expectPartialRevert(ITrainingMarket.SpecMismatch.selector);
        market.certifyMany(batch);
        assertEq(market.task(first).lastRound, 0, "none of them");
    }

    function test_certifyMany__manyTasks__advancesAll() public {
        assertEq(market.certifyMany(twoTasks()), 2, "accepted");
        assertEq(market.task(first).lastRound, 1, "first");
        assertEq(market.task(second).lastRound, 1, "second");
    }

    function test_certifyMany__oneWasPostedBefore__isPassedOver() public {
        SignedCertificate[] memory batch = twoTasks();
        vm.prank(stranger);
        market.certify(batch[0].certificate, batch[0].signers, batch[0].signatures);
        assertEq(market.certifyMany(batch), 1, "accepted");
        assertEq(market.task(second).lastRound, 1, "second");
    }

    function test_certifyMany__longestBatch__isAllowed() public {
        assertEq(market.certifyMany(new SignedCertificate[](64)), 0, "nothing in it to accept");
    }

    function test_claimMany_revertsIfBatchIsTooLong() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.BatchTooLong.selector, 65, 64));
        market.claimMany(new PayoutClaim[](65));
    }

    function test_claimMany_revertsIfOneIsForged() public {
        PayoutClaim[] memory batch = allMiners();
        batch[2].cumulative += 1;
        vm.expectPartialRevert(ITrainingMarket.RecordUnknown.selector);
        market.claimMany(batch);
        assertEq(market.claimed(second, miner(0)), 0, "none of them");
    }

    function test_claimMany__relayed__paysEachNamedAccount() public {
        uint256[] memory before = new uint256[](4);
        for (uint256 i = 0; i < 4; ++i) {
            before[i] = token.balanceOf(miner(i));
        }
        PayoutClaim[] memory batch = allMiners();
        vm.prank(stranger);
        assertEq(market.claimMany(batch), 4 * REWARD, "in all");
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(token.balanceOf(miner(i)) - before[i], REWARD, "to the miner");
        }
        assertEq(token.balanceOf(stranger), 0, "nothing to the relay");
        vm.recordLogs();
        assertEq(market.claimMany(batch), 0, "and nothing twice");
        assertEq(vm.getRecordedLogs().length, 0, "no payment is told of, and none is made");
    }

    function test_claimMany__oneWasClaimedBefore__isPassedOver() public {
        PayoutClaim[] memory batch = allMiners();
        market.claim(second, batch[1].record, miner(1), REWARD, batch[1].proof);
        assertEq(market.claimMany(batch), 3 * REWARD, "the others");
    }

    function twoTasks() private view returns (SignedCertificate[] memory batch) {
        batch = new SignedCertificate[](2);
        for (uint256 i = 0; i < 2; ++i) {
            RoundCertificate memory c = nextCertificate(i == 0 ? first : second);
            batch[i] = SignedCertificate(c, THREE, signatures(c, THREE));
        }
    }

    function allMiners() private returns (PayoutClaim[] memory batch) {
        certify(nextCertificate(second));
        batch = new PayoutClaim[](4);
        for (uint256 i = 0; i < 4; ++i) {
            batch[i] = PayoutClaim(second, lastPayouts(second), miner(i), REWARD, minerProof(second, i));
        }
    }
}

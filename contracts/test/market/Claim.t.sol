// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract ClaimTest is MarketFixture {
    TaskId private taskId;

    function setUp() public override {
        super.setUp();
        taskId = startedTask();
        certify(nextCertificate(taskId));
    }

    function test_claim_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, 9));
        market.claim(TaskId.wrap(9), lastPayouts(TaskId.wrap(9)), miner(0), 1, noProof());
    }

    function test_claim_revertsIfNothingIsCertified() public {
        TaskId fresh = createTask();
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, fresh, 0));
        market.claim(fresh, lastPayouts(fresh), miner(0), 1, noProof());
    }

    function test_claim_revertsIfProofIsWrong() public {
        uint256 due = minerDue(taskId);
        bytes32[] memory proof = minerProof(taskId, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.RecordUnknown.selector, taskId, 0));
        market.claim(taskId, lastPayouts(taskId), miner(0), due + 1, proof);
    }

    function test_claim_revertsIfClaimedBefore() public {
        claimFor(0);
        uint256 due = minerDue(taskId);
        bytes32[] memory proof = minerProof(taskId, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NothingToClaim.selector, taskId, miner(0), due)
        );
        market.claim(taskId, lastPayouts(taskId), miner(0), due, proof);
    }

    function test_claim_revertsIfLeavesExceedPaidTotal() public {
        RoundCertificate memory c = nextCertificate(taskId);
        c.payoutsRoot = payoutLeaf(stranger, uint256(c.paidTotal) + 1);
        certify(c);
        bytes memory data = abi.encodeWithSelector(
            ITrainingMarket.ClaimsExceedPaidTotal.selector, taskId, uint256(c.paidTotal) + 1, c.paidTotal
        );
        vm.expectRevert(data);
        market.claim(taskId, lastPayouts(taskId), stranger, uint256(c.paidTotal) + 1, noProof());
    }

    function test_claim__byAnyone__paysTheNamedAccount() public {
        uint256 before = token.balanceOf(miner(1));
        uint256 due = minerDue(taskId);
        bytes32[] memory proof = minerProof(taskId, 1);
        vm.expectEmit(address(market));
        emit ITrainingMarket.Claimed(taskId, miner(1), due, due);
        vm.prank(stranger);
        uint256 amount = market.claim(taskId, lastPayouts(taskId), miner(1), due, proof);
        assertEq(amount, due, "amount");
        assertEq(token.balanceOf(miner(1)) - before, due, "paid");
        assertEq(market.claimed(taskId, miner(1)), due, "books");
    }

    function test_claim__nextCertificate__paysTheDifference() public {
        claimFor(2);
        uint256 first = minerDue(taskId);
        certify(nextCertificate(taskId));
        uint256 amount = claimFor(2);
        assertEq(amount, minerDue(taskId) - first, "difference");
    }

    function test_claim__afterClose__isPaidForEver() public {
        vm.warp(market.task(taskId).deadline + 1);
        market.close(taskId);
        vm.warp(vm.getBlockTimestamp() + 3_650 days);
        assertEq(claimFor(3), REWARD, "amount");
    }

    function testFuzz_claim__anySplit__neverPaysMoreThanPaidTotal(uint256 seed, uint8 count) public {
        uint256 n = bound(count, 1, 20);
        RoundCertificate memory c = nextCertificate(taskId);
        bytes32[] memory leaves = new bytes32[](n);
        uint256[] memory amounts = new uint256[](n);
        uint256 rest = c.paidTotal;
        for (uint256 i = 0; i < n; ++i) {
            amounts[i] = i + 1 == n ? rest : uint256(keccak256(abi.encode(seed, i))) % (rest / 2 + 1);
            rest -= amounts[i];
            leaves[i] = payoutLeaf(address(uint160(0xC0FFEE00 + i)), amounts[i]);
        }
        c.payoutsRoot = MerkleTree.root(leaves);
        certify(c);
        uint256 paid = 0;
        for (uint256 i = 0; i < n; ++i) {
            if (amounts[i] == 0) continue;
            paid += market.claim(
                taskId,
                lastPayouts(taskId),
                address(uint160(0xC0FFEE00 + i)),
                amounts[i],
                MerkleTree.proof(leaves, i)
            );
        }
        assertEq(paid, c.paidTotal, "all of it and no more");
    }

    function claimFor(uint256 index) private returns (uint256) {
        return
            market.claim(
                taskId, lastPayouts(taskId), miner(index), minerDue(taskId), minerProof(taskId, index)
            );
    }
}

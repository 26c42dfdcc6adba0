// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {PayoutClaim} from "../../src/types/Claim.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Permit} from "../../src/types/Permit.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Gas of the other transactions, and of certificates by the size of the committee.
/// forge-config: default.isolate = true
contract GasTest is MarketFixture {
    function test_create__approved__isMeasured() public {
        TaskParams memory p = someParams();
        vm.prank(poster);
        market.createTask(p);
        vm.snapshotGasLastCall("market", "createTask");
    }

    function test_create__permit__isMeasured() public {
        Permit memory permit = permitFor(posterKey, address(market), ESCROW);
        TaskParams memory p = someParams();
        vm.prank(poster);
        market.createTaskWithPermit(p, permit);
        vm.snapshotGasLastCall("market", "createTaskWithPermit");
    }

    function test_claim__1024Leaves__staysInBudget() public {
        TaskId taskId = startedTask();
        uint256 first = claimed(taskId, 1, "claim first, 1024 leaves");
        assertAtMost(first, 80_000, "first");
        assertAtMost(claimed(taskId, 2, "claim next, 1024 leaves"), 65_000, "next");
    }

    function test_slash__certifiedFault__isMeasured() public {
        TaskId taskId = startedTask();
        FaultLeaf memory leaf = certifyFault(taskId);
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        vm.snapshotGasLastCall("market", "slash");
    }

    function test_close__completed__isMeasured() public {
        TaskId taskId = startedTask();
        certifyAll(taskId);
        market.close(taskId);
        vm.snapshotGasLastCall("market", "close");
        address account = validator(0);
        market.claimSigningFee(taskId, lastRecord(taskId), account);
        vm.snapshotGasLastCall("market", "claimSigningFee");
    }

    /// @dev 16 of 1,024 leaves in one transaction, none claimed before: the fixed costs are shared.
    function test_claimMany__sixteenOf1024__isCheaperThanEachAlone() public {
        TaskId taskId = startedTask();
        RoundCertificate memory c = nextCertificate(taskId);
        bytes32[] memory leaves = new bytes32[](1_024);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = payoutLeaf(address(uint160(0xACC0 + i)), 1e15);
        }
        c.payoutsRoot = MerkleTree.root(leaves);
        certify(c);
        PayoutClaim[] memory batch = new PayoutClaim[](16);
        for (uint256 i = 0; i < batch.length; ++i) {
            address account = address(uint160(0xACC0 + i));
            fund(account, 1);
            batch[i] = PayoutClaim(taskId, lastPayouts(taskId), account, 1e15, MerkleTree.proof(leaves, i));
        }
        market.claimMany(batch);
        uint256 gas = vm.snapshotGasLastCall("market", "claimMany first, 16 of 1024 leaves");
        assertAtMost(gas / 16, 55_000, "each");
    }

    function test_certify__committeesOfEverySize__stayInBudget() public {
        committeeOf(7, 5, 110_000);
        committeeOf(16, 11, 135_000);
        committeeOf(31, 21, 200_000);
        committeeOf(64, 43, 280_000);
    }

    function committeeOf(uint256 size, uint256 quorum, uint256 budget) private {
        addValidators(size - validatorKeys.length);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        vm.snapshotGasLastCall("committee", string.concat("advanceEpoch ", vm.toString(size)));
        TaskId taskId = startedTask();
        uint64 signers = uint64((uint256(1) << quorum) - 1);
        for (uint256 i = 0; i < 2; ++i) {
            RoundCertificate memory c = nextCertificate(taskId);
            bytes memory signed = signatures(c, signers);
            market.certify(c, signers, signed);
        }
        uint256 gas = vm.snapshotGasLastCall("committee", string.concat("certify ", vm.toString(size)));
        assertAtMost(gas, budget, "certificate");
    }

    /// @dev The account has the token already, as a miner with a stake usually does.
    function claimed(TaskId taskId, uint256 times, string memory name) private returns (uint256) {
        RoundCertificate memory c = nextCertificate(taskId);
        bytes32[] memory leaves = new bytes32[](1_024);
        address account = miner(0);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = payoutLeaf(i == 0 ? account : address(uint160(i)), times * 1e15);
        }
        c.payoutsRoot = MerkleTree.root(leaves);
        certify(c);
        bytes32[] memory proof = MerkleTree.proof(leaves, 0);
        if (token.balanceOf(account) == 0) fund(account, 1);
        market.claim(taskId, lastPayouts(taskId), account, times * 1e15, proof);
        return vm.snapshotGasLastCall("market", name);
    }
}

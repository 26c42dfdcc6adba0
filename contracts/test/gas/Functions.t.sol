// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {CertificateRecord, FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {Permit} from "../../src/types/Permit.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Gas of every external function that writes, as a whole transaction, and the size of every contract.
/// forge-config: default.isolate = true
contract FunctionsGasTest is MarketFixture {
    uint256 private constant MAX_RUNTIME_BYTES = 20_000;

    function test_vault__everyFunction__isMeasured() public {
        fund(stranger, MINER_STAKE);
        vm.startPrank(stranger);
        token.approve(address(vault), MINER_STAKE);
        vault.deposit(MINER_STAKE / 2);
        shot("deposit, first");
        vault.deposit(MINER_STAKE / 2);
        shot("deposit, next");
        vault.unbond(MINER_STAKE);
        shot("unbond");
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY);
        vault.withdraw();
        shot("withdraw");
        vm.stopPrank();
        Permit memory permit = permitFor(posterKey, address(vault), MINER_STAKE);
        vm.prank(poster);
        vault.depositWithPermit(MINER_STAKE, permit);
        shot("depositWithPermit");
    }

    function test_committee__everyFunction__isMeasured() public {
        stakeAs(stranger, VALIDATOR_STAKE);
        vm.startPrank(stranger);
        committee.join("wss://validator.example.org:9000");
        shot("join");
        committee.setEndpoint("wss://validator.example.net:9000");
        shot("setEndpoint");
        committee.leave();
        shot("leave");
        vm.stopPrank();
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        shot("advanceEpoch");
        TaskId taskId = startedTask();
        RoundCertificate memory a = nextCertificate(taskId);
        RoundCertificate memory b = nextCertificate(taskId);
        b.model = keccak256("another");
        bytes memory signedA = compact(validatorKeys[0], market.certificateDigest(a));
        bytes memory signedB = compact(validatorKeys[0], market.certificateDigest(b));
        committee.proveEquivocation(a, signedA, b, signedB);
        shot("proveEquivocation");
    }

    function test_market__cancel__isMeasured() public {
        TaskId taskId = createTask();
        vm.prank(poster);
        market.cancel(taskId);
        shot("cancel");
    }

    function test_market__closeAfterDeadline__isMeasured() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        vm.warp(uint256(market.task(taskId).deadline) + 1);
        market.close(taskId);
        shot("close after the deadline");
    }

    function test_certify__anyNumberOfLeaves__costsTheSame() public {
        uint256[6] memory counts = [uint256(1), 10, 100, 1_000, 10_000, 100_000];
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        uint256 least = type(uint256).max;
        uint256 most = 0;
        for (uint256 i = 0; i < counts.length; ++i) {
            RoundCertificate memory c = nextCertificate(taskId);
            c.payoutsRoot = MerkleTree.root(leavesOf(address(1), counts[i]));
            bytes memory signed = signatures(c, THREE);
            market.certify(c, THREE, signed);
            uint256 gas = vm.snapshotGasLastCall("leaves", string.concat("certify ", vm.toString(counts[i])));
            least = gas < least ? gas : least;
            most = gas > most ? gas : most;
        }
        // Roots and signatures differ in their zero bytes, each of which saves 30 gas at most.
        assertAtMost(most - least, 300, "leaves must not matter");
    }

    function test_claim__treesOfEverySize__areMeasured() public {
        // The first claim of an account writes a new slot; the second over one leaf overwrites its figure.
        uint256[7] memory counts = [uint256(1), 1, 16, 256, 1_024, 16_384, 65_536];
        TaskId taskId = startedTask();
        address account = miner(0);
        fund(account, 1);
        for (uint256 i = 0; i < counts.length; ++i) {
            bytes32[] memory leaves = leavesOf(account, counts[i]);
            leaves[0] = payoutLeaf(account, (i + 1) * 1e12);
            RoundCertificate memory c = nextCertificate(taskId);
            c.payoutsRoot = MerkleTree.root(leaves);
            certify(c);
            bytes32[] memory proof = MerkleTree.proof(leaves, 0);
            market.claim(taskId, lastPayouts(taskId), account, (i + 1) * 1e12, proof);
            vm.snapshotGasLastCall("leaves", string.concat("claim ", vm.toString(counts[i])));
        }
    }

    function test_slash__manyFaults__isMeasured() public {
        TaskId taskId = startedTask();
        FaultLeaf memory leaf = someFault(0);
        bytes32[] memory leaves = leavesOf(address(1), 1_024);
        leaves[0] = faultLeaf(leaf);
        RoundCertificate memory c = nextCertificate(taskId);
        c.faultsRoot = MerkleTree.root(leaves);
        certify(c);
        bytes32[] memory proof = MerkleTree.proof(leaves, 0);
        CertificateRecord memory record = lastRecord(taskId);
        vm.prank(stranger);
        market.slash(taskId, record, claimOf(taskId, leaf), signedClaim(taskId, leaf), proof);
        shot("slash, 1024 faults");
    }

    function test_runtime__everyContract__staysSmall() public {
        size("TrainingMarket", address(market));
        size("StakeVault", address(vault));
        size("Committee", address(committee));
        size("Appeals", address(appeals));
        size("Canaries", address(canaries));
    }

    function size(string memory name, address deployed) private {
        vm.snapshotValue("sizes", name, deployed.code.length);
        assertAtMost(deployed.code.length, MAX_RUNTIME_BYTES, name);
    }

    function shot(string memory name) private {
        vm.snapshotGasLastCall("functions", name);
    }

    /// @dev Payouts to as many accounts, which differ.
    function leavesOf(address first, uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(first, i));
        }
    }
}

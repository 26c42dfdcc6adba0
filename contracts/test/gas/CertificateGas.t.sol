// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Gas of whole certificate transactions: with isolation each call is a transaction of its own, with its
/// 21,000, its calldata and cold storage.
/// forge-config: default.isolate = true
contract CertificateGasTest is MarketFixture {
    uint256 private constant BUDGET = 110_000;
    uint256 private constant STEADY_BUDGET = 80_000;
    uint256 private constant PER_ROUND_BUDGET = 8_000;

    function test_certify__firstWrite__staysInBudget() public {
        assertAtMost(measured("first write", nextCertificate(startedTask())), BUDGET, "first certificate");
    }

    function test_certify__firstWriteWithFaults__staysInBudget() public {
        RoundCertificate memory certificate = nextCertificate(startedTask());
        certificate.faultsRoot = faultLeaf(someFault(0));
        assertAtMost(
            measured("first write with faults", certificate), BUDGET, "first certificate with a fault"
        );
    }

    function test_certify__steadyState__staysInBudget() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        assertAtMost(measured("steady state", nextCertificate(taskId)), STEADY_BUDGET, "second certificate");
    }

    function test_certify__sixteenRounds__staysInBudgetPerRound() public {
        TaskParams memory p = someParams();
        (p.rounds, p.startsAt) = (40, 0);
        TaskId taskId = createTask(p);
        certify(nextCertificate(taskId));
        uint256 gas = measured("16 rounds in one", nextCertificate(taskId, 16));
        assertAtMost(gas, 16 * PER_ROUND_BUDGET, "per round");
        assertAtMost(gas, STEADY_BUDGET + 200, "a certificate over many rounds costs what one over one costs");
    }

    /// @dev With a challenge window: the first 64 certificates write fresh slots, the others overwrite.
    function test_certify__challengeWindow__isMeasured() public {
        TaskParams memory p = someParams();
        (p.rounds, p.startsAt, p.challengeWindow, p.deadline) =
        (100, 0, 60, uint64(vm.getBlockTimestamp() + 9 days));
        TaskId taskId = createTask(p);
        certify(nextCertificate(taskId));
        assertAtMost(measured("with a window, fresh slot", nextCertificate(taskId)), BUDGET, "fresh");
        for (uint256 i = 2; i < 66; ++i) {
            vm.warp(vm.getBlockTimestamp() + 61);
            certify(nextCertificate(taskId));
        }
        assertAtMost(measured("with a window, steady state", nextCertificate(taskId)), 83_000, "steady");
    }

    function test_certify__thousandLeaves__costsWhatFourMinersCost() public {
        TaskId four = startedTask();
        TaskId thousand = createTask();
        vm.warp(vm.getBlockTimestamp() + START_DELAY);
        RoundCertificate memory few = nextCertificate(four);
        RoundCertificate memory many = nextCertificate(thousand);
        bytes32[] memory leaves = new bytes32[](1_000);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = payoutLeaf(address(uint160(i + 1)), many.paidTotal / leaves.length);
        }
        many.payoutsRoot = MerkleTree.root(leaves);
        uint256 gasFew = measured("4 leaves", few);
        uint256 gasMany = measured("1000 leaves", many);
        // Roots and signatures differ in their zero bytes, each of which saves 12 gas.
        assertAtMost(gasMany, gasFew + 200, "leaves must not matter");
        assertAtMost(gasMany, BUDGET, "1,000 leaves");
    }

    function measured(string memory name, RoundCertificate memory certificate) private returns (uint256 gas) {
        bytes memory signed = signatures(certificate, THREE);
        uint256 index = market.task(certificate.taskId).certificates;
        market.certify(certificate, THREE, signed);
        gas = vm.snapshotGasLastCall("certificate", name);
        records[id(certificate.taskId)].push(recordOf(certificate, THREE, index));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice Gas of whole certificate transactions: with isolation each call is a transaction of its own, with its
/// 21,000, its calldata and cold storage.
/// forge-config: default.isolate = true
contract CertificateGasTest is MarketFixture {
    uint256 private constant BUDGET = 110_000;
    uint256 private constant STEADY_BUDGET = 80_000;

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
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        uint256 gas = measured("nine rounds in one", nextCertificate(taskId, 9));
        assertAtMost(gas, STEADY_BUDGET, "a certificate over many rounds costs what one over one round costs");
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
        market.certify(certificate, THREE, signed);
        gas = vm.snapshotGasLastCall("certificate", name);
    }
}

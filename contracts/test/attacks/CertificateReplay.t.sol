// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundCertificate} from "../../src/types/Certificate.sol";
import {Epoch, TaskId} from "../../src/types/Ids.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice An attacker holds a signed certificate and posts it with one field changed, twice, for another task, on
/// another chain, or to another market.
contract CertificateReplayAttack is MarketFixture {
    TaskId private taskId;
    RoundCertificate private good;
    bytes private signed;

    function setUp() public override {
        super.setUp();
        taskId = startedTask();
        good = nextCertificate(taskId);
        signed = signatures(good, THREE);
    }

    function test_replay__sameCertificateTwice__reverts() public {
        market.certify(good, THREE, signed);
        attack(good);
    }

    function testFuzz_replay__taskIdMutated__reverts(uint256 value) public {
        createTask();
        vm.warp(vm.getBlockTimestamp() + START_DELAY);
        RoundCertificate memory c = good;
        vm.assume(value != id(c.taskId));
        c.taskId = TaskId.wrap(value);
        attack(c);
        c.taskId = TaskId.wrap(2);
        attack(c);
    }

    function testFuzz_replay__firstRoundMutated__reverts(uint32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.firstRound);
        c.firstRound = value;
        attack(c);
    }

    function testFuzz_replay__lastRoundMutated__reverts(uint32 value) public {
        RoundCertificate memory c = good;
        c.lastRound = uint32(bound(value, 2, ROUNDS));
        attack(c);
    }

    function testFuzz_replay__epochMutated__reverts(uint32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != Epoch.unwrap(c.epoch));
        c.epoch = Epoch.wrap(value);
        attack(c);
    }

    function testFuzz_replay__specHashMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.specHash);
        c.specHash = value;
        attack(c);
    }

    function testFuzz_replay__parentModelMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.parentModel);
        c.parentModel = value;
        attack(c);
    }

    function testFuzz_replay__modelMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.model);
        c.model = value;
        attack(c);
    }

    function testFuzz_replay__contributionsRootMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.contributionsRoot);
        c.contributionsRoot = value;
        attack(c);
    }

    function testFuzz_replay__faultsRootMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.faultsRoot);
        c.faultsRoot = value;
        attack(c);
    }

    function testFuzz_replay__payoutsRootMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.payoutsRoot);
        c.payoutsRoot = value;
        attack(c);
    }

    function testFuzz_replay__paidTotalMutated__reverts(uint128 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.paidTotal);
        c.paidTotal = value;
        attack(c);
    }

    function testFuzz_replay__segmentMutated__reverts(bytes32 value) public {
        RoundCertificate memory c = good;
        vm.assume(value != c.segment);
        c.segment = value;
        attack(c);
    }

    function testFuzz_replay__otherChain__reverts(uint64 chain) public {
        vm.assume(chain != block.chainid && chain != 0);
        vm.chainId(chain);
        attack(good);
    }

    function test_replay__otherMarketWithTheSameCommitteeAndTask__reverts() public {
        bytes memory old = signed;
        address[] memory before = committee.membersOf(epochOne());
        deploy(token);
        vm.prank(poster);
        token.approve(address(market), type(uint256).max);
        for (uint256 i = 0; i < 4; ++i) {
            stakeAs(validator(i), VALIDATOR_STAKE);
            vm.prank(validator(i));
            committee.join("ws://x");
        }
        committee.advanceEpoch();
        assertEq(
            keccak256(abi.encode(committee.membersOf(epochOne()))), keccak256(abi.encode(before)), "same"
        );
        startedTask();
        signed = old;
        attack(good);
    }

    /// @dev A value too wide for its type, placed in calldata by hand, must not reach the books.
    function testFuzz_replay__dirtyHighBits__reverts(uint256 dirt) public {
        bytes memory data = abi.encodeCall(market.certify, (good, THREE, signed));
        dirt = bound(dirt, 1, type(uint256).max >> 32);
        assembly ("memory-safe") {
            let word := add(data, add(0x24, 0x60))
            mstore(word, or(mload(word), shl(32, dirt)))
        }
        (bool ok,) = address(market).call(data);
        assertTrue(!ok, "a dirty epoch was accepted");
    }

    function attack(RoundCertificate memory certificate) private {
        vm.expectRevert();
        market.certify(certificate, THREE, signed);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICommittee} from "../../src/interfaces/ICommittee.sol";
import {IStakeVault} from "../../src/interfaces/IStakeVault.sol";
import {ITrainingMarket} from "../../src/interfaces/ITrainingMarket.sol";
import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {MerkleTree} from "../utils/MerkleTree.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

contract SlashTest is MarketFixture {
    TaskId private taskId;
    FaultLeaf private leaf;

    function setUp() public override {
        super.setUp();
        taskId = startedTask();
        leaf = certifyFault(taskId);
    }

    function test_slash_revertsIfTaskIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TaskUnknown.selector, 9));
        market.slash(
            TaskId.wrap(9),
            lastRecord(TaskId.wrap(9)),
            claimOf(TaskId.wrap(9), leaf),
            signedClaim(TaskId.wrap(9), leaf),
            noProof()
        );
    }

    function test_slash_revertsIfFaultIsNotCertified() public {
        FaultLeaf memory other = someFault(1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.ProofInvalid.selector, taskId, faultLeaf(other), faultLeaf(leaf)
            )
        );
        market.slash(
            taskId, lastRecord(taskId), claimOf(taskId, other), signedClaim(taskId, other), noProof()
        );
    }

    function test_slash_revertsIfSlashedBefore() public {
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.AlreadySlashed.selector, taskId, faultLeaf(leaf))
        );
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
    }

    function test_slash_revertsIfSignatureIsMalleable() public {
        bytes32 s = bytes32(type(uint256).max >> 1);
        bytes memory twin = abi.encodePacked(bytes32(uint256(1)), s);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.MalleableSignature.selector, 0, s));
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), twin, noProof());
    }

    /// @dev What is no signature recovers to nobody, who must not pass for a miner with that address.
    function test_slash_revertsIfNobodyIsBlamedAndNobodySigned() public {
        FaultLeaf memory nobody = FaultLeaf(2, 0, address(0), keccak256("zeros"));
        RoundCertificate memory c = nextCertificate(taskId);
        c.faultsRoot = faultLeaf(nobody);
        certify(c);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotSignedByMiner.selector, taskId, address(0), address(0))
        );
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, nobody), new bytes(64), noProof());
    }

    function test_slash_revertsIfFaultsExpired() public {
        uint256 expiresAt = vm.getBlockTimestamp() + UNBONDING_DELAY;
        vm.warp(expiresAt + 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.FaultsExpired.selector, taskId, expiresAt));
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
    }

    function test_slash_revertsIfMinerHeldNothing() public {
        RoundCertificate memory c = nextCertificate(taskId);
        minerKeys.push(0x6057);
        address ghostly = vm.addr(0x6057);
        FaultLeaf memory ghost = FaultLeaf(2, 0, ghostly, keccak256("zeros"));
        c.faultsRoot = faultLeaf(ghost);
        certify(c);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.NothingToSlash.selector, ghostly, vm.getBlockTimestamp())
        );
        market.slash(
            taskId, lastRecord(taskId), claimOf(taskId, ghost), signedClaim(taskId, ghost), noProof()
        );
    }

    function test_slash__certifiedFault__isSplit() public {
        uint256 posterBefore = token.balanceOf(poster);
        vm.expectEmit(address(market));
        emit ITrainingMarket.FaultSlashed(taskId, miner(0), stranger, leaf, SLASH, 4 ether);
        vm.prank(stranger);
        assertEq(
            market.slash(
                taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof()
            ),
            SLASH,
            "amount"
        );
        assertEq(token.balanceOf(poster) - posterBefore, 20 ether, "half to the poster");
        assertEq(token.balanceOf(stranger), 4 ether, "a tenth to the reporter");
        assertEq(token.balanceOf(treasury), 16 ether, "the rest to the treasury");
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE - SLASH, "stake");
        assertTrue(market.slashed(taskId, faultLeaf(leaf)), "marked");
    }

    function test_slash__lastSecond__isInTime() public {
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY);
        assertEq(
            market.slash(
                taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof()
            ),
            SLASH,
            "amount"
        );
    }

    function test_slash__minerReportsItself__getsNoBounty() public {
        address culprit = miner(0);
        uint256 before = token.balanceOf(culprit);
        vm.prank(culprit);
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        assertEq(token.balanceOf(culprit), before, "no bounty");
        assertEq(token.balanceOf(treasury), 20 ether, "treasury");
    }

    function test_slash__afterClose__stillWorks() public {
        vm.warp(market.task(taskId).deadline + 1);
        market.close(taskId);
        assertEq(
            market.slash(
                taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof()
            ),
            SLASH,
            "amount"
        );
    }

    function test_slash__manyFaults__neverExceedsTheStake() public {
        bytes32[] memory leaves = new bytes32[](4);
        FaultLeaf[] memory faults = new FaultLeaf[](4);
        for (uint32 i = 0; i < 4; ++i) {
            faults[i] = FaultLeaf(2, i, miner(1), keccak256(abi.encode(i)));
            leaves[i] = faultLeaf(faults[i]);
        }
        RoundCertificate memory c = nextCertificate(taskId);
        c.faultsRoot = MerkleTree.root(leaves);
        certify(c);
        uint256 total = 0;
        for (uint256 i = 0; i < 3; ++i) {
            total += market.slash(
                taskId,
                lastRecord(taskId),
                claimOf(taskId, faults[i]),
                signedClaim(taskId, faults[i]),
                MerkleTree.proof(leaves, i)
            );
        }
        assertEq(total, MINER_STAKE, "40 + 40 + the 20 that were left");
        bytes32[] memory proof = MerkleTree.proof(leaves, 3);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.NothingToSlash.selector, miner(1), vm.getBlockTimestamp())
        );
        market.slash(
            taskId, lastRecord(taskId), claimOf(taskId, faults[3]), signedClaim(taskId, faults[3]), proof
        );
    }
}

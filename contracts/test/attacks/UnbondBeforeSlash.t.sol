// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FaultLeaf, RoundCertificate} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A miner or a validator that cheats runs for the exit before the proof lands.
contract UnbondBeforeSlashAttack is MarketFixture {
    /// @dev The worst case: the miner starts to unbond before the task exists, the task is as long as allowed, the fault
    /// is certified at the last second and slashed at the end of the margin.
    function testFuzz_run__minerUnbondsEarly__isStillSlashed(uint256 lead, uint256 settle) public {
        TaskParams memory p = someParams();
        p.startsAt = 0;
        p.deadline = uint64(vm.getBlockTimestamp() + market.MAX_TASK_LIFE());
        vm.prank(poster);
        TaskId taskId = market.createTask(p);
        lead = bound(lead, 0, market.MAX_TASK_LIFE());
        vm.warp(vm.getBlockTimestamp() + lead);
        vm.prank(miner(0));
        vault.unbond(MINER_STAKE);
        vm.warp(p.deadline);
        FaultLeaf memory leaf = certifyFault(taskId);
        vm.warp(p.deadline + bound(settle, 0, market.SETTLEMENT_MARGIN()));
        vm.prank(miner(0));
        (bool left,) = address(vault).call(abi.encodeCall(vault.withdraw, ()));
        assertTrue(!left, "the stake is still here");
        assertEq(
            market.slash(
                taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof()
            ),
            SLASH,
            "slashed"
        );
    }

    /// @dev The committee was snapshot as long ago as allowed, and a member unbonds right after the snapshot.
    function test_run__validatorUnbondsAfterSnapshot__isSlashableToTheEnd() public {
        vm.startPrank(validator(0));
        committee.leave();
        vault.unbond(VALIDATOR_STAKE);
        vm.stopPrank();
        vm.warp(vm.getBlockTimestamp() + market.MAX_EPOCH_AGE());
        TaskParams memory p = someParams();
        p.startsAt = 0;
        p.deadline = uint64(vm.getBlockTimestamp() + market.MAX_TASK_LIFE());
        vm.prank(poster);
        RoundCertificate memory a = nextCertificate(market.createTask(p));
        RoundCertificate memory b = a;
        bytes memory signedA = compact(validatorKeys[0], market.certificateDigest(a));
        b = nextCertificate(a.taskId);
        b.model = keccak256("another");
        bytes memory signedB = compact(validatorKeys[0], market.certificateDigest(b));
        vm.warp(p.deadline + market.SETTLEMENT_MARGIN());
        committee.proveEquivocation(a, signedA, b, signedB);
        assertEq(vault.slashableOf(validator(0)), 0, "slashed at the last second");
    }

    /// @dev Unbonding twice, in slices, or around a slash never frees more than what is left.
    function testFuzz_run__slicesAndWarps__neverOutrunTheSlash(uint256 first, uint256 second, uint256 wait)
        public
    {
        address account = miner(0);
        first = bound(first, 1, MINER_STAKE - 1);
        second = bound(second, 1, MINER_STAKE - first);
        vm.prank(account);
        vault.unbond(first);
        vm.warp(vm.getBlockTimestamp() + bound(wait, 0, UNBONDING_DELAY - 1));
        vm.prank(account);
        vault.unbond(second);
        vm.prank(address(market));
        vault.slash(account, MINER_STAKE, vm.getBlockTimestamp(), poster, stranger);
        assertEq(vault.slashableOf(account), 0, "all of it");
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY);
        vm.prank(account);
        (bool left,) = address(vault).call(abi.encodeCall(vault.withdraw, ()));
        assertTrue(!left, "nothing to withdraw");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {TaskId} from "../../src/types/Ids.sol";
import {TaskParams} from "../../src/types/Task.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice A poster wants a committee of its friends. It may choose when to draw, who draws, whether to let the 256
/// blocks pass, what happens to stakes and pool in between, and it may try all of that: the committees that it can
/// reach are two, the one of a block that nobody knew and the one that the snapshot fixed.
contract DrawGrindingAttack is MarketFixture {
    uint256 private constant ACTIONS = 5;
    TaskId private taskId;
    uint256 private drawBlock;

    function setUp() public override {
        super.setUp();
        addValidators(6);
        vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
        committee.advanceEpoch();
        TaskParams memory p = someParams();
        p.committeeSize = 4;
        taskId = createTask(p);
        drawBlock = vm.getBlockNumber() + committee.DRAW_DELAY();
    }

    /// @dev Every sequence of three of the five things it can do, at every kind of moment: 5^3 * 6 = 750 runs.
    function test_grind__everySmallChoice__reachesTwoCommittees() public {
        uint256[6] memory moments = [uint256(1), 2, 100, 256, 257, 5_000];
        bytes32 inTime;
        bytes32 late;
        uint256 state = vm.snapshotState();
        for (uint256 m = 0; m < moments.length; ++m) {
            for (uint256 plan = 0; plan < ACTIONS ** 3; ++plan) {
                bytes32 drawn = reached(moments[m], plan);
                if (moments[m] <= 256) {
                    assertTrue(inTime == 0 || drawn == inTime, "in time: one committee");
                    inTime = drawn;
                } else {
                    assertTrue(late == 0 || drawn == late, "too late: one committee, fixed beforehand");
                    late = drawn;
                }
                require(vm.revertToState(state), "state");
                state = vm.snapshotState();
            }
        }
    }

    function reached(uint256 moment, uint256 plan) private returns (bytes32) {
        for (uint256 i = 0; i < 3; ++i) {
            act(plan % ACTIONS, i);
            plan /= ACTIONS;
        }
        vm.roll(drawBlock + moment);
        if (moment <= 256) vm.setBlockhash(drawBlock, keccak256("nobody knew"));
        committee.drawCommittee(taskId);
        return keccak256(abi.encode(committee.membersOfTask(taskId)));
    }

    function act(uint256 action, uint256 step) private {
        if (action == 0) {
            createTask();
        } else if (action == 1) {
            address leaver = validator(step);
            vm.prank(leaver);
            committee.leave();
        } else if (action == 2) {
            stakeAs(validator(9 - step), 1_000_000 ether);
        } else if (action == 3) {
            vm.prank(validator(3 + step));
            vault.unbond(1 ether);
        } else {
            vm.roll(vm.getBlockNumber() + EPOCH_LENGTH);
            try committee.advanceEpoch() {} catch {}
        }
    }
}

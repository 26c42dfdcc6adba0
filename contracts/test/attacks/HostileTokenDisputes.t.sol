// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {WHOLE} from "../../src/types/Appeal.sol";
import {AppealsFixture} from "../appeals/AppealsFixture.sol";
import {HostileToken} from "../utils/HostileToken.sol";

/// @notice The token re-enters a dispute whenever a bond or a stake moves.
contract HostileTokenDisputesAttack is AppealsFixture {
    HostileToken private hostile;

    function newToken() internal override returns (IERC20) {
        hostile = new HostileToken();
        return hostile;
    }

    function test_reenter__everyFunctionOfAppeals__isRefused() public {
        bytes[7] memory calls = [
            abi.encodeCall(appeals.challengeContribution, (taskId, record(1), bad, noProof(), WHOLE)),
            abi.encodeCall(appeals.challengeFault, (taskId, record(1), wrong, noProof())),
            abi.encodeCall(appeals.decide, (taskId, 0, 31, "", record(0))),
            abi.encodeCall(appeals.lapse, (taskId)),
            abi.encodeCall(appeals.settle, (taskId, 1, 0)),
            abi.encodeCall(appeals.convict, (taskId, 1, 0, badClaim(2), "")),
            abi.encodeCall(appeals.punish, (taskId, 1, 0, THREE))
        ];
        challengeWrong();
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 state = vm.snapshotState();
            hostile.arm(address(appeals), calls[i]);
            challengeBad();
            assertRefused();
            require(vm.revertToState(state), "state");
        }
    }

    function test_reenter__challengeFault__isRefused() public {
        arm();
        challengeWrong();
        assertRefused();
    }

    function test_reenter__settle__isRefused() public {
        decided(1);
        arm();
        appeals.settle(taskId, 1, 0);
        assertRefused();
        assertEq(token.balanceOf(address(appeals)), BOND, "the other bond is still there");
    }

    function test_reenter__convict__isRefused() public {
        decided(1);
        arm();
        appeals.convict(taskId, 1, 0, badClaim(2), signedBy(badClaim(2)));
        assertRefused();
        assertEq(vault.stakeOf(miner(0)), MINER_STAKE - SLASH, "slashed once");
    }

    function test_reenter__punish__isRefused() public {
        decided(1);
        arm();
        appeals.punish(taskId, 1, 0, 1);
        assertRefused();
        assertEq(vault.stakeOf(committeeMembers[0]), VALIDATOR_STAKE - SLASH, "punished once");
    }

    function arm() private {
        hostile.arm(address(appeals), abi.encodeCall(appeals.settle, (taskId, 1, 0)));
    }

    function assertRefused() private view {
        assertTrue(hostile.called(), "the token called back");
        assertTrue(!hostile.succeeded(), "and was refused");
        bytes4 wanted = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        assertTrue(hostile.reason() == wanted, "by the guard");
    }
}

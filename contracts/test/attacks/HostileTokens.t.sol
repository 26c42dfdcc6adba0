// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {TokenLib} from "../../src/libraries/TokenLib.sol";
import {FaultLeaf} from "../../src/types/Certificate.sol";
import {TaskId} from "../../src/types/Ids.sol";
import {HostileToken} from "../utils/HostileToken.sol";
import {MarketFixture} from "../utils/MarketFixture.sol";

/// @notice The token re-enters during each kind of transfer, or delivers less than it took.
contract HostileTokensAttack is MarketFixture {
    HostileToken private hostile;

    function newToken() internal override returns (IERC20) {
        hostile = new HostileToken();
        return hostile;
    }

    function test_reenter__createTask__isRefused() public {
        hostile.arm(address(market), abi.encodeCall(market.close, (TaskId.wrap(1))));
        createTask();
        assertRefused();
    }

    function test_reenter__cancel__isRefused() public {
        TaskId taskId = createTask();
        hostile.arm(address(market), abi.encodeCall(market.cancel, (taskId)));
        vm.prank(poster);
        market.cancel(taskId);
        assertRefused();
        assertEq(token.balanceOf(address(market)), 0, "refunded once");
    }

    function test_reenter__close__isRefused() public {
        TaskId taskId = startedTask();
        certifyAll(taskId);
        hostile.arm(address(market), abi.encodeCall(market.close, (taskId)));
        market.close(taskId);
        assertRefused();
    }

    function test_reenter__claim__isRefused() public {
        TaskId taskId = startedTask();
        certify(nextCertificate(taskId));
        bytes32[] memory proof = minerProof(taskId, 0);
        uint256 due = minerDue(taskId);
        hostile.arm(
            address(market), abi.encodeCall(market.claim, (taskId, lastPayouts(taskId), miner(0), due, proof))
        );
        market.claim(taskId, lastPayouts(taskId), miner(0), due, proof);
        assertRefused();
    }

    function test_reenter__claimSigningFee__isRefused() public {
        TaskId taskId = startedTask();
        certifyAll(taskId);
        market.close(taskId);
        hostile.arm(
            address(market),
            abi.encodeCall(market.claimSigningFee, (taskId, lastRecord(taskId), validator(0)))
        );
        market.claimSigningFee(taskId, lastRecord(taskId), validator(0));
        assertRefused();
    }

    function test_reenter__slash__isRefused() public {
        TaskId taskId = startedTask();
        FaultLeaf memory leaf = certifyFault(taskId);
        hostile.arm(
            address(market),
            abi.encodeCall(
                market.slash,
                (taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof())
            )
        );
        market.slash(taskId, lastRecord(taskId), claimOf(taskId, leaf), signedClaim(taskId, leaf), noProof());
        assertRefused();
        assertEq(vault.slashableOf(miner(0)), MINER_STAKE - SLASH, "slashed once");
    }

    function test_reenter__deposit__isRefused() public {
        hostile.arm(address(vault), abi.encodeCall(vault.withdraw, ()));
        stakeAs(stranger, 1 ether);
        assertRefused();
    }

    function test_reenter__withdraw__isRefused() public {
        vm.startPrank(miner(0));
        vault.unbond(MINER_STAKE);
        vm.warp(vm.getBlockTimestamp() + UNBONDING_DELAY);
        hostile.arm(address(vault), abi.encodeCall(vault.withdraw, ()));
        vault.withdraw();
        vm.stopPrank();
        assertRefused();
    }

    function test_feeOnTransfer__createTask__reverts() public {
        hostile.setFee(1);
        vm.prank(poster);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, ESCROW, ESCROW - 1));
        market.createTask(someParams());
    }

    function test_feeOnTransfer__deposit__reverts() public {
        fund(stranger, 2 ether);
        hostile.setFee(1);
        vm.startPrank(stranger);
        token.approve(address(vault), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(TokenLib.TransferMismatch.selector, 1 ether, 1 ether - 1));
        vault.deposit(1 ether);
        vm.stopPrank();
    }

    function assertRefused() private view {
        assertTrue(hostile.called(), "the token called back");
        assertTrue(!hostile.succeeded(), "and was refused");
        bytes4 wanted = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        assertTrue(hostile.reason() == wanted, "by the guard");
    }
}
